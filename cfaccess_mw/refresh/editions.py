"""What is held, what is known of it, and how is that told?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from cfaccess_mw.core.freshness import Flight
from cfaccess_mw.core.states import State

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition(Generic[T]):
    """What is held, and the document it was read from (None where it was given outright)."""

    content: T
    body: bytes | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Generic[T]):
    """A flight, and what was held when it began."""

    flight: Flight
    known: Edition[T] | None

    @property
    def etag(self) -> str | None:
        """The validator to send."""
        return None if self.known is None else self.known.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the keys are.

    Attributes:
        state: The state of the machine.
        ready: Whether requests with known keys are answered.
        degraded: Whether they are answered with keys that could not be renewed in time.
        age: Seconds since the keys were fetched; None where there are none, or were given outright.
        failures: Failed attempts in a row.
        reason: Why the last attempt failed; None after a success.
    """

    state: State
    ready: bool
    degraded: bool
    age: float | None
    failures: int
    reason: str | None


def described(content: object) -> Mapping[str, object]:
    """Return what is told of a key set: how many keys, and how many were skipped for what reason."""
    counted = {name: getattr(content, name, None) for name in ("keys", "skipped")}
    facts: dict[str, object] = {}
    if isinstance(counted["keys"], Mapping):
        facts["keys"] = len(counted["keys"])
    if isinstance(counted["skipped"], Mapping):
        facts["skipped"] = dict(counted["skipped"])
    return facts
