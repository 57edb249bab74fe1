"""Which host does a ``Host`` header name?

Lower-cased, without port and without the dot that may end a fully qualified name; IPv6 literals in their one short form
(RFC 5952). What is not shaped like a host at all has no answer.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

MAX_LENGTH: Final = 261  # 253 characters of a name (RFC 1035), a final dot, ":" and five digits, and a little

_NAME = re.compile(r"([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::[0-9]{0,5})?")
_IPV6 = re.compile(r"\[([0-9a-f:.]+)\](?::[0-9]{0,5})?")


def canonical_host(value: str) -> str | None:
    """Return the host that a header value names, or None for a value of another shape.

    Args:
        value: The value of the one ``Host`` header (RFC 9110 section 7.2), or a host as an operator writes it.
    """
    # Some letters beyond ASCII are ASCII once lower-cased (the Kelvin sign is "k"): they are refused before.
    if len(value) > MAX_LENGTH or not value.isascii():
        return None
    value = value.lower()
    name = _NAME.fullmatch(value)
    if name is not None:
        return name[1]
    literal = _IPV6.fullmatch(value)
    if literal is None:
        return None
    try:
        return f"[{IPv6Address(literal[1])}]"
    except AddressValueError:
        return None
