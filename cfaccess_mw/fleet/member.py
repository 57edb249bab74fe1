"""How does one protected application take part in a fleet?"""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.sharing import KeepsKeys
from cfaccess_mw.fleet.lookups import Fetch
from cfaccess_mw.telemetry.events import Listener

if TYPE_CHECKING:
    from cfaccess_mw.fleet.fleet import Fleet


class Member:
    """A share in a fleet: while anybody has one that does not rest, the fleet is kept up to date.

    The fleet holds it weakly, so that an application which is thrown away without a word holds nothing.

    Args:
        fleet: Which one.
        keepers: Give those who keep the keys of its teams, at the moment.
        listeners: Told what happens.

    Attributes:
        fleet: The one that is shared.
        is_resting: Whether it is held for later only, or not at all any more.
    """

    def __init__(
        self, fleet: "Fleet", keepers: Callable[[], Iterable[KeepsKeys]], listeners: tuple[Listener, ...]
    ) -> None:
        self.fleet = fleet
        self.keepers = keepers
        self.listeners = listeners
        self.is_resting = False
        self._has_left = False
        self._state = fleet.state

    def objection(self, identity: Identity) -> Refused | None:
        """Say why the session of a verified identity counts no more, or None. It never waits."""
        state, worker = self._state, self.fleet.worker
        if not state.revoked.count and worker is not None and monotonic() < state.counts_until:
            return None  # the usual request, in few steps
        if worker is None and not self._has_left:
            self.resume()
        return state.object(identity)

    def lookups(self, fetch: Fetch, *, lasts: float) -> Fetch:
        """Put what others were told before what asks the endpoint.

        Args:
            fetch: Asks the endpoint.
            lasts: For how many seconds an answer is shared.
        """
        return self.fleet.share_lookups(fetch, lasts=lasts)

    def resume(self) -> None:
        """Need it, perhaps after a rest or a fork."""
        self.is_resting = self._has_left = False
        self.fleet.engage(self)

    def rest(self) -> None:
        """Need it no more for the time being."""
        self.is_resting = True
        self.fleet.relax()

    def leave(self) -> None:
        """Need it no more, until it is resumed."""
        self._has_left = True
        self.rest()
