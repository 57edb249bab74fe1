"""Doors that share a refresher, and let go of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.freshness import PRESENT, UNAVAILABLE
from cfaccess_mw.core.states import State
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.refresh.registry import Hold, Registry
from cfaccess_mw.telemetry.events import Listener
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
    other = take(registry, endpoint, hard_ttl=3600)
    assert refresher.health().state is State.CLOSED
    other.release()


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
    assert [entry.holds for entry in registry._entries.values()] == [[]]
    assert take(registry, endpoint).refresher.obtain_blocking("known", patience=PATIENT) == PRESENT
