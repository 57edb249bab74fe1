"""One way to ask through either door: the conformance tables run through both."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from cfaccess_mw import Identity, current_identity
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.tokens import AUD

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Seen:
    """What the application saw of a request that reached it."""

    identity: Identity | None
    current: Identity | None
    headers: Mapping[str, str]


@dataclass
class Answer:
    """What the client got, and what the application saw: nothing where it was not reached."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seen: Seen | None = None


@dataclass(frozen=True)
class Request:
    """A request as a server hands it in."""

    path: str = "/"
    method: str = "GET"
    headers: Headers = ()
    raw_path: bytes | None = None
    root_path: str = ""

    @classmethod
    def with_token(cls, token: str, path: str = "/", *headers: tuple[str, str]) -> "Request":
        return cls(path=path, headers=(("cf-access-jwt-assertion", token), *headers))


Ask = Callable[..., Answer]


async def ask_asgi(door: AsgiDoor, request: Request) -> Answer:
    """Ask an ASGI door whose application is ``asgi_application``."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": quote(request.path).encode() if request.raw_path is None else request.raw_path,
        "root_path": request.root_path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in request.headers],
    }
    await door(scope, receive, send)
    return _answer(messages)


def _answer(messages: list[dict[str, Any]]) -> Answer:
    start, body = messages
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(status=start["status"], headers=headers, body=body["body"], seen=start.get("seen"))


async def asgi_application(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200, and tell the test what was seen."""
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    seen = Seen(scope["cfaccess.identity"], current_identity(), headers)
    await send({"type": "http.response.start", "status": 200, "headers": [], "seen": seen})
    await send({"type": "http.response.body", "body": b"reached"})


def ask_wsgi(options: Mapping[str, Any], request: Request) -> Answer:
    """Ask a WSGI door, checked by ``wsgiref.validate`` on both of its sides."""
    answer = Answer()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {
            key.removeprefix("HTTP_").lower().replace("_", "-"): value
            for key, value in environ.items()
            if key.startswith("HTTP_") and key != "HTTP_HOST"
        }
        answer.seen = Seen(environ["cfaccess.identity"], current_identity(), headers)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"reached"]

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
        answer.status = int(status.partition(" ")[0])
        answer.headers = {name.lower(): value for name, value in headers}
        return lambda _: None

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": request.root_path,
        "PATH_INFO": request.path.removeprefix(request.root_path).encode().decode("latin-1"),
        "QUERY_STRING": "",
    }
    if request.raw_path is not None:
        environ["RAW_URI"] = request.raw_path.decode("latin-1")
    for name, value in request.headers:  # as servers join what comes twice
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]}, {value}" if key in environ and key != "HTTP_HOST" else value
    body = validator(WsgiDoor(validator(application), **options))(environ, start_response)
    answer.body = b"".join(body)
    body.close()  # type: ignore[attr-defined]
    return answer


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, issuer: Issuer) -> Ask:
    """Ask through either door: ``ask(request, **options)``; the team's keys are given."""

    def through(it: Request, **options: Any) -> Answer:
        options = {"team": "acme", "audience": AUD, "keys": issuer.certs()} | options
        if request.param == "wsgi":
            return ask_wsgi(options, it)
        return asyncio.run(ask_asgi(AsgiDoor(asgi_application, **options), it))

    return through
