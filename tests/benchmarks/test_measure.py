"""Is a race fair, and are its figures those of the rounds?"""

import asyncio
import gc
import itertools
from collections.abc import Callable

import pytest

from benchmarks.measure import WARM, Contender, Spread, awaiting, calling, race


def steady(nanoseconds: int, seen: list[str] | None = None, name: str = "") -> Callable[[int], int]:
    """Something that takes the same time always, by its own account."""

    def take(times: int) -> int:
        if seen is not None:
            seen.append(name)
        return times * nanoseconds

    return take


@pytest.mark.parametrize(
    ("sample", "spread"),
    [
        pytest.param([5.0], Spread(median=5, low=5, high=5), id="one"),
        pytest.param([1.0, 2, 3, 4, 5], Spread(median=3, low=2, high=4), id="five"),
        pytest.param([3.0, 100, 1, 2, 4], Spread(median=3, low=2, high=4), id="what-is-far-off-counts-for-little"),
    ],
)
def test_a_spread_is_the_median_and_the_quartiles(sample: list[float], spread: Spread) -> None:
    assert Spread.of(sample) == spread


def test_a_ratio_is_to_the_base_of_the_same_round() -> None:
    slower = itertools.count(1)  # the machine, more and more, for both alike
    pace = {"base": 1_000_000, "twice": 2_000_000}
    load = [1]

    def take(name: str) -> Callable[[int], int]:
        def taken(times: int) -> int:
            if name == "base":
                load[0] = next(slower)
            return times * pace[name] * load[0]

        return taken

    found = race([Contender(name="base", take=take("base")), Contender(name="twice", take=take("twice"))], rounds=40)
    assert found.ratio("base") == Spread(median=1, low=1, high=1)
    assert 1.5 < found.ratio("twice").median < 2.5
    assert found.each("twice").high > 2 * found.each("twice").low


def test_who_has_another_base_is_compared_with_it() -> None:
    found = race(
        [
            Contender(name="base", take=steady(1_000_000)),
            Contender(name="elsewhere", take=steady(3_000_000), against="elsewhere"),
            Contender(name="there", take=steady(6_000_000), against="elsewhere"),
        ],
        rounds=3,
    )
    assert found.ratio("there").median == 2
    assert found.ratio("there", "base").median == 6
    assert found.added("there").median == 3_000_000


def test_all_take_turns_in_changing_order() -> None:
    seen: list[str] = []
    race([Contender(name=name, take=steady(10**9, seen, name)) for name in "abc"], rounds=20)
    rounds = [tuple(seen[at : at + 3]) for at in range(len(seen) - 60, len(seen), 3)]
    assert {tuple(sorted(one)) for one in rounds} == {("a", "b", "c")}
    assert len(set(rounds)) > 3


def test_a_batch_is_no_larger_than_it_may_be() -> None:
    sizes: list[int] = []

    def take(times: int) -> int:
        sizes.append(times)
        return times

    race([Contender(name="quick", take=take, most=7)], rounds=2)
    assert max(sizes) == 7


def test_arguments_are_made_and_the_caches_warmed_before_the_clock_starts() -> None:
    asked: list[int] = []
    called: list[tuple[int, bool]] = []

    def supply(times: int) -> list[int]:
        asked.append(times)
        return list(range(times))

    take = calling(lambda argument: called.append((argument, gc.isenabled())), supply)
    assert take(5) > 0
    assert asked == [5 + WARM]
    assert called == [(number, False) for number in range(5 + WARM)]
    assert gc.isenabled()


def test_what_is_awaited_is_measured_alike() -> None:
    called: list[int] = []

    async def call(argument: int) -> None:
        called.append(argument)

    loop = asyncio.new_event_loop()
    try:
        assert awaiting(loop, call, lambda times: list(range(times)))(4) > 0
    finally:
        loop.close()
    assert called == list(range(4 + WARM))


def test_the_collector_is_on_again_however_it_ends() -> None:
    def fail(argument: int) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        calling(fail, lambda times: [0] * times)(1)
    assert gc.isenabled()
