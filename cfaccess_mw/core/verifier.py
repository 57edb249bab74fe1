"""Is this token good? The checks of specification section 1 in their order; the first failure wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from cfaccess_mw.core.claims import (
    Audiences,
    check_type,
    read_audience,
    read_email,
    read_expiry,
    read_issuer,
    read_lifetime,
    read_principal,
    read_text,
)
from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import BadPayload, BadSignature, WrongIssuer
from cfaccess_mw.core.identity import Draft, Identity, ProfileLookup
from cfaccess_mw.core.keys import Key, KeySnapshot
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.token import Parts, read_key_id, take_apart


class KeySource(Protocol):
    """Where the keys of one team are found at the moment; read without a lock."""

    @property
    def snapshot(self) -> KeySnapshot | None:
        """The current keys, or None where there are none to be had yet, or any more."""


# The two that follow are not frozen: they are made for each new token, and that is faster.


@dataclass(slots=True, kw_only=True)
class Proof:
    """What a signature proved.

    Attributes:
        identity: Who is asking.
        key: The key that verified the token.
        valid_from: Seconds since the epoch from which the token counts, leeway included.
        valid_until: Seconds since the epoch at which it ends counting, leeway and ``max_age`` included.
    """

    identity: Identity
    key: Key
    valid_from: float
    valid_until: float


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A token that is well-formed and says that it is for us; no signature was checked yet."""

    token: str | bytes = field(repr=False)
    parts: Parts = field(repr=False)
    kid: str
    issuer: str
    audience: tuple[str, ...] = field(repr=False)
    expires_at: float
    claims: Mapping[str, Any] = field(repr=False)


class Verifier:
    """The checks, with what the configuration says about them.

    Args:
        sources: Where the keys of each accepted issuer are found. An issuer is compared exactly: issuers of Access for
            SaaS begin with the same text.
        leeway: Seconds by which clocks may differ.
        max_age: Seconds after ``iat`` at which a token ends counting, or None.
        certificates: Whether tokens of client certificates are accepted.
        lookups: Who knows more of the people of each issuer.
    """

    def __init__(
        self,
        sources: Mapping[str, KeySource],
        *,
        leeway: float,
        max_age: float | None,
        certificates: bool,
        lookups: Mapping[str, ProfileLookup] = MappingProxyType({}),
    ) -> None:
        self._issuers = {issuer: issuer for issuer in sources}
        self._leeway = leeway
        self._max_age = max_age
        self._certificates = certificates
        self._lookups = lookups
        # The tokens of one key share their header, so it is read once. Headers of strangers, or of a key that was not
        # fetched yet, are kept apart: whoever makes them up cannot have the others forgotten.
        self._headers: Memory[bytes, str] = Memory(count=64, weight=64 * 1024)
        self._unproven: Memory[bytes, str] = Memory(count=64, weight=64 * 1024)

    def read(self, token: str | bytes, audiences: Audiences, now: float) -> Candidate:
        """Everything that can be known without a key.

        Args:
            token: The assertion.
            audiences: Sets of accepted AUD tags; the token must name one of each.
            now: Seconds since the epoch.

        Raises:
            InvalidToken: Its subclass says which check failed.
        """
        parts = take_apart(token)
        kid = self._headers.get(parts.header) or self._unproven.get(parts.header)
        if kid is None:
            kid = read_key_id(parts.header)
            self._unproven.put(parts.header, kid, len(parts.header))
        try:
            claims = decode_json_object(parts.payload)
        except ValueError as error:
            raise BadPayload from error
        issuer = self._issuers.get(read_issuer(claims))
        if issuer is None:
            raise WrongIssuer
        audience = read_audience(claims, audiences)
        expires_at = read_expiry(claims, now, self._leeway)
        return Candidate(
            token=token,
            parts=parts,
            kid=kid,
            issuer=issuer,
            audience=audience,
            expires_at=expires_at,
            claims=claims,
        )

    def prove(self, candidate: Candidate, key: Key, now: float) -> Proof:
        """Check the signature, then everything else that the same bytes say.

        Args:
            candidate: What :meth:`read` gave.
            key: The key that the candidate names, of the team that the candidate names.
            now: Seconds since the epoch.

        Raises:
            InvalidToken: Its subclass says which check failed.
        """
        parts, claims = candidate.parts, candidate.claims
        if not key.verifies(parts.signature, parts.signing_input):
            raise BadSignature
        self._headers.put(parts.header, candidate.kid, len(parts.header))
        check_type(claims)
        issued_at, counts_from = read_lifetime(claims, now, self._leeway, self._max_age)
        email, subject, common_name = read_email(claims), read_text(claims, "sub"), read_text(claims, "common_name")
        identity = Draft(
            principal=read_principal(email, subject, common_name, certificates=self._certificates),
            email=email,
            subject=subject or "",
            common_name=common_name,
            country=read_text(claims, "country"),
            issuer=candidate.issuer,
            audience=candidate.audience,
            issued_at=issued_at,
            expires_at=candidate.expires_at,
            nonce=read_text(claims, "identity_nonce"),
            key_thumbprint=key.thumbprint,
            payload=parts.payload,
            token=candidate.token,
            lookup=self._lookups.get(candidate.issuer),
        ).sealed()
        ends = candidate.expires_at
        if self._max_age is not None:
            ends = min(ends, issued_at + self._max_age)
        return Proof(identity=identity, key=key, valid_from=counts_from - self._leeway, valid_until=ends + self._leeway)
