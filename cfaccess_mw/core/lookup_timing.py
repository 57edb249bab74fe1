"""How long does it count what somebody was found to be, and how often may be asked?"""

import math
from dataclasses import dataclass, fields

from cfaccess_mw.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupTiming:
    """The numbers of looking people up. Times are in seconds.

    Raises:
        ConfigurationError: A number that is not finite and positive, or a pair in the wrong order.
    """

    lifetime: float = 60.0  # how long an answer counts; Cloudflare's own edge needs 20 to 30 s for a revocation
    last_for: float = 300.0  # how long the last answer counts while no other is to be had; 0 for not at all
    ended_for: float = 10.0  # how long "there is no session" counts: signing in again makes another token
    deadline: float = 5.0  # one lookup, in all: as for keys, and so are the next four
    grace: float = 1.0  # a lookup this much past its deadline is lost
    backoff_first: float = 1.0  # after a failure, doubling ...
    backoff_most: float = 60.0  # ... up to this
    retry_after_most: float = 300.0  # how far a Retry-After is honoured
    flying: int = 32  # lookups at a time, each a connection: browsers make 6 to a host, httpx pools 100
    waiting: int = 1000  # who may wait at a time: as for keys when cold
    count: int = 10_000  # people remembered: as tokens are ...
    weight: int = 32 * 1024 * 1024  # ... and bytes: a usual profile has 2 KB, and its token 1 KB

    def __post_init__(self) -> None:
        """Refuse numbers that would make us ask without end, or never."""
        for field in fields(self):
            value = getattr(self, field.name)
            right = isinstance(value, int) if field.type is int else isinstance(value, int | float)
            if (
                not right
                or isinstance(value, bool)
                or not math.isfinite(value)
                or value < 0
                or (value == 0 and field.name != "last_for")
            ):
                kind = "a positive whole number" if field.type is int else "a positive number of seconds"
                raise ConfigurationError(f"{field.name}: expected {kind}, got {type(value).__name__} {value!r}")
        if self.backoff_first > self.backoff_most:
            raise ConfigurationError(f"backoff_most: must not be below backoff_first ({self.backoff_first:g})")
