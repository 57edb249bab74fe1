"""How does a WSGI application run on an ASGI server? Each request in a thread (PEP 3333).

Bodies are streamed both ways and nothing is collected: the application reads as the client sends, waits where the
client is slow to read, and is told to stop when it has left.
"""

import io
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, EndOfStream, create_memory_object_stream, create_task_group, from_thread, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIApplication
    from starlette.types import Receive, Scope, Send

_OptExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None

# Not HTTP_…, and not for a client to say otherwise.
_OWN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class _Left(ConnectionResetError):
    """The client does not wait for the rest."""


class WsgiBridge:
    """An ASGI application that runs a WSGI application.

    Args:
        application: The application.
        threads: How many requests it answers at a time; others wait.
    """

    def __init__(self, application: "WSGIApplication", *, threads: int) -> None:
        self._application = application
        self._threads = threads
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request; a WebSocket is declined."""
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._threads)  # belongs to the loop that runs now
        parts, body = create_memory_object_stream[bytes](0)
        client = _Client(body, send)
        failure: Exception | None = None
        with body:
            async with create_task_group() as group:
                group.start_soon(_listen, receive, parts, client)
                try:
                    await to_thread.run_sync(_run, self._application, scope, client, limiter=self._limiter)
                except _Left:
                    pass  # nobody is there to be told
                except Exception as error:  # noqa: BLE001 - raised again, without the group around it
                    failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure


async def _listen(receive: "Receive", parts: MemoryObjectSendStream[bytes], client: "_Client") -> None:
    """Hand on what the client sends, then wait for it to leave."""
    more = True
    with parts:
        while more:
            message = await receive()
            if message["type"] != "http.request":
                client.has_left = True
                return
            if message.get("body"):
                await parts.send(message["body"])
            more = message.get("more_body", False)
    while (await receive())["type"] == "http.request":
        continue
    client.has_left = True


class _Client(io.RawIOBase):
    """Whoever asked, as the thread of the application sees them: read from, and written to."""

    def __init__(self, body: MemoryObjectReceiveStream[bytes], send: "Send") -> None:
        self.has_left = False
        self._body = body
        self._send = send
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read a part of the body; nothing at its end."""
        if not self._rest:
            try:
                self._rest = memoryview(from_thread.run(self._body.receive))
            except EndOfStream:
                if self.has_left:
                    raise _Left("the client left before its request was complete") from None
                return 0
        target = memoryview(buffer)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def send(self, message: dict[str, Any]) -> None:
        """Send a part of the answer, and wait until it is under way."""
        if self.has_left:
            raise _Left("the client left before its answer was complete")
        from_thread.run(self._sending, message)

    async def _sending(self, message: dict[str, Any]) -> None:
        await self._send(message)


class _Answer:
    """What an application says to ``start_response``, sent with the first part of the body."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._start: dict[str, Any] | None = None
        self._is_sent = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: _OptExcInfo = None, /
    ) -> Callable[[bytes], object]:
        if exc_info and exc_info[1] is not None and self._is_sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._start is not None and not exc_info:
            raise RuntimeError("start_response is called a second time without exc_info (PEP 3333)")
        self._start = {
            "type": "http.response.start",
            "status": int(status[:3]),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        }
        return self.write

    def write(self, part: bytes, *, more: bool = True) -> None:
        if self._start is None:
            raise RuntimeError("the application answers without calling start_response (PEP 3333)")
        if not self._is_sent:
            self._is_sent = True
            self._client.send(self._start)
        self._client.send({"type": "http.response.body", "body": part, "more_body": more})


def _run(application: "WSGIApplication", scope: "Scope", client: _Client) -> None:
    """Call an application, and send what it answers; in a thread."""
    answer = _Answer(client)
    body: Iterable[bytes] = application(_environ(scope, io.BufferedReader(client)), answer.start)
    try:
        for part in body:
            if part:  # headers go with the first that is something
                answer.write(part)
        answer.write(b"", more=False)
    finally:
        close: Callable[[], object] | None = getattr(body, "close", None)
        if close is not None:
            close()


def _environ(scope: "Scope", body: io.BufferedReader) -> dict[str, Any]:
    server, client = scope.get("server") or ("localhost", None), scope.get("client")
    query = scope["query_string"].decode("latin-1")
    path = scope.get("raw_path")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogatepass").decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 80),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if path is not None:  # by which the door sees how the client wrote it
        environ["RAW_URI"] = path.decode("latin-1") + (f"?{query}" if query else "")
    if client is not None:
        environ["REMOTE_ADDR"] = client[0]
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    if "_" in name:
        return  # it would pass for the header with a dash in its place
    key = _OWN_NAMES.get(name) or "HTTP_" + name.upper().replace("-", "_")
    separator = "; " if name == "cookie" else ","
    environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
