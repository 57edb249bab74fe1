"""When is it fetched, who waits, and what is said: the tables of section 2 of the specification, row by row."""

import math
from collections.abc import Callable, Iterable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.freshness import (
    ABSENT,
    PRESENT,
    UNAVAILABLE,
    Availability,
    Flight,
    Freshness,
    KeyAnswer,
    Waiting,
)
from cfaccess_mw.core.states import TRANSITIONS, State, Turn
from cfaccess_mw.core.timing import Timing

Keys = frozenset[str]
Machine = Freshness[Keys]

OLD: Keys = frozenset({"old"})
NEW: Keys = frozenset({"old", "new"})


def machine(*, random: Callable[[], float] = lambda: 0.5, timing: Timing | None = None) -> Machine:
    return Freshness(holds=lambda keys, kid: kid in keys, random=random, timing=timing or Timing())


def state_of(m: Machine) -> State:
    """Read it anew: a type checker takes it for unchanged between two assertions."""
    return m.state


def begun(m: Machine, now: float) -> Flight:
    flight = m.begin(now)
    assert flight is not None, f"no flight begins at {now}"
    return flight


def fetched(m: Machine, now: float, keys: Keys = OLD, *, max_age: float | None = None) -> None:
    assert m.succeed(begun(m, now), keys, now, max_age=max_age)


def failed(m: Machine, now: float, *, retry_after: float | None = None) -> None:
    assert m.fail(begun(m, now), now, retry_after=retry_after)


def cold() -> Machine:
    return machine()


def fresh() -> Machine:
    m = machine()
    fetched(m, 0)
    return m


def due() -> Machine:
    m = fresh()
    m.attend(481)
    return m


def stale() -> Machine:
    m = fresh()
    failed(m, 599.9)
    m.attend(605)
    return m


def expired() -> Machine:
    m = fresh()
    m.attend(86_400)
    return m


def static() -> Machine:
    m = machine()
    m.give(OLD)
    return m


def closed() -> Machine:
    m = fresh()
    m.close()
    return m


MAKERS = {
    State.COLD: cold,
    State.FRESH: fresh,
    State.DUE: due,
    State.STALE: stale,
    State.EXPIRED: expired,
    State.STATIC: static,
    State.CLOSED: closed,
}


# The table of states. None stands for: wait for the flight.
@pytest.mark.parametrize(
    ("state", "known", "unknown", "ready"),
    [
        pytest.param(State.COLD, None, None, False, id="cold"),
        pytest.param(State.FRESH, PRESENT, None, True, id="fresh"),
        pytest.param(State.DUE, PRESENT, None, True, id="due"),
        pytest.param(State.STALE, PRESENT, None, True, id="stale"),
        pytest.param(State.EXPIRED, None, None, False, id="expired"),
        pytest.param(State.STATIC, PRESENT, ABSENT, True, id="static"),
        pytest.param(State.CLOSED, UNAVAILABLE, UNAVAILABLE, False, id="closed"),
    ],
)
def test_each_state_answers_as_the_table_says(
    state: State, known: KeyAnswer | None, unknown: KeyAnswer | None, ready: bool
) -> None:
    for wanted, expected in (("old", known), ("new", unknown), (None, known)):
        m = MAKERS[state]()
        assert state_of(m) is state
        assert (m.snapshot is not None) is ready
        assert m.ask(wanted, since=m.flights, now=m._now) == expected


@pytest.mark.parametrize(
    ("answer", "availability", "retry_after"),
    [
        pytest.param(PRESENT, Availability.PRESENT, 0, id="present"),
        pytest.param(ABSENT, Availability.ABSENT, 0, id="absent"),
        pytest.param(UNAVAILABLE, Availability.UNAVAILABLE, 1, id="unavailable"),
    ],
)
def test_an_answer_says_what_its_name_says(answer: KeyAnswer, availability: Availability, retry_after: float) -> None:
    assert (answer.availability, answer.retry_after) == (availability, retry_after)
    assert (Waiting().coroutines, Waiting().threads, Waiting().blocking) == (0, 0, False)


@pytest.mark.parametrize("before", ["in-the-air", "asked-for", "after-a-failure"])
def test_keys_that_are_given_are_not_fetched_whatever_came_before(before: str) -> None:
    m = machine()
    if before == "in-the-air":
        begun(m, 0)
    else:
        if before == "after-a-failure":
            failed(m, 0)
        m.ask("new", since=m.flights, now=0)
    m.give(OLD)
    assert m.wake_at == m.attention_at == math.inf


@pytest.mark.parametrize(
    ("state", "wake_at"),
    [
        pytest.param(State.COLD, -math.inf, id="cold-fetches-at-once"),
        pytest.param(State.FRESH, 480, id="fresh-fetches-ahead"),
        pytest.param(State.DUE, 480, id="due-fetches-now"),
        pytest.param(State.STALE, 599.9 + 1.5, id="stale-fetches-after-its-pause"),
        pytest.param(State.EXPIRED, -math.inf, id="expired-fetches-at-once"),
        pytest.param(State.STATIC, math.inf, id="static-never-fetches"),
        pytest.param(State.CLOSED, math.inf, id="closed-never-fetches"),
    ],
)
def test_each_state_fetches_when_the_table_says(state: State, wake_at: float) -> None:
    assert MAKERS[state]().wake_at == pytest.approx(wake_at)


def test_the_transitions_are_these_and_no_others() -> None:
    drawn = {(a.value, turn.name, b.value) for a, turns in TRANSITIONS.items() for turn, b in turns.items()}
    assert drawn == {
        ("cold", "SUCCEEDED", "fresh"),
        ("cold", "ADOPTED", "due"),
        ("cold", "GIVEN", "static"),
        ("cold", "CLOSED", "closed"),
        ("fresh", "SUCCEEDED", "fresh"),
        ("fresh", "AGED", "due"),
        ("fresh", "CLOSED", "closed"),
        ("due", "SUCCEEDED", "fresh"),
        ("due", "OUTLIVED", "stale"),
        ("due", "RAN_OUT", "expired"),
        ("due", "CLOSED", "closed"),
        ("stale", "SUCCEEDED", "fresh"),
        ("stale", "RAN_OUT", "expired"),
        ("stale", "CLOSED", "closed"),
        ("expired", "SUCCEEDED", "fresh"),
        ("expired", "ADOPTED", "due"),
        ("expired", "CLOSED", "closed"),
        ("static", "CLOSED", "closed"),
        ("closed", "SUCCEEDED", "closed"),
        ("closed", "REOPENED_EMPTY", "cold"),
        ("closed", "REOPENED", "fresh"),
        ("closed", "REOPENED_GIVEN", "static"),
    }
    assert set(TRANSITIONS) == set(State)
    assert {turn for turns in TRANSITIONS.values() for turn in turns} == set(Turn)


class TestLifetime:
    @pytest.mark.parametrize(
        ("max_age", "lifetime"),
        [
            pytest.param(None, 600, id="not-said"),
            pytest.param(900, 900, id="said"),
            pytest.param(0, 300, id="too-short"),
            pytest.param(1e9, 3600, id="too-long"),
        ],
    )
    @pytest.mark.parametrize(
        ("random", "ahead"),
        [
            pytest.param(0.0, 0.75, id="soonest"),
            pytest.param(0.5, 0.80, id="usual"),
            pytest.param(1.0, 0.85, id="last"),
        ],
    )
    def test_it_is_fetched_again_ahead_of_its_end(
        self, max_age: float | None, lifetime: float, random: float, ahead: float
    ) -> None:
        m = machine(random=lambda: random)
        fetched(m, 100, max_age=max_age)
        assert m.wake_at == pytest.approx(100 + lifetime * ahead)
        assert m.begin(100 + lifetime * ahead - 0.01) is None
        assert state_of(m) is State.FRESH
        assert m.begin(100 + lifetime * ahead + 0.01) is not None
        assert state_of(m) is State.DUE

    def test_a_fleet_does_not_fetch_in_step(self) -> None:
        numbers = iter([0.1, 0.9])
        m = machine(random=lambda: next(numbers))
        fetched(m, 0)
        first = m.wake_at
        fetched(m, first)
        assert m.wake_at - first != pytest.approx(first)

    def test_it_ages_from_the_beginning_of_its_flight(self) -> None:
        m = machine()
        m.succeed(begun(m, 0), OLD, 4)
        assert m.wake_at == pytest.approx(480)
        assert m.age(10) == 10

    def test_due_without_a_failure_is_not_stale(self) -> None:
        m = fresh()
        m.attend(10_000)  # the machine slept
        assert state_of(m) is State.DUE

    def test_a_failure_is_not_stale_before_the_lifetime_ends(self) -> None:
        fetched_at_0, adopted_at_0 = fresh(), cold()
        adopted_at_0.adopt(OLD, 0, 0)
        for m in (fetched_at_0, adopted_at_0):
            failed(m, 500)
            m.pass_time(599.9)
            assert state_of(m) is State.DUE
            m.pass_time(600)
            assert state_of(m) is State.STALE

    def test_a_lifetime_never_outlasts_hard_ttl(self) -> None:
        m = machine(timing=Timing(hard_ttl=400))
        fetched(m, 0, max_age=3600)
        assert m.wake_at == pytest.approx(320)

    def test_a_success_heals(self) -> None:
        m = stale()
        fetched(m, 700)
        assert (state_of(m), m.failures, m.wake_at) == (State.FRESH, 0, 1180)

    def test_a_success_replaces_the_whole_set(self) -> None:
        m = fresh()
        fetched(m, 480, frozenset({"new"}))
        assert m.snapshot == frozenset({"new"})

    def test_an_error_clears_nothing(self) -> None:
        m = fresh()
        failed(m, 480)
        assert m.snapshot == OLD

    def test_after_hard_ttl_a_reader_drops_it_without_any_driver(self) -> None:
        m = fresh()
        failed(m, 86_399.5)
        assert m.attention_at == 86_400
        assert not m.attend(86_399.9)
        assert m.ask("old", since=m.flights, now=86_399.9) == PRESENT
        m.attend(86_400)
        assert (state_of(m), m.snapshot) == (State.EXPIRED, None)
        assert m.age(86_400) is None


class TestBackoff:
    @pytest.mark.parametrize(
        ("random", "pauses"),
        [
            pytest.param(0.0, [1, 2, 4, 8, 16, 30, 30, 30], id="shortest"),
            pytest.param(1.0, [2, 4, 8, 16, 32, 60, 60, 60], id="longest"),
        ],
    )
    @pytest.mark.parametrize("maker", [cold, expired], ids=["cold", "expired"])
    def test_it_doubles_to_a_minute_with_jitter(
        self, maker: Callable[[], Machine], random: float, pauses: list[float]
    ) -> None:
        m = maker()
        m._random = lambda: random
        now = 90_000.0
        for pause in pauses:
            failed(m, now)
            assert m.wake_at == pytest.approx(now + pause)
            assert m.begin(now + pause - 0.01) is None
            now += pause

    def test_it_counts_from_the_end_of_the_attempt(self) -> None:
        m = cold()
        m.fail(begun(m, 0), 5)
        assert m.wake_at == pytest.approx(6.5)

    def test_it_goes_on_for_years(self) -> None:
        m = cold()
        now = 0.0
        for _ in range(3000):
            failed(m, now)
            now = m.wake_at
        assert m.failures == 3000

    @pytest.mark.parametrize(
        ("asked", "pause"),
        [
            pytest.param(30, 30, id="honoured"),
            pytest.param(100_000, 300, id="up-to-five-minutes"),
            pytest.param(math.inf, 300, id="infinite"),
            pytest.param(0.5, 1.5, id="shorter-than-ours"),
            pytest.param(-5, 1.5, id="negative"),
            pytest.param(math.nan, 1.5, id="nan"),
        ],
    )
    def test_retry_after(self, asked: float, pause: float) -> None:
        m = cold()
        failed(m, 0, retry_after=asked)
        assert m.wake_at == pytest.approx(pause)

    def test_a_retry_after_never_shortens_our_own_pause(self) -> None:
        m = machine(timing=Timing(retry_after_most=0.5))
        failed(m, 0, retry_after=100)
        assert m.wake_at == pytest.approx(1.5)

    @pytest.mark.parametrize("wanted", ["new", None], ids=["a-key", "anything"])
    def test_who_asks_meanwhile_is_refused_at_once(self, wanted: str | None) -> None:
        m = cold()
        failed(m, 0)
        answer = m.ask(wanted, since=m.flights, now=0.5)
        assert answer == KeyAnswer(availability=Availability.UNAVAILABLE, retry_after=1.0)

    def test_an_unknown_kid_does_not_get_round_it(self) -> None:
        m = fresh()
        assert m.ask("new", since=m.flights, now=10) is None
        failed(m, 10)
        answer = m.ask("new", since=1, now=10)
        assert answer is not None
        assert answer.availability is Availability.UNAVAILABLE
        assert m.begin(10.5) is None
        assert m.begin(11.6) is not None, "what was asked for meanwhile is fetched after the pause"

    def test_closing_does_not_get_round_it(self) -> None:
        m = cold()
        failed(m, 0)
        m.close()
        m.reopen(0.1)
        assert m.begin(0.5) is None


class TestUnknownKid:
    def test_a_flight_that_began_after_the_question_proves_absence(self) -> None:
        m = fresh()
        since = m.flights
        assert m.ask("new", since=since, now=10) is None
        fetched(m, 10)
        assert m.ask("new", since=since, now=10) == ABSENT

    def test_a_flight_already_under_way_is_joined_and_proves_nothing(self) -> None:
        m = due()
        flight = begun(m, 481)
        since = m.flights
        assert m.ask("new", since=since, now=481) is None
        m.succeed(flight, OLD, 482)
        assert m.ask("new", since=since, now=482) is None, "it asks again, for a flight of its own"
        fetched(m, 482)
        assert m.ask("new", since=since, now=482) == ABSENT

    def test_a_flight_already_under_way_may_bring_it(self) -> None:
        m = due()
        flight = begun(m, 481)
        since = m.flights
        assert m.ask("new", since=since, now=481) is None
        m.succeed(flight, NEW, 482)
        assert m.ask("new", since=since, now=482) == PRESENT

    def test_a_flight_that_is_wanted_anyway_costs_no_token(self) -> None:
        m = fresh()
        now = m.wake_at
        assert m.ask("new", since=1, now=now) is None
        fetched(m, now)
        for _ in range(2):  # both tokens are there still
            assert m.ask("another", since=m.flights, now=482) is None
            fetched(m, 482)
        answer = m.ask("another", since=m.flights, now=482)
        assert answer is not None
        assert answer.availability is Availability.UNAVAILABLE, "and then none is"

    def test_many_askers_share_one_token(self) -> None:
        m = fresh()
        for kid in ("a", "b", "c"):
            assert m.ask(kid, since=m.flights, now=10) is None
        fetched(m, 10)
        assert m.wake_at > 400

    def test_an_empty_bucket_answers_at_once_and_schedules_one_flight(self) -> None:
        m = fresh()
        for kid in ("a", "b"):
            assert m.ask(kid, since=m.flights, now=10) is None
            fetched(m, 10)
        for now in (10, 20, 39):
            assert m.ask("c", since=m.flights, now=now) == KeyAnswer(
                availability=Availability.UNAVAILABLE, retry_after=40 - now
            )
        assert m.wake_at == 40
        assert m.begin(39.9) is None
        fetched(m, 40)
        assert m.wake_at > 400, "one"
        assert m.ask("d", since=m.flights, now=40) == KeyAnswer(availability=Availability.UNAVAILABLE, retry_after=30)

    def test_the_bucket_fills_again_and_not_beyond_its_size(self) -> None:
        m = fresh()
        for now, flights in ((10, 2), (400, 2), (430, 1)):
            for number in range(flights):
                assert m.ask(f"{now}-{number}", since=m.flights, now=now) is None
                fetched(m, now)
            answer = m.ask("more", since=m.flights, now=now)
            assert answer is not None
            assert answer.availability is Availability.UNAVAILABLE
            m.void()  # the flight that this has scheduled

    def test_what_is_missing_is_remembered_for_a_minute(self) -> None:
        m = fresh()
        m.ask("x", since=1, now=10)
        fetched(m, 10)
        assert m.ask("x", since=1, now=10) == ABSENT
        assert m.ask("x", since=m.flights, now=69) == ABSENT
        assert m.ask("x", since=m.flights, now=71) is None

    def test_what_is_missing_is_remembered_until_the_next_snapshot(self) -> None:
        m = fresh()
        m.ask("x", since=1, now=10)
        fetched(m, 10)
        assert m.ask("x", since=1, now=10) == ABSENT
        m.ask("y", since=m.flights, now=11)
        fetched(m, 11, NEW)
        assert m.ask("x", since=m.flights, now=12) != ABSENT

    def test_the_memory_is_bounded_and_forgets_the_longest_unused(self) -> None:
        m = machine(timing=Timing(missing_most=2))
        fetched(m, 0)
        m.ask("a", since=1, now=1)
        fetched(m, 1)
        for kid in ("a", "b"):
            assert m.ask(kid, since=1, now=1) == ABSENT
        assert m.ask("a", since=2, now=1) == ABSENT
        assert m.ask("c", since=1, now=1) == ABSENT
        assert m.ask("a", since=2, now=1) == ABSENT
        assert m.ask("b", since=2, now=1) is None

    def test_a_failed_flight_proves_nothing(self) -> None:
        m = fresh()
        m.ask("new", since=1, now=10)
        failed(m, 10)
        answer = m.ask("new", since=1, now=10)
        assert answer is not None
        assert answer.availability is Availability.UNAVAILABLE
        assert answer.retry_after == pytest.approx(1.5)

    def test_a_snapshot_of_an_earlier_process_proves_nothing(self) -> None:
        m = cold()
        since = m.flights
        assert m.adopt(OLD, 5, 100)
        assert m.ask("new", since=since, now=100) is None


class TestWaiting:
    @pytest.mark.parametrize(
        ("maker", "waiting", "admitted"),
        [
            pytest.param(fresh, Waiting(coroutines=63, threads=4), True, id="unknown-64th-task"),
            pytest.param(fresh, Waiting(coroutines=64), False, id="unknown-65th-task"),
            pytest.param(fresh, Waiting(coroutines=64, threads=3, blocking=True), True, id="unknown-4th-thread"),
            pytest.param(fresh, Waiting(threads=4, blocking=True), False, id="unknown-5th-thread"),
            pytest.param(cold, Waiting(coroutines=900, threads=99), True, id="cold-1000th"),
            pytest.param(cold, Waiting(coroutines=900, threads=100), False, id="cold-1001st"),
            pytest.param(cold, Waiting(coroutines=900, threads=99, blocking=True), True, id="cold-1000th-thread"),
            pytest.param(expired, Waiting(coroutines=999), True, id="expired-1000th"),
        ],
    )
    def test_so_many_may_wait(self, maker: Callable[[], Machine], waiting: Waiting, admitted: bool) -> None:
        m = maker()
        answer = m.ask("new", since=m.flights, now=m._now, waiting=waiting)
        assert answer == (None if admitted else UNAVAILABLE)


class TestFlights:
    def test_one_at_a_time(self) -> None:
        m = cold()
        begun(m, 0)
        assert m.begin(5.9) is None

    def test_one_whose_driver_has_died_is_lost(self) -> None:
        m = cold()
        first = begun(m, 0)
        assert m.wake_at == 6
        second = begun(m, 6)
        assert second.number > first.number
        assert m.ask("old", since=0, now=6) is None

    def test_a_late_answer_never_overwrites_a_newer_one(self) -> None:
        m = cold()
        first, second = begun(m, 0), begun(m, 6)
        assert m.succeed(second, NEW, 7)
        assert not m.succeed(first, OLD, 8)
        assert m.snapshot == NEW

    def test_a_late_answer_is_taken_while_there_is_no_newer_one(self) -> None:
        m = cold()
        first, second = begun(m, 0), begun(m, 6)
        assert m.succeed(first, OLD, 7)
        assert m.snapshot == OLD
        assert m.begin(7) is None, "the newer is in the air"
        assert m.succeed(second, NEW, 8)
        assert m.snapshot == NEW

    def test_a_very_late_answer_is_as_old_as_its_flight(self) -> None:
        m = cold()
        flight = begun(m, 0)
        assert m.succeed(flight, OLD, 86_400)
        assert (state_of(m), m.snapshot) == (State.EXPIRED, None)

    def test_a_late_failure_does_not_count(self) -> None:
        m = cold()
        first, second = begun(m, 0), begun(m, 6)
        assert not m.fail(first, 7)
        assert m.failures == 0
        assert m.succeed(second, NEW, 8)

    def test_a_late_success_ends_the_pause_after_a_newer_failure(self) -> None:
        m = cold()
        first, second = begun(m, 0), begun(m, 6)
        assert m.fail(second, 7)
        assert m.succeed(first, OLD, 7.1)
        assert m.failures == 0
        assert m.ask("new", since=m.flights, now=7.1) is None

    def test_the_same_answer_twice_counts_once(self) -> None:
        m = cold()
        flight = begun(m, 0)
        assert m.succeed(flight, OLD, 0)
        assert not m.succeed(flight, NEW, 1)
        assert not m.fail(flight, 1)
        m.abandon(flight, 1)
        assert (m.snapshot, m.state) == (OLD, State.FRESH)

    def test_one_abandonment_is_free(self) -> None:
        m = cold()
        m.abandon(begun(m, 0), 1)
        assert m.failures == 0
        assert m.begin(1) is not None

    def test_several_in_a_row_are_paused_for(self) -> None:
        m = cold()
        m.abandon(begun(m, 0), 0)
        m.abandon(begun(m, 0), 0)
        assert m.wake_at == pytest.approx(1.5)
        m.abandon(begun(m, 2), 2)
        assert m.wake_at == pytest.approx(5)
        fetched(m, 5)
        m.abandon(begun(m, 600), 600)
        assert m.begin(600) is not None

    def test_one_that_is_withdrawn_never_was(self) -> None:
        m = cold()
        for now in range(5):
            m.withdraw(begun(m, now), now)
        assert (m.failures, m.flights) == (0, 5)
        assert m.begin(5) is not None

    def test_one_that_is_withdrawn_costs_no_token_and_is_wanted_still(self) -> None:
        m = fresh()
        since = m.flights
        for now in range(10, 20):
            assert m.ask("new", since=since, now=now) is None
            m.withdraw(begun(m, now), now)
            assert m.wake_at == now
        fetched(m, 20)
        assert m.ask("new", since=since, now=20) == ABSENT
        assert m.ask("other", since=m.flights, now=20) is None, "there is a second token"

    def test_a_routine_one_that_is_withdrawn_gives_back_no_token(self) -> None:
        m = fresh()
        assert m.ask("new", since=m.flights, now=470) is None
        failed(m, 470)  # one of two tokens is spent
        m.withdraw(begun(m, 480), 480)  # the very second from which flights are free
        fetched(m, 480)
        assert m.ask("a", since=m.flights, now=480) is None
        fetched(m, 480)
        assert m.ask("b", since=m.flights, now=481) == KeyAnswer(availability=Availability.UNAVAILABLE, retry_after=19)

    def test_a_late_one_is_not_yet_a_failed_one(self) -> None:
        m = fresh()
        m.attend(480)
        assert state_of(m) is State.DUE
        begun(m, 601)
        m.attend(602)
        assert state_of(m) is State.DUE

    def test_one_that_was_lost_is_not_withdrawn(self) -> None:
        m = cold()
        first, second = begun(m, 0), begun(m, 6)
        m.withdraw(first, 7)
        assert m.begin(7) is None
        assert m.succeed(second, OLD, 8)

    def test_an_abandonment_does_not_heal(self) -> None:
        m = stale()
        failures = m.failures
        m.abandon(begun(m, 700), 700)
        assert m.failures == failures
        assert state_of(m) is State.STALE


class TestAttention:
    """What the request path reads: never later than the machine needs a reader, never sooner than a driver would."""

    @pytest.mark.parametrize(
        ("maker", "attention_at"),
        [
            pytest.param(cold, -math.inf, id="cold"),
            pytest.param(fresh, 481, id="fresh"),
            pytest.param(stale, 605 + 1, id="stale-attended-at-605"),
            pytest.param(expired, 86_401, id="expired-attended"),
            pytest.param(static, math.inf, id="static"),
            pytest.param(closed, math.inf, id="closed"),
        ],
    )
    def test_it_lies_a_little_behind_the_driver(self, maker: Callable[[], Machine], attention_at: float) -> None:
        assert maker().attention_at == pytest.approx(attention_at)

    def test_a_flight_in_the_air_needs_none_until_it_is_lost(self) -> None:
        m = due()
        begun(m, 481)
        assert m.attention_at == pytest.approx(481 + 6 + 1)

    def test_attending_moves_it_on_and_says_what_is_wanted(self) -> None:
        m = fresh()
        assert not m.attend(100)
        assert m.attention_at == 481
        assert m.attend(m.wake_at)
        assert m.attend(500)
        assert m.attention_at == 501

    def test_a_question_moves_it_up(self) -> None:
        m = fresh()
        m.ask("new", since=1, now=10)
        assert m.attention_at == 11


class TestLives:
    @pytest.mark.parametrize(
        ("later", "state"),
        [
            pytest.param(100, State.FRESH, id="soon"),
            pytest.param(1000, State.DUE, id="later"),
            pytest.param(90_000, State.EXPIRED, id="too-late"),
        ],
    )
    def test_reopened_it_goes_on_as_old_as_it_is(self, later: float, state: State) -> None:
        m = closed()
        assert m.age(10) == 10
        m.attend(later)
        assert state_of(m) is State.CLOSED
        m.reopen(later)
        assert state_of(m) is state
        assert (m.snapshot == OLD) is (state is not State.EXPIRED)

    @pytest.mark.parametrize("maker", [cold, static], ids=["cold", "static"])
    def test_reopened_it_is_what_it_was(self, maker: Callable[[], Machine]) -> None:
        m = maker()
        before, snapshot = m.state, m.snapshot
        m.close()
        m.close()
        assert (state_of(m), m.snapshot) == (State.CLOSED, None)
        m.reopen(10)
        m.reopen(10)
        assert (state_of(m), m.snapshot) == (before, snapshot)

    def test_a_flight_of_another_process_is_not_taken(self) -> None:
        m = cold()
        flight = begun(m, 0)
        m.void()
        assert not m.succeed(flight, OLD, 2)
        assert not m.fail(flight, 2)
        assert m.begin(2) is not None

    @pytest.mark.parametrize("maker", [cold, fresh, stale], ids=["cold", "fresh", "stale"])
    def test_what_a_flight_brings_to_a_closed_machine_is_kept_aside(self, maker: Callable[[], Machine]) -> None:
        m = maker()
        flight = begun(m, 650)
        m.close()
        assert (m.wake_at, m.attention_at) == (math.inf, math.inf)
        assert m.succeed(flight, NEW, 651)
        assert (state_of(m), m.snapshot, m.failures) == (State.CLOSED, None, 0)
        assert (m.wake_at, m.attention_at) == (math.inf, math.inf)
        assert m.ask("new", since=0, now=651) == UNAVAILABLE
        m.reopen(700)
        assert (state_of(m), m.snapshot) == (State.FRESH, NEW)
        assert m.age(700) == 50
        assert m.wake_at == pytest.approx(650 + 480)

    def test_a_flight_that_fails_in_a_closed_machine_counts(self) -> None:
        m = fresh()
        flight = begun(m, 590)
        m.close()
        assert m.fail(flight, 591)
        assert state_of(m) is State.CLOSED
        m.reopen(601)
        assert (state_of(m), m.failures) == (State.STALE, 1)

    def test_reopened_in_time_it_still_waits_for_the_flight_in_the_air(self) -> None:
        m = cold()
        flight = begun(m, 0)
        m.close()
        m.reopen(1)
        assert m.begin(1) is None
        assert m.ask("old", since=m.flights, now=1) is None
        assert m.succeed(flight, OLD, 2)
        assert m.snapshot == OLD

    def test_a_closed_machine_begins_and_adopts_nothing(self) -> None:
        m = cold()
        m.close()
        assert not m.adopt(OLD, 1, 2)
        assert m.begin(3) is None

    def test_lives_of_a_moment_renew_what_they_hold_in_its_lifetime(self) -> None:
        """Each invocation opens and closes it, and no flight ends in the invocation that begins it (AWS Lambda)."""
        m = fresh()
        m.close()
        flight: Flight | None = None
        ages: list[float] = []
        for now in range(10, 90_000, 10):
            m.reopen(now)
            age = m.age(now)
            assert age is not None
            ages.append(age)
            if m.attend(now):
                flight = begun(m, now)
            m.close()
            if flight is not None:
                assert m.succeed(flight, OLD, now + 1)
                flight = None
        assert max(ages) <= 490

    @pytest.mark.parametrize("cut", ["abandoned", "lost"])
    def test_lives_that_are_cut_short_in_each_flight_are_not_quietly_due(self, cut: str) -> None:
        m = fresh()
        flight = begun(m, 590)
        if cut == "abandoned":
            m.abandon(flight, 591)
        m.close()
        m.reopen(599)
        begun(m, 599)
        assert state_of(m) is State.DUE, "its lifetime has not ended"
        m.close()
        m.reopen(600)
        assert (state_of(m), m.failures) == (State.STALE, 0)
        assert m.ask("old", since=m.flights, now=600) == PRESENT
        later = begun(m, 700)
        m.succeed(later, OLD, 700)
        m.pass_time(10_000)
        assert state_of(m) is State.DUE, "an attempt that ended well is the last word"

    def test_a_failure_after_an_attempt_that_was_cut_short_is_the_last_word(self) -> None:
        m = fresh()
        m.abandon(begun(m, 500), 501)
        failed(m, 502)
        assert not m._cut_short
        m.pass_time(600)
        assert state_of(m) is State.STALE

    def test_what_was_void_proves_nothing(self) -> None:
        m = fresh()
        since = m.flights
        m.ask("new", since=since, now=1)
        begun(m, 1)
        m.close()
        m.reopen(1)
        assert m.ask("new", since=since, now=1) is None

    @pytest.mark.parametrize(
        ("age", "taken"),
        [
            pytest.param(0, True, id="new"),
            pytest.param(86_399, True, id="just-within"),
            pytest.param(86_400, False, id="too-old"),
            pytest.param(math.inf, False, id="infinite"),
            pytest.param(-1, False, id="from-the-future"),
            pytest.param(math.nan, False, id="nan"),
        ],
    )
    def test_a_snapshot_of_an_earlier_process(self, age: float, taken: bool) -> None:
        m = cold()
        assert m.adopt(OLD, age, 50) is taken
        assert (m.snapshot == OLD) is taken
        if taken:
            assert state_of(m) is State.DUE
            assert m.age(50) == age
            assert m.begin(50) is not None, "refreshed at once"
            m.attend(50 + 86_400 - age)
            assert state_of(m) is State.EXPIRED

    def test_one_is_taken_where_what_was_held_has_run_out_unnoticed(self) -> None:
        m = fresh()
        assert m.adopt(NEW, 1, 90_000)
        assert m.snapshot == NEW

    def test_one_is_dropped_in_time_even_while_a_flight_is_in_the_air(self) -> None:
        m = cold()
        begun(m, 50)
        assert m.adopt(OLD, 86_398, 50)
        assert m.attention_at == 52

    def test_what_is_void_is_forgotten(self) -> None:
        m = fresh()
        m.ask("x", since=1, now=10)
        fetched(m, 10)
        assert m.ask("x", since=1, now=10) == ABSENT
        m.ask("y", since=m.flights, now=11)
        assert m.wake_at == 11
        m.void()
        assert m.wake_at == pytest.approx(490)
        assert m.ask("x", since=m.flights, now=12) is None

    @pytest.mark.parametrize("state", [State.FRESH, State.DUE, State.STALE, State.STATIC, State.CLOSED])
    def test_none_is_taken_where_something_is_held(self, state: State) -> None:
        m = MAKERS[state]()
        held = m.snapshot
        assert not m.adopt(NEW, 1, 300)
        assert (state_of(m), m.snapshot) == (state, held)

    def test_what_was_given_has_no_age(self) -> None:
        assert static().age(100) is None
        assert cold().age(100) is None


def run(
    m: Machine, endpoint: Callable[[float], Keys | None], times: Iterable[float], takes: float = 0.05
) -> list[float]:
    """Live with an endpoint and a driver; return when flights began."""
    flight: Flight | None = None
    began: list[float] = []
    for now in times:
        if flight is not None and now >= flight.began + takes:
            keys = endpoint(now)
            assert m.fail(flight, now) if keys is None else m.succeed(flight, keys, now)
            flight = None
        if flight is None and (flight := m.begin(now)) is not None:
            began.append(now)
    return began


def test_a_flood_of_unknown_kids_causes_22_fetches_and_a_rotation_is_found_within_30_seconds() -> None:
    m = machine()
    found: list[float] = []
    rotated_at = 317.0
    numbers = count()

    def flooded() -> Iterable[float]:
        for number in range(60_000):
            now = number * 0.01
            yield now
            m.ask(f"random-{next(numbers)}", since=m.flights, now=now)
            if now > rotated_at and not found and m.ask("new", since=m.flights, now=now) == PRESENT:
                found.append(now)

    began = run(m, lambda now: NEW if now > rotated_at else OLD, flooded())
    assert len(began) <= 22
    assert len(began) > 15, "and the flood is answered, not ignored"
    assert found[0] - rotated_at <= 30.1


def test_six_hours_of_outage_are_survived_with_known_kids() -> None:
    m = machine()
    down = range(1000, 1000 + 6 * 3600)
    refused: list[float] = []

    def asked() -> Iterable[float]:
        for second in range(30_000):
            yield second
            if second > 0 and m.ask("old", since=m.flights, now=second) != PRESENT:
                refused.append(second)

    began = run(m, lambda now: None if int(now) in down else OLD, asked())
    assert not refused
    during = [now for now in began if now in down]
    assert len(during) <= 6 * 3600 / 30 + 6
    assert m.state in (State.FRESH, State.DUE)


def test_cold_and_down_backoff_bounds_the_attempts_whoever_asks() -> None:
    m = machine(random=lambda: 0.0)

    def asked() -> Iterable[float]:
        for tenth in range(6000):
            yield tenth / 10
            m.ask(f"{tenth}", since=m.flights, now=tenth / 10)
            m.ask(None, since=m.flights, now=tenth / 10)

    began = run(m, lambda _: None, asked(), takes=0.1)
    # 1 + 2 + 4 + 8 + 16 s, then 30 s each, and 0.1 s of flight
    assert len(began) <= 5 + 600 / 30 + 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["begin", "succeed", "fail", "abandon", "withdraw", "ask", "attend", "close", "reopen", "adopt", "void"]
            ),
            st.floats(0, 2000),
            st.integers(0, 5),
        ),
        max_size=60,
    )
)
def test_whatever_happens_in_whatever_order_the_promises_hold(  # noqa: PLR0912 - one branch for each call
    steps: list[tuple[str, float, int]],
) -> None:
    m = machine()
    flights: list[Flight] = []
    now, newest = 0.0, 0
    for step, passes, which in steps:
        now += passes
        chosen = flights[-1 - which] if which < len(flights) else None
        match step:
            case "begin":
                flights += [] if (flight := m.begin(now)) is None else [flight]
            case "succeed" if chosen is not None:
                if m.succeed(chosen, frozenset({f"{chosen.number}"}), now):
                    assert chosen.number > newest, "a newer answer was overwritten"
                    newest = chosen.number
            case "fail" if chosen is not None:
                m.fail(chosen, now)
            case "abandon" if chosen is not None:
                m.abandon(chosen, now)
            case "withdraw" if chosen is not None:
                m.withdraw(chosen, now)
            case "ask":
                if m.ask("never", since=m.flights, now=now) == ABSENT:
                    pytest.fail("absent without proof: nothing was ever asked for and shown to be missing")
            case "attend":
                m.attend(now)
                assert m.attention_at > now
            case "adopt":
                m.adopt(OLD, passes, now)
            case "close":
                m.close()
            case "reopen":
                m.reopen(now)
            case "void":
                m.void()
        held = m.snapshot is not None
        assert held is (m.state in (State.FRESH, State.DUE, State.STALE, State.STATIC))
        if held:
            age = m.age(now)
            assert age is not None
            assert age < m.timing.hard_ttl
            assert m.attention_at <= now + m.timing.hard_ttl
        assert m.wake_at <= m.attention_at or held
