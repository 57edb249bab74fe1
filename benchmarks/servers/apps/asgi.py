"""Which ASGI applications are measured? One Starlette application, and what stands before it."""

import os
from collections.abc import Callable, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware


async def _home(_: Request) -> Response:
    return PlainTextResponse("hello")


def _bare() -> ASGIApp:
    return Starlette(routes=[Route("/", _home), Route("/healthz", _home)])


def _ours() -> ASGIApp:
    return AccessMiddleware(_bare(), rules=[Rule.public("/healthz")])


def _peer(name: str) -> ASGIApp:
    from benchmarks.servers.apps import peers

    check = getattr(peers, name)()

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        if request.url.path == "/healthz":
            return await call_next(request)
        claims = check(request.headers.get("cf-access-jwt-assertion"))
        if claims is None:
            return PlainTextResponse("no", 403)
        request.state.claims = claims
        return await call_next(request)

    return BaseHTTPMiddleware(_bare(), dispatch)


_VARIANTS: Final[Mapping[str, Callable[[], ASGIApp]]] = {
    "bare": _bare,
    "ours": _ours,
    "pyjwt": lambda: _peer("with_keys_at_hand"),
    "pyjwkclient": lambda: _peer("with_client"),
}

application = _VARIANTS[os.environ["MEASURED_VARIANT"]]()
