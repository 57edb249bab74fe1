"""How long does each of several things take, compared fairly?

All contenders run in one interleaved race: a small batch of each, round after round, in another order each time, so
that whatever the machine does meanwhile happens to all of them. What counts is the ratio to the base of the *same*
round; the median over all rounds is reported, and the quartiles beside it say how much to believe it. The garbage
collector is off while a batch runs, for all alike (what it costs has a row of its own), and arguments are made before
the clock starts.
"""

import asyncio
import gc
import random
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

Take = Callable[[int], int]
"""Does something so many times, and returns the nanoseconds that it took in all."""

_BATCH = 1_000_000  # nanoseconds: long against the clock's own cost, short against a turn of the scheduler
_TRIES = 3  # for the size of a batch
WARM = 3  # calls that begin a batch and are not measured: the processor's caches are full of the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of a sample, and its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, sample: Sequence[float]) -> "Spread":
        """The spread of a sample of at least one."""
        if len(sample) == 1:
            return cls(median=sample[0], low=sample[0], high=sample[0])
        low, median, high = statistics.quantiles(sample, n=4, method="inclusive")
        return cls(median=median, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One thing that is measured.

    Attributes:
        name: What it is called in the table.
        take: Does it.
        against: The name of its base, where that is not the first of the race: what runs in another process has its
            base there.
        most: How often it can be done in one batch.
        ours: Whether it is this package.
        goal: The highest ratio that was promised, or None.
    """

    name: str
    take: Take
    against: str = ""
    most: int = 100_000
    ours: bool = False
    goal: float | None = None


class Race:
    """What came out: for each contender, nanoseconds a call, round by round."""

    def __init__(self, contenders: Sequence[Contender], rounds: dict[str, list[float]]) -> None:
        self.contenders = contenders
        self._rounds = rounds
        self._base = {one.name: one.against or contenders[0].name for one in contenders}

    def each(self, name: str) -> Spread:
        """Nanoseconds a call."""
        return Spread.of(self._rounds[name])

    def ratio(self, name: str, base: str = "") -> Spread:
        """How many times as long as its base."""
        pairs = zip(self._rounds[name], self._rounds[base or self._base[name]], strict=True)
        return Spread.of([one / other for one, other in pairs])

    def added(self, name: str) -> Spread:
        """Nanoseconds a call more than its base."""
        pairs = zip(self._rounds[name], self._rounds[self._base[name]], strict=True)
        return Spread.of([one - other for one, other in pairs])


def race(contenders: Sequence[Contender], *, rounds: int) -> Race:
    """Measure contenders against each other.

    Args:
        contenders: The first is the base of those that name no other.
        rounds: How many batches of each.
    """
    found: dict[str, list[float]] = {one.name: [] for one in contenders}
    running, order = list(contenders), random.Random(0)
    gc.collect()
    gc.freeze()  # what stands already is not looked through between batches
    try:
        sizes = {one.name: _calibrated(one) for one in contenders}
        for _ in range(rounds):
            order.shuffle(running)  # whoever always came after the same one would pay for what that one left behind
            for one in running:
                found[one.name].append(one.take(sizes[one.name]) / sizes[one.name])
    finally:
        gc.unfreeze()
    return Race(contenders, found)


def _calibrated(contender: Contender) -> int:
    times = 1
    while True:
        taken = min(contender.take(times) for _ in range(_TRIES))
        if taken >= _BATCH / 4 or times >= contender.most:
            return max(1, min(contender.most, round(times * _BATCH / max(taken, 1))))
        times = min(contender.most, times * 4)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the garbage collector, which is run before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def calling(call: Callable[[Any], object], supply: Callable[[int], Sequence[Any]]) -> Take:
    """Call something with a new argument each time.

    Args:
        call: What is measured.
        supply: Makes so many arguments; that is not measured.
    """

    def take(times: int) -> int:
        arguments = supply(times + WARM)
        with undisturbed():
            for argument in arguments[:WARM]:
                call(argument)
            measured = arguments[WARM:]
            start = perf_counter_ns()
            for argument in measured:
                call(argument)
            return perf_counter_ns() - start

    return take


def awaiting(
    loop: asyncio.AbstractEventLoop, call: Callable[[Any], Awaitable[object]], supply: Callable[[int], Sequence[Any]]
) -> Take:
    """Do the same on an event loop, one call after the other; to enter the loop is not measured."""

    async def batch(arguments: Sequence[Any]) -> int:
        for argument in arguments[:WARM]:
            await call(argument)
        measured = arguments[WARM:]
        start = perf_counter_ns()
        for argument in measured:
            await call(argument)
        return perf_counter_ns() - start

    def take(times: int) -> int:
        arguments = supply(times + WARM)
        with undisturbed():
            return loop.run_until_complete(batch(arguments))

    return take
