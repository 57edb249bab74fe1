"""A protection that says that it has a fleet: how it is, is for a test to say."""

from dataclasses import dataclass
from typing import Any

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.protection import Protection
from cfaccess_mw.telemetry.events import Listener
from tests.tokens import AUD


@dataclass(kw_only=True)
class FleetNow:
    """How a fleet is; it answers for itself."""

    state: str = "connected"
    ready: bool = True
    degraded: bool = False
    heard_ago: float | None = 0.5
    revocations: int = 3

    def health(self) -> "FleetNow":
        return self


class InAFleet(Protection):
    """The protection."""

    now: FleetNow

    @property
    def fleet(self) -> Any:
        return self.now


def in_a_fleet(issuer: Issuer, *listeners: Listener, **now: Any) -> InAFleet:
    """Make one, of a fleet that is like this."""
    made = InAFleet(team="machines", audience=AUD, keys=issuer.certs(), listeners=listeners)
    made.now = FleetNow(**now)
    return made
