"""An ASGI application without a framework, behind the door."""

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from cfaccess_mw.asgi import AccessMiddleware
from tests.conformance.applications import telling


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer HTTP and one WebSocket; its handlers are found as a careless author would find them."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    word = telling.word_for(path)
    identity = scope.get("cfaccess.identity")
    own = scope.get("user") if identity is not None else None
    text = telling.tell(word or "", own, identity, telling.in_scope(scope["headers"]), path=path.rpartition("/")[2])
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 200 if word else 404, "headers": []})
    await send({"type": "http.response.body", "body": text.encode() if word else b"not found"})


def door(options: dict[str, Any]) -> ASGIApp:
    """It behind the door."""
    return AccessMiddleware(application, **options)
