"""On which event loop am I, and how does another thread reach it?

Drivers and waiters may live on several asyncio and trio loops and in plain threads at once. trio is never imported
here: whoever runs under it has.
"""

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import trio.lowlevel


class Loop(Protocol):
    """An event loop, as seen from any thread."""

    def soon(self, call: Callable[[], object]) -> bool:
        """Have ``call`` called in the loop; False if the loop has ended, or does not run at the moment."""
        ...

    def start(self, task: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> None:
        """Start a background task, from inside the loop; ``ended`` is called after it, however it ends."""
        ...


class AsyncioLoop:
    """A loop of asyncio's (or uvloop's)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, call: Callable[[], object]) -> bool:
        """See ``Loop``. A loop that was stopped and not closed keeps the call for when it runs again."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # closed
            return False
        return self._loop.is_running()

    def start(self, task: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> None:
        """See ``Loop``. A task that is cancelled before its first step never runs, not even its ``finally``."""
        # An empty context: the one at hand belongs to a request, and would live as long as the task.
        started = self._loop.create_task(task(), name="cfaccess-refresh", context=contextvars.Context())
        self._tasks.add(started)  # asyncio itself keeps weak references only
        started.add_done_callback(self._tasks.discard)
        started.add_done_callback(lambda _: ended())


class TrioLoop:
    """A run of trio's."""

    def __init__(self, token: "trio.lowlevel.TrioToken") -> None:
        self._token = token

    def soon(self, call: Callable[[], object]) -> bool:
        """See ``Loop``."""
        try:
            self._token.run_sync_soon(call)
        except sys.modules["trio"].RunFinishedError:
            return False
        return True

    def start(self, task: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> None:
        """See ``Loop``. A system task ends with the run; what it raises would end the run, so it must not raise."""

        async def system_task() -> None:
            try:
                await task()
            finally:
                ended()

        sys.modules["trio"].lowlevel.spawn_system_task(system_task, name="cfaccess-refresh")


def running_loop() -> Loop | None:
    """Return the event loop that runs the caller, or None outside of one."""
    # trio first: as a guest of asyncio, both are there. Another thread may be importing it at this moment (httpcore
    # does, when a fetch loads httpx), and whoever runs on it has all of it.
    in_trio_run = getattr(getattr(sys.modules.get("trio"), "lowlevel", None), "in_trio_run", None)
    if in_trio_run is not None and in_trio_run():
        return TrioLoop(sys.modules["trio"].lowlevel.current_trio_token())
    try:
        return AsyncioLoop(asyncio.get_running_loop())
    except RuntimeError:
        return None
