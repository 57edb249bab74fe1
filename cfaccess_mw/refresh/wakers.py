"""How is somebody woken who waits for a flight, wherever he waits?

A waker is woken from any thread, once. One whose loop has ended is passed over: nobody waits there any more.
"""

import threading
from typing import Protocol

import anyio

from cfaccess_mw.refresh.loops import running_loop


class Waker(Protocol):
    """Somebody who waits."""

    blocking: bool

    def wake(self) -> None:
        """Wake him, from any thread."""
        ...


class ThreadWaker:
    """A thread that waits."""

    blocking = True

    def __init__(self) -> None:
        self._woken = threading.Event()

    def wake(self) -> None:
        """See ``Waker``."""
        self._woken.set()

    def wait(self, timeout: float) -> None:
        """Block until woken, or for ``timeout`` seconds."""
        self._woken.wait(timeout)


class TaskWaker:
    """A task that waits, on the event loop of whoever makes the waker."""

    blocking = False

    def __init__(self) -> None:
        self._loop = running_loop()
        self._woken = anyio.Event()

    def wake(self) -> None:
        """See ``Waker``."""
        if self._loop is not None:
            self._loop.soon(self._woken.set)

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - the waker's own bound, beside the caller's
        """Wait until woken, or for ``timeout`` seconds."""
        with anyio.move_on_after(timeout):
            await self._woken.wait()
