"""Is a worker or an order with another secret noticed, and does nobody without it make one look obeyed, or stop any?"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.fleet.marks import LASTS, Mark, Marks
from cfaccess_mw.fleet.sealing import Refused, Seal
from cfaccess_mw.fleet.store import MARK_BYTES, Store
from tests.fleet.conftest import Hire
from tests.fleet.parts import OTHER_SECRET, SECRET, signed_in
from tests.fleet.servers import RedisServer
from tests.refresh.parts import Clock


def secret_told(worker: Any) -> list[str]:
    """Why it said that others have another secret."""
    facts = [event.facts for event in worker.ear.events if event.name == "fleet-value-refused"]
    return [each["reason"] for each in facts if each["what"] == "secret"]


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        pytest.param(SECRET, SECRET, [], id="the-same"),
        pytest.param(None, None, [], id="none"),
        pytest.param([SECRET], [SECRET, OTHER_SECRET], [], id="a-new-one-at-the-end"),
        pytest.param([SECRET, OTHER_SECRET], [OTHER_SECRET, SECRET], [], id="a-new-one-at-the-front"),
        pytest.param([OTHER_SECRET, SECRET], [OTHER_SECRET], [], id="without-the-old-one"),
        pytest.param(SECRET, OTHER_SECRET, ["unauthenticated"], id="another"),
        pytest.param([OTHER_SECRET, SECRET], [SECRET], ["unauthenticated"], id="a-new-one-signs-too-early"),
        pytest.param(None, SECRET, ["unauthenticated"], id="they-have-none"),
        pytest.param(SECRET, None, ["secret-missing"], id="we-have-none"),
    ],
)
def test_a_worker_that_comes_looks_at_the_mark(
    issuer: Issuer, redis: RedisServer, hire: Hire, theirs: Any, ours: Any, told: list[str]
) -> None:
    first = hire(redis, secret=theirs)
    assert redis.client.ttl(f"{first.fleet.namespace}:mark") > LASTS - 60
    late = hire(redis, secret=ours)
    late.ear.wait_until(lambda: secret_told(late) == told)
    health = late.fleet.health()
    assert (health.same_secret, health.degraded) == (not told, bool(told))
    assert late.protection.ready(), "it is told, and stops nobody"
    assert late.outcome(signed_in(issuer)) == "accepted"


def gone(client: Any, place: str) -> None:
    client.delete(place)


def forged(client: Any, place: str) -> None:
    client.set(place, b"0" * 64 + b'\n{"at": 1, "taken": ["x"]}')


def garbage(client: Any, place: str) -> None:
    client.set(place, b"\xff" * (MARK_BYTES + 1))


def another_type(client: Any, place: str) -> None:
    client.delete(place)
    client.hset(place, "a", "b")


TAMPERINGS = [
    pytest.param(gone, id="deleted"),
    pytest.param(forged, id="forged"),
    pytest.param(garbage, id="large"),
    pytest.param(another_type, id="another-type"),
]


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_who_tampers_with_the_mark_stops_no_order(
    issuer: Issuer, redis: RedisServer, hire: Hire, tamper: Callable[[Any, str], None]
) -> None:
    worker = hire(redis, secret=SECRET)
    tamper(redis.client, f"{worker.fleet.namespace}:mark")
    operator = Fleet(redis.url, namespace=worker.fleet.namespace, secret=SECRET)
    made = operator.revoke(email="alice@example.com")
    assert operator.confirm(made, within=20) == "confirmed"
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert operator.confirm(operator.undo()[-1], undone=True, within=20) == "confirmed"
    assert worker.outcome(signed_in(issuer)) == "accepted"


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_who_tampers_with_the_mark_makes_no_order_look_obeyed(
    redis: RedisServer, hire: Hire, namespace: str, tamper: Callable[[Any, str], None]
) -> None:
    hire(redis, secret=SECRET)
    operator = Fleet(redis.url, namespace=namespace, secret=OTHER_SECRET)
    made = operator.revoke(email="alice@example.com")
    assert operator.confirm(made, within=0.2) == "another-secret"
    tamper(redis.client, f"{namespace}:mark")
    assert operator.confirm(made, within=0) == ("unconfirmed" if tamper is gone else "another-secret")


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        pytest.param([SECRET], {"confirmed"}, id="the-same"),
        pytest.param([OTHER_SECRET], {"unconfirmed", "another-secret"}, id="another"),
        pytest.param(None, {"unconfirmed"}, id="nobody-else"),
    ],
)
def test_who_says_it_does_not_confirm_it(
    redis: RedisServer, hire: Hire, theirs: list[str] | None, said: set[str]
) -> None:
    if theirs is not None:
        hire(redis, secret=theirs)
    fleet = hire(redis, secret=SECRET).fleet
    within = 20 if theirs == [SECRET] else 0.1
    made = [fleet.revoke(user=f"u{number}") for number in range(9)]  # which of its threads is first is a matter of luck
    assert {fleet.confirm(one, within=within) for one in made} <= said
    assert {fleet.confirm(one, undone=True, within=within) for one in fleet.undo()} <= said


def test_a_mark_that_is_shown_again_confirms_nothing_new(redis: RedisServer, hire: Hire, namespace: str) -> None:
    worker, place = hire(redis, secret=[SECRET, OTHER_SECRET]), f"{namespace}:mark"
    operator = Fleet(redis.url, namespace=namespace, secret=SECRET)
    assert operator.confirm(operator.revoke(user="a"), within=20) == "confirmed"
    seen = redis.client.get(place)
    working = worker.fleet.worker
    assert working is not None
    worker.protection.close()
    assert working.ended.wait(20)
    hire(redis, secret=OTHER_SECRET)
    redis.client.set(place, seen)  # by which the operator's secret is still that of the fleet
    assert operator.confirm(operator.revoke(user="b"), within=0.2) == "unconfirmed"


@pytest.mark.parametrize("denied", [pytest.param("-set", id="writing"), pytest.param("-getrange", id="reading")])
def test_who_may_not_do_it_is_told_so_and_of_no_other_secret(
    issuer: Issuer, frail: RedisServer, hire: Hire, denied: str
) -> None:
    frail.client.execute_command("ACL", "SETUSER", "some", "on", "nopass", "~*", "+@all", denied)
    worker = hire(frail.url.replace("//", "//some:x@"), secret=SECRET)
    assert worker.ear.wait("fleet-value-refused").facts == {"what": "mark", "reason": "NoPermissionError"}
    assert worker.fleet.health().same_secret
    made = worker.fleet.revoke(email="alice@example.com")
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    operator = Fleet(frail.url.replace("//", "//some:x@"), namespace=worker.fleet.namespace, secret=SECRET)
    assert operator.confirm(made, within=0) == "unconfirmed"


class Partly(Redis):
    """A client of a cluster in which the node that has the mark, and nothing else of ours, does not answer."""

    asked = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if str(args[1:2]).endswith(":mark',)"):
            self.asked += 1
            raise TimeoutError
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def test_where_the_mark_cannot_be_reached_revocations_hold_and_go_on(
    issuer: Issuer, redis: RedisServer, hire: Hire
) -> None:
    client = Partly(port=redis.port, socket_timeout=5)
    worker = hire(client, secret=SECRET)
    assert worker.ear.wait("fleet-value-refused").facts == {"what": "mark", "reason": "TimeoutError"}
    assert worker.outcome(signed_in(issuer)) == "accepted"
    asked, operator = client.asked, Fleet(redis.url, namespace=worker.fleet.namespace, secret=SECRET)
    operator.revoke(email="alice@example.com")
    worker.knows(1)
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert client.asked == asked, "news do not wait for it"
    Fleet(client, namespace=worker.fleet.namespace, secret=SECRET).revoke(user="u")
    worker.knows(2)
    assert "fleet-lost" not in worker.ear.told()


def test_a_redis_that_keeps_writings_waiting_is_heard(issuer: Issuer, frail: RedisServer, hire: Hire) -> None:
    frail.client.client_pause(600_000, all=False)
    worker = hire(frail, start_wait=20)
    worker.ear.wait("fleet-joined")
    assert worker.outcome(signed_in(issuer)) == "accepted"


@pytest.mark.parametrize("within", [pytest.param(float("nan"), id="nan"), pytest.param(-1.0, id="less-than-nothing")])
def test_nobody_waits_for_ever(redis: RedisServer, namespace: str, within: float) -> None:
    operator = Fleet(redis.url, namespace=namespace)
    assert operator.confirm(operator.revoke(user="u"), within=within) == "unconfirmed"


def test_nobody_confirms_who_cannot_be_reached(frail: RedisServer) -> None:
    operator = Fleet(frail.url)
    made = operator.revoke(user="u")
    frail.kill()
    assert operator.confirm(made, within=20) == "unconfirmed"


def marks(clock: Clock, *, told: list[str] | None = None) -> Marks:
    said = [] if told is None else told
    seal = Seal((SECRET,), purpose="mark", namespace="n")
    return Marks(seal, differ=said.append, refuse=said.append, wall=clock)


def test_of_many_workers_few_write(redis: RedisServer, namespace: str) -> None:
    store, clock = Store(redis.client, namespace), Clock(1_000.0)
    one, other = marks(clock), marks(clock)
    for who, now, taken, expected in (
        (one, 1_000.0, ["a"], Mark(at=1_000, taken=("a",))),
        (other, 1_029.0, ["a"], Mark(at=1_000, taken=("a",))),  # it says the same
        (other, 1_029.0, ["b"], Mark(at=1_029, taken=("a", "b"))),
        (one, 1_030.0, [], Mark(at=1_029, taken=("a", "b"))),  # more than it knows itself
        (other, 1_059.0, [], Mark(at=1_059, taken=("a", "b"))),  # half a minute later
        (other, 1_000.0, [], Mark(at=1_000, taken=("a", "b"))),  # by a clock that is behind
        (
            one,
            1_001.0,
            [f"n{number}" for number in range(99)],
            Mark(at=1_001, taken=tuple(f"n{n}" for n in range(35, 99))),
        ),
    ):
        clock.now = now
        who.leave(store, taken)
        assert one.find(store) == expected


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"garbage", id="no-json"),
        pytest.param(b"{}", id="empty"),
        pytest.param(json.dumps({"at": "now", "taken": []}).encode(), id="no-time"),
        pytest.param(json.dumps({"at": True, "taken": []}).encode(), id="true"),
        pytest.param(json.dumps({"at": 10**400, "taken": []}).encode(), id="no-time-of-a-calendar"),
        pytest.param(json.dumps({"at": -1, "taken": []}).encode(), id="before-the-epoch"),
        pytest.param(json.dumps({"at": 1, "taken": "a"}).encode(), id="no-list"),
        pytest.param(json.dumps({"at": 1, "taken": [1]}).encode(), id="no-names"),
    ],
)
def test_a_mark_of_another_form_is_none(redis: RedisServer, namespace: str, content: bytes) -> None:
    store, told = Store(redis.client, namespace), list[str]()
    mine = marks(Clock(1_000.0), told=told)
    redis.client.set(store.mark, Seal((SECRET,), purpose="mark", namespace="n").close(store.mark, content))
    with pytest.raises(Refused, match="malformed"):
        mine.find(store)
    mine.leave(store, [])
    assert told == ["malformed"]
    assert mine.find(store) == Mark(at=1_000, taken=())
