"""Which host is meant, and is it this machine?"""

import ipaddress
from collections.abc import Iterable


def split_host(value: bytes) -> tuple[str, str]:
    """Take a ``Host`` header apart.

    Returns:
        The host in lower case without a trailing dot (an IPv6 address keeps its brackets), and the port with its
        colon, or an empty text where none is given.
    """
    text = value.decode("latin-1").strip().lower()
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, ""
    return host.removesuffix("."), f":{port}" if port else ""


def requested_host(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """The host and port that a request asks for; empty where it names none, or more than one."""
    values = [value for name, value in headers if name == b"host"]
    return split_host(values[0]) if len(values) == 1 else ("", "")


def is_loopback(host: str) -> bool:
    """Whether a name can only be this machine: a loopback address, ``localhost``, or a name below it (RFC 6761)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
