"""Is this a question of Access's, and whom is it about? (Cloudflare, "External Evaluation rules")

Documented is a JSON body with a ``token``: signed with the team's key, with ``identity`` (what ``get-identity`` says of
whoever signs in), a ``nonce`` that is unique per request, and ``exp``. Whether it has ``iss``, ``aud``, ``type``,
``iat`` or ``nbf`` is not: what is there has to be right, and nothing of it has to be there. ``aud`` is not looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from cfaccess_mw.core.claims import read_email, read_expiry, read_issuer, read_lifetime, read_text
from cfaccess_mw.core.encoding import decode_json_object, read_json_object, standard_base64
from cfaccess_mw.core.errors import (
    BadEncoding,
    BadPayload,
    BadSignature,
    InvalidClaim,
    InvalidToken,
    MalformedToken,
    MissingClaim,
    OversizedToken,
    Refused,
    WrongIssuer,
    WrongTokenType,
)
from cfaccess_mw.core.keys import Key
from cfaccess_mw.core.profile import Profile
from cfaccess_mw.core.token import MAX_HEADER, Parts, read_key_id

MOST_BYTES: Final = 128 * 1024  # of a body: a profile has all groups of a person, which no cookie could hold
_LONGEST_NONCE: Final = 256  # characters; Access's have 32

# What else the team's key signs (Cloudflare, "Application token"; cloudflared, ``token/jwks.go``).
_OTHER_TYPES: Final = frozenset({"app", "org", "match", "no_match", "meta"})


class NotAQuestion(Refused):
    """A body that is not JSON with a token."""

    code = "not-an-evaluation-request"
    status = 400
    title = "Not an evaluation request"


class QuestionTooLarge(NotAQuestion):
    """A body of more than 128 KiB."""

    code = "evaluation-request-too-large"
    status = 413


class QuestionNotJSON(NotAQuestion):
    """A body of another media type, or an encoded one."""

    code = "evaluation-request-not-json"
    status = 415


class ReplayedQuestion(InvalidToken):
    """A question that was asked before."""

    code = "replayed-nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Somebody who has signed in with the identity provider and wants to be let in.

    Attributes:
        email: The e-mail address, as the identity provider writes it; None where Access names none.
        groups: The names of the groups; of one that has no name its id or address.
        document: All that Access says of the person: the fields of ``get-identity``.
        claims: All claims of Access's question.
    """

    email: str | None
    groups: tuple[str, ...] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        """Nothing personal: a ``repr`` ends in logs."""
        return "<Applicant>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A token that is well-formed and says that it is a question for us; no signature was checked yet."""

    parts: Parts = field(repr=False)
    kid: str
    nonce: str = field(repr=False)
    expires_at: float
    claims: Mapping[str, Any] = field(repr=False)


def read_body(body: bytes) -> str:
    """The token in a body of at most 128 KiB.

    Raises:
        NotAQuestion: There is none.
    """
    try:
        token = decode_json_object(body).get("token")
    except ValueError:
        token = None
    if type(token) is not str:
        raise NotAQuestion
    return token


def read_question(token: str, issuer: str, now: float, leeway: float) -> Question:
    """Everything that can be known without a key, so that garbage never causes a fetch.

    Args:
        token: The token of a body, which bounds it.
        issuer: The team's.
        now: Seconds since the epoch.
        leeway: Seconds by which clocks may differ.

    Raises:
        InvalidToken: Its subclass says which check failed.
    """
    parts = _take_apart(token)
    kid = read_key_id(parts.header)
    claims = read_json_object(parts.decoded_payload())
    if claims is None:
        raise BadPayload
    if claims.get("iss") is not None and read_issuer(claims) != issuer:
        raise WrongIssuer
    nonce = read_text(claims, "nonce")
    if nonce is None:
        raise MissingClaim
    if len(nonce) > _LONGEST_NONCE or not nonce.isascii():
        raise InvalidClaim
    expires_at = read_expiry(claims, now, leeway)
    return Question(parts=parts, kid=kid, nonce=nonce, expires_at=expires_at, claims=claims)


def prove(question: Question, key: Key, now: float, leeway: float) -> Applicant:
    """Check the signature, then everything else that the same bytes say.

    Args:
        question: What :func:`read_question` gave.
        key: The key that it names, of the team.
        now: Seconds since the epoch.
        leeway: Seconds by which clocks may differ.

    Raises:
        InvalidToken: Its subclass says which check failed.
    """
    parts, claims = question.parts, question.claims
    if not key.verifies(parts.decoded_signature(), parts.signing_input):
        raise BadSignature
    kind = claims.get("type")
    if kind is not None and (type(kind) is not str or kind in _OTHER_TYPES):
        raise WrongTokenType
    times = {name: claims[name] for name in ("iat", "nbf") if claims.get(name) is not None}
    read_lifetime({"iat": 0, **times}, now, leeway, None)
    return _applicant(claims, now)


def _applicant(claims: Mapping[str, Any], now: float) -> Applicant:
    identity = claims.get("identity")
    if identity is None:
        raise MissingClaim
    if type(identity) is not dict:
        raise InvalidClaim
    return Applicant(
        email=read_email(identity),
        groups=Profile(fetched_at=now, version=0, _body=json.dumps(identity).encode("ascii")).groups,
        document=MappingProxyType(identity),
        claims=MappingProxyType(dict(claims)),
    )


def _take_apart(token: str) -> Parts:
    """As ``core.token.take_apart``, but for a token that travels in a body: it may be as long as that."""
    if not token.isascii() or token.count(".") != 2:
        raise MalformedToken
    signing_input, _, signature = token.encode("ascii").rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    if len(header) > MAX_HEADER:
        raise OversizedToken
    said, signed = standard_base64(payload), standard_base64(signature)
    if said is None or signed is None:
        raise BadEncoding
    parts = Parts()
    parts.header, parts.payload, parts.signature, parts.signing_input = header, said, signed, signing_input
    return parts
