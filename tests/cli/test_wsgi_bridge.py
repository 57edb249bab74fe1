"""Does a WSGI application get from an ASGI server what PEP 3333 promises it, and give what it says?"""

import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any
from wsgiref.validate import validator

import anyio
import httpx
import pytest

from cfaccess_mw.cli.wsgi_bridge import WsgiBridge

pytestmark = pytest.mark.anyio

Environ = dict[str, Any]
Start = Callable[..., Any]
HEADERS = [("Content-Type", "text/plain")]


@pytest.fixture
def anyio_backend() -> str:
    """The bridge runs on uvicorn, and that on asyncio."""
    return "asyncio"


async def exchange(application: Any, method: str = "GET", url: str = "/", **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=WsgiBridge(application, threads=2))
    async with httpx.AsyncClient(transport=transport, base_url="https://app.example.com:8443") as client:
        return await client.request(method, url, **options)


async def test_the_environ_is_what_the_pep_says() -> None:
    seen: Environ = {}

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        seen.update(environ)
        seen["body"] = environ["wsgi.input"].read(5)
        start_response("201 Made", HEADERS)
        return [b"made"]

    answer = await exchange(
        validator(application),
        "POST",
        "/caf%C3%A9/a%2Fb?q=%20",
        content=b"hello",
        headers=[("x-two", "a"), ("x-two", "b"), ("x_tricky", "c"), ("remote_user", "mallory"), ("cookie", "a=1")],
    )
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (201, b"made", "text/plain")
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/café/a/b".encode().decode("latin-1"),
        "QUERY_STRING": "q=%20",
        "RAW_URI": "/caf%C3%A9/a%2Fb?q=%20",
        "SERVER_NAME": "app.example.com",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": "5",
        "HTTP_X_TWO": "a,b",
        "HTTP_COOKIE": "a=1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "https",
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.errors": sys.stderr,
        "body": b"hello",
    }
    assert {name: seen[name] for name in expected if name != "wsgi.errors"} == {
        name: value for name, value in expected.items() if name != "wsgi.errors"
    }
    assert not {name for name in seen if "TRICKY" in name or "REMOTE_USER" in name or name == "HTTP_CONTENT_LENGTH"}


async def test_a_body_is_read_as_it_comes_in_any_way() -> None:
    async def sent() -> AsyncIterator[bytes]:
        for part in (b"one\ntw", b"o\n", b"x" * 100_000, b"\nend"):
            yield part

    def application(environ: Environ, start_response: Start) -> Iterator[bytes]:
        body = environ["wsgi.input"]
        assert environ["wsgi.input_terminated"] is True
        found = [body.readline(), body.read(2), body.readline(), body.read(100_000), body.readlines(), body.read()]
        start_response("200 OK", HEADERS)
        yield repr([(len(part), part[:4]) if isinstance(part, bytes) else part for part in found]).encode()

    answer = await exchange(application, "POST", content=sent())
    assert answer.text == repr([(4, b"one\n"), (2, b"tw"), (2, b"o\n"), (100_000, b"xxxx"), [b"\n", b"end"], (0, b"")])


async def test_an_answer_is_sent_as_it_is_made_and_closed_in_the_end() -> None:
    went_on, events = threading.Event(), []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b""
            yield b"one"
            went_on.wait(20)
            yield b"two"

        def close(self) -> None:
            events.append("closed")

    def application(environ: Environ, start_response: Start) -> Body:
        start_response("200 OK", HEADERS)
        return Body()

    async def send(message: Any) -> None:
        events.append(message.get("body", message["type"]))
        if message.get("body") == b"one":
            went_on.set()

    await WsgiBridge(application, threads=1)(scope(), _silent(), send)
    assert events == ["http.response.start", b"one", b"two", b"", "closed"]


async def test_write_and_a_second_start() -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", HEADERS)
        try:
            int("before anything was sent")
        except ValueError:
            write = start_response("500 Oh", [("X-Own", "é")], sys.exc_info())
        write(b"written ")
        return [b"returned"]

    answer = await exchange(application)
    assert (answer.status_code, answer.content) == (500, b"written returned")
    assert answer.headers.raw == [(b"x-own", "é".encode("latin-1"))]


def _late(environ: Environ, start_response: Start) -> Iterator[bytes]:
    start_response("200 OK", HEADERS)
    yield b"sent"
    try:
        int("after it was sent")
    except ValueError:
        start_response("500 Oh", [], sys.exc_info())


def _twice(environ: Environ, start_response: Start) -> list[bytes]:
    start_response("200 OK", HEADERS)
    start_response("200 OK", HEADERS)
    return []


def _never(environ: Environ, start_response: Start) -> list[bytes]:
    return [b"x"]


def _fails(environ: Environ, start_response: Start) -> list[bytes]:
    raise LookupError("the application's own")


@pytest.mark.parametrize(
    ("application", "kind"),
    [
        pytest.param(_late, ValueError, id="too-late"),
        pytest.param(_twice, RuntimeError, id="twice"),
        pytest.param(_never, RuntimeError, id="never"),
        pytest.param(_fails, LookupError, id="fails"),
    ],
)
async def test_what_goes_wrong_reaches_the_server_as_it_is(application: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await exchange(application)


# A client that leaves


def scope(method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": [],
        "server": None,
        "client": None,
    }


def _silent(*messages: Any, left: anyio.Event | None = None) -> Any:
    """What a client sends who then waits, or leaves."""
    waiting = list(messages or [{"type": "http.request"}])

    async def receive() -> Any:
        if waiting:
            return waiting.pop(0)
        if left is None:
            await anyio.sleep_forever()
        else:
            await left.wait()
        return {"type": "http.disconnect"}

    return receive


async def test_an_endless_answer_ends_with_its_client() -> None:
    left, closed, sent = anyio.Event(), [], []

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(10_000):  # as good as endless
                yield b"tick"

        def close(self) -> None:
            closed.append(True)

    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", HEADERS)
        return Endless()

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 5:
            left.set()

    await WsgiBridge(application, threads=1)(scope(), _silent(left=left), send)
    assert closed == [True]
    assert len(sent) < 100


async def test_a_request_that_breaks_off_is_no_whole_request() -> None:
    read: list[Any] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        try:
            read.append(environ["wsgi.input"].read())
        except ConnectionResetError:
            read.append("broken off")
            raise
        return []

    async def send(message: Any) -> None:
        read.append(message)

    left = anyio.Event()
    left.set()
    receive = _silent({"type": "http.request", "body": b"half", "more_body": True}, left=left)
    await WsgiBridge(application, threads=1)(scope("POST"), receive, send)
    assert read == ["broken off"]


async def test_no_more_run_than_there_are_threads() -> None:
    lock, running, seen = threading.Lock(), [0], [0]
    three = threading.Barrier(3, timeout=0.2)  # a third that is slow to come makes the test milder, and never red

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        with lock:
            running[0] += 1
            seen.append(running[0])
        with suppress(threading.BrokenBarrierError):
            three.wait()
        with lock:
            running[0] -= 1
        start_response("200 OK", HEADERS)
        return [b"x"]

    bridge = WsgiBridge(application, threads=2)

    async def send(message: Any) -> None:
        """Nowhere."""

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(bridge, scope(), _silent(), send)
    assert max(seen) == 2


# What is no request


async def test_a_websocket_is_declined_and_a_life_is_lived() -> None:
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": "anything"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    bridge = WsgiBridge(_never, threads=1)
    await bridge({"type": "websocket"}, receive, send)
    await bridge({"type": "lifespan"}, receive, send)
    assert sent == ["websocket.close", "lifespan.startup.complete", "lifespan.shutdown.complete"]
