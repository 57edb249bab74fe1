"""How does an HTTP request get to the application, and its answer back? The one importer of the HTTP client.

Both bodies are streamed, the path goes through byte for byte, and the edge adds no opinion of its own: no redirects
followed, no encodings undone, no cookies kept.
"""

import ssl
from collections.abc import AsyncIterator

import anyio
import httpx
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from cfaccess_mw.emulator.forwarding import Headers, end_to_end
from cfaccess_mw.emulator.upstream import Conversations, Upstream

_CONNECT = 5.0  # seconds; beyond this the application is not there. Answers may take as long as they like.
_KEPT = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=2.0)  # gunicorn's keep-alive
_NEVER_KEPT = httpx.Limits(max_connections=None, max_keepalive_connections=0)
# What a client may ask again without being told to (RFC 9110 sections 9.2.1 and 9.2.2).
# HEAD is not among them: what a careless server sends as its body would be read as the next answer.
_SAFE = frozenset({"GET", "OPTIONS"})


class HttpRelay:
    """Passes requests to the application.

    Args:
        conversations: Where a request is counted while it is under way.
    """

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        # The transports alone, for a client would keep cookies and follow its own mind. A kept connection may be closed
        # by the application just as it is taken, and then nobody knows whether the request arrived: only what is safe
        # to ask again goes over one, and anything else over a new one.
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the usual certificates would take a moment
        self._kept = httpx.AsyncHTTPTransport(verify=unused, trust_env=False, limits=_KEPT)
        self._fresh = httpx.AsyncHTTPTransport(verify=unused, trust_env=False, limits=_NEVER_KEPT)

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._kept.aclose()
        await self._fresh.aclose()

    async def __call__(
        self, upstream: Upstream, scope: Scope, receive: Receive, send: Send, headers: Headers, extra: Headers
    ) -> None:
        """Pass one request on.

        Args:
            upstream: Where the application listens.
            scope: The client's request.
            receive: Its body.
            send: Where the answer goes.
            headers: What the application is sent.
            extra: What the answer gets beside the application's own headers.
        """
        exchange = _Exchange(send, extra)
        with self._conversations.join():
            await self._pass_on(upstream, scope, receive, headers, exchange)
        await exchange.finish(scope, receive)

    async def _pass_on(
        self, upstream: Upstream, scope: Scope, receive: Receive, headers: Headers, exchange: "_Exchange"
    ) -> None:
        names = {name for name, _ in scope["headers"]}
        has_body = bool(names & {b"content-length", b"transfer-encoding"})
        body = _Body(receive)
        if not has_body:
            body.done.set()
        connections = _Connections()
        request = httpx.Request(
            scope["method"],
            httpx.URL(f"http://{upstream.netloc}/"),
            headers=headers,
            content=body.chunks() if has_body else None,
            # "target" goes onto the wire as it is; a URL would be normalised
            extensions={"target": target(scope), "timeout": {"connect": _CONNECT}, "trace": connections.trace},
        )
        request.method = scope["method"]  # httpx writes methods in upper case, and they are compared by case
        is_safe = not has_body and scope["method"] in _SAFE
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(body.cancel_when_gone, tasks.cancel_scope)
            try:
                response = await self._send(request, connections, is_safe=is_safe)
            except httpx.TransportError:
                pass  # nothing began, which finish() puts into words
            else:
                body.done.set()
                await exchange.relay(response)
            tasks.cancel_scope.cancel()

    async def _send(self, request: httpx.Request, connections: "_Connections", *, is_safe: bool) -> httpx.Response:
        if not is_safe:
            return await self._fresh.handle_async_request(request)
        try:
            return await self._kept.handle_async_request(request)
        except httpx.TransportError:
            if connections.opened:
                raise
        return await self._fresh.handle_async_request(request)  # the kept one was closed, as every one is in the end


class _Connections:
    """Whether a connection was opened for a request."""

    def __init__(self) -> None:
        self.opened = False

    async def trace(self, event: str, _: object) -> None:
        """Told by the HTTP client what it does."""
        self.opened = self.opened or event == "connection.connect_tcp.started"


class _Body:
    """The client's side: its body, and then its leaving."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.done = anyio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        message: Message = {"more_body": True}
        while message.get("more_body", False):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise httpx.ReadError("the client went away")
            yield message.get("body", b"")
        self.done.set()

    async def cancel_when_gone(self, scope: anyio.CancelScope) -> None:
        """Give the application up when the client has left: nobody reads an event stream any more."""
        await self.done.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        scope.cancel()


class _Exchange:
    """The way back: one answer, begun and ended once."""

    def __init__(self, send: Send, extra: Headers) -> None:
        self._send = send
        self._extra = extra
        self._begun = False
        self._endable = False

    async def relay(self, response: httpx.Response) -> None:
        headers = end_to_end(response.headers.raw)
        # an answer of undeclared length can be ended early without breaking the protocol
        self._endable = not any(name.lower() == b"content-length" for name, _ in headers)
        headers += self._extra
        self._begun = True
        await self._send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        try:
            async for chunk in response.aiter_raw():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        except httpx.TransportError:
            self._endable = False  # the application broke off, and the client must see that
            return
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        await self._send({"type": "http.response.body", "body": b""})
        self._endable = False

    async def finish(self, scope: Scope, receive: Receive) -> None:
        """End what was cut short: by the application, by the client, or because the edge shuts down."""
        if not self._begun:
            answer = PlainTextResponse("The application did not answer.\n", 502, headers={"Cache-Control": "no-store"})
            await answer(scope, receive, self._send)
        elif self._endable:
            await self._send({"type": "http.response.body", "body": b""})


def target(scope: Scope) -> bytes:
    """The request target as the client wrote it: path and query, byte for byte."""
    raw: bytes = scope["raw_path"]
    return raw + b"?" + scope["query_string"] if scope["query_string"] else raw
