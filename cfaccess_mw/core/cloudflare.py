"""How would Cloudflare's API write these policies?"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cfaccess_mw.core.certificate_conditions import AnyCertificate, CommonNames
from cfaccess_mw.core.conditions import Condition, Everyone, OneOf
from cfaccess_mw.core.criteria import SECTIONS, AccessGroup
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import Policy, PolicyDecision
from cfaccess_mw.core.profile_conditions import Attribute, AuthMethods, DevicePosture, LoginMethods, ProviderGroup
from cfaccess_mw.core.request_conditions import Countries, IpList, Networks
from cfaccess_mw.core.token_conditions import AnyServiceToken, EmailDomains, EmailList, Emails, ServiceTokens


def policies_to_cloudflare(policies: Sequence[Policy]) -> list[dict[str, Any]]:
    """Return policies as Cloudflare's API has them, with a precedence each.

    A condition with several values becomes several in ``include`` and ``exclude``, where that means the same.

    Raises:
        ConfigurationError: Something has no form there; the message names it.
    """
    return [_policy(policy, place) for place, policy in enumerate(policies, start=1)]


def _policy(policy: Policy, place: int) -> dict[str, Any]:
    word = "non_identity" if policy.decision is PolicyDecision.SERVICE_AUTH else policy.decision.value
    names = {"id": policy.id} if policy.id is not None else {}
    try:
        sections: dict[str, Any] = {section: _section(section, getattr(policy, section)) for section in SECTIONS}
    except ConfigurationError as mistake:
        raise ConfigurationError(f"policies: {policy.name[:64]!r}: {mistake}") from None
    return {**names, "name": policy.name, "decision": word, "precedence": place, **sections}


def _section(section: str, conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for condition in conditions:
        forms = _forms(condition)
        if section == "require" and len(forms) > 1:
            raise ConfigurationError(
                f"require: {condition.key}: has {len(forms)} values, and Cloudflare would require all of them; "
                "put them into a list or a group there"
            )
        written += forms
    return written


def _forms(condition: Condition) -> list[dict[str, Any]]:
    match condition:
        case Everyone() | AnyServiceToken() | AnyCertificate():
            return [{condition.key: {}}]
        case EmailList() | IpList():
            return [{condition.key: {"id": condition.id}}]
        case AccessGroup(id=str(key)):
            return [{"group": {"id": key}}]
        case ServiceTokens(token_id=str(key)):
            return [{"service_token": {"token_id": key}}]
        case DevicePosture():
            return [{"device_posture": {"integration_uid": condition.uid}}]
        case ProviderGroup() | Attribute():
            return [{condition.key: condition.to_value()}]
        case LoginMethods() if not all(map(_UUID.fullmatch, condition.values)):
            raise ConfigurationError("login_method: names a type, and Cloudflare knows identity providers by id")
        case OneOf() if type(condition) in _MEMBERS:
            selector, member = _MEMBERS[type(condition)]
            return [{selector: {member: value}} for value in sorted(condition.values)]
        case _:
            raise ConfigurationError(f"{condition.key}: has no form at Cloudflare, or no id there; leave it out")


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Selectors with one value each: their name, and the name of the value.
_MEMBERS: Mapping[type[Condition], tuple[str, str]] = {
    AuthMethods: ("auth_method", "auth_method"),
    CommonNames: ("common_name", "common_name"),
    Countries: ("geo", "country_code"),
    EmailDomains: ("email_domain", "domain"),
    Emails: ("email", "email"),
    LoginMethods: ("login_method", "id"),
    Networks: ("ip", "ip"),
}
