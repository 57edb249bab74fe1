"""Which host is meant, and is it this machine?"""

import ipaddress
import re
from collections.abc import Iterable

# Servers take nearly anything for a host, and it stands in our redirects and content security policies.
_LOCALHOST = re.compile(r"(?:[a-z0-9_-]+\.)*localhost")
_HOST = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5})?)?")


def split_host(value: bytes) -> tuple[str, str]:
    """Take a ``Host`` header apart.

    Returns:
        The host in lower case without a trailing dot (an IPv6 address keeps its brackets), and the port with its
        colon, or an empty text where none is given. Two empty texts where it is not a host.
    """
    match = _HOST.fullmatch(value.decode("latin-1").strip().lower())
    if match is None:
        return "", ""
    return match["host"].removesuffix("."), f":{match['port']}" if match["port"] else ""


def requested_host(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """The host and port that a request asks for; empty where it names none, a bad one, or more than one."""
    values = [value for name, value in headers if name == b"host"]
    return split_host(values[0]) if len(values) == 1 else ("", "")


def is_loopback(host: str) -> bool:
    """Whether a name can only be this machine: a loopback address, ``localhost``, or a name below it (RFC 6761).

    Nothing that only ends so: ``evil.example?.localhost`` leads elsewhere, and the login page is asked for such hosts.
    """
    if _LOCALHOST.fullmatch(host):
        return True
    try:
        return "%" not in host and ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
