"""Where does the application listen, and which conversations with it are open?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import anyio

from cfaccess_mw.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The application's own server.

    Attributes:
        host: A name or an address, IPv6 without brackets.
        port: Its TCP port.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``http://host:port``.

        Raises:
            ConfigurationError: It has another scheme, or anything beside a host and a port.
        """
        parts = urlsplit(url)
        rest = parts._replace(scheme="", netloc="").geturl()
        try:
            port = parts.port or 80
        except ValueError:
            port = 0
        if parts.scheme != "http" or rest not in {"", "/"} or "@" in parts.netloc or not (parts.hostname and port):
            raise ConfigurationError("upstream: must be 'http://host:port', where the application listens")
        host = parts.hostname
        return cls(host=host, port=port)

    @property
    def netloc(self) -> str:
        """Host and port as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Conversations:
    """Requests and sockets that are under way, so that a shutdown can end them instead of waiting for them."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()

    @contextmanager
    def join(self) -> Iterator[anyio.CancelScope]:
        """Put around a conversation; it ends when everybody hangs up."""
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield scope
            finally:
                self._scopes.discard(scope)

    def hang_up(self) -> None:
        """End every conversation that is under way."""
        for scope in self._scopes:
            scope.cancel()
