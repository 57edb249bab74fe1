"""How fresh can a thing be, and what moves it from one state to the next?

The table is the specification: what it does not list does not happen. ``core.freshness`` decides when each turn comes.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class State(Enum):
    """How fresh is what we hold?"""

    COLD = "cold"  # nothing yet
    FRESH = "fresh"  # younger than its refresh-ahead point
    DUE = "due"  # past that point: good, and fetched again in the background
    STALE = "stale"  # past its lifetime and the last attempt failed, or never came to an end: still good, and counted
    EXPIRED = "expired"  # older than hard_ttl: dropped, as good as cold
    STATIC = "static"  # given outright: never fetched
    CLOSED = "closed"  # nobody holds us: what we have is kept aside


class Turn(Enum):
    """What moves the state."""

    SUCCEEDED = "a flight brought a snapshot"
    ADOPTED = "a snapshot of an earlier process was handed in"
    GIVEN = "a snapshot was given outright"
    AGED = "the refresh-ahead point passed"
    OUTLIVED = "the lifetime ended, and the last attempt failed or was cut short"
    RAN_OUT = "hard_ttl ended"
    CLOSED = "the last holder let go"
    REOPENED_EMPTY = "held again, with nothing kept"
    REOPENED = "held again, with what was kept aside; its age then tells"
    REOPENED_GIVEN = "held again, with what was given outright"


TRANSITIONS: Mapping[State, Mapping[Turn, State]] = MappingProxyType(
    {
        State.COLD: {
            Turn.SUCCEEDED: State.FRESH,
            Turn.ADOPTED: State.DUE,
            Turn.GIVEN: State.STATIC,
            Turn.CLOSED: State.CLOSED,
        },
        State.FRESH: {Turn.SUCCEEDED: State.FRESH, Turn.AGED: State.DUE, Turn.CLOSED: State.CLOSED},
        State.DUE: {
            Turn.SUCCEEDED: State.FRESH,
            Turn.OUTLIVED: State.STALE,
            Turn.RAN_OUT: State.EXPIRED,
            Turn.CLOSED: State.CLOSED,
        },
        State.STALE: {Turn.SUCCEEDED: State.FRESH, Turn.RAN_OUT: State.EXPIRED, Turn.CLOSED: State.CLOSED},
        State.EXPIRED: {Turn.SUCCEEDED: State.FRESH, Turn.ADOPTED: State.DUE, Turn.CLOSED: State.CLOSED},
        State.STATIC: {Turn.CLOSED: State.CLOSED},
        State.CLOSED: {
            Turn.SUCCEEDED: State.CLOSED,  # a flight that was in the air: kept aside with the rest
            Turn.REOPENED_EMPTY: State.COLD,
            Turn.REOPENED: State.FRESH,
            Turn.REOPENED_GIVEN: State.STATIC,
        },
    }
)
