"""Starlette behind Cloudflare Access.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… uvicorn app:app

On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib import starlette as access


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Hello {request.user.display_name}\n")


async def healthz(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


@requires("user")
async def admin(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Only the group admins comes here\n")


async def whoami(request: Request) -> JSONResponse:
    who = request.user
    return JSONResponse({"kind": who.kind, "id": who.id, "email": who.email})


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.user.display_name)
    await websocket.close()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/healthz", healthz),
        Route("/admin", admin),
        Route("/whoami", whoami),
        WebSocketRoute("/ws", greet),
    ],
    middleware=[
        Middleware(AccessMiddleware, rules=[Rule.public("/healthz"), Rule.allow("/admin/*", groups=["admins"])]),
    ],
)
access.install(app)
