"""Does a revocation hold in every worker, and only for those whom it names?"""

import asyncio
import json
import threading
import time
from typing import Any

import anyio
import pytest
from redis import Redis

from cfaccess_mw import Identity, Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.fleet.errors import FleetError
from cfaccess_mw.fleet.meant import fleet_for
from cfaccess_mw.fleet.orders import Orders
from cfaccess_mw.fleet.sealing import Seal
from cfaccess_mw.fleet.store import Store
from cfaccess_mw.protection import Protection
from tests.doors.conftest import Request, asgi_application, ask_asgi, ask_wsgi
from tests.fleet.conftest import Hire
from tests.fleet.parts import CLIENT_ID, OTHER_SECRET, QUICK, SECRET, signed_in
from tests.fleet.servers import RedisServer
from tests.processes import free_port
from tests.tokens import AUD, ISSUER

WIKI = "https://other.cloudflareaccess.com"


@pytest.mark.parametrize(
    ("whom", "refused"),
    [
        pytest.param({"email": "ALICE@example.com"}, {"alice"}, id="email"),
        pytest.param({"user": "alice-sub"}, {"alice"}, id="user"),
        pytest.param({"nonce": "alice-nonce"}, {"alice"}, id="nonce"),
        pytest.param({"service": CLIENT_ID}, {"hook"}, id="service"),
        pytest.param({"everybody": True}, {"alice", "bob", "hook"}, id="everybody"),
        pytest.param({"everybody": ISSUER}, {"alice", "bob", "hook"}, id="a-team"),
        pytest.param({"everybody": WIKI}, set(), id="another-team"),
        pytest.param({"everybody": True, "issued_before": 1}, set(), id="all-that-are-older"),
        pytest.param({"email": "alice@example.com", "issued_before": 1}, set(), id="an-older-session-of-hers"),
        pytest.param({"email": "carol@example.com"}, set(), id="somebody-else"),
    ],
)
def test_it_holds_in_every_worker(
    issuer: Issuer, redis: RedisServer, hire: Hire, whom: dict[str, Any], refused: set[str]
) -> None:
    one, other = hire(redis), hire(redis)
    tokens = {
        "alice": signed_in(issuer, sub="alice-sub", identity_nonce="alice-nonce"),
        "bob": signed_in(issuer, "bob@example.com", sub="bob-sub", identity_nonce="bob-nonce"),
        "hook": issuer.service(CLIENT_ID, audience=AUD, issued_at=time.time() - 60),
    }
    for token in tokens.values():
        assert one.outcome(token) == other.outcome(token) == "accepted"
    one.fleet.revoke(**whom)
    assert one.fleet.health().revocations == 1, "where it was said it holds at once"
    other.knows(1)
    for worker in (one, other):
        outcomes = {who: worker.outcome(token) for who, token in tokens.items()}
        assert outcomes == {who: "session-revoked" if who in refused else "accepted" for who in tokens}


def test_who_signs_in_again_is_let_in_and_who_is_blocked_is_not(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis)
    again = issuer.user("alice@example.com", audience=AUD, issued_at=time.time() + 29, expires_in=600)
    worker.fleet.revoke(email="alice@example.com", issued_before=time.time())
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert worker.outcome(again) == "accepted"
    worker.fleet.revoke(email="alice@example.com")
    assert worker.outcome(again) == "session-revoked", "by a clock that is ahead of ours it was there already"
    worker.fleet.undo(subject="email")
    worker.fleet.revoke(email="alice@example.com", block=True, lasts=600)
    assert worker.outcome(again) == "session-revoked"


def test_it_is_undone_in_every_worker(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    one, other = hire(redis), hire(redis)
    token = signed_in(issuer)
    first = one.fleet.revoke(email="alice@example.com")
    one.fleet.revoke(email="alice@example.com", lasts=60)
    kept = one.fleet.revoke(email="bob@example.com")
    other.knows(3)
    assert other.fleet.undo(revocation=first.id) == [first]
    one.knows(2)
    assert one.outcome(token) == "session-revoked"
    assert len(other.fleet.undo(subject="email", value="Alice@Example.com")) == 1
    one.knows(1)
    assert one.outcome(token) == other.outcome(token) == "accepted"
    assert one.fleet.revocations() == (kept,)
    assert one.fleet.undo(subject="user") == []
    with pytest.raises(ConfigurationError, match=r"^service: "):
        one.fleet.undo(subject="service", value="x")


def test_a_worker_that_comes_later_knows_it(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    hire(redis).fleet.revoke(email="alice@example.com")
    assert hire(redis).outcome(signed_in(issuer)) == "session-revoked"


def test_what_ends_is_forgotten_and_taken_out_of_redis(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis)
    worker.fleet.revoke(email="alice@example.com", lasts=1)
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    worker.knows(0)
    assert worker.outcome(signed_in(issuer)) == "accepted"
    place = worker.fleet.stream
    assert redis.client.xlen(place) == 1
    worker.fleet.revoke(email="bob@example.com")
    assert redis.client.xlen(place) == 1
    assert [one.value for one in worker.fleet.revocations()] == ["bob@example.com"]


def test_no_entry_is_seen_twice_and_a_page_is_not_all(redis: RedisServer, hire: Hire) -> None:
    one = hire(redis)
    made = one.fleet.revoke(user="u0")
    written = redis.client.xrange(one.fleet.stream)[0][1][b"e"]
    pipe = redis.client.pipeline()
    for number in range(1, 1_200):
        pipe.xadd(
            one.fleet.stream,
            {"e": written.replace(b'"u0"', b'"u%d"' % number).replace(made.id.encode(), b"%d" % number)},
        )
    pipe.execute()
    one.knows(1_200)
    assert hire(redis).fleet.health().revocations == 1_200
    assert len(one.fleet.revocations()) == 1_200


@pytest.mark.parametrize(
    ("writer", "reader", "known", "what"),
    [
        pytest.param({"secret": SECRET}, {"secret": SECRET}, 1, [], id="the-same-secret"),
        pytest.param({"secret": [OTHER_SECRET, SECRET]}, {"secret": [SECRET, OTHER_SECRET]}, 1, [], id="rotation"),
        pytest.param({"secret": SECRET}, {}, 1, ["secret"], id="a-secret-brought-in"),
        pytest.param({}, {"secret": SECRET}, 0, ["revocations", "secret"], id="none"),
        pytest.param({"secret": OTHER_SECRET}, {"secret": SECRET}, 0, ["revocations", "secret"], id="another"),
    ],
)
def test_only_who_has_the_secret_is_obeyed(
    redis: RedisServer, hire: Hire, writer: dict[str, Any], reader: dict[str, Any], known: int, what: list[str]
) -> None:
    hire(redis, **writer).fleet.revoke(email="alice@example.com")
    other = hire(redis, **reader)
    other.ear.wait_until(lambda: other.ear.told().count("fleet-value-refused") == len(what))
    assert other.fleet.health().revocations == len(other.fleet.revocations()) == known
    told = [event.facts["what"] for event in other.ear.events if event.name == "fleet-value-refused"]
    assert told == what


def test_another_namespace_is_another_fleet(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    one, other = hire(redis, secret=SECRET), hire(redis, secret=SECRET, namespace="another")
    one.fleet.revoke(everybody=True)
    entry = redis.client.xrange(one.fleet.stream)[0][1]
    redis.client.xadd("another:revocations", entry)
    assert other.ear.wait("fleet-value-refused").facts["reason"] == "unauthenticated"
    assert other.outcome(signed_in(issuer)) == "accepted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "revoke: names 0; give one of user, email, service, nonce, everybody", id="nobody"),
        pytest.param({"user": "a", "nonce": "b"}, "revoke: names 2", id="two"),
        pytest.param({"user": ""}, "user: is empty", id="empty"),
        pytest.param({"everybody": 7}, "everybody: is a number", id="everybody-in-numbers"),
        pytest.param({"everybody": "acme"}, "all: is text of 4 characters; give the issuer", id="a-name-of-a-team"),
        pytest.param({"email": "alice"}, "email: is text of 5", id="no-address"),
        pytest.param({"user": "a", "lasts": 0}, "lasts: is a number", id="for-no-time"),
        pytest.param({"user": "a", "lasts": 400 * 86_400 + 1}, "lasts: ", id="for-ever"),
        pytest.param({"user": "a", "lasts": True}, "lasts: is a boolean", id="for-true"),
        pytest.param({"user": "a", "issued_before": 1, "block": True}, "issued_before: stands beside", id="both"),
        pytest.param({"user": "a", "issued_before": "now"}, "issued_before: is text", id="before-a-text"),
    ],
)
def test_a_mistake_writes_nothing(redis: RedisServer, namespace: str, arguments: Any, message: str) -> None:
    fleet = Fleet(redis.url, namespace=namespace)
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        fleet.revoke(**arguments)
    assert not redis.client.exists(f"{namespace}:revocations")


def test_clocks_that_are_far_apart_revoke_nothing(redis: RedisServer, namespace: str) -> None:
    store, seal = Store(redis.client, namespace), Seal((), purpose="revocations", namespace=namespace)
    for wall in (lambda: time.time() + 301, lambda: time.time() - 301):
        with pytest.raises(ConfigurationError, match=r"^fleet: the clocks .* are 30[01] seconds apart; set them"):
            Orders(store, seal, wall=wall).revoke("user", "a", lasts=60, block=False, issued_before=None)
    behind = Orders(store, seal, wall=lambda: time.time() - 200)
    made, _ = behind.revoke("user", "a", lasts=60, block=False, issued_before=None)
    assert made.issued_before is not None
    assert made.issued_before >= time.time() + 29
    Orders(store, seal, wall=lambda: time.time() + 200).revoke("user", "b", lasts=60, block=False, issued_before=None)
    assert redis.client.xlen(store.revocations) == 2, "by the clock that is behind nothing has ended"


def test_who_cannot_reach_redis_is_told() -> None:
    fleet = Fleet(f"redis://:sup3rs3cr3t@127.0.0.1:{free_port()}")
    for ask in (lambda: fleet.revoke(user="a"), fleet.undo, fleet.revocations):
        with pytest.raises(FleetError, match=r"^Redis did not do what was asked \(ConnectionError\)$") as error:
            ask()
        assert error.value.reason == "ConnectionError"
        assert error.value.__context__ is None
    assert "sup3rs3cr3t" not in repr(fleet)


@pytest.mark.parametrize("door", ["asgi", "wsgi"])
def test_both_doors_ask_and_another_callable_may_too(
    issuer: Issuer, redis: RedisServer, namespace: str, door: str
) -> None:
    said = {"url": redis.url, "namespace": namespace}
    Fleet(said).revoke(email="alice@example.com")
    usual: dict[str, Any] = {
        "team": "acme",
        "audience": AUD,
        "keys": issuer.certs(),
        "fleet": said,
        "rules": [Rule.public("/public")],
    }

    def outcome(who: str, path: str = "/", **more: Any) -> object:
        request = Request.with_token(signed_in(issuer, who), path)
        if door == "wsgi":
            answer = ask_wsgi({**usual, **more}, request)
        else:
            answer = asyncio.run(ask_asgi(AccessMiddleware(asgi_application, **{**usual, **more}), request))
        return json.loads(answer.body)["code"] if answer.status >= 400 else answer.seen and answer.seen.identity

    assert outcome("alice@example.com") == "session-revoked"
    assert outcome("alice@example.com", "/public") is None
    assert outcome("alice@example.com", revoked=lambda _: False) == "session-revoked"
    assert outcome("bob@example.com", revoked=lambda _: True) == "session-revoked"
    assert isinstance(outcome("bob@example.com", revoked=lambda _: False), Identity)


def test_applications_that_say_the_same_share_one(issuer: Issuer, redis: RedisServer, namespace: str) -> None:
    said = {"url": redis.url, "namespace": namespace}
    options: dict[str, Any] = {"team": "acme", "audience": AUD, "keys": issuer.certs()}
    one, other = Protection(**options, fleet=said), Protection(**options, fleet=said)
    third = Protection(**options, fleet={**said, "lost_after": 61})
    assert one.fleet is other.fleet
    assert third.fleet is not one.fleet

    def is_kept() -> bool:
        return one.fleet is not None and one.fleet.worker is not None

    one.close()
    assert is_kept(), "the other needs it"
    for protection in (other, third):
        protection.close()
    assert not is_kept()
    one.open()
    assert is_kept()
    one.rest()
    assert not is_kept()
    one.verify(signed_in(issuer))
    assert is_kept(), "a request needs it again"
    one.close()
    one.verify(signed_in(issuer))
    assert not is_kept(), "nobody needs it after that"
    assert Protection(**options).fleet is None
    with pytest.raises(ConfigurationError, match=r"^fleet: is a Thread"):
        fleet_for(threading.Thread())


def test_an_application_that_is_thrown_away_lets_go(issuer: Issuer, redis: RedisServer, namespace: str) -> None:
    fleet = Fleet(redis.url, namespace=namespace, **QUICK)
    protection = Protection(team="acme", audience=AUD, keys=issuer.certs(), fleet=fleet)
    worker = fleet.worker
    assert worker is not None
    del protection
    assert worker.ended.wait(20)
    assert fleet.worker is None


def test_while_the_doors_are_asked_the_loop_is_never_blocked(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis)
    door = AccessMiddleware(asgi_application, team="acme", audience=AUD, keys=issuer.certs(), fleet=worker.fleet)

    async def ask() -> list[int]:
        redis.pause()
        try:
            return [(await ask_asgi(door, Request.with_token(signed_in(issuer)))).status for _ in range(3)]
        finally:
            redis.resume()

    assert anyio.run(ask) == [200, 200, 200]
    door.protection.close()


def test_a_client_that_is_ready_may_be_handed_in(issuer: Issuer, redis: RedisServer, namespace: str) -> None:
    for options in ({}, {"decode_responses": True}, {"protocol": 3}, {"protocol": 3, "decode_responses": True}):
        client = Redis(port=redis.port, socket_timeout=2, **options)
        fleet = Fleet(client, namespace=namespace, poll_every=0.2, lost_after=1, secret=SECRET)
        protection = Protection(team="acme", audience=AUD, keys=issuer.certs(), fleet=fleet)
        made = fleet.revoke(email="alice@example.com")
        assert fleet.revocations() == (made,)
        assert fleet.undo() == [made]
        assert fleet.health().state == "connected"
        protection.close()
        client.close()
