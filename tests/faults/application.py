"""What do the servers of these tests run? An application that is told what to do by path.

``/`` is protected and says who asks; ``/hold`` as well, and answers when the test lets it. ``/pid`` is public, as is
what makes a process run out of things: ``/spend/threads`` and ``/spend/files``, and ``/restore`` to give them back.

Of the environment, ``FAULTS_GATE`` is the port where ``/hold`` waits. The doors are in ``on_asgi`` and ``on_wsgi``,
apart from each other: one imports what the other may not need.
"""

import os
import resource
import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import anyio
from starlette.types import Receive, Scope, Send

from cfaccess_mw import Rule, current_identity
from cfaccess_mw.refresh.http import HttpxFetcher

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

OPTIONS: Final[dict[str, Any]] = {
    "rules": [Rule.public(path) for path in ("/pid", "/spend/threads", "/spend/files", "/restore")],
    # Patient, for machines that are busy.
    "fetcher": HttpxFetcher(connect=20, read=20, total=20),
}
"""Of the door; the environment says which team's it is."""

_files: list[int] = []


def spend_threads() -> None:
    """Let no thread be started any more: none finds room for a stack of this size."""
    with open("/proc/self/statm", encoding="ascii") as sizes:
        held = int(sizes.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 2**28, resource.RLIM_INFINITY))
    threading.stack_size(2**30)


def spend_files() -> None:
    """Let no file, socket or event loop be opened any more."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        while True:
            _files.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return


def restore() -> None:
    """Give everything back."""
    threading.stack_size(0)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while _files:
        os.close(_files.pop())


DOES: dict[str, Callable[[], None]] = {
    "/spend/threads": spend_threads,
    "/spend/files": spend_files,
    "/restore": restore,
}


def _says(path: str) -> bytes:
    DOES.get(path, lambda: None)()
    identity = current_identity()
    return (
        str(os.getpid()).encode() if path == "/pid" else f"PASSED {identity.email if identity else 'nobody'}".encode()
    )


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """The application, for ASGI."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["path"] == "/hold":
        async with await anyio.connect_tcp("127.0.0.1", int(os.environ["FAULTS_GATE"])) as gate:
            await gate.receive(1)
    body = _says(scope["path"])
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


def wsgi(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
    """The application, for WSGI."""
    if environ["PATH_INFO"] == "/hold":
        with socket.create_connection(("127.0.0.1", int(os.environ["FAULTS_GATE"]))) as gate:
            gate.recv(1)
    body = _says(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
