"""How does a call run through a client of httpx's kind? Once, for httpx and httpx2, blocking and not.

Such a client hands its ``Auth`` a request and sends what that yields, but it follows redirects without asking again,
with a copy of the request's headers, and takes out of that copy no header except ``Authorization`` when the host
changes. So what is secret is never among a request's headers: it stands beside them, where only what writes them to the
network looks, and where no copy, no ``repr`` and no redirect finds it. A redirect to a host that may have the
credentials is refused by Access for want of them, and asked again with them.
"""

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from cfaccess_mw.client.conversation import OUR_HEADERS, Answer, Ask, Call, Caller, Send
from cfaccess_mw.client.cookie_header import has_token, with_token
from cfaccess_mw.client.hosts import Origin, origin_of
from cfaccess_mw.client.reach import check_unnamed, concerns, token_in_jar
from cfaccess_mw.client.refusals import refusal_in

RawHeaders = list[tuple[bytes, bytes]]


class Headers(Protocol):
    """The headers of a request or a response."""

    def multi_items(self) -> list[tuple[str, str]]:
        """Names in lower case, as many as there are lines."""

    def get_list(self, key: str) -> list[str]:
        """The values of one header."""

    def pop(self, key: str, default: None, /) -> str | None:
        """Take a header out."""


class Request(Protocol):
    """A request of the client's."""

    headers: Any
    url: Any


class Response(Protocol):
    """A response of the client's."""

    history: Any
    status_code: int

    @property
    def headers(self) -> Any:
        """Its headers."""

    @property
    def request(self) -> Any:
        """What it answers."""


Q = TypeVar("Q", bound=Request)
R = TypeVar("R", bound=Response)


class ExchangeAuth(Generic[Q, R]):
    """What the ``Auth`` of each such client does; the class of a client adds what only its own types can do.

    Args:
        caller: Who calls: a ``ServiceToken``, a ``UserToken`` or a ``ForwardedIdentity``.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        """Who calls whom."""
        return f"{type(self).__name__}({self._caller!r})"

    def _hide(self, request: Q, secret: RawHeaders) -> None:
        """Have the request sent with these headers, in place of those of the same names, and not show them."""
        raise TypeError("the class of a client does this")

    def _show(self, request: Q) -> None:
        """Have the request's headers be what they look like again."""
        raise TypeError("the class of a client does this")

    def _is_repeatable(self, request: Q) -> bool:
        """Whether the request's body can be sent a second time."""
        raise TypeError("the class of a client does this")

    def sync_auth_flow(self, request: Q) -> Generator[Q, R, None]:
        """Run a call, blocking; the client calls this."""
        flow = self._flow(request)
        try:
            step = next(flow)
            while True:
                step = flow.send(step.source.ask() if isinstance(step, Ask) else (yield step))
        except StopIteration:
            return
        finally:
            flow.close()

    async def async_auth_flow(self, request: Q) -> AsyncGenerator[Q, R]:
        """Run a call in an event loop; the client calls this."""
        flow = self._flow(request)
        try:
            step = next(flow)
            while True:
                step = flow.send(await step.source.ask_async() if isinstance(step, Ask) else (yield step))
        except StopIteration:
            return
        finally:
            flow.close()

    def _flow(self, request: Q) -> Generator[Ask | Q, Any, None]:
        if not concerns(self._caller, _origin(request)):
            self._check_apart(request)
            response: R = yield request
            # Its redirects are none of ours: whoever is called without credentials is not to choose who is with them.
            answered, *led_to = _from(request, response)
            check_unnamed(_origin(request), _answer(answered))
            for hop in led_to:
                self._check_apart(hop.request)
            return
        next_request: Q | None = request
        while next_request is not None:
            hops = yield from self._call(next_request)
            next_request = self._lost(hops)

    def _call(self, request: Q) -> Generator[Ask | Q, Any, Sequence[R]]:
        """Run one conversation.

        Returns:
            The responses to which redirects of its last answer led.
        """
        cookies = request.headers.get_list("cookie")
        for name in OUR_HEADERS:
            request.headers.pop(name, None)
        conversation = self._caller.converse(
            Call(
                origin=_origin(request),
                path=_path(request),
                headers=frozenset(name for name, _ in request.headers.multi_items()),
                has_token_cookie=has_token(cookies),
                repeatable=self._is_repeatable(request),
            )
        )
        hops: Sequence[R] = ()
        told: object = None
        try:
            while True:
                step = conversation.send(told)
                if isinstance(step, Ask):
                    told = yield step
                    continue
                self._hide(request, _raw(step, cookies, request.headers.encoding))
                try:
                    response: R = yield request
                finally:
                    self._show(request)
                answered, *hops = _from(request, response)
                told = _answer(answered)
        except StopIteration:
            return hops
        finally:
            conversation.close()

    def _lost(self, hops: Sequence[R]) -> Q | None:
        """The request of the redirect that Access refused for want of what only the first request carried."""
        is_astray = False
        for hop in hops:
            request: Q = hop.request
            origin = _origin(request)
            self._check_apart(request)
            if is_astray:
                continue
            if not self._caller.hosts.may_get_credentials(origin):
                check_unnamed(origin, _answer(hop))
                is_astray = True  # what lies behind it was chosen by whoever that is
            elif refusal_in(_answer(hop)) is not None:
                return request
        return None

    def _check_apart(self, request: Q) -> None:
        """Make sure that a request says nothing of whoever the client's cookie jar has a token of, to whomever it goes.

        Raises:
            TokenInCookieJar: It does; a redirect was sent with it, and nobody gets to see what was answered.
        """
        if self._caller.keeps_people_apart and has_token(request.headers.get_list("cookie")):
            raise token_in_jar(_origin(request))


def _origin(request: Request) -> Origin:
    url = request.url
    return origin_of(url.scheme, url.raw_host.decode("ascii"), url.port)


def _path(request: Request) -> str:
    path: bytes = request.url.raw_path
    return path.partition(b"?")[0].decode("ascii")


def _answer(response: Response) -> Answer:
    return Answer(status=response.status_code, headers=tuple(response.headers.multi_items()))


def _raw(send: Send, cookies: Sequence[str], encoding: str) -> RawHeaders:
    """What is to be written for a step, the whole ``Cookie`` header included."""
    raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in send.headers]
    cookie = with_token(cookies, send.cookie)
    return [*raw, (b"Cookie", b"" if cookie is None else cookie.encode(encoding))]


def _from(request: Request, response: R) -> list[R]:
    """The response to this very request, and those to which its redirects led."""
    responses: list[R] = [*response.history, response]
    # the last: where it was sent before, that answer is among them too
    starts = [index for index, one in enumerate(responses) if one.request is request]
    return responses[starts[-1] if starts else -1 :]
