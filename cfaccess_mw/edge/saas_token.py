"""Is this an ID or access token of one Access for SaaS application? (OpenID Connect Core 1.0, sections 3.1.3.7 and .8)

Such tokens may be signed with the keys that sign application tokens: Cloudflare does not say. The issuer alone tells
them apart, and begins with the same text; so it is compared as a whole.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from cfaccess_mw.core.claims import read_audience, read_email, read_expiry, read_issuer, read_lifetime, read_text
from cfaccess_mw.core.encoding import read_json_object
from cfaccess_mw.core.errors import (
    BadPayload,
    BadSignature,
    InvalidClaim,
    InvalidToken,
    MissingClaim,
    WrongAudience,
    WrongIssuer,
)
from cfaccess_mw.core.keys import Key
from cfaccess_mw.core.token import Parts, parts_of, read_key_id
from cfaccess_mw.edge.saas_identity import SaasIdentity
from cfaccess_mw.edge.signing_key import base64url

_LONGEST_SUBJECT: Final = 255  # characters of ASCII (section 2)


class WrongNonce(InvalidToken):
    """An ID token of another sign-in than the one at hand."""

    code = "wrong-nonce"
    detail = "The token belongs to another sign-in."


class WrongCompanion(InvalidToken):
    """An ID token that was not issued together with the access token or code at hand."""

    code = "wrong-companion"
    detail = "The token was not issued together with the other one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a token has to say.

    Attributes:
        issuer: ``iss``, exactly.
        client_id: The application.
        audience: Whom ``aud`` may name, and nobody else.
        leeway: Seconds by which clocks may differ.
        max_age: Seconds after ``iat`` at which a token ends counting, or None.
    """

    issuer: str
    client_id: str
    audience: frozenset[str]
    leeway: float
    max_age: float | None


class LeftOut(Enum):
    """What is not given at all. None is given: a session that has lost its nonce, which fits no token."""

    LEFT_OUT = "left out"


LEFT_OUT: Final = LeftOut.LEFT_OUT
Companion = str | LeftOut | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """What the client has of the same sign-in; each counts where it is given, and then has to fit.

    Attributes:
        nonce: What it sent with the authorization request.
        access_token: What came with the ID token.
        code: Likewise.
    """

    nonce: Companion = field(default=LEFT_OUT, repr=False)
    access_token: Companion = field(default=LEFT_OUT, repr=False)
    code: Companion = field(default=LEFT_OUT, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaasCandidate:
    """A token that is well-formed and says that it is for us; no signature was checked yet."""

    parts: Parts = field(repr=False)
    kid: str
    audience: tuple[str, ...]
    expires_at: float
    claims: Mapping[str, Any] = field(repr=False)


def read(token: str | bytes, expected: Expectation, now: float) -> SaasCandidate:
    """Everything that can be known without a key.

    Args:
        token: A compact serialisation.
        expected: What it has to say.
        now: Seconds since the epoch.

    Raises:
        InvalidToken: Its subclass says which check failed.
    """
    parts = parts_of(token)
    kid = read_key_id(parts.header)
    claims = read_json_object(parts.decoded_payload())
    if claims is None:
        raise BadPayload
    if read_issuer(claims) != expected.issuer:
        raise WrongIssuer
    audience = read_audience(claims, (expected.audience,))
    # Section 3.1.3.7, 3: one that has audiences which we do not trust is refused.
    if not expected.audience.issuperset(audience):
        raise WrongAudience
    # 4 and 5: whoever was authorised is us.
    if read_text(claims, "azp") not in (None, expected.client_id):
        raise WrongAudience
    expires_at = read_expiry(claims, now, expected.leeway)
    return SaasCandidate(parts=parts, kid=kid, audience=audience, expires_at=expires_at, claims=claims)


def prove(
    candidate: SaasCandidate, key: Key, expected: Expectation, companions: Companions, now: float
) -> SaasIdentity:
    """Check the signature, then everything else that the same bytes say.

    Args:
        candidate: What :func:`read` gave.
        key: The key that it names.
        expected: What it has to say.
        companions: What it has to belong to.
        now: Seconds since the epoch.

    Raises:
        InvalidToken: Its subclass says which check failed.
    """
    parts, claims = candidate.parts, candidate.claims
    if not key.verifies(parts.decoded_signature(), parts.signing_input):
        raise BadSignature
    issued_at, _ = read_lifetime(claims, now, expected.leeway, expected.max_age)
    subject = read_text(claims, "sub")
    if subject is None:
        raise MissingClaim
    if len(subject) > _LONGEST_SUBJECT or not subject.isascii():
        raise InvalidClaim
    _check_companions(claims, companions)
    return SaasIdentity(
        subject=subject,
        email=read_email(claims),
        name=read_text(claims, "name"),
        issuer=expected.issuer,
        client_id=expected.client_id,
        audience=candidate.audience,
        issued_at=issued_at,
        expires_at=candidate.expires_at,
        key_thumbprint=key.thumbprint,
        _payload=parts.decoded_payload(),
    )


def _check_companions(claims: Mapping[str, Any], companions: Companions) -> None:
    wanted = (
        ("nonce", companions.nonce, WrongNonce),
        ("at_hash", _half_hash(companions.access_token), WrongCompanion),
        ("c_hash", _half_hash(companions.code), WrongCompanion),
    )
    for name, value, refusal in wanted:
        if value is LEFT_OUT:
            continue
        said = read_text(claims, name)
        if said is None:
            raise MissingClaim
        if not isinstance(value, str) or not hmac.compare_digest(_octets(said), _octets(value)):
            raise refusal


def _half_hash(text: Companion) -> Companion:
    """The left half of the SHA-256, which goes with RS256 (sections 3.1.3.6 and 3.3.2.11)."""
    return base64url(hashlib.sha256(_octets(text)).digest()[:16]) if isinstance(text, str) else text


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
