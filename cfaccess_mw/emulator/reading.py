"""Would the edge itself believe this token?

Written apart from the package's own verifier on purpose, and a good deal shorter: two that err alike would hide it
from each other, and the edge is asked about its own tokens only.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature

from cfaccess_mw.emulator.signing_key import SigningKey


def read(token: str, keys: Iterable[SigningKey], *, now: float) -> dict[str, Any] | None:
    """The claims of a token.

    Args:
        token: A compact serialisation.
        keys: The keys that are published.
        now: The time, in seconds since the epoch.

    Returns:
        The claims, or None unless one of the keys signed the token and its ``exp`` is to come.
    """
    message, _, signature = token.rpartition(".")
    header, _, payload = message.partition(".")
    try:
        fields, claims = json.loads(_decode(header)), json.loads(_decode(payload))
        key = next(key for key in keys if fields["kid"] == key.kid)
        key.verify(_decode(signature), message.encode("ascii"))
        return dict(claims) if now < claims["exp"] else None
    except (ValueError, TypeError, KeyError, RecursionError, StopIteration, InvalidSignature):
        return None


def peek(token: str) -> dict[str, Any]:
    """The claims of a token that was signed a moment ago, whether or not they are good for long."""
    return dict(json.loads(_decode(token.split(".")[1])))


def _decode(segment: str) -> bytes:
    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
