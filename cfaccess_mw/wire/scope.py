"""What does an ASGI scope say, and what of it may the application see?"""

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from cfaccess_mw.core.decide import Given, Pass
from cfaccess_mw.core.errors import DuplicateToken
from cfaccess_mw.wire.cookies import read_cookies, without_ours
from cfaccess_mw.wire.names import ASSERTION, EMAIL, METHOD_OVERRIDES, Kind, Names

Scope = MutableMapping[str, Any]
Header = tuple[bytes, bytes]
Headers = list[Header]

_ASSERTION = ASSERTION.encode()
_EMAIL = EMAIL.encode()

# Members of an enumeration are slow to reach, and these are reached for every header.
_IS_ASSERTION, _IS_SPOOFABLE, _IS_COOKIE, _IS_HOST = Kind.ASSERTION, Kind.SPOOFABLE, Kind.COOKIE, Kind.HOST


class Marked:
    """The headers of a request that are something to us, in their order.

    Attributes:
        odd: Those that are not known to be harmless.
        token: What the assertion header gave.
    """

    __slots__ = ("odd", "token")

    def __init__(self, odd: Headers, token: Given) -> None:
        self.odd = odd
        self.token = token


class ScopeReader:
    """Reads and cleans the headers of ASGI scopes.

    Args:
        scrub: Names of further headers that the application must never see.
        cookie: Whether the ``CF_Authorization`` cookie counts where there is no header.
        host: Whether rules name hosts.
    """

    def __init__(self, *, scrub: Iterable[str], cookie: bool, host: bool) -> None:
        self._names = Names(scrub, cookie=cookie, host=host)
        self._harmless = self._names.harmless

    def mark(self, headers: Headers) -> Marked:
        """Find what is something to us, in one pass: every request pays for it, for each of its headers."""
        harmless = self._harmless
        odd = [header for header in headers if header[0] not in harmless]
        token: Given = None
        for name, value in odd:
            if name == _ASSERTION or self._names[name] is _IS_ASSERTION:
                token = value if token is None else DuplicateToken
        return Marked(odd, token)

    def tokens(self, marked: Marked) -> tuple[Given, tuple[str, ...]]:
        """What the assertion header gave, and the values of our cookies where they count and there is no header."""
        if marked.token is not None:
            return marked.token, ()
        lines = self._of(marked, _IS_COOKIE)
        if not lines:
            return None, ()
        found = read_cookies(lines)
        return (None, found) if isinstance(found, tuple) else (found, ())

    def host(self, marked: Marked) -> str | None:
        """The one host where hosts count; None where there is none, or more than one."""
        hosts = self._of(marked, _IS_HOST)
        return hosts[0] if len(hosts) == 1 else None

    def _of(self, marked: Marked, kind: Kind) -> list[str]:
        return [value.decode("latin-1") for name, value in marked.odd if self._names[name] is kind]

    def clean(self, headers: Headers, marked: Marked, passing: Pass) -> Headers:
        """The headers that the application sees: nothing that could be spoofed, and what was verified.

        Args:
            headers: All headers of the request.
            marked: What :meth:`mark` found among them.
            passing: The decision; its identity's e-mail and its token are put back.
        """
        identity, token = passing.identity, passing.token
        verified: Headers = []
        if identity is not None:
            verified.append((_ASSERTION, token if isinstance(token, bytes) else str(token).encode("ascii")))
            if identity.email is not None:
                verified.append((_EMAIL, identity.email.encode()))
            # What Cloudflare sends is what we would put there.
            if marked.odd == verified or self._ours(marked) == verified:
                return headers
        return [*self._kept(headers, cookies=identity is not None), *verified]

    def _ours(self, marked: Marked) -> Headers:
        return [header for header in marked.odd if self._names[header[0]] in (_IS_ASSERTION, _IS_SPOOFABLE)]

    def _kept(self, headers: Headers, *, cookies: bool) -> Iterator[Header]:
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
    """Say whether this is a CORS preflight (Fetch standard, section 4.8).

    No browser sends one that asks for another method to be served in its place.
    """
    return (
        scope["type"] == "http"
        and scope["method"] == "OPTIONS"
        and value_of(scope, "origin") != ""
        and value_of(scope, "access-control-request-method") != ""
        and not any(value_of(scope, name) for name in METHOD_OVERRIDES)
    )
