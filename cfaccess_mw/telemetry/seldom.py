"""Is something that may happen with every request to be said now, or was it said a moment ago?"""

import time
from collections.abc import Callable, Hashable

# How many things are kept apart; beyond that everything is forgotten, and said again.
_MOST = 256


class Seldom:
    """Lets the first of a kind through, and then one in so many seconds, with how many were held back.

    There is no lock: racing threads may say a thing twice.

    Args:
        every: Seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, *, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._said: dict[Hashable, tuple[float, int]] = {}

    def due(self, kind: Hashable) -> int | None:
        """Say whether a thing of this kind is to be said now.

        Returns:
            How many of the kind were held back since the last that was said; None if this one is held back too.
        """
        now = self._clock()
        said_at, held_back = self._said.get(kind, (-self._every, 0))
        if now - said_at < self._every and kind in self._said:
            self._said[kind] = (said_at, held_back + 1)
            return None
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[kind] = (now, 0)
        return held_back
