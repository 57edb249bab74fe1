"""What do refreshers promise, whoever asks and whoever fetches? One suite, on asyncio, on trio and in threads.

``fetcher`` says where the work is done: one that is asynchronous is driven on the loop that asks, or in a thread where
there is none; one that blocks always in a thread.
"""

from collections.abc import Callable, Iterator

import pytest

from cfaccess_mw.core.errors import FetchError, KeysUnavailable
from cfaccess_mw.core.freshness import ABSENT, PRESENT, UNAVAILABLE, Availability
from cfaccess_mw.core.states import State
from cfaccess_mw.core.timing import Timing
from tests.faults.callers import Callers, Crowd, callers_of
from tests.refresh.parts import PATIENT, AsyncAnswers, BlockingAnswers, Clock, document, refresher_of

Kind = Callable[..., AsyncAnswers | BlockingAnswers]

DOWN = FetchError("status-500")
A_FLIGHT_AHEAD = 500.0  # seconds after which the keys are due, and not stale


@pytest.fixture(params=["asyncio", "trio", "threads"])
def callers(request: pytest.FixtureRequest) -> Iterator[Callers]:
    """Who asks."""
    with callers_of(request.param) as callers:
        yield callers


@pytest.fixture(params=[AsyncAnswers, BlockingAnswers], ids=["afetch", "fetch"])
def fetcher(request: pytest.FixtureRequest) -> Kind:
    """Who fetches."""
    kind: Kind = request.param
    return kind


def test_all_who_are_cold_share_one_flight(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher(gate_open=False)
    with refresher_of(endpoint) as (refresher, _):
        crowd = Crowd(refresher)
        asked = [callers.ask(refresher, "known") for _ in range(70)]
        crowd.wait_for(70)
        endpoint.gate.set()
        assert [answer.result(PATIENT) for answer in asked] == [PRESENT] * 70
    assert endpoint.count == 1


def test_who_needs_a_known_key_waits_for_no_flight(callers: Callers, fetcher: Kind) -> None:
    clock, endpoint = Clock(), fetcher()
    with refresher_of(endpoint, clock=clock) as (refresher, _):
        callers.hydrate(refresher)
        endpoint.await_arrival()
        endpoint.gate.clear()
        clock.turn(A_FLIGHT_AHEAD)
        callers.attend(refresher)
        endpoint.await_arrival()
        assert refresher.snapshot == frozenset({"known"})
        assert callers.ask(refresher, "known", 0).result(PATIENT) == PRESENT


def test_a_flight_that_began_before_the_question_proves_nothing(callers: Callers, fetcher: Kind) -> None:
    """Whoever signed in just after a rotation is not told that the token is bad."""
    clock = Clock()
    endpoint = fetcher(document("known"), document("known"), document("known", "new"))
    with refresher_of(endpoint, clock=clock) as (refresher, _):
        callers.hydrate(refresher)
        endpoint.await_arrival()
        endpoint.gate.clear()
        clock.turn(A_FLIGHT_AHEAD)
        callers.attend(refresher)
        endpoint.await_arrival()
        crowd = Crowd(refresher)
        new, never = callers.ask(refresher, "new"), callers.ask(refresher, "never")
        crowd.wait_for(2)
        endpoint.gate.set()
        assert new.result(PATIENT) == PRESENT
        assert never.result(PATIENT) == ABSENT
    assert endpoint.count == 3


def test_unknown_keys_cause_two_flights_and_no_more(callers: Callers, fetcher: Kind) -> None:
    clock, endpoint = Clock(), fetcher()
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        callers.hydrate(refresher)
        answers = [callers.ask(refresher, f"random-{number}").result(PATIENT) for number in range(20)]
        assert answers[:2] == [ABSENT] * 2
        assert {answer.availability for answer in answers[2:]} == {Availability.UNAVAILABLE}
        assert all(0 < answer.retry_after <= 30 for answer in answers[2:])
        assert callers.ask(refresher, "random-1").result(PATIENT) == ABSENT, "as it was shown"
        assert endpoint.count == 3
        clock.turn(30)
        callers.attend(refresher)
        told.wait_for("keys-fetched", 4)  # the one that was put off until then
        assert callers.ask(refresher, "random-20").result(PATIENT).availability is Availability.UNAVAILABLE
        assert endpoint.count == 4


def test_a_failure_is_paused_for(callers: Callers, fetcher: Kind) -> None:
    clock, endpoint = Clock(), fetcher(DOWN)
    with refresher_of(endpoint, clock=clock) as (refresher, _):
        for flights, pause in enumerate([1.5, 3.0, 6.0, 12.0, 24.0, 45.0, 45.0], start=1):
            answers = [callers.ask(refresher, "known") for _ in range(20)]
            found = [answer.result(PATIENT) for answer in answers]
            assert {answer.availability for answer in found} == {Availability.UNAVAILABLE}
            assert endpoint.count == flights
            assert refresher.health().failures == flights
            clock.turn(pause - 0.01)
            callers.ask(refresher, "known").result(PATIENT)
            assert endpoint.count == flights
            clock.turn(0.01)
        endpoint.answers = [document("known")]
        assert callers.ask(refresher, "known").result(PATIENT) == PRESENT
        assert refresher.health().failures == 0


def test_a_failure_takes_nothing_away(callers: Callers, fetcher: Kind) -> None:
    clock, endpoint = Clock(), fetcher(document("known"), DOWN)
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        callers.hydrate(refresher)
        clock.turn(601)
        callers.attend(refresher)
        told.wait_for("keys-failed")
        assert refresher.health().state is State.STALE
        assert callers.ask(refresher, "known", 0).result(PATIENT) == PRESENT
        assert callers.ask(refresher, "new").result(PATIENT).availability is Availability.UNAVAILABLE


def test_what_is_too_old_is_dropped_without_anybody_fetching(callers: Callers, fetcher: Kind) -> None:
    clock, endpoint = Clock(), fetcher(document("known"), DOWN)
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        callers.hydrate(refresher)
        clock.turn(86_399)
        callers.attend(refresher)
        told.wait_for("keys-failed")
        assert callers.ask(refresher, "known", 0).result(PATIENT) == PRESENT
        clock.turn(1)
        assert clock() >= refresher.attention_at
        callers.attend(refresher)
        assert refresher.snapshot is None
        assert callers.ask(refresher, "known", 0).result(PATIENT).availability is Availability.UNAVAILABLE


def test_a_removed_key_dies_with_the_flight_that_shows_it(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher(document("known", "old"), document("known"))
    with refresher_of(endpoint) as (refresher, _):
        callers.hydrate(refresher)
        assert callers.ask(refresher, "old", 0).result(PATIENT) == PRESENT
        assert callers.ask(refresher, "new").result(PATIENT) == ABSENT
        assert refresher.snapshot == frozenset({"known"})
        assert callers.ask(refresher, "old").result(PATIENT) == ABSENT


def test_so_many_wait_for_an_unknown_key_and_one_more_is_refused_at_once(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher()
    with refresher_of(endpoint) as (refresher, _):
        callers.hydrate(refresher)
        endpoint.gate.clear()
        crowd = Crowd(refresher)
        waiting = [callers.ask(refresher, f"random-{number}") for number in range(callers.room)]
        crowd.wait_for(callers.room)
        assert callers.ask(refresher, "one-more").result(PATIENT) == UNAVAILABLE
        assert callers.ask(refresher, "known", 0).result(PATIENT) == PRESENT
        endpoint.gate.set()
        assert [answer.result(PATIENT) for answer in waiting] == [ABSENT] * callers.room
    assert endpoint.count <= 3, "one, and one for those who asked after it had begun"


def test_who_loses_patience_leaves_the_flight_to_others(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher(gate_open=False)
    with refresher_of(endpoint) as (refresher, _):
        crowd = Crowd(refresher)
        stays = callers.ask(refresher, "known")
        crowd.wait_for(1)
        assert callers.ask(refresher, "known", 0.01).result(PATIENT) == UNAVAILABLE
        endpoint.gate.set()
        assert stays.result(PATIENT) == PRESENT
    assert endpoint.count == 1


def test_closing_answers_who_waits_and_opening_again_finds_what_was_kept(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher(gate_open=False)
    with refresher_of(endpoint) as (refresher, told):
        crowd = Crowd(refresher)
        asked = [callers.ask(refresher, "known") for _ in range(5)]
        crowd.wait_for(5)
        endpoint.await_arrival()
        refresher.close()
        assert [answer.result(PATIENT) for answer in asked] == [UNAVAILABLE] * 5
        assert callers.ask(refresher, "known").result(PATIENT) == UNAVAILABLE
        endpoint.gate.set()
        told.wait_for("keys-fetched")
        assert refresher.snapshot is None
        refresher.reopen()
        assert callers.ask(refresher, "known", 0).result(PATIENT) == PRESENT
    assert endpoint.count == 1


def test_a_flight_ends_at_its_deadline(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher(gate_open=False)
    with refresher_of(endpoint, timing=Timing(deadline=0.05)) as (refresher, told):
        assert callers.ask(refresher, "known").result(PATIENT).availability is Availability.UNAVAILABLE
        assert told.wait_for("keys-failed").facts["reason"] == "timeout"


def test_hydrating_says_when_it_cannot(callers: Callers, fetcher: Kind) -> None:
    with refresher_of(fetcher(DOWN)) as (refresher, _), pytest.raises(KeysUnavailable):
        callers.hydrate(refresher)


def test_many_who_attend_begin_one_flight(callers: Callers, fetcher: Kind) -> None:
    endpoint = fetcher(gate_open=False)
    with refresher_of(endpoint) as (refresher, told):
        for _ in range(50):
            callers.attend(refresher)
        endpoint.gate.set()
        told.wait_for("keys-fetched")
        for _ in range(50):
            callers.attend(refresher)
        assert callers.ask(refresher, "known", 0).result(PATIENT) == PRESENT
    assert endpoint.count == 1


def test_a_listener_that_raises_changes_no_answer(callers: Callers, fetcher: Kind) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    clock, endpoint = Clock(), fetcher(DOWN, document("known"))
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        refresher.listen((broken, told))
        assert callers.ask(refresher, "known").result(PATIENT).availability is Availability.UNAVAILABLE
        clock.turn(2)
        assert callers.ask(refresher, "known").result(PATIENT) == PRESENT
        assert callers.ask(refresher, "never").result(PATIENT) == ABSENT
        told.wait_for("keys-fetched", 2)
