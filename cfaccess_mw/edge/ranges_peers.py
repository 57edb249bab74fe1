"""Is this peer Cloudflare? Asked of the list that ships, or of one that is kept fresh.

Kept fresh by the same machine as keys are: one fetch for a process, ahead of time, in the background, with pauses after
failures. Nobody waits for it: until the first list has come, and when none could be had for ``HARD_TTL``, the one that
ships counts. A list that cannot be Cloudflare's is a failure like any other, and the last good one goes on counting.
"""

from collections.abc import Iterable
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.team import read_url
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.edge.ranges import Ranges, read_ranges, shipped
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.refresh.registry import Hold, hold, prepare
from cfaccess_mw.telemetry.events import Event, Listener, log_event, tell

API_URL: Final = "https://api.cloudflare.com/client/v4/ips"

HARD_TTL: Final = 2_592_000.0  # seconds, 30 days: lists change once in years

# New networks are published before they are used, so once a day is often.
_TIMING: Final = Timing(
    lifetime=86_400, shortest=21_600, longest=604_800, hard_ttl=HARD_TTL, backoff_first=60, backoff_most=3_600
)


class CloudflarePeers:
    """The peers that are Cloudflare, or stand between Cloudflare and us.

    Args:
        also: Further peers: networks, ``loopback`` for a proxy or a tunnel on this machine, ``unix``.
        refresh: Whether the list is fetched, instead of the one that ships.
        url: Where; JSON as Cloudflare's API gives it, or text.
        fetcher: Who fetches, see ``cfaccess_mw.refresh.fetchers``.
        listeners: Told what happens: ``ranges-fetched``, ``ranges-failed``, ``ranges-stale``, ``ranges-expired``.

    Raises:
        ConfigurationError: One of them cannot be used.
    """

    def __init__(
        self,
        *,
        also: Iterable[str] = (),
        refresh: bool = False,
        url: str = API_URL,
        fetcher: AnyFetcher | None = None,
        listeners: Iterable[Listener] = (),
    ) -> None:
        if isinstance(also, str) or not isinstance(also, Iterable):
            raise ConfigurationError(f"also: is {shape(also)}; give a list of networks, 'loopback' or 'unix'")
        if type(refresh) is not bool:
            raise ConfigurationError(f"refresh: is {shape(refresh)}; give true or false")
        if not refresh and (fetcher is not None or url != API_URL):
            raise ConfigurationError(
                "refresh: is false, and nothing is fetched; take url and fetcher off, or turn it on"
            )
        self._also = _read_also(also)
        self._listeners = (log_event, *listeners)
        self._known: tuple[Ranges, TrustedPeers] = (shipped(), self._peers(shipped()))
        self._hold: Hold[Ranges] | None = None
        if refresh:
            self._hold = hold(
                url=read_url("url", url),
                fetcher=fetcher,
                parse=read_ranges,
                holds=_holds,
                timing=_TIMING,
                listeners=(self._tell,),
            )
            self._fetcher = fetcher

    @property
    def ranges(self) -> Ranges:
        """The list that counts now."""
        fetched = None if self._hold is None else self._hold.refresher.snapshot
        return shipped() if fetched is None else fetched

    def trust(self, peer: str | None) -> bool:
        """Say whether a peer is one of them; remembered, so that asking again costs a dictionary read.

        Args:
            peer: Its address as the server gives it; None or empty for a Unix socket. What is no address is not.
        """
        ranges = self.ranges
        known, peers = self._known
        if ranges is not known:
            peers = self._peers(ranges)
            self._known = (ranges, peers)
        return peers.trust(peer)

    def __bool__(self) -> bool:
        """That there are such peers."""
        return True

    # Where the list is kept fresh

    def prepare(self) -> None:
        """Import what fetching on an event loop needs, before there are requests."""
        if self._hold is not None:
            prepare(self._fetcher)

    def attend(self, now: float, *, blocking: bool = False) -> None:
        """See to the list if it is time; it never waits.

        Args:
            now: Monotonic seconds.
            blocking: Whether this is a thread, not an event loop.
        """
        if self._hold is None:
            return
        self._hold.resume()
        refresher = self._hold.refresher
        if now >= refresher.attention_at:
            if blocking:
                refresher.attend_blocking()
            else:
                refresher.attend()

    def hydrate(self) -> None:
        """Fetch the list before the first request.

        Raises:
            KeysUnavailable: It cannot be had at the moment.
        """
        if self._hold is not None:
            self._hold.refresher.hydrate()

    def rest(self) -> None:
        """Need it no more until a request does again."""
        if self._hold is not None:
            self._hold.rest()

    def close(self) -> None:
        """Let go of it for good; the list that ships counts from now on."""
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _peers(self, ranges: Ranges) -> TrustedPeers:
        return TrustedPeers((*ranges, *self._also))

    def _tell(self, event: Event) -> None:
        """Tell in our own words what the machine tells in those of keys."""
        tell(
            self._listeners,
            Event(name=event.name.replace("keys", "ranges", 1), level=event.level, facts=event.facts),
        )


def _read_also(also: Iterable[str]) -> tuple[str, ...]:
    entries, mistake = tuple(also), ""
    try:
        TrustedPeers(entries)
    except ConfigurationError as error:
        mistake = str(error).replace("trusted_peers:", "also:", 1)
    if mistake:
        raise ConfigurationError(mistake)
    return entries


def _holds(_: Ranges, __: str) -> bool:
    """Nobody asks for one network; the machine could."""
    return False
