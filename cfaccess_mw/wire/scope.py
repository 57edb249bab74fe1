"""What does an ASGI scope say, and what of it may the application see?"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from cfaccess_mw.core.decide import Given, Pass
from cfaccess_mw.core.errors import DuplicateToken
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.wire.cookies import read_cookies, without_ours
from cfaccess_mw.wire.names import ASSERTION, EMAIL, METHOD_OVERRIDES, Kind, Names

Scope = MutableMapping[str, Any]
Header = tuple[bytes, bytes]
Headers = list[Header]

_ASSERTION = ASSERTION.encode()
_EMAIL = EMAIL.encode()

# Combinations of header names that are remembered, and how long one may be. A client sends the same names again and
# again, so that nearly every request is one look-up; whoever makes up new ones pays for each with a look at every name.
_LAYOUTS = 1_024
_LONGEST = 4_096  # bytes of all names together
_MOST = 128  # headers; names may be empty, so that their bytes alone bound nothing
_LAYOUT_BYTES = 512  # of a layout, its names and their kinds aside
_KIND_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where in a list of headers that stands which is something to us. It follows from their names alone.

    Attributes:
        count: How many headers there are.
        assertion: The position of the one assertion, or None.
        given: What the assertion headers are where there is not one.
        email: The position of the one header with the user's e-mail, or None.
        is_cloudflares: Whether nothing is there that an application must not see, but for the one assertion and the
            one e-mail, in the names that the application knows.
        kinds: What each header is to us.
    """

    count: int
    assertion: int | None
    given: type[DuplicateToken] | None
    email: int | None
    is_cloudflares: bool
    kinds: tuple[Kind, ...]


class ScopeReader:
    """Reads and cleans the headers of ASGI scopes.

    Args:
        scrub: Names of further headers that the application must never see.
        cookie: Whether the ``CF_Authorization`` cookie counts where there is no header.
        host: Whether rules name hosts.
    """

    def __init__(self, *, scrub: Iterable[str], cookie: bool, host: bool) -> None:
        self._names = Names(scrub, cookie=cookie, host=host)
        self._layouts: Memory[bytes, Layout] = Memory(count=_LAYOUTS, weight=_LAYOUTS * (_LAYOUT_BYTES + 512))

    def layout(self, headers: Headers) -> Layout:
        """Find what is something to us: every request pays for it, for each of its headers."""
        joined = b"\n".join([name for name, _ in headers])
        layout = self._layouts.get(joined)
        # Only where no name holds the separator do the joined names and their number say what each of them is.
        if layout is not None and layout.count == len(headers):
            return layout
        layout = self._lay_out([name for name, _ in headers])
        count = layout.count
        if count <= _MOST and len(joined) <= _LONGEST and joined.count(b"\n") == count - 1:
            self._layouts.put(joined, layout, _LAYOUT_BYTES + len(joined) + _KIND_BYTES * count)
        return layout

    def _lay_out(self, names: list[bytes]) -> Layout:
        kinds = tuple(self._names[name] for name in names)
        assertions = [position for position, kind in enumerate(kinds) if kind is Kind.ASSERTION]
        foreign = [name for name, kind in zip(names, kinds, strict=True) if kind in (Kind.ASSERTION, Kind.SPOOFABLE)]
        return Layout(
            count=len(names),
            assertion=assertions[0] if len(assertions) == 1 else None,
            given=DuplicateToken if len(assertions) > 1 else None,
            email=names.index(_EMAIL) if names.count(_EMAIL) == 1 else None,
            is_cloudflares=sorted(foreign) in ([_ASSERTION], sorted([_ASSERTION, _EMAIL])),
            kinds=kinds,
        )

    def tokens(self, headers: Headers, layout: Layout) -> tuple[Given, tuple[str, ...]]:
        """What the assertion header gave, and the values of our cookies where they count and there is no header."""
        if layout.assertion is not None:
            return headers[layout.assertion][1], ()
        if layout.given is not None:
            return layout.given, ()
        lines = self._of(headers, layout, Kind.COOKIE)
        if not lines:
            return None, ()
        found = read_cookies(lines)
        return (None, found) if isinstance(found, tuple) else (found, ())

    def host(self, headers: Headers, layout: Layout) -> str | None:
        """The one host where hosts count; None where there is none, or more than one."""
        hosts = self._of(headers, layout, Kind.HOST)
        return hosts[0] if len(hosts) == 1 else None

    @staticmethod
    def _of(headers: Headers, layout: Layout, wanted: Kind) -> list[str]:
        kinds = layout.kinds
        return [value.decode("latin-1") for (_, value), kind in zip(headers, kinds, strict=True) if kind is wanted]

    def clean(self, headers: Headers, layout: Layout, passing: Pass) -> Headers:
        """The headers that the application sees: nothing that could be spoofed, and what was verified.

        Args:
            headers: All headers of the request.
            layout: Where in them stands what.
            passing: The decision; its identity's e-mail and its token are put back.
        """
        identity = passing.identity
        if identity is not None and layout.is_cloudflares:
            # What Cloudflare sends is what we would put there.
            if layout.email is None:
                if identity.email is None:
                    return headers
            elif identity.email is not None and headers[layout.email][1] == identity.email.encode():
                return headers
        kept = [*self._kept(headers, layout, cookies=identity is not None)]
        if identity is not None:
            token = passing.token
            kept.append((_ASSERTION, token if isinstance(token, bytes) else str(token).encode("ascii")))
            if identity.email is not None:
                kept.append((_EMAIL, identity.email.encode()))
        return kept

    @staticmethod
    def _kept(headers: Headers, layout: Layout, *, cookies: bool) -> Iterator[Header]:
        for (name, value), kind in zip(headers, layout.kinds, strict=True):
            if kind is Kind.ASSERTION or kind is Kind.SPOOFABLE:
                continue
            if kind is Kind.COOKIE and not cookies:  # an application must not believe a cookie that we did not
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


def reader_of(scope: Scope) -> Callable[[str], str]:
    """As :func:`value_of`, for whoever asks for several headers of one request: a refusal looks at a dozen."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        lines.setdefault(name.lower(), []).append(value)

    def read(name: str) -> str:
        found = lines.get(name.encode("ascii"), ())
        return (b"; " if name == "cookie" else b", ").join(found).decode("latin-1")

    return read


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
