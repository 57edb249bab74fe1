"""Doors that share a refresher, and let go of it."""

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.freshness import ABSENT, PRESENT, UNAVAILABLE
from cfaccess_mw.core.states import State
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.refresh.registry import Hold, Registry
from cfaccess_mw.telemetry.events import Event, Listener
from tests.refresh.parts import PATIENT, URL, BlockingAnswers, Keys, Told, holds, parse


def take(
    registry: Registry,
    fetcher: AnyFetcher | None,
    *,
    url: str = URL,
    hard_ttl: float = 86_400,
    listeners: tuple[Listener, ...] = (),
) -> Hold[Keys]:
    timing = Timing(hard_ttl=hard_ttl)
    return registry.hold(url=url, fetcher=fetcher, parse=parse, holds=holds, timing=timing, listeners=listeners)


def test_doors_share_one_and_the_last_closes_it() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    first, second = take(registry, endpoint), take(registry, endpoint)
    assert first.refresher is second.refresher
    first.refresher.hydrate()
    first.release()
    first.release()  # twice is once
    assert second.refresher.obtain_blocking("known", patience=0) == PRESENT
    second.release()
    assert second.refresher.health().state is State.CLOSED
    assert second.refresher.obtain_blocking("known", patience=PATIENT) == UNAVAILABLE
    assert endpoint.count == 1


def test_held_again_it_has_its_snapshot() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    first = take(registry, endpoint)
    first.refresher.hydrate()
    first.release()
    again = take(registry, endpoint)
    assert again.refresher.snapshot == frozenset({"known"})
    assert endpoint.count == 1
    again.release()


def test_another_url_or_fetcher_is_another_refresher() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    held = [take(registry, endpoint), take(registry, endpoint, url=URL + "2"), take(registry, BlockingAnswers())]
    assert len({id(hold.refresher) for hold in held}) == 3
    default = [take(registry, None), take(registry, None)]
    assert default[0].refresher is default[1].refresher
    for hold in (*held, *default):
        hold.release()


def test_differing_parameters_are_a_mistake_while_somebody_holds_it() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    first = take(registry, endpoint)
    with pytest.raises(ConfigurationError, match=r"^hard_ttl: .* with another value; give both the same"):
        take(registry, endpoint, hard_ttl=3600)
    with pytest.raises(ConfigurationError, match=r"^parse: "):
        registry.hold(url=URL, fetcher=endpoint, parse=lambda _: frozenset(), holds=holds)
    first.release()
    second = take(registry, endpoint, hard_ttl=3600)
    assert second.refresher is not first.refresher
    assert second.refresher.timing.hard_ttl == 3600
    first.release()
    assert second.refresher.health().state is State.COLD
    second.release()


def test_a_door_that_is_thrown_away_holds_nothing() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    refresher = take(registry, endpoint).refresher
    refresher.hydrate()
    again = take(registry, endpoint)
    assert again.refresher is refresher
    assert refresher.snapshot == frozenset({"known"})
    del again
    gc.collect()
    assert refresher.obtain_blocking("never", patience=PATIENT) == ABSENT, "who waits is answered nevertheless"
    other = take(registry, endpoint, hard_ttl=3600)
    assert refresher.health().state is State.CLOSED
    other.release()


def test_a_driver_that_nobody_employs_any_more_ends_instead_of_fetching() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    timing = Timing(lifetime=0.05, shortest=0.01)
    hold = registry.hold(url=URL, fetcher=endpoint, parse=parse, holds=holds, timing=timing)
    refresher = hold.refresher
    others = set(threading.enumerate())
    refresher.hydrate()
    (thread,) = [t for t in set(threading.enumerate()) - others if t.name == "cfaccess-refresh"]
    assert refresher.health().state is not State.CLOSED
    del hold
    gc.collect()
    thread.join(PATIENT)
    assert not thread.is_alive()
    assert refresher.health().state is State.CLOSED
    again = registry.hold(url=URL, fetcher=endpoint, parse=parse, holds=holds, timing=timing)
    assert again.refresher is refresher
    assert refresher.snapshot == frozenset({"known"})
    again.release()


class TestRest:
    def test_it_is_closed_while_all_rest_and_goes_on_after_it(self) -> None:
        registry, endpoint = Registry(), BlockingAnswers()
        first, second = take(registry, endpoint), take(registry, endpoint)
        refresher = first.refresher
        refresher.hydrate()
        first.rest()
        first.rest()  # twice is once
        assert refresher.snapshot == frozenset({"known"})
        second.rest()
        assert refresher.health().state is State.CLOSED
        first.resume()
        assert refresher.snapshot == frozenset({"known"})
        second.release()
        assert refresher.snapshot == frozenset({"known"})
        first.release()
        assert refresher.health().state is State.CLOSED
        assert endpoint.count == 1

    def test_its_parameters_stay_reserved(self) -> None:
        registry, endpoint = Registry(), BlockingAnswers()
        first = take(registry, endpoint)
        first.rest()
        with pytest.raises(ConfigurationError, match=r"^hard_ttl: "):
            take(registry, endpoint, hard_ttl=3600)
        first.resume()
        assert first.refresher.obtain_blocking("known", patience=PATIENT) == PRESENT
        first.rest()
        del first  # thrown away, it reserves nothing
        gc.collect()
        take(registry, endpoint, hard_ttl=3600).release()

    def test_it_is_not_dropped_however_many_come_and_go(self) -> None:
        registry, endpoint = Registry(), BlockingAnswers()
        resting = take(registry, endpoint)
        resting.refresher.hydrate()
        resting.rest()
        for number in range(40):
            take(registry, endpoint, url=f"{URL}{number}").release()
        resting.resume()
        assert resting.refresher.snapshot == frozenset({"known"})
        resting.release()

    @pytest.mark.parametrize("call", [Hold.rest, Hold.resume, Hold.release], ids=lambda call: call.__name__)
    def test_what_was_released_stays_released(self, call: Callable[[Hold[Keys]], None]) -> None:
        registry, endpoint = Registry(), BlockingAnswers()
        gone = take(registry, endpoint)
        gone.rest()
        gone.release()
        call(gone)
        assert gone.refresher.health().state is State.CLOSED
        take(registry, endpoint, hard_ttl=3600).release()

    def test_its_listeners_are_told_what_a_flight_in_the_air_brings(self) -> None:
        registry, endpoint, told = Registry(), BlockingAnswers(gate_open=False), Told()
        hold = take(registry, endpoint, listeners=(told,))
        hold.refresher.attend_blocking()
        endpoint.await_arrival()
        hold.rest()
        endpoint.gate.set()
        told.wait_for("keys-fetched")
        hold.resume()
        assert hold.refresher.snapshot == frozenset({"known"})
        hold.release()

    def test_a_listener_may_let_go_of_what_it_is_told_of(self) -> None:
        registry, endpoint = Registry(), BlockingAnswers()
        clock = {"stale": False}
        first = take(registry, endpoint)

        def drop(event: Event) -> None:
            clock["stale"] = True
            first.release()

        second = take(registry, endpoint, listeners=(drop,))
        second.refresher._clock = lambda: 0.0
        second.refresher.hydrate()
        first.rest()
        second.rest()
        second.refresher._clock = lambda: 1e6
        second.resume()  # it has run out meanwhile, and says so
        assert clock["stale"]
        assert second.refresher.health().state is State.EXPIRED
        second.release()


def test_every_listener_is_told_once_for_as_long_as_it_holds() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    common, own, gone = Told(), Told(), Told()
    first = take(registry, endpoint, listeners=(common, own))
    second = take(registry, endpoint, listeners=(common,))
    take(registry, endpoint, listeners=(gone,)).release()
    first.refresher.hydrate()
    assert (common.names, own.names, gone.names) == (["keys-fetched"], ["keys-fetched"], [])
    first.release()
    second.release()


def test_those_that_nobody_holds_are_bounded() -> None:
    registry, endpoint = Registry(), BlockingAnswers()
    kept = take(registry, endpoint)
    idle = []
    for number in range(40):
        hold = take(registry, endpoint, url=f"{URL}{number}")
        idle.append(hold.refresher)
        hold.release()
    assert len(registry._entries) == 33
    assert take(registry, endpoint).refresher is kept.refresher
    assert take(registry, endpoint, url=f"{URL}39").refresher is idle[39]
    assert take(registry, endpoint, url=f"{URL}0").refresher is not idle[0]


def test_threads_that_hold_and_release_leave_it_closed() -> None:
    registry, endpoint = Registry(), BlockingAnswers()

    def live(_: int) -> None:
        hold = take(registry, endpoint)
        hold.refresher.attend_blocking()
        hold.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(live, range(200)))
    assert [entry.holds() for entry in registry._entries.values()] == [[]]
    assert take(registry, endpoint).refresher.obtain_blocking("known", patience=PATIENT) == PRESENT
