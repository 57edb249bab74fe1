"""What does ``serve`` serve in the tests? Applications of both kinds, and what only looks like one."""

from collections.abc import Iterable
from typing import Any

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

NUMBER = 5


async def _home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.user.display_name} at {request.url.path}")


asgi = Starlette(routes=[Route("/{path:path}", _home)])
wsgi = flask.Flask(__name__)


@wsgi.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@wsgi.route("/<path:path>")
def _answer(path: str) -> str:
    return f"{flask.request.environ.get('REMOTE_USER')} at /{path} sent {len(flask.request.get_data())}"


async def function(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that is a function."""
    raise NotImplementedError


def plain(environ: Any, start_response: Any) -> Iterable[bytes]:
    """A WSGI application that is a function."""
    raise NotImplementedError


class Undecided:
    """Nobody can tell what this is."""

    def __call__(self, *arguments: Any) -> Any:
        raise NotImplementedError


class Later:
    """An ASGI application whose call is not a coroutine function."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        raise NotImplementedError


undecided = Undecided()
later = Later()


def make() -> flask.Flask:
    """A factory."""
    return wsgi


def fail() -> None:
    """A factory that cannot."""
    raise RuntimeError("no database")


async def promise() -> None:
    """A factory of the wrong colour."""


def leave() -> None:
    """A factory that ends the process."""
    raise SystemExit(0)


async def refuse_to_start(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that cannot start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
