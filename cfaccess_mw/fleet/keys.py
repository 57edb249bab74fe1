"""How does a cold process come by the keys of a team while the certs endpoint is down? From one that was not cold.

What stands in Redis is what ``Refresher.export`` gives, sealed. It is taken under the rules for warm starts: by a
process that has nothing, for the same URL only, read by the same parser, no older than ``hard_ttl``, and fetched again
at once. An old one never takes the place of a newer one.
"""

import json
import time
from collections.abc import Callable, Iterable
from typing import Final

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.sharing import KeepsKeys
from cfaccess_mw.fleet.client import ANSWERED
from cfaccess_mw.fleet.sealing import Refused, Seal, digest
from cfaccess_mw.fleet.store import Store

_MOST_BYTES: Final = 512 * 1024  # an export has 400,000 bytes at most
_LASTS: Final = 604_800  # seconds: no ``hard_ttl`` is longer
_LATEST: Final = 253_402_300_799  # the end of the year 9999
_SKEW: Final = 300  # seconds by which clocks of machines may differ, as for warm starts


class Keys:
    """The keys of the teams, in Redis and here.

    Args:
        seal: Of the values.
        namespace: What names in Redis begin with.
        refuse: Told the reason where a value is not taken.
        wall: Seconds since the epoch.
    """

    def __init__(
        self, seal: Seal, namespace: str, *, refuse: Callable[[str], None], wall: Callable[[], float] = time.time
    ) -> None:
        self._seal = seal
        self._namespace = namespace
        self._refuse = refuse
        self._wall = wall
        self._written: dict[str, float] = {}  # by place: when what we wrote last was fetched

    def place(self, url: str) -> str:
        """Where the keys of a URL stand."""
        return f"{self._namespace}:keys:{digest(url)}"

    def look_again(self) -> None:
        """Forget what was written: Redis may have lost it since. What is still there is not written again."""
        self._written.clear()

    def exchange(self, store: Store, keepers: Iterable[KeepsKeys]) -> None:
        """Give what is held here, and take what is not.

        Args:
            store: What is asked of Redis.
            keepers: Who keeps the keys of the teams; those that never fetch have no URL.
        """
        for keeper in keepers:
            if not keeper.url:
                continue
            try:
                self._exchange(store, keeper, self.place(keeper.url))
            except ANSWERED as error:  # not everybody may do everything; revocations, and other teams, go on
                self._refuse(type(error).__name__)

    def fetched_at(self, store: Store, url: str) -> float | None:
        """When the keys of a URL that stand in Redis were fetched, in seconds since the epoch; None where none do.

        Raises:
            Refused: They were not written by one of us.
        """
        place = self.place(url)
        seen = store.get(place, _MOST_BYTES)
        return None if seen is None else _fetched_at(self._seal.open(place, seen), url)

    def _exchange(self, store: Store, keeper: KeepsKeys, place: str) -> None:
        ours = keeper.export(self._wall())
        if ours is None:
            theirs = self._read(store, place)[1]
            if theirs is not None and not keeper.adopt(_without_validator(theirs), self._wall()):
                self._refuse("keys-not-taken")
            return
        # What is exported is told by when it was fetched, give or take the rounding of two clocks.
        fetched_at = _fetched_at(ours, keeper.url)
        if fetched_at <= self._written.get(place, 0.0) + 1:
            return
        seen, theirs = self._read(store, place)
        if theirs is None or not fetched_at <= _fetched_at(theirs, keeper.url) <= self._wall() + _SKEW:
            if seen is None:
                store.remove(place)  # nothing, or what cannot be read
            store.replace(place, seen, self._seal.close(place, ours), _LASTS, _MOST_BYTES)
        self._written[place] = fetched_at

    def _read(self, store: Store, place: str) -> tuple[bytes | None, bytes | None]:
        """What stands there, and what it says where it is one of ours."""
        seen = None
        try:
            seen = store.get(place, _MOST_BYTES)
            return seen, None if seen is None else self._seal.open(place, seen)
        except Refused as refused:
            self._refuse(refused.reason)
            return seen, None


def _without_validator(exported: bytes) -> bytes:
    """An export that no 304 confirms: what stands in Redis may never have been what the endpoint says."""
    try:
        return json.dumps({**decode_json_object(exported), "etag": None}).encode()
    except ValueError:
        return exported  # it is not taken


def _fetched_at(exported: bytes, url: str) -> float:
    """When an export was fetched; 0 for what is none, or is of another URL."""
    try:
        document = decode_json_object(exported)
    except ValueError:
        return 0.0
    found: object = document.get("fetched_at") if document.get("url") == url else None
    is_time = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= _LATEST
    return float(found) if is_time else 0.0  # type: ignore[arg-type]  # a number by then
