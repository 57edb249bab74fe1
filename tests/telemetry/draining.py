"""Two applications that hold a request until they are told to answer it, each behind its door."""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from cfaccess_mw import current_identity
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor

GATE = ("127.0.0.1", int(os.environ["GATE"]))


def say(what: str) -> None:
    """Tell the test, which reads our output."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def held(scope: Any, receive: Any, send: Any) -> None:
    """Answer when the gate says so."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        say("the application ends")
        await send({"type": "lifespan.shutdown.complete"})
        return
    reader, writer = await asyncio.open_connection(*GATE)
    await reader.read(1)
    writer.close()
    who = current_identity()
    body = b"" if who is None else str(who.email).encode()
    head = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def held_blocking(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Do the same in a thread."""
    with socket.create_connection(GATE) as gate:
        gate.recv(1)
    who = current_identity()
    body = b"" if who is None else str(who.email).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def asgi() -> Callable[..., Awaitable[None]]:
    """Make the ASGI application, which says how its keys are once its lifespan has ended."""
    door = AsgiDoor(held)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        await door(scope, receive, send)
        if scope["type"] == "lifespan":
            (health,) = door.protection.health().values()
            say(f"its keys are {health.state.value}")

    return watched


def wsgi() -> Callable[..., Iterable[bytes]]:
    """Make the WSGI application."""
    return WsgiDoor(held_blocking)
