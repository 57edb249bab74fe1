"""What the tests of this room are put together from: workers of a fleet, and somebody who listens."""

import threading
import time
from collections.abc import Callable
from typing import Any

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.protection import Protection
from cfaccess_mw.telemetry.events import Event
from tests.tokens import AUD, ISSUER

PATIENT = 20.0  # no test waits that long unless it fails
SECRET, OTHER_SECRET = "s3cret-of-the-fleet-0123456789", "another-s3cret-0123456789abcdef"
SUB = "7335d417-61da-459d-899c-0a01c76a2f94"
CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
# As often as may be asked: a test waits for what is pushed, never for this.
QUICK: dict[str, Any] = {"poll_every": 0.2, "timeout": 0.5, "lost_after": 1, "start_wait": 5}


def identity(**more: Any) -> Identity:
    """Somebody who has signed in at 1,000."""
    who: dict[str, Any] = {"kind": "user", "id": SUB, "email": "User@example.com", "subject": SUB, "common_name": None}
    rest: dict[str, Any] = {"country": None, "issuer": ISSUER, "audience": ("a",), "nonce": "n1", "key_thumbprint": "t"}
    times: dict[str, Any] = {"issued_at": 1_000.0, "expires_at": 2_000.0, "_payload": b"{}"}
    return Identity(**{**who, **rest, **times, **more})


def service(**more: Any) -> Identity:
    """A machine."""
    who = {"kind": "service", "id": CLIENT_ID, "common_name": CLIENT_ID, "email": None, "subject": "", "nonce": None}
    return identity(**{**who, **more})


class Ear:
    """A listener that can be waited with."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._heard = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._heard:
            self.events.append(event)
            self._heard.notify_all()

    def told(self) -> list[str]:
        with self._heard:
            return [event.name for event in self.events]

    def wait(self, name: str, *, count: int = 1) -> Event:
        """The event of this name, or the so-manieth."""

        def found() -> list[Event]:
            return [event for event in self.events if event.name == name]

        with self._heard:
            assert self._heard.wait_for(lambda: len(found()) >= count, PATIENT), self.events
            return found()[count - 1]

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, which only changes with an event."""
        with self._heard:
            assert self._heard.wait_for(is_so, PATIENT), self.events


class Worker:
    """A process of a fleet, as far as one process can have several: a fleet object and a protection of its own."""

    def __init__(self, issuer: Issuer, url: Any, *, keys: Any = "given", **more: Any) -> None:
        fleet_options = {name: more.pop(name) for name in list(more) if name in _FLEET}
        self.ear = Ear()
        self._address, self._options = url, {**QUICK, **fleet_options}
        self.fleet = self.elsewhere()
        given = {"keys": issuer.certs()} if keys == "given" else {}
        listeners = [self.ear, *more.pop("listeners", ())]
        self.protection = Protection(
            team="acme", audience=AUD, fleet=self.fleet, listeners=listeners, **{**given, **more}
        )

    def elsewhere(self) -> Fleet:
        """The same fleet in another process: what it revokes is known here once the worker has read it, not before."""
        return Fleet(self._address, **self._options)

    def outcome(self, token: str) -> str:
        """``accepted``, or the code of the refusal."""
        try:
            self.protection.verify(token)
        except Refused as refusal:
            return refusal.code
        return "accepted"

    def knows(self, count: int) -> None:
        """Wait until so many revocations are known."""
        self.ear.wait_until(lambda: self.fleet.health().revocations == count)


_FLEET = ("namespace", "secret", "lost_after", "when_lost", "poll_every", "timeout", "start_wait")


def signed_in(issuer: Issuer, email: str = "alice@example.com", **more: Any) -> str:
    """The token of somebody who has signed in a minute ago."""
    return issuer.user(email, audience=AUD, issued_at=time.time() - 60, **more)
