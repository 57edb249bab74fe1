"""Do hostile requests come no further when they are sent byte by byte to a server?

A few of the rows, to the two servers that start fastest; ``tests/servers`` asks all that people use.
"""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.hostile.asking import options_of
from tests.hostile.test_requests import expected, filled
from tests.vectors import Row, table

TABLES = ("doors/headers", "doors/cookies", "doors/methods")

Send = Callable[[str, Row], tuple[str, str]]

_CONFIGURATIONS = ("plain", "cookie")


async def _asgi_application(scope: Any, receive: Any, send: Any) -> None:
    names = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in scope["headers"]]
    body = _report(scope["cfaccess.identity"], names)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _wsgi_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    names = [f"{key}: {value}" for key, value in environ.items() if key.startswith("HTTP_")]
    body = _report(environ["cfaccess.identity"], names)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def _report(identity: Any, seen: list[str]) -> bytes:
    return json.dumps({"code": "nobody" if identity is None else identity.email, "seen": "\n".join(seen)}).encode()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
        """Say nothing."""


@pytest.fixture(scope="module")
def asgi_ports(team: Issuer) -> Iterator[Mapping[str, int]]:
    """uvicorn, once for each configuration."""
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    running, ports = [], {}
    for configuration in _CONFIGURATIONS:
        door = AsgiDoor(_asgi_application, **options_of(configuration, team.certs()))
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(door, http="h11", ws="none", lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        running.append((server, thread, listening))
        ports[configuration] = listening.getsockname()[1]
    yield ports
    for server, _, _ in running:
        server.should_exit = True
    for _, thread, listening in running:
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def wsgi_ports(team: Issuer) -> Iterator[Mapping[str, int]]:
    """The standard library's server, once for each configuration."""
    running, ports = [], {}
    for configuration in _CONFIGURATIONS:
        door = WsgiDoor(_wsgi_application, **options_of(configuration, team.certs()))
        server = make_server("127.0.0.1", 0, door, handler_class=_Quiet)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        ports[configuration] = server.server_port
    yield ports
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def _rows() -> list[Row]:
    return [row for name in TABLES for row in table(name) if row.get("wire")]


def _sent(row: Row, tokens: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {filled(value, tokens)}" for name, value in row["headers"]]
    first = f"{row.get('method', 'GET')} {row.get('path', '/')} HTTP/1.1"
    return "\r\n".join([first, "Host: app.example.com", "Connection: close", *lines, "", ""]).encode("latin-1")


def _exchange(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        answer = b""
        while block := connection.recv(65_536):
            answer += block
    return answer


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_a_hostile_request_comes_as_far_as_it_may_over_a_socket(
    interface: str, request: pytest.FixtureRequest, tokens: Mapping[str, str]
) -> None:
    ports = request.getfixturevalue(f"{interface}_ports")
    found = {}
    for row in _rows():
        answer = _exchange(ports[row.get("configuration", "plain")], _sent(row, tokens))
        told = json.loads(re.split(rb"\r\n\r\n", answer, maxsplit=1)[1])
        found[row["id"]] = told["code"]
        for text in row.get("unseen", ()):
            assert filled(text, tokens) not in told["seen"], row["id"]
    assert found == {row["id"]: expected(row, interface) for row in _rows()}
    assert len(found) > 30
