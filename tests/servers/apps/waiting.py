"""How does a handler wait for another request? By name, so that tests that run at once do not meet.

In threads; the applications on an event loop have their own few lines.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator

from tests.servers.apps.behind import PATIENCE, who

_released: defaultdict[str, threading.Event] = defaultdict(threading.Event)
_meetings: defaultdict[str, threading.Barrier] = defaultdict(lambda: threading.Barrier(2, timeout=PATIENCE))


def release(name: str) -> None:
    """Let the stream of this name go on."""
    _released[name].set()


def stream(name: str) -> Iterator[str]:
    """One line, and another once it is released; each says who is asking while it is made."""
    yield f"SECRET first {who()}\n"
    released = _released[name].wait(PATIENCE)
    yield f"SECRET second {who()} {released}\n"


def meeting(name: str) -> Iterator[str]:
    """Three lines, each made while the other party of this name is at the same place."""
    for turn in range(3):
        _meetings[name].wait()
        yield f"SECRET {turn} {who()}\n"
