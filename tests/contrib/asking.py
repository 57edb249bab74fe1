"""How does a test ask an ASGI application? With scopes, as a server does: a client of HTTP would tidy them up."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio
from starlette.types import ASGIApp

ASSERTION = b"cf-access-jwt-assertion"
DENIAL = "websocket.http.response"
Message = dict[str, Any]


@dataclass
class Answer:
    """What was sent, and what the application raised to the server."""

    sent: list[Message] = field(default_factory=list)
    raised: Exception | None = None

    @property
    def status(self) -> int:
        """The status of the response; 101 for an accepted WebSocket, 0 where nothing of the kind was sent."""
        return next((101 if "accept" in m["type"] else m["status"] for m in self.sent if _begins(m)), 0)

    @property
    def headers(self) -> dict[str, str]:
        start = next(m for m in self.sent if m["type"].endswith("http.response.start"))
        return {name.decode(): value.decode() for name, value in start["headers"]}

    @property
    def text(self) -> str:
        """The body, or what was said over a WebSocket."""
        return b"".join(m.get("body", b"") for m in self.sent).decode() + "".join(m.get("text", "") for m in self.sent)

    @property
    def closed(self) -> tuple[int, str] | None:
        """How a WebSocket was closed."""
        closes = (m for m in self.sent if m["type"] == "websocket.close")
        return next(((m["code"], m.get("reason") or "") for m in closes), None)

    def json(self) -> Any:
        return json.loads(self.text)


def _begins(message: Message) -> bool:
    return str(message["type"]).endswith(("websocket.accept", "http.response.start"))


async def get(
    app: ASGIApp,
    path: str = "/",
    token: str | None = None,
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    **more: Any,
) -> Answer:
    """Send one request."""
    return await _ask(app, {"type": "http", "method": method, **_scope(path, token, headers), **more})


async def connect(app: ASGIApp, path: str, token: str | None = None, *, can_deny: bool = True, **more: Any) -> Answer:
    """Open one WebSocket, and say nothing."""
    extensions: dict[str, Any] = {DENIAL: {}} if can_deny else {}
    scope = {"type": "websocket", "subprotocols": [], "extensions": extensions, **_scope(path, token, ())}
    return await _ask(app, {**scope, **more})


def _scope(path: str, token: str | None, headers: tuple[tuple[bytes, bytes], ...]) -> Message:
    return {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "https",
        "server": ("app.example", 443),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": b"",
        "headers": [(b"host", b"app.example"), *headers, *([] if token is None else [(ASSERTION, token.encode())])],
    }


async def _ask(app: ASGIApp, scope: Message) -> Answer:
    answer = Answer()
    is_http = scope["type"] == "http"
    incoming: list[Message] = [{"type": "http.request"} if is_http else {"type": "websocket.connect"}]

    async def receive() -> Message:
        if not incoming:
            await anyio.sleep_forever()
        return incoming.pop(0)

    async def send(message: Any) -> None:
        answer.sent.append(dict(message))

    with anyio.fail_after(10):
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - a server would log it; the test judges it
            answer.raised = error
    return answer
