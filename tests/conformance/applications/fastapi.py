"""FastAPI with the door among its own middleware, and with the door on an application that it mounts."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib import fastapi as access
from tests.conformance.applications import telling
from tests.conformance.applications.starlette import METHODS, boom, echo, public, secret, told


async def whoami(request: Request, identity: access.CurrentIdentity) -> PlainTextResponse:
    """Protected; FastAPI tells it who is asking. The others demand nobody: that would hide mistakes of the door."""
    return PlainTextResponse(told(telling.SECRET, request, identity))


def application() -> FastAPI:
    """The application itself."""
    app = FastAPI(debug=True)
    for path in ("/", "/admin", "/admin/{rest:path}", "/open/admin", "/dir/"):
        app.add_api_route(path, secret, methods=METHODS, include_in_schema=False)
    app.add_api_route("/whoami", whoami)
    only_alice = access.require(emails="alice@example.com")
    app.add_api_route("/mine", secret, dependencies=[only_alice], include_in_schema=False)
    app.add_api_route("/boom", boom, response_class=PlainTextResponse)
    nested = FastAPI(openapi_url=None)
    nested.add_api_route("/admin", secret, methods=METHODS)
    app.mount("/api", nested)
    app.mount("/assets", StaticFiles(directory=telling.ASSETS))
    app.add_api_websocket_route("/ws", echo)
    for path in ("/static/{rest:path}", "/open/{rest:path}", "/healthz", "/maybe"):
        app.add_api_route(path, public, methods=["GET", "POST"], include_in_schema=False)
    access.install(app)
    return app


def door(options: dict[str, Any]) -> ASGIApp:
    """It with the door among its middleware."""
    app = application()
    app.add_middleware(AccessMiddleware, **options)
    return app


def mounting(options: dict[str, Any]) -> ASGIApp:
    """Another application, without a door, that mounts it."""
    app = FastAPI(openapi_url=None)
    app.mount("/api", door(options))
    return app
