"""How is a row sent to an application without a server? As a scope or an environ, made as servers make them."""

from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

import anyio

from tests.conformance.row import Row, filled
from tests.servers.raw import Answer

HOST: Final = "app.example.com"
CLIENT: Final = ("127.0.0.1", 50_000)
_DENIAL: Final = "websocket.http.response"
_PATIENCE: Final = 20.0  # seconds until an application that does not answer is taken for one that hangs

Header = tuple[str, str]


def headers_of(row: Row, tokens: Mapping[str, str]) -> list[Header]:
    """The names and values of a row's headers; a Host is added where it has none."""
    lines = [filled(line, tokens) for line in row.lines]
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    has_host = any(name.lower() == "host" for name, _ in pairs)
    return pairs if has_host else [("Host", HOST), *pairs]


async def ask_asgi(
    application: Any, row: Row, tokens: Mapping[str, str], *, mount: str = "", can_deny: bool = True
) -> Answer:
    """Send a row to an ASGI application.

    Args:
        application: It.
        row: What to send.
        tokens: By the names that the row uses.
        mount: Where the server says that the application is mounted.
        can_deny: Whether the server can refuse a WebSocket with a whole response.
    """
    sent: list[Mapping[str, Any]] = []
    incoming: list[Mapping[str, Any]] = [
        {"type": "websocket.connect"} if row.websocket else {"type": "http.request", "body": b"", "more_body": False}
    ]

    async def receive() -> Mapping[str, Any]:
        if incoming:
            return incoming.pop()
        if row.websocket:
            return {"type": "websocket.disconnect", "code": 1000}
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    target, _, query = filled(row.target, tokens).partition("?")
    kind: dict[str, Any] = {"subprotocols": []} if row.websocket else {"method": row.method}
    scope = {
        "type": "websocket" if row.websocket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws" if row.websocket else "http",
        "path": unquote(target),
        "raw_path": target.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": mount,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers_of(row, tokens)],
        "client": CLIENT,
        "server": ("127.0.0.1", 80),
        "extensions": {_DENIAL: {}} if can_deny else {},
        "state": {},
        **kind,
    }
    with anyio.fail_after(_PATIENCE):
        await application(scope, receive, send)
    return _answer(sent)


def _answer(sent: Sequence[Mapping[str, Any]]) -> Answer:
    """What a client would get."""
    said = "".join(message.get("text") or "" for message in sent if message["type"] == "websocket.send")
    for message in sent:
        match message["type"].rpartition(".")[2]:
            case "accept":
                return Answer(status=101, body=said.encode())
            case "close":  # servers answer 403 where it was not accepted
                return Answer(status=403, headers=(("close", str(message.get("code", 1000))),))
            case "start":
                body = b"".join(part.get("body", b"") for part in sent if part["type"].endswith(".body"))
                headers = tuple((name.decode().lower(), value.decode("latin-1")) for name, value in message["headers"])
                return Answer(status=message["status"], headers=headers, body=body)
    return Answer()


def ask_wsgi(
    application: Any, row: Row, tokens: Mapping[str, str], *, mount: str = "", tells_target: bool = True
) -> Answer:
    """Send a row to a WSGI application.

    Args:
        application: It.
        row: What to send.
        tokens: By the names that the row uses.
        mount: Where the server says that the application is mounted.
        tells_target: Whether the server tells the target as it was sent; some do not.
    """
    target, _, query = filled(row.target, tokens).partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": row.method,
        "SCRIPT_NAME": mount,
        "PATH_INFO": unquote_to_bytes(target).decode("latin-1").removeprefix(mount),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": CLIENT[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if tells_target:
        environ["RAW_URI"] = filled(row.target, tokens)
    for name, value in headers_of(row, tokens):  # as servers join what comes twice, cookies too
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    started: list[tuple[str, list[Header]]] = []

    def start_response(status: str, headers: list[Header], _: object = None) -> Any:
        started.append((status, headers))
        return lambda _: None

    body = application(environ, start_response)
    try:
        content = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    status, headers = started[-1]
    found = tuple((name.lower(), value) for name, value in headers)
    return Answer(status=int(status.partition(" ")[0]), headers=found, body=content)
