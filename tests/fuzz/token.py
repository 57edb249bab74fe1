"""May any text that is read as a token be one that a strict reader of RFC 7515 and our specification would not take?

An input is a token as it came; or, with a line break in it, the decoded header and payload of one, so that the fuzzer
need not learn base64. Every signature of the right length counts as good: what follows it is to be reached.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cfaccess_mw.core.errors import BadSignature, InvalidToken
from cfaccess_mw.core.token import is_joined
from cfaccess_mw.core.verifier import Verifier
from tests.fuzz.reading import refused_unless
from tests.tokens import AUD, ISSUER, NOW, OTHER_AUD, Proof, good

if TYPE_CHECKING:
    from cfaccess_mw.core.keys import Key

KID = "9" * 64
SIGNATURE = b"s" * 256


@dataclass(frozen=True)
class Willing:
    """A key that finds each signature good; it has what is read of a key."""

    kid: str = KID
    thumbprint: str = "thumbprint"
    size: int = len(SIGNATURE)

    def verifies(self, signature: bytes, signing_input: bytes) -> bool:
        return len(signature) == self.size


VERIFIER = Verifier({ISSUER: cast("Any", None)}, leeway=30, max_age=None, certificates=False)
KEY = cast("Key", Willing())


def encode(data: bytes) -> bytes:
    """Base64url without padding, by another way than the one under test."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token_of(data: bytes) -> bytes:
    """The token that an input stands for."""
    header, line, payload = data.partition(b"\n")
    return b".".join(map(encode, (header, payload, SIGNATURE))) if line else data


def verify(token: str | bytes) -> Proof | str:
    """The proof, or the code of the refusal."""
    try:
        candidate = good(VERIFIER.read(token, (frozenset({AUD, OTHER_AUD}),), NOW))
        if candidate.kid != KID:
            return "unknown-key"
        return Proof(*good(VERIFIER.prove(candidate, KEY, NOW)))
    except InvalidToken as refusal:
        return BadSignature.code if isinstance(refusal, BadSignature) else refusal.code


def run(data: bytes) -> str:
    """Read one input, and compare."""
    token = token_of(data)
    is_joined(token)
    told = verify(token)
    as_text = verify(token.decode("latin-1"))
    if isinstance(told, str) or isinstance(as_text, str):
        assert told == as_text, "bytes and text are read alike"
        return str(told)
    segments = token.split(b".")
    decoded = [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in segments]
    with refused_unless("three segments, each in its one encoding"):
        assert [encode(part) for part in decoded] == segments
        assert len(segments) == 3
    header, payload = (json.loads(part.decode(), object_pairs_hook=once) for part in decoded[:2])
    with refused_unless("a header as Access has them"):
        assert (header["alg"], header["kid"], header.get("typ", "JWT")) == ("RS256", KID, "JWT")
        assert not header.keys() & {"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c", "epk", "iv", "tag"}
    with refused_unless("claims for us, of now"):
        audience = [payload["aud"]] if isinstance(payload["aud"], str) else payload["aud"]
        assert set(audience) & {AUD, OTHER_AUD}
        assert (payload["iss"], payload["type"]) == (ISSUER, "app")
        for name in ("exp", "iat", "nbf"):
            assert payload.get(name) is None or type(payload[name]) in (int, float)
        assert payload["exp"] + 30 > NOW
        assert max(payload["iat"], payload.get("nbf") or 0) <= NOW + 30
    check_principal(told, payload)
    return told.identity.kind


def check_principal(proof: Proof, payload: dict[str, Any]) -> None:
    """Whoever it is, is what the claims say."""
    identity = proof.identity
    common_name = payload.get("common_name") or None
    with refused_unless("a user with an e-mail and a subject, or a service with neither"):
        if identity.kind == "user":
            assert payload["email"].count("@") == 1
            assert (identity.email, identity.id, common_name) == (payload["email"], payload["sub"], None)
        else:
            assert identity.kind == "service"
            assert not payload.get("email")
            assert not payload.get("sub")
            assert re.fullmatch(r"[0-9a-f]{32}\.access(\.[a-z0-9-]+)*", common_name or "")
            assert identity.id == common_name
    assert dict(identity.claims) == payload
    assert len(identity.id) < 8 or identity.id not in repr(identity)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members each stand there once."""
    assert len(dict(pairs)) == len(pairs), "a member stands there twice, and one of the two was taken"
    return dict(pairs)
