"""Is this text signed, and since when? The timed MAC of Cloudflare's rules, byte for byte.

Cloudflare's function ``is_timed_hmac_valid_v0`` checks ``message`` ``separator`` ``timestamp`` ``-`` ``mac``, where the
MAC is HMAC-SHA256, keyed by the UTF-8 bytes of the secret, of ``message`` followed at once by the ten digits of the
timestamp. Neither the separator nor the hyphen is signed (Cloudflare, "HMAC validation").

A MAC has one spelling in each alphabet, and no other is taken: canonical Base64 with each ``+``, ``/`` and ``=`` as
``%2B``, ``%2F`` and ``%3D``; or with the flag ``s`` 43 characters of the URL-safe alphabet without padding. All
generators that Cloudflare documents write these. What Cloudflare does with another spelling is not documented; here it
would make many addresses of one link, for caches and for lists of links that were withdrawn.
"""

import hmac
import re
from base64 import standard_b64encode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Final

from cfaccess_mw.core.encoding import decode_base64url

FLAG_URL_SAFE: Final = "s"

# Ten digits of seconds since the epoch: from 2001 to 2286.
EARLIEST: Final = 1_000_000_000
LATEST: Final = 9_999_999_999

_STAMP: Final = {
    "": re.compile(rb"([0-9]{10})-((?:[A-Za-z0-9]|%2B|%2F){43}%3D)"),
    FLAG_URL_SAFE: re.compile(rb"([0-9]{10})-([A-Za-z0-9_-]{43})"),
}
_ESCAPED: Final = ((b"+", b"%2B"), (b"/", b"%2F"), (b"=", b"%3D"))


def make_stamp(secret: bytes, message: bytes, at: int, *, flags: str = "") -> bytes:
    """Return what is appended to a message and its separator: timestamp, hyphen and MAC.

    Args:
        secret: The key.
        message: What is signed.
        at: Seconds since the epoch, of ten digits.
        flags: ``s`` for the URL-safe alphabet.
    """
    mac = _mac(secret, message, b"%d" % at)
    if flags == FLAG_URL_SAFE:
        return b"%d-%b" % (at, urlsafe_b64encode(mac).rstrip(b"="))
    text = standard_b64encode(mac)
    for sign, escape in _ESCAPED:
        text = text.replace(sign, escape)
    return b"%d-%b" % (at, text)


def read_stamp(stamp: bytes, *, flags: str = "") -> tuple[int, bytes] | None:
    """Return the timestamp and the 32 bytes of the MAC, or None for anything but their one spelling.

    Args:
        stamp: As :func:`make_stamp` writes it.
        flags: ``s`` for the URL-safe alphabet.
    """
    found = _STAMP[flags].fullmatch(stamp)
    if found is None or found[1].startswith(b"0"):
        return None
    try:
        mac = decode_base64url(found[2].replace(b"%2B", b"-").replace(b"%2F", b"_").removesuffix(b"%3D"))
    except ValueError:
        return None
    return int(found[1]), mac


def is_mac(secrets: Iterable[bytes], message: bytes, at: int, mac: bytes) -> bool:
    """Say whether one of the secrets made a MAC; all are tried, so that the time taken does not tell which.

    Args:
        secrets: The keys.
        message: What was signed.
        at: The timestamp.
        mac: The 32 bytes.
    """
    digits, matches = b"%d" % at, False
    for secret in secrets:
        matches |= hmac.compare_digest(_mac(secret, message, digits), mac)
    return matches


def is_timed_hmac_valid_v0(
    key: str,
    message_mac: str,
    ttl: int,
    current_timestamp: float,
    length_of_separator: int = 0,
    flags: str = "",
) -> bool:
    """Answer as the function of this name in Cloudflare's rules does; for a message that is put together in another
    way than :class:`~cfaccess_mw.edge.signed_urls.SignedURLs` does.

    Args:
        key: The secret.
        message_mac: The message, the separator, and the stamp.
        ttl: Seconds for which it counts from its timestamp on.
        current_timestamp: Seconds since the epoch.
        length_of_separator: Bytes between the message and the stamp. What they are is not looked at.
        flags: ``s`` for the URL-safe alphabet.
    """
    data = message_mac.encode("utf-8", "surrogatepass")
    # A MAC of the URL-safe alphabet may have hyphens of its own, but one length; the other has no hyphen.
    hyphen = len(data) - 44 if flags == FLAG_URL_SAFE else data.rfind(b"-")
    begins = hyphen - 10
    found = read_stamp(data[begins:], flags=flags) if begins > length_of_separator else None
    if found is None:
        return False
    at, mac = found
    return is_mac((key.encode(),), data[: begins - length_of_separator], at, mac) and current_timestamp < at + ttl


def _mac(secret: bytes, message: bytes, digits: bytes) -> bytes:
    return hmac.digest(secret, message + digits, "sha256")
