"""How is a fleet, as somebody sees it who takes no part? Questions that change nothing in Redis."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from cfaccess_mw.fleet.client import ANSWERED
from cfaccess_mw.fleet.keys import Keys
from cfaccess_mw.fleet.marks import Mark
from cfaccess_mw.fleet.orders import Orders
from cfaccess_mw.fleet.sealing import Refused
from cfaccess_mw.fleet.store import Store

if TYPE_CHECKING:
    from cfaccess_mw.fleet.fleet import Fleet

T = TypeVar("T")


class Survey:
    """What can be seen of a fleet.

    Every question raises :class:`~cfaccess_mw.fleet.errors.FleetError` where Redis does not answer; of what cannot be
    believed, a text says why, a stable kebab-case name.

    Args:
        fleet: Which one.

    Attributes:
        needless: Commands that a fleet can do without.
    """

    needless: Final = frozenset({"MEMORY USAGE"})

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet

    def forbidden(self) -> dict[str, str]:
        """The commands that Redis does not take from us, and the class of what it said."""
        return self._fleet.ask(lambda store: dict(_refused(store)))

    def ahead(self) -> float:
        """By how many seconds our clock is ahead of that of Redis, at least."""
        began = time.time()
        theirs = self._fleet.ask(lambda store: store.time())
        return max(0.0, began - theirs) or min(0.0, time.time() - theirs)

    def mark(self) -> Mark | str | None:
        """What the workers have left; None where none has been there lately."""
        return self._believed(self._fleet.marks.find)

    def keys_fetched_at(self, url: str) -> float | str | None:
        """When the keys of a URL that are shared were fetched, in seconds since the epoch; None where none are."""
        keys = Keys(self._fleet.seal("keys"), self._fleet.namespace, refuse=lambda _: None)
        return self._believed(lambda store: keys.fetched_at(store, url))

    def revocations(self) -> tuple[int, int] | str:
        """How many revocations hold, and how many entries nobody with this secret takes."""
        return self._believed(lambda store: Orders(store, self._fleet.seal("revocations")).count())

    def _believed(self, say: Callable[[Store], T]) -> T | str:
        def ask(store: Store) -> T | str:
            try:
                return say(store)
            except Refused as refused:
                return refused.reason
            except ANSWERED as error:
                return type(error).__name__

        return self._fleet.ask(ask)


def _refused(store: Store) -> Iterator[tuple[str, str]]:
    for name, words in store.harmless():
        try:
            store.ask(name, *words)
        except ANSWERED as error:
            yield name, type(error).__name__
