"""What if more tokens come than are remembered? All of them are let in, none too many are kept, and a key that is
withdrawn takes all of its tokens along."""

from collections.abc import Iterator

import pytest

from cfaccess_mw.core.decide import MEMORY_COUNT, MEMORY_WEIGHT
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.faults.stage import Stage
from tests.faults.world import PASSED, World

GOOD = (200, PASSED)


def held(world: World) -> tuple[int, int]:
    """How many tokens a door remembers, and how many bytes they are at least."""
    memory = world.wsgi.protection.gate._memory
    tokens = {*memory._old, *memory._young}
    return len(tokens), sum(len(token) for token in tokens)


def distinct(world: World, count: int, size: int) -> Iterator[str]:
    """So many tokens of about so many bytes."""
    for number in range(count):
        yield world.token(custom={"padding": f"{number:06}" + "x" * (size * 3 // 4)})


@pytest.mark.parametrize(
    ("count", "size"),
    [
        pytest.param(MEMORY_COUNT + 100, 0, id="10000-tokens"),
        pytest.param(MEMORY_WEIGHT // 25_000, 13_000, id="64-MiB"),
    ],
)
def test_more_tokens_than_are_remembered(stage: Stage, count: int, size: int, spare: SigningKey) -> None:
    """Small ones, and some as large as they may be."""
    world = stage.world
    first = world.token()
    assert world.ask_wsgi(first) == GOOD
    most, weight, last = 0, 0, ""
    for number, token in enumerate(distinct(world, count, size)):
        assert world.ask_wsgi(token) == GOOD
        last = token
        if number % 500 == 0 or number > count - 3:
            found = held(world)
            most, weight = max(most, found[0]), max(weight, found[1])
    assert count // 2 < most < count
    assert most <= MEMORY_COUNT
    assert 2 * weight <= MEMORY_WEIGHT
    assert world.ask_wsgi(first) == GOOD, "forgotten, and verified again"
    assert len(stage.endpoint.connections) == 1

    for key in (world.team.previous, spare):
        world.team.rotate(key)
    assert world.ask_wsgi(world.token()) == GOOD
    assert world.ask_wsgi(first) == world.ask_wsgi(last) == (401, "unknown-key")
