"""Is this token good? The checks of specification section 1 in their order; the first failure wins."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from cfaccess_mw.core.claims import (
    Audiences,
    check_type,
    has_ended,
    read_audience,
    read_email,
    read_end,
    read_issuer,
    read_lifetime,
    read_principal,
    read_text,
)
from cfaccess_mw.core.encoding import read_json_object
from cfaccess_mw.core.errors import BadPayload, BadSignature, Expired, InvalidToken, WrongIssuer
from cfaccess_mw.core.identity import Draft, Identity, ProfileLookup
from cfaccess_mw.core.keys import Key, KeySnapshot
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.token import Parts, read_key_id, take_apart


class KeySource(Protocol):
    """Where the keys of one team are found at the moment; read without a lock."""

    @property
    def snapshot(self) -> KeySnapshot | None:
        """The current keys, or None where there are none to be had yet, or any more."""


Proof = tuple[Identity, float, float]
"""What a signature proved: who is asking, and from when until when the token counts, in seconds since the epoch, with
leeway and ``max_age``."""


class Candidate(Parts):
    """A token that is well-formed and says that it is for us; no signature was checked yet.

    It is filled in as the token is read: there is one for each that is verified, and several objects would take longer
    than what is asked of them.

    Attributes:
        kid: The key that it names.
        is_proven: Whether a good signature came with such a header before.
        issuer: The team that it names.
        audience: The AUD tags that it names.
        expires_at: Seconds since the epoch.
        text: The decoded payload.
        claims: All that it says.
        token: The assertion itself.
    """

    __slots__ = ("audience", "claims", "expires_at", "is_proven", "issuer", "kid", "text", "token")

    token: str | bytes
    kid: str
    is_proven: bool
    issuer: str
    audience: tuple[str, ...]
    expires_at: float
    text: bytes
    claims: dict[str, Any]


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

    def read(self, token: str | bytes, audiences: Audiences, now: float) -> Candidate | type[InvalidToken]:
        """Everything that can be known without a key.

        Args:
            token: The assertion.
            audiences: Sets of accepted AUD tags; the token must name one of each.
            now: Seconds since the epoch.

        Returns:
            What it says, or which check failed: not the error that was raised, which holds the token in its frames.
        """
        candidate = take_apart(token, Candidate)
        if isinstance(candidate, type):
            return candidate
        candidate.token = token
        header = candidate.header
        try:
            kid = self._headers.get(header)
            candidate.is_proven = kid is not None
            if kid is None:
                kid = self._unproven.get(header)
            if kid is None:
                kid = read_key_id(header)
                self._unproven.put(header, kid, len(header))
            candidate.kid = kid
            candidate.text = text = candidate.decoded_payload()
            claims = read_json_object(text)
            if claims is None:
                return BadPayload
            candidate.claims = claims
            issuer = self._issuers.get(read_issuer(claims))
            if issuer is None:
                return WrongIssuer
            candidate.issuer = issuer
            candidate.audience = read_audience(claims, audiences)
            candidate.expires_at = expires_at = read_end(claims)
            if has_ended(expires_at, now, self._leeway):
                return Expired
        except InvalidToken as error:
            return type(error)
        return candidate

    def prove(self, candidate: Candidate, key: Key, now: float) -> Proof | type[InvalidToken]:
        """Check the signature, then everything else that the same bytes say.

        Args:
            candidate: What :meth:`read` gave.
            key: The key that the candidate names, of the team that the candidate names.
            now: Seconds since the epoch.

        Returns:
            Who it is, or which check failed.
        """
        if not key.verifies(candidate.decoded_signature(), candidate.signing_input):
            return BadSignature
        if not candidate.is_proven:
            self._headers.put(candidate.header, candidate.kid, len(candidate.header))
        claims = candidate.claims
        made = Draft()
        made._text, made._assertion = candidate.text, candidate.token
        made._team = self._lookups.get(candidate.issuer)
        made.issuer = candidate.issuer
        made.audience = candidate.audience
        made.expires_at = ends = candidate.expires_at
        made.key_thumbprint = key.thumbprint
        try:
            check_type(claims)
            made.issued_at, counts_from = read_lifetime(claims, now, self._leeway, self._max_age)
            made.email = email = read_email(claims)
            subject = read_text(claims, "sub")
            made.subject = subject or ""
            made.common_name = common_name = read_text(claims, "common_name")
            made.kind, made.id = read_principal(email, subject, common_name, certificates=self._certificates)
            made.country = read_text(claims, "country")
            made.nonce = read_text(claims, "identity_nonce")
        except InvalidToken as error:
            return type(error)
        if self._max_age is not None:
            ends = min(ends, made.issued_at + self._max_age)
        return made.sealed(), counts_from - self._leeway, ends + self._leeway
