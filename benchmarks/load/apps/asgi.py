"""The application under uvicorn."""

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from benchmarks.load.apps.rules import RULES, WHILE
from cfaccess_mw import current_identity
from cfaccess_mw.asgi import AccessMiddleware


def _who() -> str:
    identity = current_identity()
    return "nobody" if identity is None else identity.id


async def _home(_: Request) -> Response:
    return PlainTextResponse(_who())


async def _slow(_: Request) -> Response:
    await anyio.sleep(WHILE)
    return PlainTextResponse(_who())


async def _echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(_who())
    await socket.close()


_routes = [Route(path, _home) for path in ("/", "/healthz", "/admin")]
_app = Starlette(routes=[*_routes, Route("/slow", _slow), WebSocketRoute("/ws", _echo)])
application = AccessMiddleware(_app, rules=RULES, cookie=True)
