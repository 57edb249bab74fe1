"""How is a condition written? In a configuration of ours, and as Cloudflare's API has it; the two mix freely.

A condition is a mapping with one name. Ours has a value beside it (``{"email": "user@example.com"}``), or several, of
which one has to fit (``{"emails": [...]}``); Cloudflare's has an object (``{"email": {"email": "user@example.com"}}``).
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any, Protocol

from cfaccess_mw.core.certificate_conditions import AnyCertificate, CommonNames
from cfaccess_mw.core.check import Check
from cfaccess_mw.core.conditions import Condition, Everyone, OneOf
from cfaccess_mw.core.criteria import AccessGroup
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Need
from cfaccess_mw.core.profile_conditions import (
    Attribute,
    AuthMethods,
    AzureGroup,
    DevicePosture,
    GithubOrganization,
    Groups,
    GsuiteGroup,
    LoginMethods,
    OidcClaim,
    OktaGroup,
    ProviderGroup,
    SamlAttribute,
)
from cfaccess_mw.core.references import References
from cfaccess_mw.core.request_conditions import Countries, IpList, Methods, Networks
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.token_conditions import (
    AnyServiceToken,
    Audiences,
    CustomClaim,
    EmailDomains,
    EmailList,
    Emails,
    ServiceTokens,
)


class Resolver(Protocol):
    """Knows what ids stand for."""

    @property
    def references(self) -> References:
        """Everything but groups."""

    def group(self, key: str) -> AccessGroup:
        """Return the group with an id."""

    def inline_group(self, mapping: Mapping[str, Any]) -> AccessGroup:
        """Return a group that is written out where it is used."""


Reader = Callable[[object, Resolver], Condition]


def read_condition(given: object, resolver: Resolver) -> Condition:
    """Read one condition.

    Args:
        given: A mapping with one name; a condition as it is; a function of the facts.
        resolver: Knows what ids stand for.

    Raises:
        ConfigurationError: It is not understood, or cannot be known at an origin.
    """
    if isinstance(given, Condition):
        return given
    if callable(given) and not isinstance(given, type):
        return Check(function=given)
    if not isinstance(given, Mapping) or len(given) != 1:
        raise ConfigurationError(f"has {shape(given)}; a condition is a mapping with one name, as {{'email': '...'}}")
    [(name, value)] = given.items()
    if name in UNKNOWABLE:
        raise ConfigurationError(
            f"{name}: cannot be known at an origin, since {UNKNOWABLE[name]}; leave it to Cloudflare, and write here "
            "what else has to be true"
        )
    read = SELECTORS.get(name)
    if read is None:
        near = get_close_matches(str(name), SELECTORS, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(SELECTORS)}"
        raise ConfigurationError(f"{str(name)[:64]!r} is not a condition; {mend}")
    return read(value, resolver)


UNKNOWABLE: Mapping[str, str] = {
    "auth_context": "an authentication context shows in no token and no profile",
    "cloudflare_account_member": "membership of a Cloudflare account shows in no token and no profile",
    "external_evaluation": "the answer of another service at the time of login shows in no token and no profile",
    "linked_app_token": "the token of the other application does not reach this one",
    "user_risk_score": "a risk score shows in no token and no profile",
}
"""What Cloudflare can ask and an origin cannot."""


def _flag(cls: type[Condition], value: object, _: Resolver) -> Condition:
    if value is not True and not (isinstance(value, Mapping) and not value):
        raise ConfigurationError(f"{cls.key}: is {shape(value)}; write true, or leave it out")
    return cls()


def _one_of(cls: type[OneOf], member: str | None, value: Any, _: Resolver) -> Condition:
    """Read a value, several, or Cloudflare's object with one under ``member``."""
    if member is not None and isinstance(value, Mapping):
        value = _members(cls.key, value, member)[member]
    return cls(values=value)


def _named_list(cls: type[EmailList | IpList], member: str, value: Any, resolver: Resolver) -> Condition:
    """Read the id of a list, or a list that is written out with its id."""
    if isinstance(value, Mapping) and member in value:
        _only(cls.key, value, ("id", member))
        return cls(id=_text(cls.key, value.get("id")), values=value[member])
    key = _members(cls.key, value, "id")["id"] if isinstance(value, Mapping) else _text(cls.key, value)
    return cls(id=key, values=frozenset(resolver.references.find("lists", key)))


def _service_token(value: Any, resolver: Resolver) -> Condition:
    if not isinstance(value, Mapping):
        return ServiceTokens(values=value)
    _only(ServiceTokens.key, value, ("client_id", "token_id"))
    token_id = _text(ServiceTokens.key, value.get("token_id"))
    client_id = value.get("client_id")
    if client_id is None:
        client_id = resolver.references.find("service_tokens", token_id)
    return ServiceTokens(values=client_id, token_id=token_id)


def _custom(value: Any, _: Resolver) -> Condition:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ConfigurationError(f"custom: is {shape(value)}; write one claim, as {{'department': 'sales'}}")
    [(name, values)] = value.items()
    return CustomClaim(name=name, values=values)


def _login_method(value: Any, resolver: Resolver) -> Condition:
    if isinstance(value, Mapping):
        value = _members(LoginMethods.key, value, "id")["id"]
        _known(resolver, "identity_providers", value)
    return LoginMethods(values=value)


def _provider_group(cls: type[ProviderGroup], value: Any, resolver: Resolver) -> Condition:
    optional = ("team",) if cls is GithubOrganization else ()
    members = _members(cls.key, value, cls.value_key, "identity_provider_id", optional=optional)
    if "team" in members:
        raise ConfigurationError(
            f"{cls.key}: asks for a team, and get-identity is not documented to name teams; use 'groups' with a group "
            "that you see there"
        )
    _known(resolver, "identity_providers", members["identity_provider_id"])
    return cls(value=members[cls.value_key], identity_provider_id=members["identity_provider_id"])


def _attribute(cls: type[Attribute], value: Any, resolver: Resolver) -> Condition:
    members = _members(cls.key, value, cls.name_key, cls.value_key, "identity_provider_id")
    provider_id = members["identity_provider_id"]
    _known(resolver, "identity_providers", provider_id)
    return cls(name=members[cls.name_key], value=members[cls.value_key], identity_provider_id=provider_id)


def _device_posture(value: Any, resolver: Resolver) -> Condition:
    if isinstance(value, Mapping):
        value = _members(DevicePosture.key, value, "integration_uid", optional=("account_id",))["integration_uid"]
        _known(resolver, "posture_rules", value)
    return DevicePosture(uid=value)


def _access_group(value: Any, resolver: Resolver) -> Condition:
    if isinstance(value, Mapping) and "include" in value:
        return resolver.inline_group(value)
    return resolver.group(
        _members("access_group", value, "id")["id"] if isinstance(value, Mapping) else _text("access_group", value)
    )


def _cloudflare_group(value: Any, resolver: Resolver) -> Condition:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"group: is {shape(value)}; for groups of the identity provider write 'groups', for an Access group "
            "{'id': '...'}"
        )
    return resolver.group(_members("group", value, "id")["id"])


def _check(value: Any, _: Resolver) -> Condition:
    if not isinstance(value, Mapping):
        return Check(function=value)
    _only(Check.key, value, ("function", "looks_at", "pure"))
    looks_at = value.get("looks_at", Need.TOKEN | Need.REQUEST)
    if not isinstance(looks_at, Need):
        looks_at = _need(looks_at)
    return Check(function=value.get("function"), looks_at=looks_at, pure=value.get("pure", False))  # type: ignore[arg-type]  # it validates itself


def _need(words: object) -> Need:
    need = Need.NOTHING
    for word in words if isinstance(words, list | tuple) else [words]:
        if not isinstance(word, str) or word not in _NEEDS:
            raise ConfigurationError(f"check: looks_at has {shape(word)}; name some of {', '.join(_NEEDS)}")
        need |= _NEEDS[word]
    return need


_NEEDS: Mapping[str, Need] = {
    "token": Need.TOKEN,
    "request": Need.REQUEST,
    "method": Need.METHOD,
    "address": Need.ADDRESS,
    "country": Need.COUNTRY,
    "certificate": Need.CERTIFICATE,
    "peer": Need.PEER,
    "target": Need.TARGET,
    "profile": Need.PROFILE,
}


SELECTORS: Mapping[str, Reader] = {
    "everyone": partial(_flag, Everyone),
    "email": partial(_one_of, Emails, "email"),
    "emails": partial(_one_of, Emails, None),
    "email_list": partial(_named_list, EmailList, "emails"),
    "email_domain": partial(_one_of, EmailDomains, "domain"),
    "email_domains": partial(_one_of, EmailDomains, None),
    "country": partial(_one_of, Countries, None),
    "countries": partial(_one_of, Countries, None),
    "geo": partial(_one_of, Countries, "country_code"),
    "service_token": _service_token,
    "service_tokens": partial(_one_of, ServiceTokens, None),
    "any_valid_service_token": partial(_flag, AnyServiceToken),
    "custom": _custom,
    "audience": partial(_one_of, Audiences, None),
    "audiences": partial(_one_of, Audiences, None),
    "ip": partial(_one_of, Networks, "ip"),
    "ips": partial(_one_of, Networks, None),
    "ip_list": partial(_named_list, IpList, "ips"),
    "method": partial(_one_of, Methods, None),
    "methods": partial(_one_of, Methods, None),
    "certificate": partial(_flag, AnyCertificate),
    "common_name": partial(_one_of, CommonNames, "common_name"),
    "common_names": partial(_one_of, CommonNames, None),
    "groups": partial(_one_of, Groups, None),
    "azureAD": partial(_provider_group, AzureGroup),
    "github-organization": partial(_provider_group, GithubOrganization),
    "gsuite": partial(_provider_group, GsuiteGroup),
    "okta": partial(_provider_group, OktaGroup),
    "login_method": _login_method,
    "login_methods": partial(_one_of, LoginMethods, None),
    "auth_method": partial(_one_of, AuthMethods, "auth_method"),
    "auth_methods": partial(_one_of, AuthMethods, None),
    "device_posture": _device_posture,
    "saml": partial(_attribute, SamlAttribute),
    "oidc": partial(_attribute, OidcClaim),
    "access_group": _access_group,
    "group": _cloudflare_group,
    "check": _check,
}
"""Every name that a condition can have."""


def _known(resolver: Resolver, section: str, key: str) -> None:
    if resolver.references.given:
        resolver.references.find(section, key)


def _members(key: str, value: Any, *required: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the members of an object, all of them texts; one that is not known could be what limits it."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{key}: is {shape(value)}; write an object with {', '.join(required)}")
    _only(key, value, (*required, *optional))
    given = {name: member for name, member in value.items() if member is not None}
    for name in required:
        if name not in given:
            raise ConfigurationError(f"{key}: lacks {name!r}; write an object with {', '.join(required)}")
    return {name: _text(f"{key}: {name}", member) for name, member in given.items()}


def _only(key: str, value: Mapping[Any, Any], known: tuple[str, ...]) -> None:
    for name in value:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ConfigurationError(f"{key}: {str(name)[:64]!r} is not known here; {mend}")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{key}: is {shape(value)}; write a text")
    return value
