"""Who asks for keys? Requests on asyncio, on trio and in threads, started by a test that is on none of them."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from anyio.from_thread import BlockingPortal, start_blocking_portal

from cfaccess_mw.core.freshness import KeyAnswer
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.wakers import Waker
from tests.refresh.parts import PATIENT, Keys

Answers = Future[KeyAnswer]


class Callers(Protocol):
    """Requests that come from one kind of place.

    Attributes:
        room: How many may wait because of an unknown key.
    """

    room: int

    def ask(self, refresher: Refresher[Keys], wanted: str | None, patience: float = PATIENT) -> Answers:
        """Have a request ask, and go on."""
        ...

    def attend(self, refresher: Refresher[Keys]) -> None:
        """Have a request look after the keys."""
        ...

    def hydrate(self, refresher: Refresher[Keys]) -> None:
        """Have keys before serving."""
        ...


class OnLoop:
    """Requests on an event loop that runs as long as the test."""

    room = 64

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    def ask(self, refresher: Refresher[Keys], wanted: str | None, patience: float = PATIENT) -> Answers:
        return self._portal.start_task_soon(partial(refresher.obtain, wanted, patience=patience))

    def attend(self, refresher: Refresher[Keys]) -> None:
        self._portal.call(refresher.attend)

    def hydrate(self, refresher: Refresher[Keys]) -> None:
        self._portal.call(refresher.ahydrate)


class InThreads:
    """Requests in threads."""

    room = 4

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def ask(self, refresher: Refresher[Keys], wanted: str | None, patience: float = PATIENT) -> Answers:
        return self._pool.submit(partial(refresher.obtain_blocking, wanted, patience=patience))

    def attend(self, refresher: Refresher[Keys]) -> None:
        self._pool.submit(refresher.attend_blocking).result(PATIENT)

    def hydrate(self, refresher: Refresher[Keys]) -> None:
        self._pool.submit(refresher.hydrate).result(PATIENT)


@contextmanager
def callers_of(where: str) -> Iterator[Callers]:
    """Callers on ``asyncio`` or ``trio``, or in ``threads``."""
    if where == "threads":
        with ThreadPoolExecutor(80) as pool:
            yield InThreads(pool)
    else:
        with start_blocking_portal(where) as portal:
            yield OnLoop(portal)


class Crowd:
    """Counts who begins to wait at a refresher, until the next flight ends."""

    def __init__(self, refresher: Refresher[Keys]) -> None:
        self._came = threading.Semaphore(0)
        came = self._came

        class Counted(set[Waker]):
            def add(self, waker: Waker) -> None:
                super().add(waker)
                came.release()

        refresher._waiting = (Counted(), Counted())

    def wait_for(self, count: int) -> None:
        """Wait until so many more have come."""
        for _ in range(count):
            assert self._came.acquire(timeout=PATIENT), "fewer wait"
