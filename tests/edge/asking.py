"""How does a test ask an ASGI and a WSGI middleware the same? One request, given as a server would to either."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent.

    Attributes:
        target: The path and the query, as sent.
        peer: Who is connected.
        more: What is in the scope or the environ besides.
    """

    target: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    peer: str | None = LOOPBACK
    root_path: str = ""
    tells_raw: bool = True
    path: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def decoded(self) -> str:
        return unquote(self.target.partition("?")[0]) if self.path is None else self.path

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(kw_only=True)
class Answer:
    """What came back, and what the application saw; None where it was not reached."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seen: dict[str, Any] | None = None

    @property
    def reached(self) -> bool:
        return self.seen is not None


Ask = Callable[..., Answer]


def ask_asgi(middleware: Any, request: Request, *arguments: Any, **options: Any) -> Answer:
    """Ask ``middleware(application, …)``."""
    answer = Answer()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        answer.seen = dict(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"reached"})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    scope = {
        "type": "http",
        "method": request.method,
        "scheme": "http",
        "path": request.decoded,
        "root_path": request.root_path,
        "query_string": request.query.encode("latin-1"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers],
        "client": None if request.peer is None else (request.peer, 40_000),
        **request.more,
    }
    if request.tells_raw:
        scope["raw_path"] = request.target.partition("?")[0].encode("latin-1")

    async def ask() -> None:
        await middleware(application, *arguments, **options)(scope, receive, send)

    anyio.run(ask)
    return answer


def ask_wsgi(middleware: Any, request: Request, *arguments: Any, **options: Any) -> Answer:
    """Ask ``middleware(application, …)``, checked by ``wsgiref.validate`` on both of its sides."""
    answer = Answer()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer.seen = dict(environ)
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
        "PATH_INFO": request.decoded.removeprefix(request.root_path).encode().decode("latin-1"),
        "QUERY_STRING": request.query,
        **request.more,
    }
    if request.peer is not None:
        environ |= {"REMOTE_ADDR": request.peer, "REMOTE_PORT": "40000"}
    if request.tells_raw:
        environ["RAW_URI"] = request.target
    for name, value in request.headers:  # as servers join what comes twice
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    body = validator(middleware(validator(application), *arguments, **options))(environ, start_response)
    answer.body = b"".join(body)
    body.close()  # type: ignore[attr-defined]
    return answer
