"""Is this text a signed token of the one form that Access uses, and which key does it name? (specification 1.2 to 1.6)

Nothing that a token says about itself is believed or fetched: the header chooses a key among those we hold, no more.
"""

from binascii import a2b_base64
from typing import TypeVar

from cfaccess_mw.core.encoding import read_json_object, standard_base64
from cfaccess_mw.core.errors import (
    AlgorithmNotAllowed,
    BadEncoding,
    BadHeader,
    BadKeyId,
    ForbiddenHeader,
    InvalidToken,
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
_USUAL = 4_096  # characters of a token that Access makes: each is a cookie, too (RFC 6265 section 6.1)


class Parts:
    """A token taken apart, nothing about it believed yet.

    Attributes:
        header: The header segment as it came.
        payload: The payload in standard base64.
        signature: The signature in standard base64.
        signing_input: What the signature covers (RFC 7515 section 5.2).
    """

    # Filled in, and not given to it: there is one for each token, and that is faster. No dataclass, whose ``repr``
    # would show it all.
    __slots__ = ("header", "payload", "signature", "signing_input")

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes

    def decoded_payload(self) -> bytes:
        """The payload; most of what is refused is never asked for it, and still less for the signature."""
        return a2b_base64(self.payload, strict_mode=True)

    def decoded_signature(self) -> bytes:
        """The signature."""
        return a2b_base64(self.signature, strict_mode=True)


P = TypeVar("P", bound=Parts)


def is_joined(token: str | bytes) -> bool:
    """Say whether a server made one text of several headers: with a comma, some with white space; no token has either.

    This is asked of a token that cannot be read, and only tells why. Of several that Access made one has ended within
    what is looked at, however long the text is.
    """
    text = token[: _USUAL + 1]
    data = text if isinstance(text, bytes) else text.encode("ascii", "replace")
    return _COMMA in data or _SPACE in data or _TAB in data or _NEWLINE in data


def take_apart(token: str | bytes, kind: type[P]) -> P | type[InvalidToken]:
    """Split a token in compact serialisation (RFC 7515 section 7.1), and find out whether it can be decoded.

    Args:
        token: The assertion as the request carries it; nothing is stripped from it.
        kind: What the parts become.

    Returns:
        The parts; or, not raised since that would take longer than all else, why there are none: ``MalformedToken``
        where it is empty, not ASCII, or not three segments (an encrypted token has five), ``OversizedToken`` where it
        is longer than 16,384 characters, or its header segment than 1,024, and ``BadEncoding`` for a payload or a
        signature that is not canonical base64url. The header's encoding is looked at where it is read.
    """
    if len(token) > MAX_TOKEN:
        return OversizedToken
    if not token.isascii():
        return MalformedToken
    data = token if isinstance(token, bytes) else token.encode("ascii")
    # Looked for before anything is split: garbage of any length costs next to nothing.
    first = data.find(b".")
    second = data.find(b".", first + 1)
    if second < 0 or data.find(b".", second + 1) >= 0:
        return MalformedToken
    if first > MAX_HEADER:
        return OversizedToken
    payload = standard_base64(data[first + 1 : second])
    if payload is None or (signature := standard_base64(data[second + 1 :])) is None:
        return BadEncoding
    parts = kind()
    parts.header = data[:first]
    parts.payload = payload
    parts.signature = signature
    parts.signing_input = data[:second]
    return parts


def parts_of(token: str | bytes) -> Parts:
    """Do the same for whoever has a token and no request.

    Raises:
        InvalidToken: What :func:`take_apart` returns.
    """
    parts = take_apart(token, Parts)
    if isinstance(parts, type):
        raise parts
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
    text = standard_base64(segment)
    if text is None:
        raise BadEncoding
    header = read_json_object(a2b_base64(text, strict_mode=True))
    if header is None:
        raise BadHeader
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
