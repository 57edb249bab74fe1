"""How long is what we fetch good for, and how often may it be fetched?"""

import math
from dataclasses import dataclass, fields

from cfaccess_mw.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The numbers of keeping fresh. Times are in seconds.

    Raises:
        ConfigurationError: A number that is not finite and positive, or a pair in the wrong order.
    """

    lifetime: float = 600.0  # where the endpoint names none: jose and Envoy 600, Nimbus and PyJWT 300
    shortest: float = 300.0  # what an endpoint may ask for is clamped to these two;
    longest: float = 3600.0  # keys rotate every six weeks, and the old one lives seven days more
    ahead: float = 0.80  # of the lifetime: then it is fetched again ...
    spread: float = 0.05  # ... give or take this much, at random: a fleet must not fetch in step
    hard_ttl: float = 86_400.0  # served stale this long while the endpoint is down: below the seven days of overlap
    backoff_first: float = 1.0  # after a failure, doubling ...
    backoff_most: float = 60.0  # ... up to this; PyJWT, jose and aws-jwt-verify have none and made 50 fetches of 50
    retry_after_most: float = 300.0  # how far a Retry-After is honoured
    bucket_size: int = 2  # flights that unknown things may cause at once: a rotation is picked up on the spot
    bucket_period: float = 30.0  # and one more each so often: a rotation under attack is found within this
    missing_most: int = 1024  # unknown things remembered as missing ...
    missing_for: float = 60.0  # ... this long, or until the next snapshot
    deadline: float = 5.0  # one flight, in all: httpx's timeouts are per operation, 1.0 took 8.5 s of a dripping server
    grace: float = 1.0  # a flight this much past its deadline is lost, a driver this late is replaced
    waiting_coroutines: int = 64  # who may wait because of an unknown thing; keyfunc parks callers for a minute
    waiting_threads: int = 4  # fewer, since a WSGI server has few of them
    waiting_cold: int = 1000  # when cold nobody could be answered anyway

    def __post_init__(self) -> None:
        """Refuse numbers that would make the machine spin, or never move."""
        for field in fields(self):
            value = getattr(self, field.name)
            right = isinstance(value, int) if field.type is int else isinstance(value, int | float)
            if isinstance(value, bool) or not right or not math.isfinite(value) or value <= 0:
                kind = "a positive whole number" if field.type is int else "a positive number of seconds"
                raise ConfigurationError(f"{field.name}: expected {kind}, got {type(value).__name__} {value!r}")
        for smaller, larger in (
            ("shortest", "longest"),
            ("shortest", "hard_ttl"),
            ("backoff_first", "backoff_most"),
        ):
            if getattr(self, smaller) > getattr(self, larger):
                raise ConfigurationError(f"{larger}: must not be below {smaller} ({getattr(self, smaller):g})")
        if self.ahead + self.spread >= 1 or self.ahead <= self.spread:
            raise ConfigurationError("ahead: must stay between 0 and 1 by more than spread; 0.8 and 0.05 are usual")
