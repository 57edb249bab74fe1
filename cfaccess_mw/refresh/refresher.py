"""How does a request come by what is kept fresh, and who may let go of it?

A ``Refresher`` is bound to no event loop and may be used from any thread. A request does this much::

    if monotonic() >= refresher.attention_at:
        refresher.attend()
    snapshot = refresher.snapshot

and asks ``obtain`` only when the snapshot is None, or lacks what it needs.
"""

import time
from typing import TYPE_CHECKING

from cfaccess_mw.core.errors import KeysUnavailable
from cfaccess_mw.core.freshness import UNAVAILABLE, Availability, KeyAnswer
from cfaccess_mw.core.states import State
from cfaccess_mw.refresh.editions import Edition, Health
from cfaccess_mw.refresh.fetchers import Document
from cfaccess_mw.refresh.shared import Shared, T, wake
from cfaccess_mw.refresh.warm import Export, unpack
from cfaccess_mw.telemetry.events import Listener

if TYPE_CHECKING:
    from cfaccess_mw.refresh.wakers import TaskWaker


class Refresher(Shared[T]):
    """Keeps one thing fresh; see ``Shared`` for what it is made of."""

    # What a request does

    def attend(self) -> None:
        """See to it that a driver is at work if there is something to do. Call it on an event loop; it never waits."""
        self._engage(blocking=False)

    def attend_blocking(self) -> None:
        """Do the same from a thread. It never waits either."""
        self._engage(blocking=True)

    async def obtain(self, wanted: str | None, *, patience: float) -> KeyAnswer:
        """Find out whether something lacking can be had, waiting for a flight if need be.

        Args:
            wanted: The key id that the snapshot lacks; None for any snapshot at all.
            patience: Seconds to wait at most.

        Returns:
            PRESENT: look into the snapshot again. ABSENT: proved. UNAVAILABLE: cannot be known now.
        """
        from cfaccess_mw.refresh.wakers import TaskWaker  # noqa: PLC0415 - imports anyio, which WSGI may never need

        since = self._freshness.flights
        found = self._ask(wanted, since, TaskWaker)
        return found if isinstance(found, KeyAnswer) else await self._wait(found, wanted, since, patience)

    def obtain_blocking(self, wanted: str | None, *, patience: float) -> KeyAnswer:
        """Do the same as ``obtain`` from a thread."""
        try:
            from cfaccess_mw.refresh.wakers import ThreadWaker  # noqa: PLC0415 - imports anyio
        except OSError:  # too many open files
            return UNAVAILABLE
        since = self._freshness.flights
        # Not our clock: how long a thread really waits is not the machine's affair.
        until = time.monotonic() + patience
        while isinstance(found := self._ask(wanted, since, ThreadWaker), ThreadWaker):
            try:
                watch = self._engage(blocking=True)
                left = until - time.monotonic()
                if watch is None or left <= 0:
                    return UNAVAILABLE
                found.wait(min(watch, left))
            finally:
                self._forget(found)
        return found

    # What a holder does

    async def ahydrate(self, *, patience: float | None = None) -> None:
        """Have something before serving: fetch now if there is nothing.

        Args:
            patience: Seconds to wait at most; by default as long as one flight may take.

        Raises:
            KeysUnavailable: It cannot be had.
        """
        self._demand(await self.obtain(None, patience=self._flight_time if patience is None else patience))

    def hydrate(self, *, patience: float | None = None) -> None:
        """Do the same as ``ahydrate`` from a thread."""
        self._demand(self.obtain_blocking(None, patience=self._flight_time if patience is None else patience))

    def give(self, content: T) -> None:
        """Hold this, and never fetch. Only for one that has just been made."""
        with self._machine() as machine:
            machine.give(Edition(content=content))

    def close(self) -> None:
        """Stop answering, and fetching; what is held is kept aside, and what a flight in the air will bring."""
        with self._machine() as machine:
            machine.close()
            driver = self._driver
            if driver is not None and driver.flight is None:
                self._driver = None
            woken = self._drain()
        if driver is not None and not self.employs(driver):
            driver.stop()
        wake(woken)

    def reopen(self) -> None:
        """Go on after ``close``."""
        with self._machine() as machine:
            machine.reopen(self._clock())

    def listen(self, listeners: tuple[Listener, ...]) -> None:
        """Tell these, and nobody else, what happens."""
        self._listeners = listeners

    def export(self, wall_now: float) -> bytes | None:
        """Return what is held for another process to ``adopt``; None where nothing was fetched.

        Args:
            wall_now: Seconds of Unix time.
        """
        with self._machine() as machine:
            edition = machine.snapshot
            age = machine.age(self._clock())
        if edition is None or edition.body is None or age is None:
            return None
        return Export(url=self.url, fetched_at=wall_now - age, etag=edition.etag, body=edition.body).pack()

    def adopt(self, data: bytes, wall_now: float) -> bool:
        """Take what another process exported, and have it fetched again at once.

        Args:
            data: What ``export`` returned. Whoever can write it decides who is let in: keep it like a password.
            wall_now: Seconds of Unix time.

        Returns:
            Whether it was taken: only for the same URL, within ``hard_ttl``, readable, and where nothing is held.
        """
        export = unpack(data)
        if export is None or export.url != self.url:
            return False
        try:
            edition = self._edition(Document(body=export.body, etag=export.etag), export.body)
        except Exception:  # noqa: BLE001 - parsers raise what they like; what cannot be read is not taken
            return False
        with self._machine() as machine:
            taken = machine.adopt(edition, export.age(wall_now), self._clock())
            woken = self._drain() if taken else ()
        wake(woken)
        return taken

    def health(self) -> Health:
        """Return how things are; cheap enough for a health check."""
        with self._machine() as machine:
            now = self._clock()
            machine.pass_time(now)  # not attend: whoever asks often would keep others from attending
            state = machine.state
            return Health(
                state=state,
                ready=machine.snapshot is not None,
                degraded=state is State.STALE,
                age=machine.age(now),
                failures=machine.failures,
                reason=self._reason,
            )

    async def _wait(self, waker: "TaskWaker", wanted: str | None, since: int, patience: float) -> KeyAnswer:
        from anyio import move_on_after  # noqa: PLC0415 - as above

        with move_on_after(patience):
            while True:
                try:
                    watch = self._engage(blocking=False)
                    if watch is None:
                        return UNAVAILABLE
                    await waker.wait(watch)
                finally:
                    self._forget(waker)
                found = self._ask(wanted, since, type(waker))
                if isinstance(found, KeyAnswer):
                    return found
                waker = found
        return UNAVAILABLE

    def _demand(self, answer: KeyAnswer) -> None:
        if answer.availability is not Availability.PRESENT:
            raise KeysUnavailable(retry_after=answer.retry_after)

    @property
    def _flight_time(self) -> float:
        return self.timing.deadline + self.timing.grace
