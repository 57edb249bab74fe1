"""What goes wrong at the team, for those who want to see their application live through it?

A fault is written as a word, with a number behind a colon where the word takes one: ``slow:30``.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, Self

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape


class FaultKind(Enum):
    """How an endpoint fails."""

    DOWN = "down"
    """Answers with a status of 400 or more; ``down:503`` by default."""

    BROKEN = "broken"
    """Begins an answer and breaks off."""

    SLOW = "slow"
    """Answers well, after some seconds; ``slow:10`` by default."""

    DRIP = "drip"
    """Answers well, byte by byte, with some seconds between two; ``drip:0.1`` by default."""

    GARBAGE = "garbage"
    """Answers 200 with what is no JSON."""

    EMPTY = "empty"
    """Answers 200 with JSON of the right form in which there is nothing."""

    REDIRECT = "redirect"
    """Sends elsewhere."""


_DEFAULT_NUMBER: Final[Mapping[FaultKind, float]] = {
    FaultKind.DOWN: 503,
    FaultKind.SLOW: 10.0,
    FaultKind.DRIP: 0.1,
}
_NONE: Final = "none"
_ERROR_STATUS: Final = range(400, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A way to fail.

    Attributes:
        kind: Which.
        number: The status of ``down``; seconds of ``slow`` and ``drip``; otherwise 0.
    """

    kind: FaultKind
    number: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``slow`` or ``slow:30``.

        Raises:
            ConfigurationError: It is neither a fault nor a number that the fault takes.
        """
        word, colon, number = text.partition(":")
        try:
            kind = FaultKind(word)
        except ValueError:
            kind = None
        if kind is None:
            known = [one.value for one in FaultKind]
            near = get_close_matches(word, known, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(known)}, or {_NONE}"
            raise ConfigurationError(f"{word[:64]!r} is no fault; {mend}")
        if not colon:
            return cls(kind=kind, number=_DEFAULT_NUMBER.get(kind, 0.0))
        if kind not in _DEFAULT_NUMBER:
            raise ConfigurationError(f"{word!r} takes no number; leave it out")
        value = _number(number)
        if value is None or value < 0 or (kind is FaultKind.DOWN and value not in _ERROR_STATUS):
            wanted = "a status from 400 to 599" if kind is FaultKind.DOWN else "seconds"
            raise ConfigurationError(
                f"{word!r} takes {wanted} behind the colon, as in '{word}:{cls.parse(word).number:g}'"
            )
        return cls(kind=kind, number=value)

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.kind.value}:{self.number:g}" if self.kind in _DEFAULT_NUMBER else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Everything that goes wrong at one time; nothing by default.

    Attributes:
        certs: How ``/cdn-cgi/access/certs`` fails.
        identity: How ``/cdn-cgi/access/get-identity`` fails.
        skew: Seconds by which the team's clock is ahead; below 0 it is behind.
        lifetime: Seconds after which every token that is made from now on expires, whatever the session says.
    """

    certs: Fault | None = None
    identity: Fault | None = None
    skew: float = 0.0
    lifetime: float | None = None

    def changed(self, changes: Mapping[str, object]) -> "Faults":
        """Return these faults with some of them replaced.

        Args:
            changes: By name; a fault as text, a number of seconds, and ``"none"`` or None to end it.

        Raises:
            ConfigurationError: A name or a value that is not understood.
        """
        known = [field.name for field in fields(self)]
        read: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                near = get_close_matches(name, known, n=1)
                mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise ConfigurationError(f"fault: {name[:64]!r} is not known; {mend}")
            read[name] = _NOTHING[name] if value in (None, _NONE) else _READERS[name](name, value)
        return replace(self, **read)

    def as_data(self) -> dict[str, object]:
        """As it is written, for JSON."""
        return {
            "certs": str(self.certs) if self.certs else None,
            "identity": str(self.identity) if self.identity else None,
            "skew": self.skew,
            "lifetime": self.lifetime,
        }


def _read_fault(name: str, value: object) -> Fault:
    if isinstance(value, Fault):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"fault: {name}: is {shape(value)}; give a text such as 'slow:30'")
    try:
        return Fault.parse(value)
    except ConfigurationError as mistake:
        text = str(mistake)
    raise ConfigurationError(f"fault: {name}: {text}")


def _read_seconds(name: str, value: object) -> float:
    seconds = _number(value)
    if seconds is None:
        raise ConfigurationError(f"fault: {name}: is {shape(value)}; give a number of seconds")
    return seconds


def _read_lifetime(name: str, value: object) -> float:
    seconds = _read_seconds(name, value)
    if seconds <= 0:
        raise ConfigurationError(f"fault: {name}: is {shape(value)}; give a number of seconds above 0")
    return seconds


def _number(value: object) -> float | None:
    """Return a number of at most ten years, in seconds; anything else is somebody's mistake."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= 3.2e8 else None  # which leaves out "nan" and "inf" too


_READERS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "certs": _read_fault,
    "identity": _read_fault,
    "skew": _read_seconds,
    "lifetime": _read_lifetime,
}
_NOTHING: Final = {"certs": None, "identity": None, "skew": 0.0, "lifetime": None}


class FaultSwitch:
    """Turned by any thread, read by the edge's."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self.now = Faults()

    def change(self, changes: Mapping[str, object]) -> Faults:
        """Replace some of the faults.

        Returns:
            All that there are now.

        Raises:
            ConfigurationError: A name or a value that is not understood; then nothing changes.
        """
        with self._changing:
            self.now = self.now.changed(changes)
            return self.now

    def clear(self) -> None:
        """End every fault."""
        with self._changing:
            self.now = Faults()

    def clock(self, clock: Callable[[], float]) -> Callable[[], float]:
        """Return a clock that is wrong by the skew."""
        return lambda: clock() + self.now.skew
