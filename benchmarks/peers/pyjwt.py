"""PyJWT, with the key in hand, and through ``PyJWKClient`` as most middleware does."""

from collections.abc import Callable
from typing import Any

import jwt

from benchmarks.subject import Subject


def with_key(subject: Subject) -> Callable[[str], object]:
    """A function that verifies a token with one key, or raises."""
    key = subject.key.public_key
    given: dict[str, Any] = _expected(subject)
    return lambda token: jwt.decode(token, key, **given)


def with_client(subject: Subject, url: str) -> Callable[[str], object]:
    """A function that has ``PyJWKClient`` find the key, which it fetched from ``url`` and remembers.

    Args:
        subject: Whose tokens.
        url: Of the certs endpoint.
    """
    client = jwt.PyJWKClient(url)
    given: dict[str, Any] = _expected(subject)

    def verify(token: str) -> object:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key.key, **given)

    return verify


def _expected(subject: Subject) -> dict[str, Any]:
    return {
        "algorithms": ["RS256"],
        "audience": subject.audience,
        "issuer": subject.issuer.iss,
        "options": {"require": ["exp", "iat"]},
    }
