"""How does an HTTP request get to the application, and its answer back?

Both bodies are streamed, the path goes through byte for byte, and the edge adds no opinion of its own: no redirects
followed, no encodings undone, no cookies kept.

Each request has a connection of its own, which costs next to nothing on one machine. On a kept one, whatever a careless
server sends behind an answer (a body with a 304, more than it declared) would be read as somebody else's answer. And
both directions run at once: an application may answer, and be read, before it has read everything, or without it.
"""

from contextlib import suppress
from typing import Any

import anyio
import h11
from anyio.abc import ByteStream
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from cfaccess_mw.emulator.forwarding import Headers, end_to_end
from cfaccess_mw.emulator.upstream import Conversations, Upstream

_CONNECT = 5.0  # seconds; beyond this the application is not there. Answers may take as long as they like.
_LONGEST_HEAD = 102_400  # bytes of an application's status and headers
_STATUS = range(200, 600)  # what our own server can say


class HttpRelay:
    """Passes requests to the application.

    Args:
        conversations: Where a request is counted while it is under way.
    """

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

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
            async with anyio.create_task_group() as tasks:
                application = _Application(upstream)
                tasks.start_soon(application.ask, scope, receive, headers, tasks.cancel_scope)
                await exchange.relay(application)
                tasks.cancel_scope.cancel()
        await exchange.finish(scope, receive)


class _BrokenOff(Exception):
    """The application is not there, is there no more, or does not speak HTTP."""


class _Application:
    """One connection to the application, and both directions of it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._connecting = anyio.Event()
        self._stream: ByteStream | None = None

    async def ask(self, scope: Scope, receive: Receive, headers: Headers, both: anyio.CancelScope) -> None:
        """Send the request, then wait for the client to leave: nobody reads an event stream any more."""
        names = {name for name, _ in scope["headers"]}
        more = bool(names & {b"content-length", b"transfer-encoding"})
        if more and not any(name == b"content-length" for name, _ in headers):
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        with suppress(OSError), anyio.fail_after(_CONNECT):
            self._stream = await anyio.connect_tcp(self._upstream.host, self._upstream.port)
        self._connecting.set()
        if (stream := self._stream) is None:
            return
        try:
            # an application that stops reading may have answered all the same
            with suppress(anyio.BrokenResourceError):
                await self._send(stream, h11.Request(method=scope["method"], target=target(scope), headers=headers))
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        both.cancel()
                        return
                    more = message.get("more_body", False)
                    await self._send(stream, h11.Data(data=message.get("body", b"")))
                await self._send(stream, h11.EndOfMessage())
            while (await receive())["type"] != "http.disconnect":
                pass
            both.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)

    async def event(self) -> Any:
        """What comes next: a response, data, or the end of the message.

        Raises:
            _BrokenOff: Nothing more will come.
        """
        await self._connecting.wait()
        if self._stream is None:
            raise _BrokenOff
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA or isinstance(event, h11.InformationalResponse):
                if event is h11.NEED_DATA:
                    try:
                        self._http.receive_data(await self._stream.receive())
                    except anyio.EndOfStream:
                        self._http.receive_data(b"")
        except (h11.RemoteProtocolError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise _BrokenOff from error
        if isinstance(event, h11.ConnectionClosed):
            raise _BrokenOff
        return event

    async def _send(self, stream: ByteStream, event: Any) -> None:
        if data := self._http.send(event):
            await stream.send(data)


class _Exchange:
    """The way back: one answer, begun and ended once."""

    def __init__(self, send: Send, extra: Headers) -> None:
        self._send = send
        self._extra = extra
        self._begun = False
        self._endable = False

    async def relay(self, application: _Application) -> None:
        try:
            response = await application.event()
            if response.status_code not in _STATUS:
                return
            headers = end_to_end(response.headers.raw_items())
            # an answer of undeclared length can be ended early without breaking the protocol
            self._endable = not any(name.lower() == b"content-length" for name, _ in headers)
            headers += self._extra
            self._begun = True
            await self._send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            while isinstance(event := await application.event(), h11.Data):
                await self._send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        except _BrokenOff:
            self._endable = False  # the application broke off, and the client must see that
            return
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
