"""The application that stands behind the edge in these tests: it says what it was sent."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

PATIENCE = 10.0  # seconds until a test that waits for the other side gives up


@dataclass
class Signals:
    """How a test and the application tell each other how far they are; both run in this process."""

    first_chunk_read: threading.Event = field(default_factory=threading.Event)
    client_left: threading.Event = field(default_factory=threading.Event)
    websocket_closed: threading.Event = field(default_factory=threading.Event)
    websocket_code: int | None = None


class Mirror:
    """An ASGI application; the path's first segment says how it behaves."""

    def __init__(self) -> None:
        self.signals = Signals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        name = scope["path"].split("/")[1]
        if scope["type"] == "websocket":
            await {"refuse": _refuse, "redirect": _redirect, "bye": _bye, "vanish": _vanish}.get(name, self._echo)(
                scope, receive, send
            )
        else:
            kinds = {"stream": self._stream, "endless": self._endless, "upload": self._upload}
            kinds |= {"drip": _drip, "break": _break_off, "cookies": _cookies}
            await kinds.get(name, _mirror)(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One chunk, then silence until the client leaves."""
        signals = self.signals  # of the test that asked, even when another has begun
        await send(_start(200, (b"content-type", b"text/event-stream")))
        await send(_chunk(b"data: 1\n\n", more=True))
        while (await receive())["type"] != "http.disconnect":
            pass
        signals.client_left.set()

    async def _endless(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Silence, without so much as headers, until the client leaves."""
        signals = self.signals  # of the test that asked, even when another has begun
        signals.first_chunk_read.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        signals.client_left.set()

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads piece by piece, and says so at the first."""
        signals = self.signals  # of the test that asked, even when another has begun
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                signals.client_left.set()
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if body:
                signals.first_chunk_read.set()
        await send(_start(200))
        await send(_chunk(body))

    async def _echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        """First what the handshake was, then whatever comes."""
        signals = self.signals  # of the test that asked, even when another has begun
        await receive()
        await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
        await send({"type": "websocket.send", "text": json.dumps(_seen(scope))})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        signals.websocket_code = message["code"]
        signals.websocket_closed.set()


async def _mirror(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = json.dumps({**_seen(scope), "method": scope["method"], "body": body.decode()}).encode()
    length = (b"content-length", str(len(answer)).encode())
    hop = [(b"connection", b"x-hop"), (b"x-hop", b"1"), (b"keep-alive", b"timeout=5")]
    await send(_start(201, length, (b"x-end-to-end", b"1"), (b"content-encoding", b"identity"), *hop))
    await send(_chunk(answer if scope["method"] != "HEAD" else b""))


async def _drip(scope: Scope, receive: Receive, send: Send) -> None:
    await send(_start(200))
    for piece in (b"a", b"b", b"c"):
        await send(_chunk(piece, more=True))
    await send(_chunk(b""))


async def _break_off(scope: Scope, receive: Receive, send: Send) -> None:
    length = [(b"content-length", b"100")] if scope["path"].endswith("/declared") else []
    await send(_start(200, *length))
    await send(_chunk(b"half", more=True))


async def _cookies(scope: Scope, receive: Receive, send: Send) -> None:
    await send(_start(302, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"location", b"/elsewhere")))
    await send(_chunk(b""))


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    headers = [(b"x-reason", b"because"), (b"content-length", b"2")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"no"})


async def _redirect(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 302, "headers": [(b"location", b"/echo")]})
    await send({"type": "websocket.http.response.body", "body": b""})


async def _bye(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]})
    await send({"type": "websocket.close", "code": 4321, "reason": "enough"})


async def _vanish(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts, and ends without a word."""
    await receive()
    await send({"type": "websocket.accept"})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _seen(scope: Scope) -> dict[str, Any]:
    return {
        "peer": scope["client"],
        "raw_path": scope["raw_path"].decode("ascii"),
        "query": scope["query_string"].decode("ascii"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
    }


def _start(status: int, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def _chunk(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
