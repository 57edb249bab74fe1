"""Litestar under ``protect``, and behind the door."""

from typing import Any

from litestar import Litestar, MediaType, Request, Router, WebSocket, get, route, websocket
from litestar.enums import HttpMethod
from litestar.static_files import create_static_files_router
from starlette.types import ASGIApp

from cfaccess_mw import Identity
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib.litestar import AccessPlugin, protect, requires
from tests.conformance.applications import telling

METHODS = [HttpMethod(method) for method in telling.METHODS if method in list(HttpMethod)]


def told(word: str, connection: Request[Any, Any, Any] | WebSocket[Any, Any, Any]) -> str:
    """What a handler says."""
    scope: Any = connection.scope
    user = scope.get("user")
    own = user if isinstance(user, Identity) else None
    path = str(connection.path_params.get("rest", "")).removeprefix("/")
    return telling.tell(word, own, scope.get("cfaccess.identity"), telling.in_scope(scope["headers"]), path=path)


def handlers() -> list[Any]:
    """What the application answers."""

    @route(
        ["/admin", "/admin/{rest:path}", "/open/admin"], http_method=METHODS, media_type=MediaType.TEXT, status_code=200
    )
    async def secret(request: Request[Any, Any, Any]) -> str:
        return told(telling.SECRET, request)

    @get(["/", "/whoami", "/dir/"], media_type=MediaType.TEXT)
    async def page(request: Request[Any, Any, Any]) -> str:
        return told(telling.SECRET, request)

    @get("/mine", media_type=MediaType.TEXT, guards=[requires(emails="alice@example.com")])
    async def mine(request: Request[Any, Any, Any]) -> str:
        return told(telling.SECRET, request)

    @get("/boom", media_type=MediaType.TEXT)
    async def boom() -> str:
        raise RuntimeError("boom")

    @route("/admin", http_method=METHODS, media_type=MediaType.TEXT, status_code=200)
    async def nested(request: Request[Any, Any, Any]) -> str:
        return told(telling.SECRET, request)

    @route(
        ["/static/{rest:path}", "/open/{rest:path}", "/healthz", "/maybe"],
        http_method=[HttpMethod.GET, HttpMethod.POST],
        media_type=MediaType.TEXT,
        status_code=200,
    )
    async def public(request: Request[Any, Any, Any]) -> str:
        return told(telling.PUBLIC, request)

    @websocket("/ws")
    async def echo(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(told(telling.SECRET, socket))
        async for text in socket.iter_data("text"):
            await socket.send_text(text)

    files = create_static_files_router("/assets", [telling.ASSETS])
    return [secret, page, mine, boom, Router("/api", route_handlers=[nested]), public, echo, files]


def application() -> Litestar:
    """The application itself."""
    return Litestar(handlers(), plugins=[AccessPlugin()], debug=True, logging_config=None)


def protected(options: dict[str, Any]) -> ASGIApp:
    """It under ``protect``."""
    app: Any = protect(application(), options)
    return app  # type: ignore[no-any-return]


def door(options: dict[str, Any]) -> ASGIApp:
    """It behind the door."""
    app: Any = application()
    return AccessMiddleware(app, **options)
