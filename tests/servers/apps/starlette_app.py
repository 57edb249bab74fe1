"""Starlette behind the door, with a mount within and a WebSocket."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from cfaccess_mw.asgi import AccessMiddleware
from tests.conformance.applications.starlette import application
from tests.servers.apps.behind import PATIENCE, behind, who

released: dict[str, anyio.Event] = {}


async def stream(request: Request) -> StreamingResponse:
    """Protected; the second line is made when ``release`` is asked for it."""
    name = request.url.query

    async def lines() -> AsyncIterator[str]:
        yield f"SECRET first {who()}\n"
        with anyio.move_on_after(PATIENCE) as waiting:
            await released.setdefault(name, anyio.Event()).wait()
        yield f"SECRET second {who()} {not waiting.cancelled_caught}\n"

    return StreamingResponse(lines(), media_type="text/plain")


async def release(request: Request) -> PlainTextResponse:
    """Public; lets the stream of this name go on."""
    released.setdefault(request.url.query, anyio.Event()).set()
    return PlainTextResponse("PUBLIC")


def make(variant: str) -> Any:
    """The application."""
    bare = application(Route("/stream", stream), Route("/static/release", release))
    return behind(AccessMiddleware, bare, variant)
