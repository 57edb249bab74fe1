"""How does a test wait for what nothing tells it of: another process, a server, a file? Here only does a test sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0  # seconds, on a busy machine; no test waits that long unless it fails
_BETWEEN = 0.02


def eventually(ask: Callable[[], T], *, unless: Callable[[], bool] = lambda: False, within: float = PATIENCE) -> T:
    """Ask until the answer is true in the sense of Python.

    Args:
        ask: The question.
        unless: Whether it is of no use to go on.
        within: For how many seconds at most.

    Returns:
        The last answer, which is false where time is up: ``assert eventually(…)``.
    """
    deadline = time.monotonic() + within
    while not (found := ask()) and time.monotonic() < deadline and not unless():
        time.sleep(_BETWEEN)
    return found
