"""What must somebody bring who fetches for us?

Give an object with ``afetch`` (a coroutine function), ``fetch`` (a plain function), or both; ``afetch`` is preferred.
It is called again and again, perhaps from different event loops and threads over the years, so it must not be bound to
one of them. A whole call, whatever it does, is bounded by ``Timing.deadline``; limits of its own are welcome.
"""

import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from cfaccess_mw.core.errors import ConfigurationError, FetchError

# A certs document of two keys has 5 KB, certificates included; the limit leaves room for every rotation to come.
MOST_BYTES = 128 * 1024

# RFC 9110 section 8.8.3, in ASCII; and no longer than anything we would like to send back.
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,256}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a fetch brought.

    Attributes:
        body: The bytes, or None where the endpoint says that what ``etag`` named has not changed (304).
        etag: The validator to send next time, or None. One that is not well-formed is forgotten.
        max_age: For how many seconds the endpoint calls it fresh, already less ``Age``; None where it does not say.
    """

    body: bytes | None
    etag: str | None = None
    max_age: float | None = None

    def __post_init__(self) -> None:
        """Refuse what a fetcher must not bring; whoever raises in a fetch has failed."""
        if self.body is not None and not isinstance(self.body, bytes):
            raise TypeError("body: expected bytes or None")
        if self.body is not None and len(self.body) > MOST_BYTES:
            raise FetchError("too-large")
        if self.etag is not None and not _ETAG.fullmatch(self.etag):
            object.__setattr__(self, "etag", None)
        if self.max_age is not None and not math.isfinite(self.max_age):
            object.__setattr__(self, "max_age", None)


@runtime_checkable
class AsyncFetcher(Protocol):
    """Fetches without blocking the event loop, on asyncio and on trio."""

    async def afetch(self, url: str, *, etag: str | None) -> Document:
        """Fetch ``url``; if ``etag`` is given, only if it has changed since.

        Raises:
            FetchError: With a reason, and ``retry_after`` where the endpoint named one. Anything else that is raised
                counts as a failure as well.
        """
        ...


@runtime_checkable
class Fetcher(Protocol):
    """Fetches and blocks; it is run in a worker thread."""

    def fetch(self, url: str, *, etag: str | None) -> Document:
        """Fetch ``url``; see ``AsyncFetcher.afetch``."""
        ...


AnyFetcher: TypeAlias = Fetcher | AsyncFetcher


class Threads:
    """Counts the worker threads that one blocking fetcher holds.

    A thread cannot be cancelled: a fetcher without a timeout, before an endpoint that never answers, would otherwise
    cost one thread for each attempt, for ever.
    """

    most = 2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0

    def run(self, fetch: Callable[[], Document]) -> Document:
        """Call ``fetch`` unless too many calls hang already."""
        with self._lock:
            if self._running >= self.most:
                raise FetchError("fetcher-hangs")
            self._running += 1
        try:
            return fetch()
        finally:
            with self._lock:
                self._running -= 1


def check_fetcher(fetcher: object) -> None:
    """Refuse what cannot fetch.

    Raises:
        ConfigurationError: It has neither ``afetch`` nor ``fetch``.
    """
    if not isinstance(fetcher, AsyncFetcher | Fetcher) or isinstance(fetcher, type):
        shape = f"the class {fetcher.__name__}" if isinstance(fetcher, type) else f"a {type(fetcher).__name__}"
        raise ConfigurationError(f"fetcher: expected an object with a method afetch or fetch, got {shape}")
