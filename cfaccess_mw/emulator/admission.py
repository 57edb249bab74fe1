"""Do an application's policies admit this request? The same policies as at an origin, and what the edge knows.

Cloudflare asks about people at login and about the request every time. Here all of it is asked every time, which comes
to the same: what is known of people does not change while the emulator runs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from cfaccess_mw.core.claims import read_email, read_principal, read_text
from cfaccess_mw.core.errors import InvalidToken
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.policy import Policy, PolicyOutcome, PolicyVerdict, decide_policies, needs_of

_EVERYBODY = PolicyVerdict(outcome=PolicyOutcome.ADMIT, policy=None, reasons=())
_NO_COUNTRY = "XX"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One request, as policies see it.

    Attributes:
        claims: Of the token of whoever asks; None for nobody.
        method: The request's.
        address: Where it comes from.
        country: Likewise; ``XX`` where that is not known, so that where somebody signed in counts.
        profile: Gives the ``get-identity`` document; asked only where a policy needs it.
    """

    claims: Mapping[str, Any] | None = field(repr=False)
    method: str
    address: str = field(repr=False)
    country: str
    profile: Callable[[], Mapping[str, Any] | None]

    def decide(self, policies: Sequence[Policy]) -> PolicyVerdict:
        """Ask the policies; without any, everybody who can prove to be somebody is admitted."""
        if not policies:
            return _EVERYBODY
        identity = None if self.claims is None else _identity(self.claims)
        asks_profile = identity is not None and bool(needs_of(policies) & Need.PROFILE)
        facts = Facts(
            identity=identity,
            method=self.method,
            address=ip_address(self.address),
            country=None if self.country == _NO_COUNTRY else self.country,
            profile=self.profile() if asks_profile else None,
            looked_up=True,
        )
        return decide_policies(policies, facts)


def _identity(claims: Mapping[str, Any]) -> Identity | None:
    """Read who it is; somebody with strange claims, which only a test makes, is nobody."""
    try:
        email, subject, common_name = (
            read_email(claims),
            read_text(claims, "sub"),
            read_text(claims, "common_name"),
        )
        kind, stable_id = read_principal(email, subject, common_name, certificates=False)
        country, nonce = read_text(claims, "country"), read_text(claims, "identity_nonce")
    except InvalidToken:
        return None
    audience = claims.get("aud", ())
    return Identity(
        kind=kind,
        id=stable_id,
        email=email,
        subject=subject or "",
        common_name=common_name,
        country=country,
        issuer=str(claims.get("iss", "")),
        audience=(audience,) if isinstance(audience, str) else tuple(audience),
        issued_at=claims.get("iat", 0),
        expires_at=claims.get("exp", 0),
        nonce=nonce,
        key_thumbprint="",
        _payload=json.dumps(claims).encode(),
    )
