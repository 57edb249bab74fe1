"""Is this text a signed token of the one form that Access uses, and which key does it name? (specification 1.2 to 1.6)

Nothing that a token says about itself is believed or fetched: the header chooses a key among those we hold, no more.
"""

from typing import TypeVar, overload

from cfaccess_mw.core.encoding import decode_base64url, decode_json_object
from cfaccess_mw.core.errors import (
    AlgorithmNotAllowed,
    BadEncoding,
    BadHeader,
    BadKeyId,
    ForbiddenHeader,
    MalformedToken,
    OversizedToken,
)
from cfaccess_mw.core.keys import ALGORITHM, is_key_id

MAX_TOKEN = 16_384  # characters: four times what a browser keeps in one cookie
MAX_HEADER = 1_024  # characters: Access's has about 130

# Members by which a token would bring or name its own key, or change what is signed (RFC 7515 sections 4.1.2 to 4.1.8
# and 4.1.11, RFC 7797, RFC 7516 section 4.1, RFC 7518 sections 4.6 to 4.8).
_FORBIDDEN = frozenset(
    {"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c", "epk", "p2c", "p2s", "apu", "apv", "iv", "tag"}
)


_COMMA, _SPACE, _TAB, _NEWLINE = b", \t\n"  # numbers, which bytes are searched for directly


class Parts:
    """A token taken apart, nothing about it believed yet.

    Attributes:
        header: The header segment as it came, not decoded.
        payload: The decoded payload.
        signature: The decoded signature.
        signing_input: What the signature covers (RFC 7515 section 5.2).
    """

    # Filled in, and not given to it: there is one for each token, and that is faster. No dataclass, whose ``repr``
    # would show it all.
    __slots__ = ("header", "payload", "signature", "signing_input")

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes


P = TypeVar("P", bound=Parts)


def is_joined(token: str | bytes) -> bool:
    """Say whether a server made one text of several headers: with a comma, some with white space; no token has either.

    This is asked of a token that cannot be read, and only tells why. Of several one has ended within what is looked at.
    """
    text = token[: MAX_TOKEN + 1]
    data = text if isinstance(text, bytes) else text.encode("ascii", "replace")
    return _COMMA in data or _SPACE in data or _TAB in data or _NEWLINE in data


@overload
def take_apart(token: str | bytes) -> Parts: ...


@overload
def take_apart(token: str | bytes, kind: type[P]) -> P: ...


def take_apart(token: str | bytes, kind: type[Parts] = Parts) -> Parts:
    """Split and decode a token in compact serialisation (RFC 7515 section 7.1).

    Args:
        token: The assertion as the request carries it; nothing is stripped from it.
        kind: What the parts become.

    Raises:
        MalformedToken: Empty, not ASCII, or not three segments. An encrypted token has five.
        OversizedToken: Longer than 16,384 characters, or a header segment longer than 1,024.
        BadEncoding: A payload or signature that is not canonical base64url; the header is decoded where it is read.
    """
    if len(token) > MAX_TOKEN:
        raise OversizedToken
    if not token.isascii():
        raise MalformedToken
    data = token if isinstance(token, bytes) else token.encode("ascii")
    # Looked for before anything is split: garbage of any length costs next to nothing.
    first = data.find(b".")
    second = data.find(b".", first + 1)
    if second < 0 or data.find(b".", second + 1) >= 0:
        raise MalformedToken
    if first > MAX_HEADER:
        raise OversizedToken
    parts = kind()
    try:
        parts.payload = decode_base64url(data[first + 1 : second])
        parts.signature = decode_base64url(data[second + 1 :])
    except ValueError as error:
        raise BadEncoding from error
    parts.header = data[:first]
    parts.signing_input = data[:second]
    return parts


def read_key_id(segment: bytes) -> str:
    """Check a header segment and say which key it names.

    Args:
        segment: ASCII, at most 1,024 characters.

    Raises:
        BadEncoding: It is not canonical base64url.
        BadHeader: Not a strict, flat JSON object, or a ``typ`` other than ``JWT``.
        ForbiddenHeader: A member by which the token would bring its own key, or change what is signed.
        AlgorithmNotAllowed: ``alg`` is not the one algorithm of Access.
        BadKeyId: No usable ``kid``. There is no trying of all keys.
    """
    try:
        text = decode_base64url(segment)
    except ValueError as error:
        raise BadEncoding from error
    try:
        header = decode_json_object(text)
    except ValueError as error:
        raise BadHeader from error
    if not _FORBIDDEN.isdisjoint(header):
        raise ForbiddenHeader
    for value in header.values():
        if type(value) is dict or type(value) is list:
            raise BadHeader
    if header.get("alg") != ALGORITHM:
        raise AlgorithmNotAllowed
    if header.get("typ", "JWT") != "JWT":
        raise BadHeader
    kid = header.get("kid")
    if not is_key_id(kid):
        raise BadKeyId
    return str(kid)
