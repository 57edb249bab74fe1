"""A team whose applications are called: its keys, its robot, its edge, and what is behind it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cfaccess_mw.client import Credentials
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.emulator.users import ServiceToken as Robot
from tests.client.site import Answers, Says, Site, serving

NOW = 1_700_000_000.0
ROBOT = Robot(client_id="e367826f93b8d71185e03fe518aff3b4.access", client_secret="cfast_" + "Ab1" * 16, name="robot")
GOOD = Credentials(client_id=ROBOT.client_id, client_secret=ROBOT.client_secret)
WRONG = Credentials(client_id=ROBOT.client_id, client_secret="0" * 64)


class Clock:
    """A clock that is turned by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of this test's own."""
    return Clock()


@pytest.fixture(scope="session")
def signing_keys() -> list[SigningKey]:
    """Made once: making one takes a moment."""
    return [SigningKey.generate(now=NOW) for _ in range(2)]


@pytest.fixture
def team(signing_keys: list[SigningKey], clock: Clock) -> Issuer:
    """Who signs tokens, by this test's clock."""
    return Issuer("acme", clock=clock, current=signing_keys[0], previous=signing_keys[1])


Serve = Callable[..., Site]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of this test's own; closed when the test is over."""
    with ExitStack() as stack:

        def start(answers: Answers = lambda _: Says()) -> Site:
            return stack.enter_context(serving(answers))

        yield start


@pytest.fixture
def site(serve: Serve) -> Site:
    """A server that answers everybody."""
    return serve()


Emulate = Callable[..., Emulator]


@pytest.fixture
def emulate(team: Issuer, clock: Clock, site: Site) -> Iterator[Emulate]:
    """Start an edge of this test's own, in front of ``site``; closed when the test is over."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Emulator:
            defaults: dict[str, Any] = {"upstream": site.url, "issuer": team, "clock": clock, "service_tokens": [ROBOT]}
            return stack.enter_context(Emulator(**{**defaults, **settings}))

        yield start


def host_of(url: str) -> str:
    """What has to be named, of a server on loopback."""
    return url.removeprefix("http://")
