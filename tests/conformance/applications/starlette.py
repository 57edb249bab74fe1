"""Starlette: behind the door, with ``AccessBackend`` alone, and with the door on an application that it mounts."""

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from cfaccess_mw import Identity
from cfaccess_mw.asgi import AccessMiddleware, Door
from cfaccess_mw.contrib.starlette import AccessBackend, install
from tests.conformance.applications import telling

METHODS = list(telling.METHODS)


def told(word: str, connection: HTTPConnection, own: Identity | None = None) -> str:
    """What a handler says; ``request.user`` says who is asking, unless the handler was told otherwise."""
    user = connection.scope.get("user")
    own = user if own is None and isinstance(user, Identity) else own
    identity, headers = connection.scope.get("cfaccess.identity"), telling.in_scope(connection.headers.raw)
    return telling.tell(word, own, identity, headers, path=connection.path_params.get("rest", ""))


async def secret(request: Request) -> PlainTextResponse:
    """Protected."""
    return PlainTextResponse(told(telling.SECRET, request))


async def public(request: Request) -> PlainTextResponse:
    """Public, whatever stands below."""
    return PlainTextResponse(told(telling.PUBLIC, request))


async def mine(request: Request) -> PlainTextResponse:
    """Protected, and for one person only."""
    await telling.ALICES.demand(request.scope["cfaccess.identity"])
    return PlainTextResponse(told(telling.SECRET, request))


async def boom(request: Request) -> PlainTextResponse:
    """Breaks."""
    raise RuntimeError("boom")


async def echo(websocket: WebSocket) -> None:
    """Protected; first who is asking, then whatever comes."""
    await websocket.accept()
    await websocket.send_text(told(telling.SECRET, websocket))
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def routes(*more: BaseRoute) -> list[BaseRoute]:
    """What every application answers; further ones come first."""
    return [
        *more,
        Route("/", secret),
        Route("/admin", secret, methods=METHODS),
        Route("/admin/{rest:path}", secret, methods=METHODS),
        Route("/open/admin", secret, methods=METHODS),
        Route("/whoami", secret),
        Route("/dir/", secret),
        Route("/mine", mine),
        Route("/boom", boom),
        Mount("/api", routes=[Route("/admin", secret, methods=METHODS)]),
        Mount("/assets", StaticFiles(directory=telling.ASSETS)),
        WebSocketRoute("/ws", echo),
        Route("/static/{rest:path}", public, methods=METHODS),
        Route("/open/{rest:path}", public),
        Route("/healthz", public),
        Route("/maybe", public),
    ]


def application(*more: BaseRoute, debug: bool = True, **options: Any) -> Starlette:
    """The application itself."""
    app = Starlette(debug=debug, routes=routes(*more), **options)
    install(app)
    return app


def door(options: dict[str, Any]) -> ASGIApp:
    """It behind the door."""
    return AccessMiddleware(application(), **options)


def backend(options: dict[str, Any]) -> ASGIApp:
    """It with ``AccessBackend`` and a door of its own."""
    asked = AccessBackend(Door(**options))
    return application(middleware=[Middleware(AuthenticationMiddleware, backend=asked, on_error=asked.on_error)])


def mounting(options: dict[str, Any]) -> ASGIApp:
    """Another application, without a door, that mounts it behind one."""
    return Starlette(routes=[Mount("/api", app=door(options))])
