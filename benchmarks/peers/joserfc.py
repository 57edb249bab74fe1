"""joserfc, as its guide shows it: a key set, ``jwt.decode``, a claims registry."""

from collections.abc import Callable
from typing import cast

from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization

from benchmarks.subject import Subject


def verifier(subject: Subject) -> Callable[[str], object]:
    """A function that verifies a token, or raises."""
    keys = KeySet.import_key_set(cast("KeySetSerialization", subject.keys))
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": subject.issuer.iss},
        aud={"essential": True, "value": subject.audience},
        exp={"essential": True},
    )

    def verify(token: str) -> object:
        decoded = jwt.decode(token, keys, algorithms=["RS256"])
        registry.validate(decoded.claims)
        return decoded.claims

    return verify
