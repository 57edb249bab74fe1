"""Starlette behind the door, with a mount within and a WebSocket."""

from collections.abc import AsyncIterator

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from cfaccess_mw import Identity, current_identity
from cfaccess_mw.asgi import AccessMiddleware
from tests.servers.apps import behind

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]
released: dict[str, anyio.Event] = {}


def _told(request: Request) -> tuple[Identity | None, dict[str, str]]:
    return request.scope.get("cfaccess.identity"), behind.seen_in_headers(request.scope["headers"])


async def admin(request: Request) -> PlainTextResponse:
    """Protected."""
    user = getattr(request.scope.get("user"), "display_name", "")
    return PlainTextResponse(behind.secret(*_told(request), user=user))


async def static(request: Request) -> PlainTextResponse:
    """Public, whatever stands below."""
    return PlainTextResponse(behind.public(*_told(request), path=request.path_params.get("rest", "")))


async def stream(request: Request) -> StreamingResponse:
    """Protected; the second line is made when ``release`` is asked for it."""
    name = request.url.query

    async def lines() -> AsyncIterator[str]:
        yield f"SECRET first {_who()}\n"
        with anyio.move_on_after(behind.PATIENCE) as waiting:
            await released.setdefault(name, anyio.Event()).wait()
        yield f"SECRET second {_who()} {not waiting.cancelled_caught}\n"

    return StreamingResponse(lines(), media_type="text/plain")


async def release(request: Request) -> PlainTextResponse:
    """Public; lets the stream of this name go on."""
    released.setdefault(request.url.query, anyio.Event()).set()
    return PlainTextResponse("PUBLIC")


async def echo(websocket: WebSocket) -> None:
    """Protected; first who is asking, then whatever comes."""
    await websocket.accept()
    await websocket.send_text(f"SECRET {_who()}")
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def _who() -> str:
    identity = current_identity()
    return "none" if identity is None else identity.email or identity.id


ROUTES = [
    Route("/admin", admin, methods=METHODS),
    Route("/admin/{rest:path}", admin, methods=METHODS),
    Mount("/api", routes=[Route("/admin", admin, methods=METHODS)]),
    Route("/whoami", admin),
    Route("/stream", stream),
    WebSocketRoute("/ws", echo),
    Route("/static/release", release),
    Route("/static/{rest:path}", static),
    Route("/open/admin", admin, methods=METHODS),
    Route("/open/{rest:path}", static),
    Route("/healthz", static),
    Route("/maybe", static),
]

bare = Starlette(routes=ROUTES)
app = bare if behind.NAKED else AccessMiddleware(bare, rules=behind.RULES)
