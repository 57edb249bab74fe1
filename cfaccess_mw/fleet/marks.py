"""Do those who share a fleet have the same secret, and has anybody taken what an operator has just said?

A worker leaves a mark in Redis, sealed like everything else: that it is there, and which entries it has taken last. It
looks at the mark that stood there before. Whoever says something waits until his entry stands in a mark that he can
authenticate. So nobody without the secret makes an order look obeyed that is not; who forges or deletes marks has
workers and operators complain, and stops none of them.
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.sharing import Revocation
from cfaccess_mw.fleet.client import ANSWERED, TROUBLE
from cfaccess_mw.fleet.ledger import Undone
from cfaccess_mw.fleet.sealing import Refused, Seal
from cfaccess_mw.fleet.store import MARK_BYTES, Store

Confirmation = Literal["confirmed", "unconfirmed", "another-secret"]

LASTS: Final = 600  # seconds for which a mark stands; workers look every two minutes at the latest
_FRESH: Final = 30  # seconds for which a mark need not be written again: of many workers few write
_MOST_OURS: Final = 1_024  # entries said here that our own worker may not have read yet
_MOST_TAKEN: Final = 64  # entries that a mark names: as many operators may wait at a time
_BETWEEN: Final = 0.05  # seconds between two looks of whoever waits
_REST: Final = 10.0  # seconds for which no mark is left after that failed: news are not to wait for it
_LATEST: Final = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a worker leaves.

    Attributes:
        at: When, in seconds since the epoch.
        taken: The names of the entries that it took last.
    """

    at: float
    taken: tuple[str, ...]


def name_of(entry: Revocation | Undone) -> str:
    """What an entry is called in a mark."""
    return f"-{entry.id}" if isinstance(entry, Undone) else entry.id


class Marks:
    """The mark in Redis, as one process sees it.

    Args:
        seal: Of the mark.
        differ: Told the reason where the mark that stands there is of somebody with another secret, or is none.
        refuse: Told the reason where it cannot be written.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        seal: Seal,
        *,
        differ: Callable[[str], None],
        refuse: Callable[[str], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._seal = seal
        self._differ = differ
        self._refuse = refuse
        self._wall = wall
        self._taken: deque[str] = deque(maxlen=_MOST_TAKEN)
        self._ours: deque[str] = deque(maxlen=_MOST_OURS)
        self._rests_until = -math.inf

    def leave(self, store: Store, taken: Iterable[str]) -> None:
        """Look who was there, and leave a mark where what stands there does not say what ours would.

        That it cannot be done is told, and no more: in a cluster it may stand at another node than the revocations.

        Args:
            store: What is asked of Redis.
            taken: The names of the entries that are new here.
        """
        self._taken.extend(name for name in taken if name not in self._ours)
        if time.monotonic() < self._rests_until:
            return
        try:
            self._leave(store)
        except TROUBLE as error:
            if not isinstance(error, ANSWERED):  # otherwise it is full, or read-only for a while, and said so at once
                self._rests_until = time.monotonic() + _REST
            self._refuse(type(error).__name__)

    def _leave(self, store: Store) -> None:
        try:
            found = self.find(store)
        except Refused as refused:
            self._differ(refused.reason)
            found = None
        now = self._wall()
        if found is not None and 0 <= now - found.at < _FRESH and set(self._taken) <= set(found.taken):
            return
        content = json.dumps({"at": now, "taken": list(self._taken)}).encode()
        store.set(store.mark, self._seal.close(store.mark, content), LASTS)

    def leave_out(self, entry: Revocation | Undone) -> None:
        """Never name an entry, for it is this process that says it: whoever waits wants to hear of others."""
        self._ours.append(name_of(entry))

    def find(self, store: Store) -> Mark | None:
        """Return the mark that stands there; None where there is none.

        Raises:
            Refused: It is not one of ours, or its writers do not take what we write.
        """
        written = store.get(store.mark, MARK_BYTES)
        if written is None:
            return None
        if self._seal.is_out_of_reach(written):
            raise Refused("secret-missing")
        return _read(self._seal.open(store.mark, written))

    def wait(self, store: Store, name: str, within: float) -> Confirmation:
        """Wait until an entry was taken.

        Args:
            store: What is asked of Redis.
            name: Of the entry.
            within: Seconds to wait at most.

        Returns:
            ``confirmed``; ``another-secret`` where what stands there at last cannot be authenticated; ``unconfirmed``
            where nobody seems to be there, or whoever is does not take it.
        """
        deadline = time.monotonic() + within
        while True:
            said: Confirmation = "unconfirmed"
            try:
                found = self.find(store)
            except Refused:
                said = "another-secret"
            else:
                if found is not None and name in found.taken:
                    return "confirmed"
            if not time.monotonic() < deadline:  # which is so of NaN, too
                return said
            time.sleep(_BETWEEN)


def _read(content: bytes) -> Mark:
    try:
        document = decode_json_object(content)
    except ValueError:
        document = {}
    at, taken = document.get("at"), document.get("taken")
    is_time = type(at) in (int, float) and 0 <= at <= _LATEST  # type: ignore[operator]  # a number by then
    if is_time and isinstance(taken, list) and all(isinstance(name, str) for name in taken):
        return Mark(at=float(at), taken=tuple(taken))  # type: ignore[arg-type]  # a number by then
    raise Refused("malformed")
