"""When does each of thousands of workers fetch? The real machine decides, and a clock jumps from event to event."""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

from benchmarks.capacity.story import END, FLOOD, OUTAGE, ROTATION, Phase, Story
from cfaccess_mw.core.freshness import Flight, Freshness
from cfaccess_mw.core.timing import Timing

Keys = frozenset[str]
_BEFORE: Final = Keys({"old"})
_SINCE: Final = Keys({"old", "new"})
_WINDOW: Final = 10  # seconds: what is shorter than that, an endpoint's limiter hardly sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetches:
    """How often the endpoint was asked.

    Attributes:
        workers: Of the fleet.
        sample: How many of them were simulated; the numbers are those of the fleet all the same.
        seconds: How many fetches began in each second.
    """

    workers: int
    sample: int
    seconds: Counter[int] = field(repr=False)

    def total(self, phase: Phase) -> float:
        """All of a phase."""
        return self._scale * sum(self.seconds[at] for at in range(int(phase.begins), int(phase.ends)))

    def mean(self, phase: Phase) -> float:
        """A second, on average."""
        return self.total(phase) / (phase.ends - phase.begins)

    def peak(self, phase: Phase, window: int = 1) -> float:
        """A second, in the busiest of its windows.

        Args:
            phase: Which.
            window: Seconds; a sample that stands for many more makes single seconds look worse than they would be.
        """
        starts = range(int(phase.begins), int(phase.ends) - window + 1)
        return self._scale * max(sum(self.seconds[at + more] for more in range(window)) for at in starts) / window

    def busiest(self, phase: Phase) -> float:
        """A second, in the busiest ten."""
        return self.peak(phase, _WINDOW)

    def rate(self, second: int) -> float:
        """Of one second."""
        return self._scale * self.seconds[second]

    @property
    def _scale(self) -> float:
        return self.workers / self.sample


@dataclass(slots=True)
class _Worker:
    machine: Freshness[Keys]
    woken_at: float = math.inf  # for when it has an event in the queue


class Simulation:
    """One fleet's story.

    Args:
        workers: How many there are.
        sample: How many are simulated at most.
        story: What happens.
        seed: Of the dice.
    """

    def __init__(self, workers: int, *, sample: int, story: Story, seed: int = 0) -> None:
        self.fetches = Fetches(workers=workers, sample=min(workers, sample), seconds=Counter())
        self._story = story
        self._random = random.Random(seed)
        self._queue: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = count()

    def run(self) -> Fetches:
        """Let it happen."""
        for _ in range(self.fetches.sample):
            dice = random.Random(self._random.getrandbits(64)).random
            worker = _Worker(Freshness(holds=_holds, random=dice, timing=Timing()))
            self._at(self._random.uniform(0, self._story.start_within), partial(self._wake, worker))
            self._at(ROTATION.begins + self._after(self._story.met_after), partial(self._ask, worker, "new"))
            self._at(FLOOD.begins + self._random.random(), partial(self._ask, worker, "made-up"))
        while self._queue:
            now, _, happens = heapq.heappop(self._queue)
            happens(now)
        return self.fetches

    def _at(self, moment: float, happens: Callable[[float], None]) -> None:
        if moment < END:
            heapq.heappush(self._queue, (moment, next(self._numbers), happens))

    def _after(self, average: float) -> float:
        return self._random.expovariate(1 / average) if average else 0.0

    def _ask(self, worker: _Worker, kid: str, now: float) -> None:
        """Somebody comes with a key id that the worker may not have."""
        machine = worker.machine
        if machine.snapshot is None or not _holds(machine.snapshot, kid):
            machine.ask(kid if kid == "new" else f"{kid}-{next(self._numbers)}", since=machine.flights, now=now)
            self._rest(worker)

    def _wake(self, worker: _Worker, now: float) -> None:
        worker.woken_at = math.inf
        flight = worker.machine.begin(now)
        if flight is not None:
            self.fetches.seconds[int(now)] += 1
            away = OUTAGE.begins <= now < OUTAGE.ends
            taken = self._story.fails_in if away else self._after(self._story.answers_in)
            self._at(now + min(taken, worker.machine.timing.deadline), partial(self._land, worker, flight, away))
        self._rest(worker)

    def _land(self, worker: _Worker, flight: Flight, away: bool, now: float) -> None:
        if away:
            worker.machine.fail(flight, now)
        else:
            worker.machine.succeed(flight, _SINCE if flight.began >= ROTATION.begins else _BEFORE, now)
        if FLOOD.begins <= now < FLOOD.ends:  # the next made-up id is there already
            self._ask(worker, "made-up", now)
        self._rest(worker)

    def _rest(self, worker: _Worker) -> None:
        """Wake it when its machine wants to act."""
        moment = worker.machine.wake_at
        if moment < worker.woken_at:
            worker.woken_at = moment
            self._at(moment, partial(self._wake, worker))


def _holds(keys: Keys, kid: str) -> bool:
    return kid in keys
