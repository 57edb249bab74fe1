"""What do the tests of the test kit share? A kit each, and an application behind either door that says who came."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from cfaccess_mw import current_identity
from cfaccess_mw.testing import AccessKit


async def _home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.user.display_name)


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.user.display_name)
    await socket.close()


asgi_app = Starlette(routes=[Route("/", _home), Route("/admin", _home), WebSocketRoute("/ws", _socket)])


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Say who came."""
    identity = current_identity()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [identity.display_name.encode() if identity else b"nobody"]


@pytest.fixture
def kit() -> Iterator[AccessKit]:
    """A kit of this test's own; the keys are those of the process."""
    made = AccessKit()
    yield made
    made.close()
