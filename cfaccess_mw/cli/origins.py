"""What are the demonstration's two applications? One ASGI, one WSGI: production code, only the team is emulated."""

import asyncio
import html
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.wire.current import current_identity
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PUBLIC_PATH = "/healthz"
PAYROLL_PATH = "/payroll"


def rules(payroll_audience: str) -> list[Rule]:
    """A path for everybody, and one that is an Access application of its own; anything else needs a valid token."""
    return [Rule.public(PUBLIC_PATH), Rule.token(f"{PAYROLL_PATH}/*", audience=payroll_audience)]


def page(kind: str, path: str, identity: Identity | None) -> str:
    """What both applications answer: who is asking, and where to go next."""
    who = "nobody in particular" if identity is None else f"{identity.kind} {identity.display_name}"
    links = " · ".join(f'<a href="{to}">{to}</a>' for to in ("/", PUBLIC_PATH, PAYROLL_PATH, "/cdn-cgi/access/logout"))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{kind}</title>'
        f"<p>This is the {kind} application at <code>{html.escape(path)}</code>. You are {html.escape(who)}.</p>"
        f"<p>{links}</p>\n"
    )


def asgi_application(**options: Any) -> AsgiDoor:
    """The ASGI application behind its door."""

    async def answer(request: Request) -> Response:
        return HTMLResponse(page("ASGI", request.url.path, current_identity()))

    return AsgiDoor(Starlette(routes=[Route("/{path:path}", answer)]), **options)


def wsgi_application(**options: Any) -> WsgiDoor:
    """The WSGI application behind its door."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = page("WSGI", environ["PATH_INFO"], current_identity()).encode()
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [body]

    return WsgiDoor(answer, **options)


class Listening:
    """A bound port, whose application comes later: the emulator needs the address before the application has its own.

    Attributes:
        url: Where it listens.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    @contextmanager
    def asgi(self, application: AsgiDoor) -> Iterator[None]:
        """Serve an ASGI application, in a thread, with uvicorn."""
        server = uvicorn.Server(
            uvicorn.Config(application, log_config=None, log_level=None, timeout_graceful_shutdown=1)
        )

        def run() -> None:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(server.serve(sockets=[self._socket]))

        thread = threading.Thread(target=run, name="cfaccess-demo-asgi", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()
            self._socket.close()

    @contextmanager
    def wsgi(self, application: WsgiDoor) -> Iterator[None]:
        """Serve a WSGI application, in threads, with the standard library."""
        server = _ThreadingServer(self._socket.getsockname(), _QuietHandler, bind_and_activate=False)
        server.socket.close()
        server.socket = self._socket
        server.server_name, server.server_port = self._socket.getsockname()
        server.setup_environ()
        server.set_app(application)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="cfaccess-demo-wsgi", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: the demonstration says what matters."""
