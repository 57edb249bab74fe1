"""The ``CF_Authorization`` cookie: read it, set it, take it away."""

from collections.abc import Iterable
from typing import Final

NAME: Final = "CF_Authorization"
# HttpOnly is Cloudflare's default. SameSite is None there, but a browser takes None only together with Secure
# (RFC 6265bis section 5.7), and on loopback there is no TLS: Lax is what it would assume by itself.
_ATTRIBUTES: Final = "HttpOnly; SameSite=Lax"


def tokens(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The values of all ``CF_Authorization`` cookies, in the order in which they were sent.

    Base64url and dots need no unquoting, and a parser that returns a dictionary would lose one of two.

    Args:
        headers: ASGI headers, names in lower case.
    """
    joined = "; ".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    parts = (part.strip().partition("=") for part in joined.split(";"))
    return [value for name, _, value in parts if name == NAME]


def issued(token: str, *, path: str) -> str:
    """A ``Set-Cookie`` value; it lasts until the browser is closed, and the token in it until its ``exp``."""
    return f"{NAME}={token}; Path={path}; {_ATTRIBUTES}"


def cleared(*, path: str) -> str:
    """A ``Set-Cookie`` value that takes the cookie away."""
    return f"{NAME}=; Path={path}; Max-Age=0; {_ATTRIBUTES}"
