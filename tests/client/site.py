"""A real HTTP server on loopback that answers as it is told to, and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRETS = ("cf-access-client-id", "cf-access-client-secret", "cf-access-token", "x-service", "cookie")


@dataclass(frozen=True)
class Asked:
    """One request, as it arrived."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given == name]

    def get(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def brought(self) -> set[str]:
        """Which of the headers that prove something it brought."""
        return {name for name, _ in self.headers} & {*SECRETS}


@dataclass(frozen=True)
class Says:
    """One answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"the application"


Answers = Callable[[Asked], Says]


class Site:
    """What runs, and what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self._server = _Server(self)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def brought(self) -> list[set[str]]:
        return [asked.brought for asked in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # for many at once

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))) + self._chunks()
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        asked = Asked(self.command, self.path, headers, body)
        self.server.site.asked.append(asked)
        says = self.server.site.answers(asked)
        self.send_response_only(says.status)
        for name, value in (*says.headers, ("content-length", str(len(says.body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(says.body)

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815 - the names are the standard library's

    def _chunks(self) -> bytes:
        body = b""
        while self.headers.get("transfer-encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Keep quiet."""


@contextmanager
def serving(answers: Answers = lambda _: Says()) -> Iterator[Site]:
    site = Site(answers)
    try:
        yield site
    finally:
        site.close()


def login(host: str = "acme.cloudflareaccess.com", *, meta: str = "") -> Says:
    """How Access shows the way to its login page."""
    query = f"?kid=aud&redirect_url=%2F{meta and '&meta=' + meta}"
    return Says(302, (("location", f"https://{host}/cdn-cgi/access/login/app.example.com{query}"),), b"")


def in_turn(*says: Says) -> Answers:
    """One answer after the other, the last for ever."""
    left: Iterable[Says] = iter(says)
    return lambda _: next(left, says[-1])  # type: ignore[call-overload]  # it is an iterator
