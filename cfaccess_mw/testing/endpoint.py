"""Who answers ``get-identity`` for an application that knows nothing but its environment? A server on loopback."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.refresh.lookup import IDENTITY_PATH
from cfaccess_mw.wire.cookies import read_cookies

_POLL = 0.05  # seconds for which close() may have to wait


class IdentityEndpoint:
    """Listens from its making until it is closed.

    Args:
        reply: What is answered to a token.

    Attributes:
        url: Where it listens, without a trailing slash: a ``team_url``.
    """

    def __init__(self, reply: Callable[[str], Reply]) -> None:
        # not an HTTPServer: that one asks the name service what it is called
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.reply = reply
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="cfaccess-testing", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening. May be called twice."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    reply: Callable[[str], Reply]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5  # seconds; whoever connects and says nothing is let go

    def do_GET(self) -> None:
        cookies = read_cookies(self.headers.get_all("Cookie", []))
        if self.path != IDENTITY_PATH or not isinstance(cookies, tuple) or not cookies:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        reply = self.server.reply(cookies[0])
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing: the output belongs to the tests."""
