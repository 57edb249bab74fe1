"""The cookies of Access: ``CF_Authorization``, which carries the token, and the two that stand beside it."""

from collections.abc import Iterable
from typing import Final, Literal

NAME: Final = "CF_Authorization"
BINDING: Final = "CF_Binding"
"""Makes a stolen ``CF_Authorization`` useless at the edge; it never reaches the application."""

APP_SESSION: Final = "CF_AppSession"
"""Set with the redirect to the login page: Cloudflare's CSRF token of an application's domain."""

SameSite = Literal["lax", "strict", "none"]

# A browser takes SameSite=None only together with Secure (RFC 6265bis section 5.7), which it holds to on loopback too.
_SAME_SITE: Final[dict[SameSite, str]] = {
    "lax": "; SameSite=Lax",
    "strict": "; SameSite=Strict",
    "none": "; Secure; SameSite=None",
}
_A_DAY: Final = 86_400  # seconds, the life of CF_AppSession


def tokens(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The values of all ``CF_Authorization`` cookies, in the order in which they were sent.

    Args:
        headers: ASGI headers, names in lower case.
    """
    return values(headers, NAME)


def values(headers: Iterable[tuple[bytes, bytes]], wanted: str) -> list[str]:
    """The values of all cookies of a name, in the order in which they were sent.

    Base64url and dots need no unquoting, and a parser that returns a dictionary would lose one of two.

    Args:
        headers: ASGI headers, names in lower case.
        wanted: The cookies' name.
    """
    joined = "; ".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    parts = (part.strip().partition("=") for part in joined.split(";"))
    return [value for name, _, value in parts if name == wanted]


def without_binding(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers without ``CF_Binding``; a ``Cookie`` that has none stays byte for byte.

    Args:
        headers: ASGI headers, names in lower case.
    """
    kept: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"cookie" and BINDING.encode() in value:
            parts = [part for part in value.split(b";") if part.partition(b"=")[0].strip() != BINDING.encode()]
            if left := b";".join(parts).strip():
                kept.append((name, left))
        else:
            kept.append((name, value))
    return kept


def issued(token: str, *, path: str, same_site: SameSite = "lax", http_only: bool = True, name: str = NAME) -> str:
    """A ``Set-Cookie`` value; it lasts until the browser is closed, and the token in it until its ``exp``.

    Args:
        token: The value.
        path: To which paths the browser sends it.
        same_site: Cloudflare's default is None. That needs ``Secure``, which not every client keeps without TLS: Lax
            is what a browser would assume by itself, and the default here.
        http_only: Whether scripts cannot read it, which is Cloudflare's default.
        name: Of the cookie.
    """
    return f"{name}={token}; Path={path}{'; HttpOnly' if http_only else ''}{_SAME_SITE[same_site]}"


def app_session(value: str) -> str:
    """A ``Set-Cookie`` value of ``CF_AppSession``."""
    return f"{APP_SESSION}={value}; Path=/; Max-Age={_A_DAY}; HttpOnly; SameSite=Lax"


def cleared(*, path: str) -> str:
    """A ``Set-Cookie`` value that takes the cookie away."""
    return f"{NAME}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Lax"
