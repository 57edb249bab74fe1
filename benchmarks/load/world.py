"""Who is there to make requests, and with what? Tokens signed beforehand, and forged ones."""

import base64
import json
import random
import time
from dataclasses import dataclass, field
from typing import Final

from benchmarks.load.talking import Line
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.testing import AccessKit

_NEWCOMERS: Final = 32
# No token alone causes the first; the next two take a rule that looks people up; the last is what the flood is made of.
_NOT_HERE: Final = ("too-old", "session-ended", "identity-unavailable", "unknown-key")
FLAWED: Final = tuple(code for code in AccessKit.refusals if code not in _NOT_HERE)


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that a client may need.

    Attributes:
        port: Of the protected application, on 127.0.0.1.
        emulator: The edge before it.
        kit: Mints; its keys are the emulator's.
        random: The dice; seeded, so that a run can be made again.
        people: How many users there are.
        users: Name and token of people whom the application knows by now.
        service: The same of a service.
        flawed: Tokens that are refused, by the code.
        newcomers: People who have signed in since the rotation; before it, people of the same key as everybody.
        edge_cookie: What the edge gave the service that comes through it.
        rotated_at: When the keys were rotated, in monotonic seconds.
        turned_away_at: When a newcomer was last told to come again.
    """

    port: int
    emulator: Emulator
    kit: AccessKit
    random: random.Random
    people: int
    users: list[tuple[str, str]] = field(init=False)
    service: tuple[str, str] = field(init=False)
    flawed: dict[str, str] = field(init=False)
    newcomers: list[tuple[str, str]] = field(init=False)
    edge_cookie: str = ""
    rotated_at: float | None = None
    turned_away_at: float | None = None

    def __post_init__(self) -> None:
        """Sign everything that can be signed before the load begins."""
        self.users = [self._somebody(f"user{number}") for number in range(self.people)]
        robot = self.kit.default_service
        self.service = (robot, self.kit.service(robot))
        self.flawed = {code: self.kit.refused(code) for code in FLAWED}
        self.newcomers = [self._somebody(f"newcomer{number}") for number in range(_NEWCOMERS)]

    def rotate(self) -> None:
        """Have the team rotate its keys; whoever signs in from now on has a token of the new one."""
        self.rotated_at = time.monotonic()
        self.emulator.rotate()
        self.newcomers = [self._somebody(f"newcomer{number}") for number in range(_NEWCOMERS)]

    def stray(self) -> str:
        """A token of a key that nobody has: everything is right in it but the key id."""
        _, payload, signature = self.random.choice(self.users)[1].split(".")
        header = json.dumps({"alg": "RS256", "kid": f"{self.random.getrandbits(256):064x}", "typ": "JWT"})
        return f"{base64.urlsafe_b64encode(header.encode()).decode().rstrip('=')}.{payload}.{signature}"

    def line(self) -> Line:
        """A connection of one's own."""
        return Line(port=self.port)

    def _somebody(self, name: str) -> tuple[str, str]:
        subject = self.kit.issuer.subject(f"{name}@example.com")
        return subject, self.kit.user(f"{name}@example.com")
