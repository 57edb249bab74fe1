"""How does a test let things go wrong under way, and mend them?"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from cfaccess_mw.refresh.fetchers import Document
from cfaccess_mw.refresh.http import HttpxFetcher
from tests.faults.endpoint import HOST, Endpoint
from tests.faults.table import SILENT, Fault
from tests.faults.world import World


class Names:
    """What asking for the endpoint's address gives."""

    def __init__(self) -> None:
        self.now: str | OSError = "127.0.0.1"
        self._ask = socket.getaddrinfo

    def __call__(self, host: Any, *args: Any, **more: Any) -> Any:
        if host not in (HOST, HOST.encode()):
            return self._ask(host, *args, **more)
        if isinstance(self.now, OSError):
            raise self.now
        return self._ask(self.now, *args, **more)


class Fetching:
    """Fetches with the patience that a test gives it: a busy machine takes its time, and what never ends has to end."""

    def __init__(self, trusting: ssl.SSLContext) -> None:
        self._trusting = trusting
        self.limit(None)

    def limit(self, name: str | None) -> None:
        """Let one limit, ``connect`` or ``total``, be short from now on, or none."""
        connect, total = (0.2 if limit == name else 20.0 for limit in ("connect", "total"))
        self._now = HttpxFetcher(connect=connect, read=20.0, total=total, verify=self._trusting)
        self._now.prepare()

    def fetch(self, url: str, *, etag: str | None) -> Document:
        return self._now.fetch(url, etag=etag)


class Stage:
    """An endpoint that something is wrong with, and the world that depends on it."""

    def __init__(self, world: World, endpoint: Endpoint, names: Names, fetching: Fetching) -> None:
        self.world = world
        self.endpoint = endpoint
        self._names = names
        self._fetching = fetching

    def spoil(self, fault: Fault) -> None:
        """Let it go wrong from now on."""
        self.endpoint.fault = fault
        self._fetching.limit(fault.limit)
        if fault.name is not None:
            self._names.now = fault.name

    def mend(self) -> None:
        """Let it be right again."""
        self.endpoint.fault = None
        self._fetching.limit(None)
        self._names.now = "127.0.0.1"


@contextmanager
def silent(endpoint: Endpoint) -> Iterator[None]:
    """Take every place in a queue of connections that nobody accepts, at the endpoint's port of another address."""
    port = int(endpoint.url.split(":")[2].partition("/")[0])
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((SILENT, port))
        listening.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((SILENT, port))
        yield
