"""How are the bytes of a token read? Strict base64url and strict JSON, where a lenient reader would be a second
opinion."""

import json
import math
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Any

# The URL-safe alphabet to the standard one; whatever only the standard alphabet has, and padding, becomes a byte
# that no base64 reader in strict mode takes.
_TO_STANDARD = bytes.maketrans(b"-_+/=\r\n", b"+/!!!!!")

# The last character of a segment whose length leaves 2 or 3 over four carries unused bits; canonical means they are 0.
_LAST = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
_PADDING = {0: b"", 2: b"==", 3: b"="}


def decode_base64url(segment: bytes) -> bytes:
    """Decode canonical, unpadded base64url (RFC 4648 sections 3.5 and 5, RFC 7515 section 2).

    Args:
        segment: ASCII of the URL-safe alphabet. An empty segment is empty bytes.

    Raises:
        ValueError: Another alphabet, padding, an impossible length, or unused bits that are not zero. For each text
            that decodes there is no second text that decodes to the same bytes.
    """
    over = len(segment) & 3
    if over:
        last = _LAST.get(over)
        if last is None or segment[-1] not in last:
            raise ValueError("not canonical base64url")
    try:
        return a2b_base64(segment.translate(_TO_STANDARD) + _PADDING[over], strict_mode=True)
    except Base64Error as error:
        raise ValueError("not base64url") from error


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


def decode_json_object(text: bytes) -> dict[str, Any]:
    """Read a JSON object in strict UTF-8: no duplicate members, NaN, Infinity or overflowing numbers, 64 levels.

    Raises:
        ValueError: Anything else, however deep or long.
    """
    try:
        document = text.decode().strip(_WHITESPACE)
        value, end = _decoder.raw_decode(document)
    except (ValueError, RecursionError):
        value = None  # raised outside of this block: these errors keep the whole text, and chained ones end in logs
    if type(value) is not dict or end != len(document):
        raise ValueError("not a strict JSON object")
    if len(text.translate(None, _NOTHING_OPENED)) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError("not a strict JSON object: nested too deeply")
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
