"""What does telemetry look at, of things that live in rooms above it?"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Protocol, runtime_checkable


class KeyVitals(Protocol):
    """How the keys of one team are; ``cfaccess_mw.refresh.editions.Health`` is one."""

    @property
    def state(self) -> Enum:
        """The state of the machine that keeps them fresh."""

    @property
    def age(self) -> float | None:
        """Seconds since they were fetched."""

    @property
    def failures(self) -> int:
        """Failed attempts in a row."""


class FleetVitals(Protocol):
    """How a process and its fleet are; ``cfaccess_mw.fleet.FleetHealth`` is one."""

    @property
    def state(self) -> str:
        """``connected``, ``lost`` or ``never``."""

    @property
    def ready(self) -> bool:
        """Whether requests with a token are answered, as far as the fleet decides that."""

    @property
    def degraded(self) -> bool:
        """Whether it does not answer, or others there have another secret; whatever follows from that."""

    @property
    def heard_ago(self) -> float | None:
        """Seconds since it last answered; None where it never did."""

    @property
    def revocations(self) -> int:
        """How many are known."""


class Fleet(Protocol):
    """What can be asked of a fleet."""

    def health(self) -> FleetVitals:
        """How it is."""


class Watched(Protocol):
    """What can be asked of a protection."""

    def health(self) -> Mapping[str, KeyVitals]:
        """How the keys of each team are, by issuer."""

    def ready(self) -> bool:
        """Whether requests would be answered."""

    @property
    def remembered(self) -> int:
        """How many verified tokens are remembered."""


@runtime_checkable
class Watcher(Protocol):
    """A listener that wants to look by itself, too."""

    def watch_protection(self, protection: Watched) -> None:
        """Take note of a protection that was made; it must not be kept alive."""


def introduce(protection: Watched, listeners: Iterable[object]) -> None:
    """Show a protection to those of its listeners that look by themselves."""
    for listener in listeners:
        if isinstance(listener, Watcher):
            listener.watch_protection(protection)


def fleet_of(protection: object) -> FleetVitals | None:
    """How the fleet of a protection is; None where it has none."""
    fleet: Fleet | None = getattr(protection, "fleet", None)
    return None if fleet is None else fleet.health()
