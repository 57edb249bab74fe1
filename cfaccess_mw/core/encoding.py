"""How are the bytes of a token read? Strict base64url and strict JSON, where a lenient reader would be a second
opinion."""

import json
import math
from binascii import a2b_base64
from typing import Any

# The URL-safe alphabet to the standard one, and every other byte to one that is in neither.
_URL_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STANDARD = _URL_SAFE[:-2] + b"+/"
_FOREIGN = ord("!")
_TO_STANDARD = bytes(_STANDARD[_URL_SAFE.index(byte)] if byte in _URL_SAFE else _FOREIGN for byte in range(256))

# By how much a length is over four: which last characters leave no unused bits but zeros (after one over four there is
# none), and the padding.
_LAST = (_URL_SAFE, b"", b"AQgw", b"AEIMQUYcgkosw048")
_PADDING = (b"", b"", b"==", b"=")


def standard_base64(segment: bytes) -> bytes | None:
    """Write canonical, unpadded base64url (RFC 4648 sections 3.5 and 5, RFC 7515 section 2) as ``a2b_base64`` reads it.

    All that can be wrong is found here, before anything is decoded: most of what is refused is not asked for its bytes.

    Args:
        segment: ASCII of the URL-safe alphabet. An empty segment is empty bytes.

    Returns:
        The same in the standard alphabet, padded; None for another alphabet, padding, an impossible length, or unused
        bits that are not zero. For each text that is taken there is no second text of the same bytes.
    """
    over = len(segment) & 3
    if over and segment[-1] not in _LAST[over]:
        return None
    text = segment.translate(_TO_STANDARD)
    return None if _FOREIGN in text else text + _PADDING[over]


def decode_base64url(segment: bytes) -> bytes:
    """Decode canonical, unpadded base64url.

    Args:
        segment: ASCII of the URL-safe alphabet. An empty segment is empty bytes.

    Raises:
        ValueError: It is not, as :func:`standard_base64` says.
    """
    text = standard_base64(segment)
    if text is None:
        raise ValueError("not canonical base64url")
    return a2b_base64(text, strict_mode=True)


# Levels of lists and objects. An application token has two or three; a much deeper one can be read here and not by a
# handler that has called a few hundred functions when it asks for the claims.
MAX_DEPTH = 64


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")  # RFC 7519 section 4: two readers could keep different ones
    return members


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number


# One decoder, built once: the hooks then cost nothing that can be measured.
_decoder = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates, parse_constant=_refuse_constant, parse_float=_finite
)


_WHITESPACE = " \t\n\r"  # RFC 8259 section 2, and no other
_NOTHING_OPENED = bytes(set(range(256)) - set(b"[{"))  # without these, there is a byte for each level that may be there


def read_json_object(text: bytes) -> dict[str, Any] | None:
    """Read a JSON object in strict UTF-8: no duplicate members, NaN, Infinity or overflowing numbers, 64 levels.

    Returns:
        Its members, or None for anything else, however deep or long.
    """
    try:
        document = text.decode().strip(_WHITESPACE)
        value, end = _decoder.raw_decode(document)
    except (ValueError, RecursionError):
        return None
    if type(value) is not dict or end != len(document):
        return None
    if len(text.translate(None, _NOTHING_OPENED)) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        return None
    return value


def decode_json_object(text: bytes) -> dict[str, Any]:
    """Do the same, and raise an error that keeps nothing of the text.

    Raises:
        ValueError: Where :func:`read_json_object` gives None.
    """
    value = read_json_object(text)
    if value is None:
        raise ValueError("not a strict JSON object")
    return value


def _depth(value: object) -> int:
    """How deep lists and objects are nested; without recursion, since that is what it guards against."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            member
            for outer in level
            for member in (outer.values() if type(outer) is dict else outer if type(outer) is list else ())
            if type(member) in (dict, list)
        ]
    return depth
