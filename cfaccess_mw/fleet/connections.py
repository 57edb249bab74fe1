"""Over which connections does a fleet ask Redis? One that waits for news, and some for single questions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cfaccess_mw.core.sharing_options import FleetOptions, read_fleet_options
from cfaccess_mw.fleet.client import Client, check_client, connect, time_of
from cfaccess_mw.fleet.store import Store


class Connections:
    """The clients of a fleet.

    Args:
        options: Where Redis is, and the times.
        client: One that was handed in, which then serves for everything.

    Attributes:
        options: As given.
    """

    def __init__(self, options: FleetOptions, client: Client | None) -> None:
        self.options = options
        self._client = client
        self._brief: dict[float, Client] = {}

    @contextmanager
    def waiting(self) -> Iterator[Client]:
        """A client whose answers may take as long as is waited for news."""
        if self._client is not None:
            yield self._client
            return
        client = connect(self.options, timeout=self.options.poll_every + self.options.timeout)
        try:
            yield client
        finally:
            client.close()

    def rest_of(self, client: Client) -> float:
        """For how many seconds to wait for news: less than the client waits for an answer."""
        patience = time_of(client) or self.options.poll_every
        return min(self.options.poll_every, max(patience - self.options.timeout, patience / 2))

    def store(self, timeout: float) -> Store:
        """What is asked of Redis by single questions; from as many threads as one likes.

        Args:
            timeout: Seconds for an answer.
        """
        return Store(self._brief_client(timeout), self.options.namespace)

    def _brief_client(self, timeout: float) -> Client:
        """Made once; those of the library may be used by many threads."""
        if self._client is not None:
            return self._client
        client = self._brief.get(timeout)
        if client is None:
            client = self._brief.setdefault(timeout, connect(self.options, timeout=timeout))
        return client

    def start_over(self) -> None:
        """Forget those that a parent process had."""
        self._brief = {}


def connections_of(url: Any, options: Mapping[str, Any]) -> Connections:
    """Return the connections that a user describes, or brings along.

    Args:
        url: An address, what describes one, or a client.
        options: What else was said.

    Raises:
        ConfigurationError: Names what cannot be used.
    """
    if not isinstance(url, str | Mapping | FleetOptions):
        check_client(url)
        return Connections(read_fleet_options({"url": "redis://", **options}), url)
    if isinstance(url, FleetOptions):
        found = replace(url, **options)
    else:
        found = read_fleet_options({"url": url, **options} if isinstance(url, str) else {**url, **options})
    if "+cluster" not in found.url:  # that of a cluster connects as it is made
        connect(found, timeout=found.timeout).close()
    return Connections(found, None)
