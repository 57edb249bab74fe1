"""What is known of a condition: that it is true, that it is false, neither, or nothing before a lookup?"""

from collections.abc import Iterable
from enum import Enum
from typing import NoReturn


class Truth(Enum):
    """The answer to a condition."""

    TRUE = "true"
    FALSE = "false"
    """It does not hold; what is known to be absent (the e-mail of a service) makes a condition false."""

    UNKNOWN = "unknown"
    """It depends on data that could not be read: an untrusted peer, a wrong type, no answer."""

    WAITING = "waiting"
    """It depends on the identity lookup, which was not made yet."""

    def __bool__(self) -> NoReturn:
        """Refuse to be taken for a boolean: every member of an enumeration would be true."""
        raise TypeError("a Truth has four values; compare it with one of them")


def truth_of(value: bool) -> Truth:
    """Return a boolean as what it says."""
    return Truth.TRUE if value else Truth.FALSE


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether one of several holds: what cannot be read may hide one that does (Kleene's three values)."""
    return _dominant(_FOR_ANY, truths)


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether each of several holds: what cannot be read may hide one that does not."""
    return _dominant(_FOR_ALL, truths)


# What comes earlier in a row wins over what comes later; the last is the answer for none at all.
_FOR_ANY = (Truth.TRUE, Truth.WAITING, Truth.UNKNOWN, Truth.FALSE)
_FOR_ALL = (Truth.FALSE, Truth.WAITING, Truth.UNKNOWN, Truth.TRUE)


def _dominant(order: tuple[Truth, ...], truths: Iterable[Truth]) -> Truth:
    found = {*truths, order[-1]}
    return next(truth for truth in order if truth in found)
