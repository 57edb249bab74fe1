"""Was this value written by one of us? What is in Redis, with and without a secret.

A value is a line with its authentication code (HMAC-SHA256, RFC 2104, in hexadecimal), and then what it says. The code
covers the purpose, the place in Redis and the content, so that a value which was moved to another place, or to the
namespace of another fleet, is nobody's. Without a secret the line holds a dash; with one, such a value is refused.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

_UNSEALED: Final = b"-"
_LINE: Final = b"\n"
_CODE_LENGTH: Final = 64  # SHA-256 in hexadecimal


class Refused(ValueError):
    """A value that is not taken.

    Args:
        reason: A stable kebab-case name of what is wrong with it; nothing that it says.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Seal:
    """Signs and checks the values of one purpose.

    Args:
        secrets: The first one signs, all of them count; none for no authentication.
        purpose: Of the values; each has a key of its own.
        namespace: Of the fleet; likewise.
    """

    def __init__(self, secrets: Iterable[str], *, purpose: str, namespace: str) -> None:
        # Neither name can have a line feed: what is derived for one pair is derived for no other.
        label = f"cfaccess fleet 1\n{purpose}\n{namespace}".encode()
        self._keys = tuple(hmac.digest(secret.encode(), label, "sha256") for secret in secrets)

    def close(self, place: str, content: bytes) -> bytes:
        """Return what is to be written.

        Args:
            place: Where it will stand.
            content: What it says.
        """
        code = self._code(self._keys[0], place, content) if self._keys else _UNSEALED
        return code + _LINE + content

    def open(self, place: str, value: bytes) -> bytes:
        """Return what a value says.

        Raises:
            Refused: It was not written by one of us, or not for this place.
        """
        code, line, content = value.partition(_LINE)
        if not line:
            raise Refused("malformed")
        if not self._keys:
            return content  # whoever has no secret takes what whoever has one writes: a secret can be brought in later
        if not any(hmac.compare_digest(self._code(key, place, content), code) for key in self._keys):
            raise Refused("unauthenticated")
        return content

    def is_out_of_reach(self, value: bytes) -> bool:
        """Whether a value has a code, and we none: who wrote it does not take what we write."""
        code, line, _ = value.partition(_LINE)
        return not self._keys and bool(line) and len(code) == _CODE_LENGTH

    @staticmethod
    def _code(key: bytes, place: str, content: bytes) -> bytes:
        return hmac.new(key, place.encode() + _LINE + content, "sha256").hexdigest().encode()


def digest(text: str) -> str:
    """Name something by its SHA-256, for a place in Redis: the text itself never gets there."""
    return hashlib.sha256(text.encode()).hexdigest()
