"""Which key has this id, at the place where Access publishes them? The door's refresher, for what is not a door.

Whatever verifies tokens of the same URL in one process shares one refresher, and so one flight, one memory and one
bound on fetches (``refresh.registry``).
"""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from cfaccess_mw.core.errors import ConfigurationError, KeysUnavailable, UnknownKey
from cfaccess_mw.core.freshness import Availability, KeyAnswer
from cfaccess_mw.core.keys import Key, KeySnapshot, parse_jwks
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.editions import Health
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.registry import Hold, hold, prepare
from cfaccess_mw.refresh.static import static_refresher
from cfaccess_mw.telemetry.events import Listener

if TYPE_CHECKING:
    from cfaccess_mw.refresh.fetchers import AnyFetcher

_SHORTLY: Final = 1.0  # seconds after which to ask again, where nothing better is known


class TeamKeys:
    """The keys that are published at one URL, held until :meth:`close`.

    Args:
        url: Where.
        keys: Instead of fetching: a JWKS as a mapping, or the path of a file with one.
        fetcher: Fetches instead of the default, see ``cfaccess_mw.refresh.fetchers``.
        cold_wait: Seconds for which a caller may wait for keys, above 0 to 60.
        hard_ttl: Seconds for which keys count when their endpoint cannot be reached, 300 to 604,800; the same as that
            of a door in this process that uses the same URL.
        listeners: Told what happens.

    Raises:
        ConfigurationError: Names the argument, the shape of its value and the mend.
    """

    def __init__(
        self,
        url: str,
        *,
        keys: Mapping[str, Any] | str | None = None,
        fetcher: object | None = None,
        cold_wait: float = 5,
        hard_ttl: float = 86_400,
        listeners: Iterable[Listener] = (),
    ) -> None:
        if type(cold_wait) not in (int, float) or not 0 < cold_wait <= 60:
            raise ConfigurationError(f"cold_wait: is {shape(cold_wait)}; give seconds from 0.001 to 60")
        if type(hard_ttl) not in (int, float) or not 300 <= hard_ttl <= 604_800:
            raise ConfigurationError(f"hard_ttl: is {shape(hard_ttl)}; give seconds from 300 to 604800")
        self._cold_wait = cold_wait
        self._closed = False
        self._share: Hold[KeySnapshot] | None = None
        self._refresher: Refresher[KeySnapshot]
        if keys is not None:
            self._refresher = static_refresher(keys, parse=parse_jwks, holds=_holds)
            return
        self._share = hold(
            url=url,
            fetcher=cast("AnyFetcher | None", fetcher),  # hold() checks it
            parse=parse_jwks,
            holds=_holds,
            timing=Timing(hard_ttl=hard_ttl),
            listeners=tuple(listeners),
        )
        self._refresher = self._share.refresher
        # Now rather than beside the first request: an event loop would stop for it, and meet half-imported modules.
        prepare(self._refresher.fetcher)

    def find(self, kid: str) -> Key:
        """The key of that id, waiting for a fetch if need be. In a thread.

        Raises:
            UnknownKey: It was proved that there is none.
            KeysUnavailable: That cannot be known now.
        """
        refresher = self._attended()
        if time.monotonic() >= refresher.attention_at:
            refresher.attend_blocking()
        return self._at_hand(kid) or self._found(kid, refresher.obtain_blocking(kid, patience=self._cold_wait))

    async def afind(self, kid: str) -> Key:
        """Do the same on an event loop."""
        refresher = self._attended()
        if time.monotonic() >= refresher.attention_at:
            refresher.attend()
        return self._at_hand(kid) or self._found(kid, await refresher.obtain(kid, patience=self._cold_wait))

    def hydrate(self) -> None:
        """Fetch the keys before they are needed.

        Raises:
            KeysUnavailable: They cannot be had at the moment.
        """
        self._attended().hydrate()

    async def ahydrate(self) -> None:
        """Do the same on an event loop."""
        await self._attended().ahydrate()

    def health(self) -> Health:
        """How the keys are."""
        return self._refresher.health()

    def open(self) -> None:
        """See to the keys before anybody asks, unless they were closed. On an event loop; it never waits."""
        if not self._closed:
            self._attended().attend()

    def rest(self) -> None:
        """Need the keys no more until somebody asks for one."""
        if self._share is not None:
            self._share.rest()

    def close(self) -> None:
        """Let go of the keys for good."""
        self._closed = True
        if self._share is not None:
            self._share.release()

    def _attended(self) -> Refresher[KeySnapshot]:
        if self._closed:
            raise KeysUnavailable(retry_after=_SHORTLY)
        if self._share is not None:
            self._share.resume()
        return self._refresher

    def _at_hand(self, kid: str) -> Key | None:
        snapshot = self._refresher.snapshot
        return None if snapshot is None else snapshot.keys.get(kid)

    def _found(self, kid: str, answer: KeyAnswer) -> Key:
        if answer.availability is Availability.ABSENT:
            raise UnknownKey
        key = self._at_hand(kid) if answer.availability is Availability.PRESENT else None
        if key is None:
            raise KeysUnavailable(retry_after=answer.retry_after or _SHORTLY)
        return key


def _holds(snapshot: KeySnapshot, kid: str) -> bool:
    return kid in snapshot.keys
