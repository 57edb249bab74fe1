"""A certs endpoint on loopback, in a process of its own: how slow it is can be told, and how often it was asked.

It is a plain script, since whoever starts it must not share an interpreter with what is measured.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 1_024
    delay = 0.0
    body = b""
    fetches = 0
    lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/count":
            self._say(str(self.server.fetches).encode())
            return
        with self.server.lock:
            self.server.fetches += 1
        time.sleep(self.server.delay)
        self._say(self.server.body)

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def main() -> None:
    """Serve the document of the first line of standard input, until standard input ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.delay = float(sys.argv[1])
    server.body = sys.stdin.buffer.readline()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
