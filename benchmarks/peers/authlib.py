"""Authlib, as its guide shows it: a key set, ``decode`` with claims options, ``validate``."""

import warnings
from collections.abc import Callable

from benchmarks.subject import Subject


def verifier(subject: Subject) -> Callable[[str], object]:
    """A function that verifies a token, or raises."""
    with warnings.catch_warnings():
        import authlib.deprecate  # type: ignore[import-untyped]  # it has its warnings always shown; this comes after

        warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)  # it points to joserfc
        from authlib.jose import JsonWebKey, JsonWebToken  # type: ignore[import-untyped]

        decoder = JsonWebToken(["RS256"])
        keys = JsonWebKey.import_key_set(subject.keys)
    options = {
        "iss": {"essential": True, "value": subject.issuer.iss},
        "aud": {"essential": True, "value": subject.audience},
        "exp": {"essential": True},
    }

    def verify(token: str) -> object:
        claims = decoder.decode(token, keys, claims_options=options)
        claims.validate()
        return claims

    return verify
