"""Who calls a protected application with requests? ``session.auth = AccessAuth(ServiceToken("app.example.com"))``.

``requests`` follows redirects with a copy of the request's headers, and takes out of that copy no header except
``Authorization`` when the host changes. So ours are taken out of each request as soon as it is answered, before
anything is copied. A redirect to a host that may have the credentials is refused by Access for want of them, and asked
again.
"""

from typing import Any

from cfaccess_mw.client.conversation import OUR_HEADERS, Answer, Ask, Call, Caller
from cfaccess_mw.client.cookie_header import with_token
from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.errors import HostNotNamed
from cfaccess_mw.client.hosts import Origin, read_origin
from cfaccess_mw.client.jar import TokenlessPolicy
from cfaccess_mw.client.reach import check_unnamed, concerns
from cfaccess_mw.client.refusals import refusal_in
from cfaccess_mw.extras import needs

with needs("requests"):
    from requests import PreparedRequest, Response
    from requests.auth import AuthBase
    from requests.cookies import RequestsCookieJar, merge_cookies
    from requests.utils import rewind_body

_merge: Any = merge_cookies  # the stubs of requests do not type them
_rewind: Any = rewind_body


class AccessAuth(AuthBase):
    """Authentication at Cloudflare Access, for ``requests`` and its sessions.

    Requests to hosts that were not named go out as they are. What the callers of this package raise,
    :class:`~cfaccess_mw.client.errors.CallError`, comes out of ``requests.get()`` and the like.

    Args:
        caller: Who calls: a ``ServiceToken``, a ``UserToken`` or a ``ForwardedIdentity``.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        """Who calls whom."""
        return f"{type(self).__name__}({self._caller!r})"

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Prepare a request; ``requests`` calls this."""
        prepared: Any = r  # likewise
        if concerns(self._caller, _origin(r)):
            prepared.register_hook("response", _Hook(self._caller, r))
        else:
            if self._caller.keeps_people_apart:
                _keep_apart(r)
            prepared.register_hook("response", _Stranger(r))
        return r


class _Stranger:
    """A request to a host that was not named; as the hook of its responses.

    Its redirects are none of ours: whoever is called without credentials is not to choose who is called with them.
    """

    def __init__(self, request: PreparedRequest) -> None:
        self._request = request

    def __call__(self, response: Response, **options: Any) -> None:
        """Say so where it should perhaps have been named; ``requests`` calls this."""
        if response.request is self._request:
            try:
                check_unnamed(_origin(self._request), _answer(response))
            except HostNotNamed:
                response.close()  # nobody else gets to see it
                raise


class _Hook:
    """What sees the responses to a request and to its redirects, before ``requests`` follows them."""

    def __init__(self, caller: Caller, request: PreparedRequest) -> None:
        self._caller = caller
        self._request = request
        self._turn: _Turn | None = _Turn(caller, request)
        self._is_astray = False

    def __call__(self, response: Response, **options: Any) -> Response:
        """See to a response."""
        request: PreparedRequest = response.request
        _show(request)
        try:
            turn, self._turn = (self._turn, None) if request is self._request else (None, self._turn)
            self._is_astray = self._is_astray and request is not self._request
            if turn is None:  # a redirect, or what was prepared is sent a second time
                if not self._is_lost(response):
                    return response
                turn = _Turn(self._caller, request)
                response = turn.send(response, options)
            while turn.goes_on(_answer(response)):
                response = turn.send(response, options)
        except BaseException:
            response.close()  # nobody else gets to see it
            raise
        return response

    def _is_lost(self, response: Response) -> bool:
        """Whether Access refused a redirect for want of what only the first request carried."""
        origin, answer = _origin(response.request), _answer(response)
        if self._is_astray:
            return False
        if self._caller.hosts.may_get_credentials(origin):
            return refusal_in(answer) is not None
        self._is_astray = True  # what lies behind it was chosen by whoever that is
        check_unnamed(origin, answer)
        return False


class _Turn:
    """One request and the conversation about it; it has to be sent as soon as this is made."""

    def __init__(self, caller: Caller, request: PreparedRequest) -> None:
        self._request = request
        _keep_jar_apart(request)
        for name in OUR_HEADERS:
            request.headers.pop(name, None)
        self._conversation = caller.converse(
            Call(
                origin=_origin(request),
                path=request.path_url.partition("?")[0],
                headers=frozenset(name.lower() for name in request.headers),
                has_token_cookie=False,
                repeatable=_is_repeatable(request),
            )
        )
        self.goes_on(None)

    def goes_on(self, told: Answer | None) -> bool:
        """Go on with the conversation; whether the request is to be sent now."""
        try:
            step = self._conversation.send(told)
            while isinstance(step, Ask):
                step = self._conversation.send(step.source.ask())
        except StopIteration:
            return False
        headers = self._request.headers
        headers.update(step.headers)
        cookie = with_token([headers.pop("Cookie")] if "Cookie" in headers else [], step.cookie)
        if cookie is not None:
            headers["Cookie"] = cookie
        return True

    def send(self, response: Response, options: dict[str, Any]) -> Response:
        """Send the request again, after a response to it."""
        response.content  # noqa: B018 - read to its end, so that the connection can be used again
        response.close()
        if not _is_repeatable(self._request):
            _rewind(self._request)  # to where it began, or this raises
        adapter: Any = response.connection  # as HTTPDigestAuth of requests does it
        try:
            again: Response = adapter.send(self._request, **options)
        finally:
            _show(self._request)
        again.history.append(response)
        return again


def _keep_jar_apart(request: PreparedRequest) -> None:
    """What a redirect is sent with is made from this jar: no token of anybody is to be among it."""
    prepared: Any = request
    prepared._cookies = _merge(RequestsCookieJar(policy=TokenlessPolicy()), prepared._cookies)


def _keep_apart(request: PreparedRequest) -> None:
    """Send a request, and what it leads to, without a token that the session keeps: it is somebody else's."""
    _keep_jar_apart(request)
    kept = with_token([request.headers.pop("Cookie")] if "Cookie" in request.headers else [], None)
    if kept is not None:
        request.headers["Cookie"] = str(kept)


def _show(request: PreparedRequest) -> None:
    """Take out what is secret: what we put in, and nobody else does."""
    headers = request.headers
    for name in [name for name, value in headers.items() if isinstance(value, Secret)]:
        value = headers.pop(name)
        if name == "Cookie" and (kept := with_token([value], None)):
            headers[name] = str(kept)


def _origin(request: PreparedRequest) -> Origin:
    return read_origin(request.url or "")


def _is_repeatable(request: PreparedRequest) -> bool:
    return request.body is None or isinstance(request.body, str | bytes)


def _answer(response: Response) -> Answer:
    # requests joins the lines of Set-Cookie; urllib3 has them apart
    lines = getattr(response.raw, "headers", None) or response.headers
    return Answer(status=response.status_code, headers=tuple((name.lower(), value) for name, value in lines.items()))
