"""Who talks to Redis, so that no request does? One daemon thread of a process and its fleet.

It waits for what is pushed, and whenever nothing came for a while it asks, in turn, whether there are as many entries
as it has seen, and whether the last of them still stands there: where Redis lost data, and its clock was ahead, new
ones stand before it. From time to time, and after every interruption, it reads everything again, and writes back what
Redis has lost. Keys are exchanged on the way.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cfaccess_mw.fleet.client import ANSWERED
from cfaccess_mw.fleet.sealing import Refused
from cfaccess_mw.fleet.store import START, Entry, Store

if TYPE_CHECKING:
    from cfaccess_mw.fleet.fleet import Fleet

_READ_AGAIN: Final = 60.0  # seconds after which everything is read again, though nothing seems to be amiss
_RESTORING: Final = 5.0  # seconds that one process has for writing back what was lost
_FIRST_PAUSE: Final = 0.2  # seconds after the first failure, doubling ...
_LONGEST_PAUSE: Final = 5.0  # ... up to this


class Worker:
    """One employment: made for a fleet, it works until it is dismissed.

    Attributes:
        heard: Set as soon as Redis has answered.
        ended: Set when it does nothing any more.
    """

    def __init__(self, fleet: "Fleet") -> None:
        self.heard = threading.Event()
        self.ended = threading.Event()
        self._fleet = fleet
        self._stopped = threading.Event()
        self._failures = 0
        self._counts = False

    def start(self) -> bool:
        """Begin; False where a process near its limits, or its end, gets no more threads."""
        run = contextvars.Context().run  # newer Pythons would let the thread inherit the context of a request
        try:
            threading.Thread(target=run, args=(self._run,), name="cfaccess-fleet", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def stop(self) -> None:
        """Have it end, at the latest when Redis answers; it must not be employed any more."""
        self._stopped.set()

    def _run(self) -> None:
        fleet = self._fleet
        try:
            while fleet.employs(self):
                try:
                    self._serve()
                except Refused as refused:
                    fleet.lose(refused.reason)
                except Exception as error:  # noqa: BLE001 - whatever Redis, or the library, is about: it was lost
                    fleet.lose(type(error).__name__)
                self._failures += 1
                ceiling = min(_FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16), _LONGEST_PAUSE)
                self._stopped.wait(ceiling * (1 + fleet.random()) / 2)
        finally:
            fleet.leave(self)
            self.ended.set()

    def _serve(self) -> None:
        fleet = self._fleet
        with fleet.connections.waiting() as client:
            store = Store(client, fleet.namespace)
            last, seen, again_at = self._read_all(store)
            while fleet.employs(self):
                fleet.exchange_keys(store)
                asked_at = time.monotonic()
                entries = store.next_entries(last, fleet.connections.rest_of(client))
                taken = self._take(entries)
                self._hear(asked_at)
                if taken:  # somebody may be waiting to see that it was
                    fleet.marks.leave(store, taken)
                if entries:
                    last, seen = entries[-1][0], seen + len(entries)
                elif self._is_changed(store, last, seen) or time.monotonic() >= again_at:
                    last, seen, again_at = self._read_all(store)

    def _is_changed(self, store: Store, last: bytes, seen: int) -> bool:
        self._counts = not self._counts or last == START
        return seen != store.entry_count() if self._counts else not store.holds(last)

    def _read_all(self, store: Store) -> tuple[bytes, int, float]:
        """Read everything; return where it ends, how much it is, and when to do so again (monotonic seconds)."""
        fleet, asked_at = self._fleet, time.monotonic()
        known = fleet.known()  # before what is read: what an operator adds meanwhile was not lost
        entries = store.all_entries()
        fleet.marks.leave(store, self._take(entries))
        self._hear(asked_at)
        again_at = asked_at + _READ_AGAIN * (1 + fleet.random())
        lost = fleet.missing(known, {written for _, written in entries})
        if lost and not self._restore(store, lost):  # another process is at it, and may know less than we do
            again_at = asked_at + _RESTORING * (1 + fleet.random())
        return (entries[-1][0] if entries else START), len(entries), again_at

    def _restore(self, store: Store, lost: list[bytes]) -> bool:
        fleet = self._fleet
        try:
            if not store.may_restore(_RESTORING):
                return False
            store.add(lost)
        except ANSWERED as error:  # full, or read-only for a while: what it says is heard nevertheless
            fleet.refuse("restoring", type(error).__name__)
            return False
        fleet.tell("revocations-restored", logging.WARNING, {"entries": len(lost)})
        return True

    def _take(self, entries: Iterable[Entry]) -> list[str]:
        return self._fleet.take([written for _, written in entries])

    def _hear(self, asked_at: float) -> None:
        self._failures = 0
        self._fleet.hear(asked_at)
        self.heard.set()
