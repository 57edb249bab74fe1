"""Does a Redis that dies, hangs, comes back or forgets let nobody in who should not be, and stop nothing else?"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cfaccess_mw.core.sharing import Revocation
from cfaccess_mw.emulator.issuer import Issuer
from tests.fleet.conftest import Hire
from tests.fleet.parts import SECRET, Ear, signed_in
from tests.fleet.servers import RedisServer
from tests.processes import free_port


def _kill(server: RedisServer) -> None:
    server.kill()


def _pause(server: RedisServer) -> None:
    server.pause()


def _back_from_death(server: RedisServer) -> None:
    server.start()


def _back_from_sleep(server: RedisServer) -> None:
    server.resume()


LOSSES = [pytest.param(_kill, _back_from_death, id="killed"), pytest.param(_pause, _back_from_sleep, id="paused")]


@pytest.mark.parametrize(("lose", "bring_back"), LOSSES)
def test_what_was_known_counts_for_a_while_and_then_nobody_passes(
    issuer: Issuer,
    frail: RedisServer,
    hire: Hire,
    lose: Callable[[RedisServer], None],
    bring_back: Callable[[RedisServer], None],
) -> None:
    worker, lenient = hire(frail), hire(frail, when_lost="pass")
    alice, bob = signed_in(issuer), signed_in(issuer, "bob@example.com")
    worker.fleet.revoke(email="alice@example.com")
    lenient.knows(1)
    lose(frail)
    lost = worker.ear.wait("fleet-lost")
    assert lost.facts["when_lost"] == "refuse"
    assert worker.ear.wait("fleet-refuses").name not in lenient.ear.told()
    assert [worker.outcome(alice), worker.outcome(bob)] == ["revocations-unavailable"] * 2
    assert [lenient.outcome(alice), lenient.outcome(bob)] == ["session-revoked", "accepted"]
    assert (worker.protection.ready(), lenient.protection.ready()) == (False, True)
    assert worker.fleet.health().state == lenient.fleet.health().state == "lost"
    bring_back(frail)
    worker.ear.wait("fleet-back")
    lenient.ear.wait("fleet-back")
    assert [worker.outcome(alice), worker.outcome(bob)] == ["session-revoked", "accepted"]
    assert worker.protection.ready()
    assert worker.fleet.health().reason is None


def test_a_short_interruption_stops_nothing(issuer: Issuer, frail: RedisServer, hire: Hire) -> None:
    worker = hire(frail, lost_after=60)
    frail.kill()
    worker.ear.wait("fleet-lost")
    assert worker.outcome(signed_in(issuer)) == "accepted"
    health = worker.fleet.health()
    assert (health.state, health.ready, health.degraded) == ("lost", True, True)
    frail.start()
    worker.ear.wait("fleet-back")
    assert worker.fleet.health().state == "connected"
    assert worker.ear.told().count("fleet-lost") == 1


def test_what_redis_forgets_is_not_forgotten_and_is_written_back(
    issuer: Issuer, frail: RedisServer, hire: Hire
) -> None:
    shared = Ear()  # either may write it back
    one, other = (hire(frail, secret=SECRET, lost_after=60, listeners=[shared]) for _ in range(2))
    one.fleet.revoke(email="alice@example.com")
    one.fleet.revoke(email="bob@example.com")
    one.fleet.undo(value="bob@example.com", subject="email")
    other.knows(1)
    frail.kill()
    frail.start()
    shared.wait("revocations-restored")
    late = hire(frail, secret=SECRET)
    for worker in (one, other, late):
        assert worker.outcome(signed_in(issuer)) == "session-revoked"
        assert worker.outcome(signed_in(issuer, "bob@example.com")) == "accepted"


def test_redis_emptied_under_way_is_noticed_without_a_reconnection(
    issuer: Issuer, frail: RedisServer, hire: Hire
) -> None:
    worker = hire(frail)
    made = worker.elsewhere().revoke(email="alice@example.com")
    worker.knows(1)
    frail.client.flushall()
    worker.ear.wait("revocations-restored")
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert worker.fleet.revocations() == (made,)
    assert "fleet-lost" not in worker.ear.told()


def test_what_stands_before_an_entry_of_the_future_is_found_soon(redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis, secret=SECRET)
    stream, places = worker.fleet.stream, redis.client
    places.xadd(stream, {"e": "x"}, id="99999999999999-0")  # by a clock that was ahead, or an attacker
    worker.ear.wait("fleet-value-refused")  # it waits behind that one now
    made = Revocation(subject="user", value="u", until=time.time() + 60, made_at=1, id="a")
    entry = {"e": worker.fleet._ledger.close(made)}
    pipeline = places.pipeline(transaction=True)  # and there are as many entries as before
    pipeline.delete(stream).xadd(stream, entry).execute()
    worker.knows(1)


def test_what_is_added_while_redis_is_read_was_not_lost(redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis)
    known = worker.fleet.known()
    worker.fleet.revoke(user="u")
    assert worker.fleet.missing(known, set()) == []
    (entry,) = worker.fleet.known()
    assert worker.fleet.missing([entry, b"ended meanwhile"], set()) == [entry]
    assert worker.fleet.missing([entry], {entry}) == []


def test_who_leaves_it_to_another_looks_again_soon(frail: RedisServer, hire: Hire) -> None:
    worker = hire(frail)
    made = worker.elsewhere().revoke(email="alice@example.com")
    worker.knows(1)
    # What is random is drawn for the next reading of everything, far away, and where that is wanted for a soon one.
    draws = itertools.cycle([1.0, -0.99])
    worker.fleet.random = lambda: next(draws)
    other = f"{worker.fleet.namespace}:restoring"
    frail.client.set(other, "1", px=300)  # somebody who restores nothing
    frail.client.delete(worker.fleet.stream)
    worker.ear.wait("revocations-restored")
    assert worker.fleet.revocations() == (made,)


def test_a_revocation_made_while_a_worker_was_cut_off_reaches_it(
    issuer: Issuer, frail: RedisServer, hire: Hire
) -> None:
    worker = hire(frail)
    for name in frail.client.client_list():
        frail.client.client_kill_filter(_id=name["id"], skipme=True)
    hire(frail).fleet.revoke(email="alice@example.com")
    worker.knows(1)
    assert worker.outcome(signed_in(issuer)) == "session-revoked"


@pytest.mark.parametrize(("when_lost", "outcome"), [("refuse", "revocations-unavailable"), ("pass", "accepted")])
def test_a_cold_start_without_redis(issuer: Issuer, tmp_path: Path, hire: Hire, when_lost: str, outcome: str) -> None:
    server = RedisServer(tmp_path)
    server.port = free_port()
    worker = hire(server, when_lost=when_lost, start_wait=0)
    worker.ear.wait("fleet-lost")
    assert worker.outcome(signed_in(issuer)) == outcome
    assert worker.fleet.health().state == "never"
    assert worker.protection.ready() is (when_lost == "pass")
    try:
        server.start()
        worker.ear.wait("fleet-joined")
        assert worker.outcome(signed_in(issuer)) == "accepted"
    finally:
        server.kill()


def test_a_thread_that_cannot_be_had_is_asked_for_again(
    issuer: Issuer, redis: RedisServer, hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", refuse)
        worker = hire(redis)
        assert worker.outcome(signed_in(issuer)) == "revocations-unavailable"
    assert worker.fleet.worker is None
    worker.outcome(signed_in(issuer))
    worker.ear.wait("fleet-joined")
    assert worker.outcome(signed_in(issuer)) == "accepted"
