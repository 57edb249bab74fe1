"""What do all loops and threads share, and how do they keep out of each other's way?

``Shared`` is the machine of ``core.freshness`` behind a lock, with a driver that is employed and people who wait. This
is the half that drivers see; ``refresher`` adds what requests and holders see. Under the lock nothing waits, and
nothing of a user's is called: events are told, waiters woken and drivers started after it.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.freshness import Freshness, KeyAnswer, Waiting
from cfaccess_mw.core.states import State
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.editions import Attempt, Edition, described
from cfaccess_mw.refresh.fetchers import AnyFetcher, AsyncFetcher, Document, Threads, check_fetcher
from cfaccess_mw.telemetry.events import Event, Listener, tell

if TYPE_CHECKING:
    from cfaccess_mw.refresh.drivers import Driver
    from cfaccess_mw.refresh.wakers import Waker

T = TypeVar("T")
W = TypeVar("W", bound="Waker")

# Not the module's own numbers, which applications seed: their workers would fetch in step.
_by_chance = SystemRandom().random

DEFAULT_TIMING = Timing()

# What is told when time alone has changed the state.
_TOLD = {State.STALE: ("stale", logging.WARNING), State.EXPIRED: ("expired", logging.ERROR)}


class Shared(Generic[T]):
    """Keeps one thing fresh, for any number of event loops and threads.

    Args:
        url: Where it is fetched; empty if it is given outright.
        fetcher: Who fetches; None if it is given outright.
        parse: Reads a document, in a worker thread. What it raises makes the attempt a failure.
        holds: Whether what was read has the thing (the key id) that is asked for.
        timing: The numbers.
        name: What it is, for events: ``keys-fetched``.
        describe: What is told of a success.
        is_held: Whether anybody holds us. It is asked under the lock and must take none; where it says no, and nobody
            waits, the driver closes us instead of beginning a flight.
        clock: Monotonic seconds.
        random: Numbers of [0, 1).

    Attributes:
        snapshot: What is held and good, or None.
        attention_at: See ``Freshness.attention_at``.

    Raises:
        ConfigurationError: A fetcher that cannot fetch.
    """

    def __init__(
        self,
        *,
        url: str,
        fetcher: AnyFetcher | None,
        parse: Callable[[bytes], T],
        holds: Callable[[T, str], bool],
        timing: Timing = DEFAULT_TIMING,
        name: str = "keys",
        describe: Callable[[T], Mapping[str, object]] = described,
        is_held: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _by_chance,
    ) -> None:
        if fetcher is not None:
            check_fetcher(fetcher)
        self._driver: Driver | None = None
        self.url = url
        self.fetcher = fetcher
        self.timing = timing
        self.name = name
        self.parse = parse
        self.snapshot: T | None = None
        self._describe = describe
        self._is_held = is_held
        # What blocks is fetched by a thread from the start: so a loop that ends takes no flight with it.
        self._for_loops = isinstance(fetcher, AsyncFetcher)
        self._clock = clock
        self._freshness = Freshness[Edition[T]](
            holds=lambda edition, wanted: holds(edition.content, wanted), random=random, timing=timing
        )
        self.attention_at = self._freshness.attention_at
        self._listeners: tuple[Listener, ...] = ()
        self._reason: str | None = None
        self._start_over()
        _alive.add(self)

    # What a driver does

    def employs(self, driver: "Driver") -> bool:
        """Whether ``driver`` is the one; one that was replaced learns it here."""
        return self._driver is driver

    def begin(self, driver: "Driver") -> Attempt[T] | None:
        """Begin what is to be done now, if anything is."""
        with self._machine() as machine:
            if self._driver is not driver:
                return None
            driver.poked_at = None
            now = self._clock()
            if now >= machine.wake_at and not self._is_held() and not any(self._waiting):
                machine.close()
                self._driver = None
                return None
            return self._take_off(driver, machine, now)

    def pause(self, driver: "Driver") -> float:
        """For how many seconds ``driver`` has nothing to do; one that is dismissed has to end."""
        with self._machine() as machine:
            if self._driver is not driver:
                return 0.0
            return max(0.0, machine.wake_at - self._clock())

    def read(self, attempt: Attempt[T], document: Document) -> Edition[T]:
        """Make an edition of what was fetched; it may take a while.

        Raises:
            FetchError: It says that nothing has changed, and we had nothing.
            Exception: Whatever the parser raises.
        """
        known = attempt.known
        if document.body is not None and (known is None or document.body != known.body):
            return self._edition(document, document.body)
        # The same content, not an equal one: what was remembered of it stays good.
        if known is None or known.body is None:
            raise FetchError("not-modified")
        return Edition(content=known.content, body=known.body, etag=document.etag or known.etag)

    def succeed(self, driver: "Driver", attempt: Attempt[T], edition: Edition[T], *, max_age: float | None) -> None:
        """End a flight that brought something."""
        with self._machine() as machine:
            now = self._clock()
            taken = machine.succeed(attempt.flight, edition, now, max_age=max_age)
            if taken:
                self._reason = None
            self._landed(driver, machine)
            woken = self._drain()
        wake(woken)
        if taken:
            self._tell("fetched", logging.INFO, self._describe(edition.content), now - attempt.flight.began)

    def fail(
        self,
        driver: "Driver",
        attempt: Attempt[T],
        reason: str,
        *,
        retry_after: float | None = None,
        error: str | None = None,
    ) -> None:
        """End a flight that brought nothing; ``error`` names a class that we did not expect."""
        with self._machine() as machine:
            now = self._clock()
            counted = machine.fail(attempt.flight, now, retry_after=retry_after)
            if counted:
                self._reason = reason
            facts: dict[str, object] = {
                "reason": reason,
                "failures": machine.failures,
                "retry_in": round(machine.retry_at - now, 1),
            }
            self._landed(driver, machine)
            woken = self._drain()
        wake(woken)
        if counted:
            facts = facts if error is None else {**facts, "error": error}
            self._tell("failed", logging.WARNING, facts, now - attempt.flight.began)

    def leave(self, driver: "Driver") -> None:
        """Note that ``driver`` does nothing any more. If it was the one it died, and who waits asks again."""
        with self._machine() as machine:
            if driver.flight is None and self._driver is not driver:
                return
            if driver.flight is not None:
                end = machine.abandon if driver.first is None else machine.withdraw
                end(driver.flight, self._clock())
                driver.flight = driver.first = None
            if self._driver is driver:
                self._driver = None
                self._loops_end = True
            woken = self._drain()
        wake(woken)

    # Within

    def _start_over(self) -> None:
        self._lock = threading.Lock()
        self._driver = None
        # Applications that make a loop for each request (Flask's and Django's async views, test clients) take every
        # driver with it, perhaps in mid-flight. After the first that dies, a thread does the work.
        self._loops_end = False
        self._waiting: tuple[set[Waker], set[Waker]] = (set(), set())  # tasks, threads
        self.threads = Threads()

    def after_fork(self) -> None:
        """Go on in a child process, which has no thread but the one that forked, and perhaps a lock that is held."""
        self._start_over()
        with self._machine() as machine:
            machine.void()

    @contextmanager
    def _machine(self) -> Iterator[Freshness[Edition[T]]]:
        """Hold the lock, and publish for those who read without it."""
        machine = self._freshness
        with self._lock:
            before = machine.state
            try:
                yield machine
            finally:
                after = machine.state
                self.snapshot = None if machine.snapshot is None else machine.snapshot.content
                self.attention_at = machine.attention_at
        if after is not before and after in _TOLD:
            self._tell(*_TOLD[after], {"failures": machine.failures})

    def _ask(self, wanted: str | None, since: int, waker: type[W]) -> KeyAnswer | W:
        with self._machine() as machine:
            tasks, threads = self._waiting
            waiting = Waiting(coroutines=len(tasks), threads=len(threads), blocking=waker.blocking)
            planned = machine.wake_at
            answer = machine.ask(wanted, since=since, now=self._clock(), waiting=waiting)
            if answer is None:
                waits = waker()
                self._waiting[waker.blocking].add(waits)
                return waits
            if machine.wake_at < planned and self._driver is not None:
                self._driver.poke()  # or it would sleep too long
            return answer

    def _engage(self, *, blocking: bool) -> float | None:
        """Have a driver do what is to be done now.

        Returns:
            After how many seconds it would be late; None if no driver is to be had.
        """
        with self._machine() as machine:
            now = self._clock()
            overdue = machine.attend(now)
            watch = max(0.0, machine.attention_at - now)
            driver = self._driver
            if not overdue:
                return watch
            if driver is not None and self._reacts(driver, now):
                return watch
        return watch if self._employ(driver, blocking=blocking) else None

    def _reacts(self, driver: "Driver", now: float) -> bool:
        """Poke a driver; False if it is dead, on a flight that is lost, or does not answer."""
        if driver.flight is not None or not driver.poke():
            return False
        if driver.poked_at is None:
            driver.poked_at = now
        return now < driver.poked_at + self.timing.grace

    def _employ(self, dead: "Driver | None", *, blocking: bool) -> bool:
        try:
            from cfaccess_mw.refresh.drivers import Driver, load  # noqa: PLC0415 - imports anyio
            from cfaccess_mw.refresh.loops import running_loop  # noqa: PLC0415 - imports asyncio
        except OSError:  # too many open files
            return False
        if blocking:
            load(self.fetcher)
        driver = Driver(self)
        with self._machine() as machine:
            if self._driver is not dead or machine.state is State.CLOSED:
                return True  # somebody else was quicker
            self._driver = driver
            self._loops_end = self._loops_end or dead is not None
            # Not when it has come to life: where each request opens and closes us, we would be closed by then.
            driver.first = self._take_off(driver, machine, self._clock())
            in_thread = blocking or self._loops_end or not self._for_loops
        if dead is not None:
            dead.stop()
        return driver.start(None if in_thread else running_loop())

    def _take_off(self, driver: "Driver", machine: Freshness[Edition[T]], now: float) -> Attempt[T] | None:
        driver.flight = machine.begin(now)
        return None if driver.flight is None else Attempt(flight=driver.flight, known=machine.snapshot)

    def _landed(self, driver: "Driver", machine: Freshness[Edition[T]]) -> None:
        """Let a driver go that was closed in mid-flight."""
        driver.flight = None
        if machine.state is State.CLOSED and self._driver is driver:
            self._driver = None

    def _edition(self, document: Document, body: bytes) -> Edition[T]:
        return Edition(content=self.parse(body), body=body, etag=document.etag)

    def _forget(self, waker: "Waker") -> None:
        with self._lock:
            self._waiting[waker.blocking].discard(waker)

    def _drain(self) -> "Iterable[Waker]":
        tasks, threads = self._waiting
        self._waiting = (set(), set())
        return (*tasks, *threads)

    def _tell(self, what: str, level: int, facts: Mapping[str, object], seconds: float | None = None) -> None:
        tell(self._listeners, Event(name=f"{self.name}-{what}", level=level, facts=facts, seconds=seconds))


def wake(wakers: "Iterable[Waker]") -> None:
    """Wake each; not under the lock."""
    for waker in wakers:
        waker.wake()


_alive: "weakref.WeakSet[Shared[Any]]" = weakref.WeakSet()


def _after_fork() -> None:
    for refresher in list(_alive):
        refresher.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)
