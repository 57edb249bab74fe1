"""Whatever happens to the keys in whatever order, does the machine that keeps them fresh keep its promises?

The machine is driven by random events: time, requests for known and unknown keys, flights that end well, badly, late or
never, a rotation, closing, a fork. Beside it runs a slow and plain model of section 2 of the specification, which says
after each event what must be held, and at each beginning of a flight why it may begin.
"""

import math
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cfaccess_mw.core.freshness import Availability, Flight, Freshness, KeyAnswer, Waiting
from cfaccess_mw.core.states import State
from cfaccess_mw.core.timing import Timing
from tests.properties.examples import examples

Keys = frozenset[str]

TIMING = Timing(waiting_coroutines=3, waiting_threads=2, waiting_cold=5)
KIDS = ("one", "two", "three", "four")
FIRST: Keys = frozenset({"one", "two"})
EARLIER: Keys = frozenset({"four"})
ROUNDING = 1e-6  # seconds; times up to 10**6 are added and subtracted

passing = st.one_of(
    st.sampled_from([0.0, 0.1, 1.0, 5.9, 6.0, 29.9, 30.0, 60.0, 240.0, 300.0, 480.0, 600.0, 3_600.0, 86_400.0]),
    st.floats(0, 40),
    st.floats(0, 100_000),
)
waiting = st.builds(
    Waiting, coroutines=st.sampled_from([0, 2, 3]), threads=st.sampled_from([0, 1, 2]), blocking=st.booleans()
)
which = st.integers(0, 3)


@dataclass(eq=False)
class Held:
    """What the model holds."""

    keys: Keys
    born: float
    lifetime: float
    ahead_at: float
    proof: int  # the number of the flight that brought it; 0 where none of ours did


@dataclass(eq=False)
class Aloft:
    """A flight that a driver has not yet ended."""

    flight: Flight
    paid: bool  # whether it took a token from the bucket
    replaces: bool  # whether it began because the driver of another was taken for dead


@dataclass(eq=False)
class Model:
    """What the specification says, written down without thought of speed."""

    now: float = 0.0
    held: Held | None = None
    current: Aloft | None = None
    closed: bool = False
    failures: int = 0
    cut_short: bool = False
    abandoned: int = 0
    not_before: float = -math.inf  # the earliest that a pause can end
    not_after: float = -math.inf  # and the latest
    tokens: float = TIMING.bucket_size
    counted_at: float = 0.0
    newest: int = 0  # the flight whose answer was taken last
    voided: int = 0
    asked: bool = False  # for something unknown, since the last flight began
    replacing: bool = False  # whether the last flight that began was to replace another, and never came to life
    missing: dict[str, float] = field(default_factory=dict)  # until when it is remembered that a kid is not there

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.tokens = min(TIMING.bucket_size, self.tokens + (self.now - self.counted_at) / TIMING.bucket_period)
        self.counted_at = self.now
        if self.held is not None and not self.closed and self.now >= self.held.born + TIMING.hard_ttl:
            self.held = None

    def pause(self, times: int, retry_after: float | None = None) -> None:
        ceiling = min(TIMING.backoff_first * 2.0 ** min(times, 64), TIMING.backoff_most)
        asked = 0.0 if retry_after is None else min(retry_after, TIMING.retry_after_most)
        self.not_before = self.now + max(ceiling / 2, asked)
        self.not_after = self.now + max(ceiling, asked)

    @property
    def is_lost(self) -> bool:
        return self.current is not None and self.now >= self.current.flight.lost_at


class FreshnessMachine(RuleBasedStateMachine):
    """The machine under test, the model, the endpoint, and drivers that may do anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.jitter = 0.5
        self.machine: Freshness[Keys] = Freshness(
            holds=lambda keys, kid: kid in keys, random=lambda: self.jitter, timing=TIMING
        )
        self.model = Model()
        self.aloft: list[Aloft] = []

    # The world

    @rule(seconds=passing, to_the_point=st.booleans())
    def time_passes(self, seconds: float, to_the_point: bool) -> None:
        """Some of it, or until the machine wants a driver."""
        wanted = self.machine.wake_at - self.model.now
        self.model.pass_time(wanted if to_the_point and 0 < wanted < math.inf else seconds)
        self.machine.attend(self.model.now)

    # Requests

    @rule(kid=st.sampled_from([*KIDS, None]), since=st.integers(0, 2), waiting=waiting)
    def a_request_asks(self, kid: str | None, since: int, waiting: Waiting) -> None:
        """``since`` is how many flights ago this asker asked first."""
        model, machine = self.model, self.machine
        began = max(machine.flights - since, 0)
        held = None if model.closed else model.held
        was_remembered = model.now < model.missing.get(kid or "", -math.inf)
        answer = machine.ask(kid, since=began, now=model.now, waiting=waiting)
        if model.closed:
            assert answer is not None
            assert answer.availability is Availability.UNAVAILABLE
            return
        if held is not None and (kid is None or kid in held.keys):
            assert answer is not None, "somebody waits for what is held"
            assert answer.availability is Availability.PRESENT
            return
        proved = held is not None and held.proof > began
        match answer:
            case KeyAnswer(availability=Availability.PRESENT):
                raise AssertionError("present, and not held")
            case KeyAnswer(availability=Availability.ABSENT):
                assert kid is not None
                assert proved or was_remembered, "absent without proof"
                if not was_remembered:
                    model.missing[kid] = model.now + TIMING.missing_for
            case KeyAnswer(availability=Availability.UNAVAILABLE):
                assert not proved, "proved absent, and said to be unknown"
                assert 0 < answer.retry_after < math.inf
                model.asked = True
            case None:
                assert not proved, "proved absent, and left waiting"
                assert machine.wake_at <= model.now or (model.current is not None and not model.is_lost)
                assert self._has_room(waiting, cold=held is None), "waits where too many wait already"
                model.asked = True

    @staticmethod
    def _has_room(waiting: Waiting, *, cold: bool) -> bool:
        if cold:
            return waiting.coroutines + waiting.threads < TIMING.waiting_cold
        if waiting.blocking:
            return waiting.threads < TIMING.waiting_threads
        return waiting.coroutines < TIMING.waiting_coroutines

    @rule(
        times=st.integers(1, 5), seconds=st.sampled_from([0.0, 1.0, 10.0]), end=st.sampled_from(["succeeds", "fails"])
    )
    def strangers_ask_one_after_another(self, times: int, seconds: float, end: str) -> None:
        """Each for a key that there never was, and a driver does at once what it may."""
        for number in range(times):
            self.a_request_asks(f"stranger-{number}", 0, Waiting())
            self.a_driver_looks(waits=False)
            if self.aloft and self.aloft[-1] is self.model.current:
                self.a_flight_ends(which=0, end=end, keys=None, max_age=None, retry_after=None, jitter=0.5)
            self.time_passes(seconds, to_the_point=False)

    # Flights

    @rule(waits=st.booleans())
    def a_driver_looks(self, waits: bool) -> None:
        if waits:
            self.time_passes(0.0, to_the_point=True)
        model = self.model
        flight = self.machine.begin(model.now)
        if flight is None:
            return
        assert not model.closed, "begun while closed"
        assert model.current is None or model.is_lost, "two flights at once"
        assert model.now >= model.not_before - ROUNDING, "begun within the pause"
        held = model.held
        paid = held is not None and model.now < held.ahead_at
        replaces = model.current is not None or model.replacing
        if model.current is not None:
            model.cut_short = True
        if paid and not replaces:  # a driver that is taken for dead is replaced, whatever the bucket says
            assert model.asked, "begun for nobody"
            assert model.tokens >= 1 - ROUNDING, "more flights than the bucket allows"
        model.tokens -= paid
        model.asked = False
        model.replacing = False
        model.current = Aloft(flight, paid, replaces)
        self.aloft.append(model.current)

    @precondition(lambda self: self.aloft)
    @rule(
        which=which,
        end=st.sampled_from(["succeeds", "succeeds", "fails", "is cancelled", "never began", "is silent"]),
        keys=st.none() | st.frozensets(st.sampled_from(KIDS), min_size=1),
        max_age=st.sampled_from([None, 0.0, 60.0, 600.0, 5_000.0]),
        retry_after=st.sampled_from([None, None, 0.0, 5.0, 100.0, 10_000.0]),
        jitter=st.floats(0, 1, exclude_max=True),
    )
    def a_flight_ends(
        self,
        *,
        which: int,
        end: str,
        keys: Keys | None,
        max_age: float | None,
        retry_after: float | None,
        jitter: float,
    ) -> None:
        """The latest or an earlier one, in one of the ways there are."""
        self.jitter = jitter
        aloft = self.aloft.pop(-1 - which % len(self.aloft))
        match end:
            case "succeeds":
                self._succeed(aloft, keys, max_age)
            case "fails":
                self._fail(aloft, retry_after)
            case "is cancelled":
                self._abandon(aloft)
            case "never began":
                self._withdraw(aloft)
            case _:
                return  # its driver died without a word

    def _succeed(self, aloft: Aloft, published: Keys | None, max_age: float | None) -> None:
        """It brings what is published, or the same as before (304)."""
        model, machine = self.model, self.machine
        keys = published or (FIRST if model.held is None else model.held.keys)
        before = machine.snapshot
        taken = machine.succeed(aloft.flight, keys, model.now, max_age=max_age)
        number = aloft.flight.number
        assert taken is (number > max(model.newest, model.voided)), "the answers of flights are taken in their order"
        if not taken:
            assert machine.snapshot is before, "a late answer overwrote a newer one"
            return
        lifetime = min(max(TIMING.lifetime if max_age is None else max_age, TIMING.shortest), TIMING.longest)
        model.newest = number
        ahead = TIMING.ahead + TIMING.spread * (2 * self.jitter - 1)
        model.held = Held(keys, aloft.flight.began, lifetime, aloft.flight.began + lifetime * ahead, number)
        self._forget()
        model.failures = model.abandoned = 0
        model.cut_short = False
        model.not_before = model.not_after = -math.inf
        if model.current is not None and model.current.flight.number <= number:
            model.current = None
        model.pass_time(0)

    def _fail(self, aloft: Aloft, retry_after: float | None) -> None:
        model, before = self.model, self.machine.snapshot
        assert self.machine.fail(aloft.flight, model.now, retry_after=retry_after) is (aloft is model.current)
        assert self.machine.snapshot is before or model.now >= self._ends, "an error cleared what was held"
        if aloft is model.current:
            model.current, model.abandoned, model.cut_short = None, 0, False
            model.failures += 1
            model.pause(model.failures, retry_after)

    @property
    def _ends(self) -> float:
        """When what is held is too old."""
        return -math.inf if self.model.held is None else self.model.held.born + TIMING.hard_ttl

    def _abandon(self, aloft: Aloft) -> None:
        model = self.model
        self.machine.abandon(aloft.flight, model.now)
        if aloft is model.current:
            model.current, model.cut_short = None, True
            model.abandoned += 1
            if model.abandoned > 1:
                model.pause(model.abandoned - 1)
            else:
                model.not_before = model.not_after = -math.inf

    def _withdraw(self, aloft: Aloft) -> None:
        model = self.model
        self.machine.withdraw(aloft.flight, model.now)
        if aloft is model.current:
            model.current = None
            if aloft.paid:
                model.asked, model.replacing = True, aloft.replaces
                model.tokens = min(TIMING.bucket_size, model.tokens + 1)

    # Holders

    @rule(
        what=st.sampled_from(["closes", "reopens", "reopens", "reopens", "forks", "hands in", "hands in"]),
        age=st.sampled_from([-1.0, 0.0, 100.0, 599.0, 700.0, 86_399.0, 86_400.0, math.inf, math.nan]),
    )
    def a_holder_acts(self, what: str, age: float) -> None:
        match what:
            case "closes":
                self.machine.close()
                if not self.model.closed:
                    self.model.closed, self.model.asked = True, False
                    self._forget()
            case "reopens":
                self.machine.reopen(self.model.now)
                self.model.closed = False
                self.model.pass_time(0)
            case "forks":
                self.machine.void()
                self.model.current, self.model.asked = None, False
                self.model.voided = self.machine.flights
                self._forget()
            case _:
                self._adopt(age)

    def _adopt(self, age: float) -> None:
        """A snapshot of an earlier process is handed in; a wall clock that jumped makes its age anything."""
        model = self.model
        free = not model.closed and model.held is None
        taken = self.machine.adopt(EARLIER, age, model.now)
        assert taken is (free and 0 <= age < TIMING.hard_ttl)
        if taken:
            model.held = Held(EARLIER, model.now - age, TIMING.lifetime, -math.inf, 0)
            self._forget()

    def _forget(self) -> None:
        self.model.missing = {}

    # What holds after everything

    @invariant()
    def what_is_held_is_what_the_last_flight_brought(self) -> None:
        """Not lost to an error, not removed early, not kept past ``hard_ttl``; a removed key is gone at once."""
        model, machine = self.model, self.machine
        machine.attend(model.now)
        expected = None if model.closed or model.held is None else model.held.keys
        assert machine.snapshot is expected

    @invariant()
    def the_state_is_the_one_of_the_table(self) -> None:
        model = self.model
        self.machine.pass_time(model.now)
        state = self.machine.state
        if model.closed:
            assert state is State.CLOSED
        elif model.held is None:
            assert state in (State.COLD, State.EXPIRED)
        else:
            held = model.held
            is_late = model.now >= held.born + held.lifetime
            if state is State.STALE or (is_late and (model.failures or model.cut_short)):
                assert state is State.STALE
                assert is_late
            else:
                assert state is (State.DUE if model.now >= held.ahead_at else State.FRESH)

    @invariant()
    def it_never_sleeps_for_ever_and_never_spins(self) -> None:
        model, machine = self.model, self.machine
        if model.closed:
            assert machine.wake_at == machine.attention_at == math.inf
            return
        assert machine.attention_at > model.now or machine.wake_at <= model.now
        if model.current is not None:
            assert machine.wake_at == model.current.flight.lost_at
        elif model.held is None or model.now >= model.held.born + model.held.lifetime:
            assert machine.wake_at <= max(model.now, model.not_after) + ROUNDING, "the outage ended, and nobody looks"
        if model.held is not None:
            assert machine.attention_at <= model.held.born + TIMING.hard_ttl + ROUNDING


TestFreshness = FreshnessMachine.TestCase
TestFreshness.settings = examples(250, steps=50)
