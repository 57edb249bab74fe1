"""When is that? Seconds since the epoch, as people read them."""

import datetime as dt
from typing import Final

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def in_utc(seconds: float) -> str:
    """Return a time as ``2026-11-22 09:36:00 UTC``; one that a calendar can show."""
    return f"{dt.datetime.fromtimestamp(seconds, tz=dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def from_now(seconds: float, now: float) -> str:
    """Return how far a time is from ``now``: ``in 59 minutes``, ``2 days ago``."""
    return f"in {lasting(seconds - now)}" if seconds >= now else f"{lasting(now - seconds)} ago"


def lasting(seconds: float) -> str:
    """Return a duration in its largest unit, rounded down: ``23 hours``."""
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    count = int(seconds // size)
    return f"{count:,} {unit}" + ("" if count == 1 else "s")
