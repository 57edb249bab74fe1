"""How is a call spoken of before any HTTP client has a hand in it?

A caller (a service token, a user's token, an identity that is passed on) answers each call with a generator. It yields
what it needs: credentials from a source, or a request sent with certain headers. It is told what came of it. So the
rules stand once, and whoever drives them, blocking or not, with whichever client, does nothing but input and output.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cfaccess_mw.client.credentials import ID_HEADER, SECRET_HEADER, Secret
from cfaccess_mw.client.hosts import NamedHosts, Origin
from cfaccess_mw.client.sources import Source

TOKEN_HEADER: Final = "Cf-Access-Token"  # noqa: S105 - how programs bring an application token (cloudflared, carrier.go)

OUR_HEADERS: Final = frozenset(name.lower() for name in (ID_HEADER, SECRET_HEADER, TOKEN_HEADER))
"""Headers that are ours alone: what a request to a named host already has of them is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as far as it matters here.

    Attributes:
        origin: Where it goes.
        path: Percent-encoded, without the query.
        headers: The names of its headers, in lower case.
        has_token_cookie: Whether the client put a ``CF_Authorization`` cookie into it.
        repeatable: Whether its body can be sent a second time.
    """

    origin: Origin
    path: str
    headers: frozenset[str]
    has_token_cookie: bool
    repeatable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Wanted: what a source gives."""

    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Wanted: the answer to the request, sent with this and with nothing else of ours.

    Attributes:
        headers: Names and values.
        cookie: The value of a ``CF_Authorization`` cookie.
    """

    headers: tuple[tuple[str, Secret], ...] = ()
    cookie: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one request.

    Attributes:
        status: The HTTP status code.
        headers: Names in lower case, as many as there are lines.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def all(self, name: str) -> list[str]:
        """The values of a header, by its name in lower case."""
        return [value for given, value in self.headers if given == name]

    def first(self, name: str) -> str:
        """The first value of a header, or empty text."""
        return next(iter(self.all(name)), "")


Conversation = Generator[Ask | Send, Any, None]


class Caller(Protocol):
    """Somebody who calls protected applications."""

    @property
    def hosts(self) -> NamedHosts:
        """To whom credentials may go."""

    @property
    def keeps_people_apart(self) -> bool:
        """Whether it calls for one person now and for another then, so that no cookie of the client's may speak."""

    def converse(self, call: Call) -> Conversation:
        """Say what is to be done for a call to a named host; ends when the last answer is the application's.

        Raises:
            CallError: It is not.
        """
