"""A protected application of each kind, that says which worker answered, refusals included."""

import json
import os
from pathlib import Path
from typing import Any

from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.tokens import AUD


def _options() -> dict[str, Any]:
    keys = json.loads(Path(os.environ["FLEET_TEST_KEYS"]).read_text())
    return {"team": "acme", "audience": AUD, "keys": keys, "fleet": json.loads(os.environ["FLEET_TEST_FLEET"])}


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"reached"})


def _wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"reached"]


def asgi_application() -> Any:
    """Made by each worker."""
    door = AsgiDoor(_asgi, **_options())

    async def telling(scope: Any, receive: Any, send: Any) -> None:
        async def tell(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-worker", str(os.getpid()).encode()))
            await send(message)

        await door(scope, receive, tell)

    return telling


def wsgi_application() -> Any:
    """Made once where the server preloads, and by each worker otherwise."""
    door = WsgiDoor(_wsgi, **_options())

    def telling(environ: Any, start_response: Any) -> Any:
        def tell(status: str, headers: Any, *error: Any) -> Any:
            return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *error)

        return door(environ, tell)

    return telling
