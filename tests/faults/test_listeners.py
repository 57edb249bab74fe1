"""What if whoever listens to what happens fails, or never comes back? The answers stay as they are."""

import threading
from collections.abc import Iterator

import pytest

from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.telemetry.events import Event, Listener
from tests.faults.stage import Stage
from tests.faults.table import FAULTS
from tests.faults.world import NEVER, PASSED, never
from tests.refresh.parts import PATIENT


class Foreign(Exception):
    """One whose very text fails."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def raises(_: Event) -> None:
    raise ZeroDivisionError


def raises_what_cannot_be_told(_: Event) -> None:
    raise Foreign


def wants_more(_: Event, another: object) -> None:
    """Is not called with what it wants."""


@pytest.mark.parametrize(
    "listeners", [pytest.param((one,), id=one.__name__) for one in (raises, raises_what_cannot_be_told, wants_more)]
)
def test_one_that_raises(stage: Stage) -> None:
    """Cold, refusing, and warm."""
    world = stage.world
    stage.spoil(FAULTS["500"])
    assert world.ask(world.token()) == {(503, "keys-unavailable")}
    assert never(world) == NEVER
    stage.mend()
    world.clocks.pass_by(2)
    assert world.ask(world.token()) == {(200, PASSED)}
    assert world.ask(world.forged()) == {(401, "bad-signature")}
    assert world.ask(world.unknown()) == {(401, "unknown-key")}


class Stuck:
    """Listens to what becomes of keys, and does not come back until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, event: Event) -> None:
        if event.name.startswith("keys-f"):
            self.let_go.wait(PATIENT)


class TestOneThatNeverComesBack:
    """It costs the thread that fetches, and no request."""

    @pytest.fixture
    def stuck(self) -> Iterator[Stuck]:
        """It is let go before the doors are closed."""
        stuck = Stuck()
        yield stuck
        stuck.let_go.set()

    @pytest.fixture
    def listeners(self, stuck: Stuck) -> tuple[Listener, ...]:
        """It alone."""
        return (stuck,)

    def test_keys_are_there_and_a_rotation_is_found(self, stage: Stage, spare: SigningKey) -> None:
        world = stage.world
        old = world.token()
        assert world.ask(old) == {(200, PASSED)}
        world.team.rotate(spare)
        assert world.ask(world.token()) == {(200, PASSED)}, "by another thread, after a second"
        assert world.ask(old) == {(200, PASSED)}
        assert world.told.names.count("keys-fetched") == 0, "those behind it are still waiting"
