"""Was this asked before? Nonces are remembered until the question that had them has expired."""

import heapq
import threading
from collections.abc import Callable
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError, Unavailable
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.external_evaluation_request import ReplayedQuestion

NonceStore = Callable[[str, float], bool]
"""Remembers a nonce until a time (seconds since the epoch), and says whether it was new."""

_MOST: Final = 100_000  # 20 MB; only what Access signed gets here


class NoncesUnavailable(Unavailable):
    """Whether a question was asked before cannot be known at the moment."""

    code = "nonces-unavailable"


class Nonces:
    """The memory of one process, and the default :data:`NonceStore`.

    Args:
        clock: Tells the time in seconds since the epoch.
        most: How many are remembered. When there are more, the next is not known to be new, and so is refused.
    """

    def __init__(self, clock: Callable[[], float], *, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._ends: list[tuple[float, str]] = []

    def __call__(self, nonce: str, until: float) -> bool:
        """See :data:`NonceStore`."""
        with self._lock:
            now = self._clock()
            while self._ends and self._ends[0][0] <= now:
                self._known.discard(heapq.heappop(self._ends)[1])
            if nonce in self._known:
                return False
            if len(self._known) >= self._most:
                raise NoncesUnavailable(retry_after=max(1.0, self._ends[0][0] - now))
            self._known.add(nonce)
            heapq.heappush(self._ends, (until, nonce))
            return True


def use_up(store: NonceStore, nonce: str, until: float) -> None:
    """Use a nonce, once.

    Args:
        store: Where it is remembered.
        nonce: It.
        until: When the question expires, leeway included, in seconds since the epoch.

    Raises:
        ReplayedQuestion: It was used before.
        NoncesUnavailable: That is not known.
    """
    try:
        answer: object = store(nonce, until)
    except Exception:  # noqa: BLE001 - whatever it is, the answer could not be had
        answer = None
    if answer is False:
        raise ReplayedQuestion
    if answer is not True:
        raise NoncesUnavailable(retry_after=1.0)


def checked_store(store: object) -> NonceStore:
    """A store as it is.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if not callable(store):
        raise ConfigurationError(f"nonces: is {shape(store)}; give a function of a nonce and a time")
    return store
