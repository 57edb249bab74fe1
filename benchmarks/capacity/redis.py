"""What does a fleet ask of Redis? Reckoned from what each worker asks, see ``cfaccess_mw.fleet``."""

from dataclasses import dataclass
from typing import Final

from cfaccess_mw.core.sharing_options import FleetOptions
from cfaccess_mw.core.timing import Timing

MOST_CLIENTS: Final = 10_000  # connections: ``maxclients`` of Redis and Valkey as they come
_PAGE: Final = 500  # entries that are read with one command
_ENTRY: Final = 300  # bytes of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one worker does.

    Attributes:
        poll_every: Seconds for which it waits for news; then it asks how many entries there are, or whether the last
            still stands.
        read_every: Seconds after which it reads all entries again, on average.
        revocations: How many entries there are.
        lookups: How many people a second it looks up, as far as it does not remember them.
        new: Which share of these nobody has looked up a moment ago.
    """

    poll_every: float = FleetOptions(url="redis://localhost").poll_every
    read_every: float = 90.0
    revocations: int = 100
    lookups: float = 0.0
    new: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """What Redis has to do for a fleet.

    Attributes:
        connections: How many are open.
        commands: A second.
        bytes: A second, of revocations that are read again.
        told: Answers that one revocation causes at once.
    """

    connections: int
    commands: float
    bytes: float
    told: int


def burden(workers: int, rates: Rates) -> Burden:
    """Reckon.

    Args:
        workers: Of the fleet.
        rates: Of one worker.
    """
    timing = Timing()
    pages = 1 + rates.revocations // _PAGE
    a_worker = (
        2 / rates.poll_every  # XREAD, and XLEN or XRANGE
        + (3 + pages) / rates.read_every  # XLEN, MEMORY USAGE, XRANGE, GETRANGE
        + 2 / (timing.lifetime * timing.ahead)  # its keys: GETRANGE, and at worst EVAL
        + rates.lookups * (1 + rates.new)  # GETRANGE, and SET
    )
    return Burden(
        connections=workers * (2 if rates.lookups else 1),
        commands=workers * a_worker,
        bytes=workers * rates.revocations * _ENTRY / rates.read_every,
        told=workers,
    )
