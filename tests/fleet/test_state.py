"""Does what is known count for as long as it may, whatever becomes of the thread that keeps it up to date?"""

import math

import pytest

from cfaccess_mw.core.errors import RevocationsUnavailable, SessionRevoked
from cfaccess_mw.core.sharing import Revocation, Revocations
from cfaccess_mw.core.sharing_options import FleetOptions
from cfaccess_mw.fleet.state import State
from tests.fleet.parts import SUB, identity
from tests.refresh.parts import Clock

REVOKED = Revocations.of([Revocation(subject="user", value=SUB, until=9e9, made_at=1, id="a")])


def state(when_lost: str = "refuse") -> tuple[State, Clock]:
    clock = Clock(1_000.0)
    options = FleetOptions(url="redis://h", lost_after=60, poll_every=2, timeout=1, when_lost=when_lost)  # type: ignore[arg-type]
    return State(options, clock=clock), clock


def test_strictly_nobody_passes_before_redis_was_heard() -> None:
    known, _ = state()
    refused = known.object(identity())
    assert isinstance(refused, RevocationsUnavailable)
    assert refused.retry_after == 4
    health = known.health()
    assert (health.state, health.ready, health.degraded, health.heard_ago) == ("never", False, True, None)


def test_what_was_known_counts_for_a_while_from_the_question_on() -> None:
    known, clock = state()
    known.hear(995.0)
    assert known.health().heard_ago == 5
    known.revoked = REVOKED
    for now, expected in ((1_000, SessionRevoked), (1_054.9, SessionRevoked), (1_055, RevocationsUnavailable)):
        clock.now = now
        assert isinstance(known.object(identity()), expected)
        assert (known.object(identity(subject="other")) is None) is (expected is SessionRevoked)
    assert known.refuses_in == 0
    known.hear(1_055)
    assert known.object(identity(subject="other")) is None
    assert known.refuses_in == 60


def test_otherwise_what_was_known_counts_for_ever() -> None:
    known, clock = state("pass")
    assert known.object(identity()) is None
    assert known.health().ready
    known.hear(1_000.0)
    known.revoked = REVOKED
    clock.turn(1e6)
    assert isinstance(known.object(identity()), SessionRevoked)
    assert known.object(identity(subject="other")) is None
    assert known.refuses_in == math.inf
    assert known.health().degraded


def test_a_secret_that_differs_is_told_for_some_minutes_and_stops_nobody() -> None:
    known, clock = state()
    known.hear(1_000.0)
    assert known.health().same_secret
    known.differ()
    for now, is_same in ((1_000, False), (1_299, False), (1_300, True)):
        clock.now = now
        known.hear(now)
        health = known.health()
        assert (health.same_secret, health.degraded, health.ready) == (is_same, not is_same, True)
        assert health.state == "connected"


@pytest.mark.parametrize(
    ("silence", "reason", "expected"),
    [
        pytest.param(0, None, ("connected", True, False), id="just-heard"),
        pytest.param(4, None, ("connected", True, False), id="as-long-as-usual"),
        pytest.param(4.1, None, ("lost", True, True), id="a-thread-that-hangs"),
        pytest.param(0, "ConnectionError", ("lost", True, True), id="just-lost"),
        pytest.param(60, "ConnectionError", ("lost", False, True), id="lost-for-too-long"),
        pytest.param(60, None, ("lost", False, True), id="a-thread-that-died"),
    ],
)
def test_health_says_so(silence: float, reason: str | None, expected: tuple[str, bool, bool]) -> None:
    known, clock = state()
    known.hear(1_000.0)
    known.reason = reason
    known.revoked = REVOKED
    clock.turn(silence)
    health = known.health()
    assert (health.state, health.ready, health.degraded) == expected
    assert (health.revocations, health.reason) == (1, reason)
    assert health.heard_ago == pytest.approx(silence)
