"""What if clocks jump? Tokens live by the wall's, keys by the one that only goes forward."""

import pytest

from cfaccess_mw.core.states import State
from tests.faults.stage import Stage
from tests.faults.table import FAULTS
from tests.faults.world import PASSED

GOOD = {(200, PASSED)}
EXPIRED = {(401, "expired")}
TOO_EARLY = {(401, "not-yet-valid")}
HOUR = 3600.0


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        pytest.param(29, GOOD, id="within-the-leeway"),
        pytest.param(-29, GOOD, id="back-within-the-leeway"),
        pytest.param(HOUR + 31, EXPIRED, id="past-the-end"),
        pytest.param(10 * 365 * 24 * HOUR, EXPIRED, id="ten-years"),
        pytest.param(-HOUR, TOO_EARLY, id="back-an-hour"),
        pytest.param(-10 * 365 * 24 * HOUR, TOO_EARLY, id="back-ten-years"),
    ],
)
def test_the_wall_clock_is_set(stage: Stage, wall: float, expected: set[tuple[int, str]]) -> None:
    """A token that is remembered is judged by the new time as one that was never seen is; the keys do not notice."""
    world = stage.world
    seen, unseen = world.token(expires_in=3600), world.token(expires_in=3600)
    assert world.ask(seen) == GOOD
    world.clocks.wall += wall
    assert world.ask(seen) == world.ask(unseen) == expected
    assert world.ask(world.token()) == GOOD, "who signs in by the new time"
    assert world.keys.health().state is State.FRESH
    assert len(stage.endpoint.connections) == 1
    world.clocks.wall -= wall
    assert world.ask(seen) == GOOD, "it was not forgotten what it is good for"


@pytest.mark.parametrize(
    ("steady", "flights", "state"),
    [
        pytest.param(400, 1, State.FRESH, id="not-yet-due"),
        pytest.param(900, 2, State.FRESH, id="past-the-lifetime"),
        pytest.param(100_000, 2, State.FRESH, id="past-a-day"),
        pytest.param(-HOUR, 1, State.FRESH, id="back"),
    ],
)
def test_the_steady_clock_jumps(stage: Stage, steady: float, flights: int, state: State) -> None:
    """As where a machine was asleep, or a virtual one was put back: keys are fetched again, and nobody is refused."""
    world = stage.world
    seen = world.token()
    assert world.ask(seen) == GOOD
    world.clocks.steady += steady
    assert world.ask(seen) == world.ask(world.token()) == GOOD
    if flights == 2:
        world.told.wait_for("keys-fetched", 2)
    assert len(stage.endpoint.connections) == flights
    assert world.keys.health().state is state
    assert world.ask(world.forged()) == {(401, "bad-signature")}
    assert world.ask(world.unknown()) == {(401, "unknown-key")}


def test_a_pause_does_not_depend_on_the_wall_clock(stage: Stage) -> None:
    """Else whoever can set clocks could have an endpoint asked without end, or never again."""
    world, endpoint = stage.world, stage.endpoint
    stage.spoil(FAULTS["500"])
    assert world.ask(world.token()) == {(503, "keys-unavailable")}
    for wall in (HOUR, -HOUR, 1e9, -1e9):
        world.clocks.wall = wall
        assert world.ask(world.token()) == {(503, "keys-unavailable")}
    assert len(endpoint.connections) == 1
    stage.mend()
    world.clocks.steady += 2
    assert world.ask(world.token()) == GOOD
