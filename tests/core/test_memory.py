"""Does the memory keep its bounds, keep what is used, and never answer wrongly?"""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfaccess_mw.core.memory import Memory


def filled(*keys: int, count: int = 4, weight: int = 1_000) -> Memory[int, str]:
    """Return a memory into which each key was put, with its own text as value."""
    memory: Memory[int, str] = Memory(count=count, weight=weight)
    for key in keys:
        memory.put(key, str(key), 1)
    return memory


def test_what_was_put_is_found() -> None:
    memory = filled(1, 2)
    assert (memory.get(1), memory.get(2), memory.get(3)) == ("1", "2", None)


def test_a_value_is_replaced() -> None:
    memory = filled(1)
    memory.put(1, "one", 1)
    assert (memory.get(1), len(memory)) == ("one", 1)


def test_a_value_is_replaced_in_the_old_generation_too() -> None:
    memory = filled(1, 2, 3)
    memory.put(1, "one", 1)
    assert (memory.get(1), len(memory)) == ("one", 3)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        pytest.param((), {3, 4, 5}, id="what was not asked for goes with its generation"),
        pytest.param((1,), {1, 4, 5}, id="what was asked for moves on to the young generation"),
        pytest.param((1, 2), {2, 4, 5}, id="and is forgotten in the order in which it was asked for"),
    ],
)
def test_the_old_generation_is_dropped_whole(asked: tuple[int, ...], kept: set[int]) -> None:
    memory = filled(1, 2, 3)  # 1 and 2 are the old generation now
    for key in asked:
        assert memory.get(key) == str(key)
    for key in (4, 5):
        memory.put(key, str(key), 1)
    assert {key for key in range(6) if memory.get(key)} == kept


def test_weight_turns_a_generation_over_before_the_count_does() -> None:
    memory: Memory[str, str] = Memory(count=1_000, weight=20)
    for key in "abc":
        memory.put(key, key, 6)  # two of them exceed the half of 20 that is a generation's
    assert [memory.get(key) for key in "abc"] == [None, "b", "c"]


def test_replacing_gives_the_old_weight_back() -> None:
    memory: Memory[str, str] = Memory(count=1_000, weight=20)
    memory.put("other", "other", 1)
    for _ in range(50):
        memory.put("same", "same", 9)
    assert len(memory) == 2
    assert memory.get("other") == "other"


@pytest.mark.parametrize("before", ["", "young", "old"])
def test_what_is_too_heavy_is_not_kept_and_hides_nothing_outdated(before: str) -> None:
    memory: Memory[str, str] = Memory(count=2, weight=20)
    if before:
        memory.put("key", "outdated", 1)
    if before == "old":
        memory.put("other", "other", 1)
    memory.put("key", "new", 11)
    assert memory.get("key") is None


def test_what_weighs_exactly_half_is_kept() -> None:
    memory: Memory[str, str] = Memory(count=2, weight=20)
    memory.put("key", "value", 10)
    assert memory.get("key") == "value"


def test_a_generation_is_full_at_exactly_half_and_no_sooner() -> None:
    memory: Memory[str, str] = Memory(count=100, weight=20)
    for turn in ("first", "turned-over", "cleared"):
        if turn == "cleared":
            memory.clear()
        for key, weight in (("a", 4), ("b", 6), ("c", 10)):
            memory.put(turn + key, "", weight)
        assert [memory._old.keys(), memory._young.keys()] == [{turn + "a", turn + "b"}, {turn + "c"}]


def test_the_weights_of_a_generation_add_up() -> None:
    memory: Memory[str, str] = Memory(count=100, weight=20)
    for key in "abc":
        memory.put(key, key, 4)
    assert [memory._old.keys(), memory._young.keys()] == [{"a", "b"}, {"c"}]


def test_clear_forgets_both_generations_and_their_weight() -> None:
    memory = filled(1, 2, 3, count=4, weight=6)
    memory.clear()
    assert (len(memory), memory.get(1), memory.get(3)) == (0, None, None)
    for key in (7, 8):
        memory.put(key, str(key), 1)
    assert {memory.get(7), memory.get(8)} == {"7", "8"}


@pytest.mark.parametrize(("count", "weight"), [(1, 10), (10, 1), (0, 0), (-5, 10)])
def test_a_memory_too_small_for_two_generations_is_refused(count: int, weight: int) -> None:
    with pytest.raises(ValueError, match="at least two"):
        Memory(count=count, weight=weight)


def test_repr_shows_sizes_and_nothing_that_is_remembered() -> None:
    memory: Memory[str, str] = Memory(count=10, weight=100)
    memory.put("secret-key", "secret-value", 5)
    assert repr(memory) == "<Memory entries=1 of 10>"


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 14))),
    st.integers(2, 9),
    st.integers(2, 24),
)
def test_bounds_hold_and_no_answer_is_wrong(steps: list[tuple[bool, int, int]], count: int, weight: int) -> None:
    memory: Memory[int, tuple[int, int]] = Memory(count=count, weight=weight)
    latest: dict[int, tuple[int, int]] = {}
    for number, (is_put, key, heft) in enumerate(steps):
        if is_put:
            latest[key] = (number, heft)
            memory.put(key, latest[key], heft)
        else:
            assert memory.get(key) in (None, latest.get(key))
        assert len(memory) <= count
        held = [value for key in latest if (value := memory.get(key)) is not None]
        assert sum(heft for _, heft in held) <= weight


def test_hot_reads_make_one_call() -> None:
    memory = filled(1)
    calls: list[str] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        memory.get(1)
    finally:
        sys.setprofile(None)
    assert calls == ["get"]


def test_racing_threads_may_forget_and_never_mix_up() -> None:
    memory: Memory[int, str] = Memory(count=8, weight=64)

    def work(seed: int) -> list[tuple[int, str | None]]:
        seen = []
        for turn in range(4_000):
            key = (turn * seed) % 13
            memory.put(key, str(key), 1 + key % 3)
            seen.append((key, memory.get((key + 1) % 13)))
            len(memory)
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = [answer for found in pool.map(work, (1, 3, 5, 7)) for answer in found]
    finally:
        sys.setswitchinterval(interval)
    assert all(value in (None, str((key + 1) % 13)) for key, value in answers)
