"""What is known of a refused request: to us when we answer it, and to a user who answers it instead?"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Required, TypedDict

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.prefers import Header
from cfaccess_mw.wire.response import OwnResponse, Response


class Asked(TypedDict, total=False):
    """What a door knows of a refused request.

    Attributes:
        method: The request's method.
        header: Gives a request header's value by its lower-case name, and empty text where there is none.
        path: The path as the client sees it, percent-decoded.
        query: The query as it came, each byte as the character of that number.
        scheme: As the server knows it.
        audiences: For one member of each of these a token had to be (``Requirement.audiences``).
        identity: Who is refused, where the token was good.
    """

    method: Required[str]
    header: Required[Header]
    path: str
    query: str
    scheme: str
    audiences: Iterable[frozenset[str]]
    identity: Identity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """What ``on_refusal`` is told.

    Attributes:
        error: Why the request is refused.
        status: The HTTP status code of the refusal, also where ``response`` is a redirect.
        method: The request's method.
        path: Its path, percent-decoded. It is the client's word: escape it.
        is_navigation: Whether a browser's window waits for the answer.
        ray: Cloudflare's name for the request, where it has the form of one.
        identity: Who is refused, where the token was good and the rules said no.
        login_url: Where signing in would mend it, or None.
        logout_url: Where signing out may help (on this host), or None.
        response: What is sent unless another answer is returned.
    """

    error: Refused
    status: int
    method: str
    path: str
    is_navigation: bool
    ray: str | None
    identity: Identity | None
    login_url: str | None
    logout_url: str | None
    response: Response = field(repr=False)

    @property
    def code(self) -> str:
        """The stable kebab-case name of what went wrong."""
        return self.error.code

    @property
    def title(self) -> str:
        """A short public text, the same for every refusal of this code."""
        return self.error.title

    @property
    def detail(self) -> str:
        """A public sentence about what happened and what mends it."""
        return self.error.detail


OnRefusal = Callable[[RefusedRequest], OwnResponse | Awaitable[OwnResponse | None] | None]
"""Returns another answer, or None for ours. It is called in the thread or task of the request."""
