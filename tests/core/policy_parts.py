"""What do the tests of policies share? Somebody who asks, what is known of the request, and conditions of one mind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, ClassVar

from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.facts import Certificate, Facts, Need
from cfaccess_mw.core.identity import Identity, Kind
from cfaccess_mw.core.policy import Policy, PolicyDecision
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.core.truth import Truth
from tests.tokens import AUD, ISSUER, NOW

CLIENT_ID = "88bf3b6d86161464f6509f7219099e57.access"
OTHER_CLIENT_ID = "00000000000000000000000000000000.access.example.com"
IDP = "8ad8ac4f-b2e9-4c1d-a6a4-0f5c1d2f8a11"
OTHER_IDP = "11111111-b2e9-4c1d-a6a4-0f5c1d2f8a11"
POSTURE = "469b0298-0a8e-4ad7-a9a4-7be3a6ac3c00"

PROFILE: Mapping[str, Any] = {
    "email": "user@example.com",
    "groups": [{"id": "g-1", "name": "admins", "email": "admins@example.com"}, "staff"],
    "amr": ["pwd", "mfa"],
    "idp": {"id": IDP, "type": "okta"},
    "oidc_fields": {"department": "sales", "roles": ["reader", "writer"]},
    "saml_attributes": {"team": "red", "sites": ["berlin", "lisbon"]},
    "devicePosture": {POSTURE: {"id": POSTURE, "type": "disk_encryption", "success": True}},
    "common_name": "laptop-7",
    "mtls_auth": {"auth_status": "SUCCESS", "cert_presented": True},
}


def identity(kind: Kind, **changes: Any) -> Identity:
    """Somebody whose token was good."""
    custom = changes.pop("custom", {"department": "sales", "level": 3, "admin": True, "roles": ["reader", "writer"]})
    common_name = None if kind == "user" else CLIENT_ID if kind == "service" else "laptop-7"
    of_user = kind == "user"
    given: dict[str, Any] = {
        "kind": kind,
        "id": "9cc4dfc9-c03c-5a5a-a2bd-c5ad6c1a1e6b" if of_user else common_name,
        "email": "user@example.com" if of_user else None,
        "subject": "9cc4dfc9-c03c-5a5a-a2bd-c5ad6c1a1e6b" if of_user else "",
        "common_name": common_name,
        "country": "DE" if of_user else None,
        "issuer": ISSUER,
        "audience": (AUD,),
        "issued_at": NOW,
        "expires_at": NOW + 3600,
        "nonce": "6ei69kawdKzMIAPF" if of_user else None,
        "key_thumbprint": "thumbprint",
        "_payload": json.dumps({"custom": custom}).encode(),
    }
    return Identity(**given | changes)


USER = identity("user")
SERVICE = identity("service")
CERTIFICATE = identity("certificate")
GOOD_CERTIFICATE = Certificate(presented=True, verified=True, revoked=False, common_name="laptop-7")


def facts(**changes: Any) -> Facts:
    """Everything known of a request of a user; an address may be given as text."""
    given: dict[str, Any] = {
        "identity": USER,
        "method": "GET",
        "address": "192.0.2.7",
        "country": "DE",
        "certificate": GOOD_CERTIFICATE,
        "profile": PROFILE,
        "looked_up": True,
    } | changes
    if isinstance(given["address"], str):
        given["address"] = ip_address(given["address"])
    return Facts(**given)


def without_lookup(**changes: Any) -> Facts:
    """Everything known of a request of a user before the identity lookup."""
    return facts(profile=None, looked_up=False, certificate=None, **changes)


def profile(**changes: Any) -> Facts:
    """A looked-up profile that differs; ``certificate`` is asked of it."""
    return facts(profile={**PROFILE, **changes}, certificate=None)


def condition(written: object, references: Mapping[str, object] | None = None) -> Condition:
    """A condition, as it is read from a configuration."""
    [policy] = read_policies({"decision": "allow", "include": [written]}, references)
    return policy.include[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(Condition):
    """A condition that says what it was told to."""

    key: ClassVar[str] = "fixed"
    reason: ClassVar[str] = "fixed"
    _needs: ClassVar[Need] = Need.METHOD

    truth: Truth

    def evaluate(self, facts: Facts) -> Truth:
        return self.truth

    def to_value(self) -> object:
        return self.truth.value


def fixed(*truths: Truth) -> tuple[Fixed, ...]:
    """Conditions that say these."""
    return tuple(Fixed(truth=truth) for truth in truths)


def policy(decision: str, *include: object, **sections: Any) -> Policy:
    """A policy, as it is read from a configuration."""
    [made] = read_policies({"decision": decision, "include": list(include), **sections})
    return made


ALLOW, DENY = PolicyDecision.ALLOW, PolicyDecision.DENY
SERVICE_AUTH, BYPASS = PolicyDecision.SERVICE_AUTH, PolicyDecision.BYPASS
