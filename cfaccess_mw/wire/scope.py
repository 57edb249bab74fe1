"""What does an ASGI scope say, and what of it may the application see?"""

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from cfaccess_mw.core.decide import Given, Pass
from cfaccess_mw.core.errors import DuplicateToken
from cfaccess_mw.wire.cookies import read_cookies, without_ours
from cfaccess_mw.wire.names import ASSERTION, EMAIL, Kind, Names

Scope = MutableMapping[str, Any]
Header = tuple[bytes, bytes]
Headers = list[Header]

_ASSERTION = ASSERTION.encode()
_EMAIL = EMAIL.encode()

# Members of an enumeration are slow to reach, and these are reached for every header.
_IS_ASSERTION, _IS_SPOOFABLE, _IS_COOKIE = Kind.ASSERTION, Kind.SPOOFABLE, Kind.COOKIE


class Marked:
    """The headers of a request that are something to us, in their order.

    Attributes:
        ours: Assertions, and whatever else could be spoofed.
        cookies: The values of ``Cookie``, where cookies count.
        hosts: The values of ``Host``, where hosts count.
        token: What the assertion header gave.
    """

    __slots__ = ("cookies", "hosts", "ours", "token")

    def __init__(self) -> None:
        self.ours: list[Header] = []
        self.cookies: list[bytes] = []
        self.hosts: list[bytes] = []
        self.token: Given = None

    @property
    def host(self) -> str | None:
        """The one host, or None where there is none or more than one."""
        return self.hosts[0].decode("latin-1") if len(self.hosts) == 1 else None


class ScopeReader:
    """Reads and cleans the headers of ASGI scopes.

    Args:
        scrub: Names of further headers that the application must never see.
        cookie: Whether the ``CF_Authorization`` cookie counts where there is no header.
        host: Whether rules name hosts.
    """

    def __init__(self, *, scrub: Iterable[str], cookie: bool, host: bool) -> None:
        self._names = Names(scrub, cookie=cookie, host=host)

    def mark(self, headers: Iterable[Header]) -> Marked:
        """Find what is something to us, in one pass: every request pays for it."""
        names = self._names
        marked = Marked()
        for header in headers:
            kind = names[header[0]]
            if kind:
                if kind is _IS_ASSERTION:
                    marked.ours.append(header)
                    marked.token = header[1] if marked.token is None else DuplicateToken
                elif kind is _IS_SPOOFABLE:
                    marked.ours.append(header)
                elif kind is _IS_COOKIE:
                    marked.cookies.append(header[1])
                else:
                    marked.hosts.append(header[1])
        return marked

    def tokens(self, marked: Marked) -> tuple[Given, tuple[str, ...]]:
        """What the assertion header gave, and the values of our cookies where they count and there is no header."""
        if marked.token is not None or not marked.cookies:
            return marked.token, ()
        found = read_cookies(line.decode("latin-1") for line in marked.cookies)
        return (None, found) if isinstance(found, tuple) else (found, ())

    def clean(self, headers: list[Header], marked: Marked, passing: Pass) -> list[Header]:
        """The headers that the application sees: nothing that could be spoofed, and what was verified.

        Args:
            headers: All headers of the request.
            marked: What :meth:`mark` found among them.
            passing: The decision; its identity's e-mail and its token are put back.
        """
        identity, token = passing.identity, passing.token
        verified: list[Header] = []
        if identity is not None:
            verified.append((_ASSERTION, token if isinstance(token, bytes) else str(token).encode("ascii")))
            if identity.email is not None:
                verified.append((_EMAIL, identity.email.encode()))
            if marked.ours == verified:
                return headers  # what Cloudflare sends is what we would put there
        return [*self._kept(headers, cookies=identity is not None), *verified]

    def _kept(self, headers: list[Header], *, cookies: bool) -> Iterator[Header]:
        for name, value in headers:
            kind = self._names[name]
            if kind is _IS_ASSERTION or kind is _IS_SPOOFABLE:
                continue
            if kind is _IS_COOKIE and not cookies:  # an application must not believe a cookie that we did not
                yield name, without_ours(value.decode("latin-1")).encode("latin-1")
            else:
                yield name, value


def value_of(scope: Scope, name: str) -> str:
    """The combined value of a request header by its lower-case name (RFC 9110 section 5.2), or empty text."""
    return ("; " if name == "cookie" else ", ").join(values_of(scope, name))


def values_of(scope: Scope, name: str) -> list[str]:
    """The values of a request header by its lower-case name, one for each line."""
    wanted = name.encode("ascii")
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted]


def is_preflight(scope: Scope) -> bool:
    """Say whether this is a CORS preflight (Fetch standard, section 4.8)."""
    return (
        scope["type"] == "http"
        and scope["method"] == "OPTIONS"
        and value_of(scope, "origin") != ""
        and value_of(scope, "access-control-request-method") != ""
    )
