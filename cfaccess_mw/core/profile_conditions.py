"""Is this true of what ``get-identity`` says about the user?

Everything in that document is optional, and Cloudflare gives types for only part of it. A field that is absent or null
makes a condition on it false; one of another type than the documented is data that could not be read.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from cfaccess_mw.core.conditions import Condition, OneOf
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.selector_values import Read, read_text, read_value
from cfaccess_mw.core.truth import Truth, all_of, any_of, truth_of

Profile = Mapping[str, object]


class ProfileCondition(Condition):
    """A condition on the looked-up identity."""

    __slots__ = ()

    _needs: ClassVar[Need] = Need.PROFILE | Need.TOKEN

    _of_login: ClassVar[bool] = True
    """Whether it is about a login with an identity provider, which services do not have: no lookup for them."""

    def evaluate(self, facts: Facts) -> Truth:
        """Ask the profile, or wait for it."""
        if self._of_login and facts.identity is not None and facts.identity.kind != "user":
            return Truth.FALSE
        if facts.profile is None:
            return Truth.UNKNOWN if facts.looked_up else Truth.WAITING
        return self._ask(facts.profile)

    @abstractmethod
    def _ask(self, profile: Profile) -> Truth: ...


class Groups(OneOf, ProfileCondition):
    """True of a member of one of these groups, whichever identity provider it is of.

    Attributes:
        values: Names, ids or addresses of groups, compared exactly. Where people can name groups as they like, ids are
            the safer choice.
    """

    __slots__ = ()

    key: ClassVar[str] = "groups"  # Cloudflare's own "group" is an access group
    reason: ClassVar[str] = "group"
    read: ClassVar[Read] = staticmethod(read_text)

    def _ask(self, profile: Profile) -> Truth:
        return _is_member(profile, ("id", "name", "email"), self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderGroup(ProfileCondition):
    """True of a member of a group of one identity provider, as Cloudflare's own selectors have it.

    Attributes:
        value: What the selector knows the group by.
        identity_provider_id: Cloudflare's id of the identity provider; a group of the same name elsewhere is another.
    """

    value_key: ClassVar[str]
    """The field of a group that is compared."""

    value: str = field(repr=False)
    identity_provider_id: str

    def __post_init__(self) -> None:
        """Refuse empty texts."""
        for value in (self.value, self.identity_provider_id):
            read_value(self.key, value, read_text)

    def to_value(self) -> object:
        """Return the group and the identity provider, under Cloudflare's names."""
        return {self.value_key: self.value, "identity_provider_id": self.identity_provider_id}

    def _ask(self, profile: Profile) -> Truth:
        member = _is_member(profile, (self.value_key,), frozenset({self.value}))
        return all_of((member, _is_provider(profile, self.identity_provider_id)))


class AzureGroup(ProviderGroup):
    """True of a member of a group of Microsoft Entra ID, by the group's id."""

    __slots__ = ()

    key: ClassVar[str] = "azureAD"
    reason: ClassVar[str] = "azure-group"
    value_key: ClassVar[str] = "id"


class GithubOrganization(ProviderGroup):
    """True of a member of a GitHub organisation, by its name."""

    __slots__ = ()

    key: ClassVar[str] = "github-organization"
    reason: ClassVar[str] = "github-organization"
    value_key: ClassVar[str] = "name"


class GsuiteGroup(ProviderGroup):
    """True of a member of a Google Workspace group, by its address."""

    __slots__ = ()

    key: ClassVar[str] = "gsuite"
    reason: ClassVar[str] = "gsuite-group"
    value_key: ClassVar[str] = "email"


class OktaGroup(ProviderGroup):
    """True of a member of an Okta group, by its name."""

    __slots__ = ()

    key: ClassVar[str] = "okta"
    reason: ClassVar[str] = "okta-group"
    value_key: ClassVar[str] = "name"


class LoginMethods(OneOf, ProfileCondition):
    """True of a user who signed in with one of these identity providers, by id or by type (``onetimepin``)."""

    __slots__ = ()

    key: ClassVar[str] = "login_method"
    reason: ClassVar[str] = "login-method"
    read: ClassVar[Read] = staticmethod(read_text)

    def _ask(self, profile: Profile) -> Truth:
        provider = profile.get("idp")
        if not isinstance(provider, Mapping):
            return unread(provider)
        return any_of(is_text(provider.get(name), self.values) for name in ("id", "type"))


class AuthMethods(OneOf, ProfileCondition):
    """True of a user who proved themselves by one of these methods (RFC 8176: ``mfa``, ``hwk``, …)."""

    __slots__ = ()

    key: ClassVar[str] = "auth_method"
    reason: ClassVar[str] = "auth-method"
    read: ClassVar[Read] = staticmethod(read_text)

    def _ask(self, profile: Profile) -> Truth:
        return _has_text(profile.get("amr"), self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePosture(ProfileCondition):
    """True of a device that passes a posture check.

    Attributes:
        uid: Cloudflare's id of the check.
    """

    key: ClassVar[str] = "device_posture"
    reason: ClassVar[str] = "device-posture"
    _of_login: ClassVar[bool] = False

    uid: str

    def __post_init__(self) -> None:
        """Refuse what is no id."""
        read_value(self.key, self.uid, read_text)

    def to_value(self) -> object:
        """Return the id."""
        return self.uid

    def _ask(self, profile: Profile) -> Truth:
        checks = profile.get("devicePosture")
        check = checks.get(self.uid) if isinstance(checks, Mapping) else checks
        if not isinstance(check, Mapping):
            return unread(check)
        return is_true(check.get("success"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(ProfileCondition):
    """True of a user of whom one identity provider says this.

    Attributes:
        name: The attribute's or claim's.
        value: Compared exactly, with a text or with each of a list of texts.
        identity_provider_id: Cloudflare's id of the identity provider.
    """

    _field: ClassVar[str]
    """Under which the document has all of them."""

    name_key: ClassVar[str]
    value_key: ClassVar[str]

    name: str
    value: str = field(repr=False)
    identity_provider_id: str

    def __post_init__(self) -> None:
        """Refuse empty texts."""
        for value in (self.name, self.value, self.identity_provider_id):
            read_value(self.key, value, read_text)

    def to_value(self) -> object:
        """Return the three, under Cloudflare's names."""
        return {
            self.name_key: self.name,
            self.value_key: self.value,
            "identity_provider_id": self.identity_provider_id,
        }

    def _ask(self, profile: Profile) -> Truth:
        said = profile.get(self._field)
        if not isinstance(said, Mapping):
            return unread(said)
        has = _has_text(said.get(self.name), frozenset({self.value}))
        return all_of((has, _is_provider(profile, self.identity_provider_id)))


class SamlAttribute(Attribute):
    """True of a user with this SAML attribute (``saml_attributes``, as the identity selectors of Gateway call it)."""

    __slots__ = ()

    key: ClassVar[str] = "saml"
    reason: ClassVar[str] = "saml-attribute"
    name_key: ClassVar[str] = "attribute_name"
    value_key: ClassVar[str] = "attribute_value"
    _field: ClassVar[str] = "saml_attributes"


class OidcClaim(Attribute):
    """True of a user with this OIDC claim (``oidc_fields``, Cloudflare, "Generic OIDC")."""

    __slots__ = ()

    key: ClassVar[str] = "oidc"
    reason: ClassVar[str] = "oidc-claim"
    name_key: ClassVar[str] = "claim_name"
    value_key: ClassVar[str] = "claim_value"
    _field: ClassVar[str] = "oidc_fields"


def _is_member(profile: Profile, names: Iterable[str], values: frozenset[str]) -> Truth:
    """Compare ``groups``: texts, or objects of which the named fields count."""
    groups = profile.get("groups")
    if not isinstance(groups, list | tuple):
        return unread(groups)
    return any_of(_is_group(group, names, values) for group in groups)


def _is_group(group: object, names: Iterable[str], values: frozenset[str]) -> Truth:
    if not isinstance(group, Mapping):
        return is_text(group, values) if group is not None else Truth.UNKNOWN
    told = [group[name] for name in names if group.get(name) not in (None, "")]
    return any_of(is_text(value, values) for value in told) if told else Truth.UNKNOWN  # it could be any group


def _is_provider(profile: Profile, provider_id: str) -> Truth:
    """Ask whether this identity provider speaks; where the document does not say which one, nobody can tell."""
    provider = profile.get("idp")
    found = provider.get("id") if isinstance(provider, Mapping) else None
    return is_text(found, frozenset({provider_id})) if found is not None else Truth.UNKNOWN


def _has_text(value: object, values: frozenset[str]) -> Truth:
    """Compare a text, or each of a list of texts."""
    if not isinstance(value, list | tuple):
        return is_text(value, values)
    return any_of(is_text(item, values) if item is not None else Truth.UNKNOWN for item in value)


def is_text(value: object, values: frozenset[str]) -> Truth:
    """Say whether a field of the profile is one of some texts."""
    return truth_of(value in values) if isinstance(value, str) else unread(value)


def is_true(value: object) -> Truth:
    """Say whether a field of the profile is true."""
    return truth_of(value) if isinstance(value, bool) else unread(value)


def unread(value: object) -> Truth:
    """Say what a field is that has not the documented type: absent, or not to be read."""
    return Truth.FALSE if value is None else Truth.UNKNOWN
