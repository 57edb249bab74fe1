"""What a browser's socket is told by uvicorn where a framework refuses, and not the door."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi import WebSocket as FastAPIWebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from cfaccess_mw import NotPermitted
from cfaccess_mw.asgi import AccessMiddleware, Door
from cfaccess_mw.cli.origins import Listening
from cfaccess_mw.contrib import fastapi, starlette
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD


def fastapi_application(options: dict[str, Any]) -> Any:
    app = FastAPI()
    app.add_middleware(AccessMiddleware, **options)
    fastapi.install(app)

    @app.get("/", response_class=PlainTextResponse)
    def home(identity: fastapi.CurrentUser) -> str:
        return identity.display_name

    @app.websocket("/ws")
    async def ws(websocket: FastAPIWebSocket, identity: fastapi.CurrentUser) -> None:
        await websocket.accept()
        await websocket.send_text(identity.display_name)

    return app


async def _home(request: Request) -> PlainTextResponse:
    if request.user.kind != "user":
        raise NotPermitted
    return PlainTextResponse(request.user.display_name)


async def _ws(websocket: WebSocket) -> None:
    if websocket.user.kind != "user":
        raise NotPermitted
    await websocket.accept()
    await websocket.send_text(websocket.user.display_name)


def starlette_application(options: dict[str, Any]) -> Any:
    app = Starlette(routes=[Route("/", _home), WebSocketRoute("/ws", _ws)])
    starlette.install(app)
    return AccessMiddleware(app, **options)


def starlette_backend(options: dict[str, Any]) -> Any:
    backend = starlette.AccessBackend(Door(**options))
    middleware = [Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)]
    app = Starlette(routes=[Route("/", _home), WebSocketRoute("/ws", _ws)], middleware=middleware)
    starlette.install(app)
    return app


@pytest.fixture(scope="module", params=[fastapi_application, starlette_application, starlette_backend])
def netloc(request: pytest.FixtureRequest, issuer: Issuer) -> Iterator[str]:
    """Where an application listens."""
    listening = Listening()
    with listening.asgi(request.param({"team": "acme", "audience": AUD, "keys": issuer.certs()})):
        yield listening.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("who", "status"),
    [
        pytest.param("user", 200, id="user"),
        pytest.param("service", 403, id="service"),
        pytest.param("nobody", 401, id="nobody"),
    ],
)
def test_who_comes_through(request: pytest.FixtureRequest, netloc: str, issuer: Issuer, who: str, status: int) -> None:
    team = Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)
    token = {"user": team.user("bob@example.com", audience=AUD), "service": team.service(audience=AUD)}.get(who)
    headers = {} if token is None else {"Cf-Access-Jwt-Assertion": token}
    answer = httpx.get(f"http://{netloc}/", headers=headers, trust_env=False)
    assert answer.status_code == status
    if status == 200:
        assert answer.text == "bob@example.com"
        with connect(f"ws://{netloc}/ws", additional_headers=headers, proxy=None) as socket:
            assert socket.recv(10) == "bob@example.com"
        return
    assert answer.headers["content-type"] == "application/problem+json"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://{netloc}/ws", additional_headers=headers, proxy=None),
    ):
        pass
    # Starlette's own middleware closes for its backends; a server makes a 403 of that.
    by_starlette = "backend" in request.node.name and who == "nobody"
    assert refused.value.response.status_code == (403 if by_starlette else status)
    assert (refused.value.response.body == answer.content) is not by_starlette
