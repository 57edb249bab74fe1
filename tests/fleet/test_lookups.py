"""Is somebody looked up once for all workers, and never taken for somebody else?"""

import json
import time
from typing import Any

import anyio
import pytest

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet.lookups import SharedLookups
from cfaccess_mw.fleet.sealing import Seal
from cfaccess_mw.fleet.store import Store
from tests.fleet.conftest import Hire
from tests.fleet.parts import CLIENT_ID, OTHER_SECRET, SECRET, signed_in
from tests.fleet.servers import RedisServer
from tests.tokens import AUD

URL = "https://acme.cloudflareaccess.com/cdn-cgi/access/get-identity"
GOOD = Reply(status=200, body=b'{"email":"alice@example.com","groups":["admins"]}')
EVE = Reply(status=200, body=b'{"email":"eve@example.com","groups":["admins"]}')
GONE = Reply(status=401)


class Endpoint:
    """``get-identity``: answers in turn, the last one for ever."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self.replies = list(replies)
        self.count = 0

    async def __call__(self, url: str, token: str) -> Reply:
        self.count += 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


class Clock:
    """Seconds that a test turns."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def shared(
    redis: RedisServer, namespace: str, endpoint: Endpoint, *, secret: str = SECRET, **more: Any
) -> tuple[SharedLookups, list[str]]:
    told: list[str] = []
    client = redis.client
    seal = Seal([secret], purpose="who", namespace=namespace)
    options = {"seal": seal, "namespace": namespace, "lasts": 30, "refuse": told.append, **more}
    return SharedLookups(endpoint, store=lambda: Store(client, namespace), **options), told


def look_up(lookups: SharedLookups, token: str) -> Reply:
    return anyio.run(lookups, URL, token)


@pytest.fixture
def alice(issuer: Issuer) -> str:
    return signed_in(issuer)


def test_the_second_worker_asks_nobody(redis: RedisServer, namespace: str, alice: str) -> None:
    first, second = Endpoint(GOOD), Endpoint(GONE)
    assert look_up(shared(redis, namespace, first)[0], alice) == GOOD
    lookups, told = shared(redis, namespace, second)
    assert look_up(lookups, alice) == GOOD
    assert (first.count, second.count, told) == (1, 0, [])
    (name,) = redis.client.keys(f"{namespace}:*")
    assert name.decode() == lookups.place(URL, alice)
    assert alice.encode() not in name + redis.client.get(name)
    assert 0 < redis.client.pttl(name) <= 30_000


@pytest.mark.parametrize(
    "reply",
    [pytest.param(GONE, id="gone"), pytest.param(EVE, id="somebody-else"), pytest.param(Reply(status=500), id="down")],
)
def test_only_documents_about_the_bearer_are_kept(redis: RedisServer, namespace: str, alice: str, reply: Reply) -> None:
    lookups, _ = shared(redis, namespace, Endpoint(GOOD))
    look_up(lookups, alice)
    redis.client.rename(lookups.place(URL, alice), f"{namespace}:kept")
    assert look_up(shared(redis, namespace, Endpoint(reply))[0], alice) == reply
    assert redis.client.keys(f"{namespace}:*") == [f"{namespace}:kept".encode()]


def test_a_session_that_ended_is_taken_out(redis: RedisServer, namespace: str, alice: str) -> None:
    clock = Clock()
    lookups, told = shared(redis, namespace, Endpoint(GOOD, GONE), wall=clock)
    look_up(lookups, alice)
    clock.now += 30
    assert look_up(lookups, alice) == GONE
    assert told == ["too-old"]
    assert redis.client.keys(f"{namespace}:*") == []


def test_what_took_too_long_is_not_kept(redis: RedisServer, namespace: str, alice: str) -> None:
    clock = Clock()

    async def slow(url: str, token: str) -> Reply:
        clock.now += 30
        return GOOD

    lookups, _ = shared(redis, namespace, slow, wall=clock)  # type: ignore[arg-type]
    assert look_up(lookups, alice) == GOOD
    assert redis.client.keys(f"{namespace}:*") == []


def sealed(namespace: str, alice: str, *, secret: str = SECRET, at: float = 0, place: str = "", **more: Any) -> bytes:
    lookups = SharedLookups.place.__get__(type("Any", (), {"_namespace": namespace})())
    content = {"asked_at": time.time() + at, "body": GOOD.body.decode(), **more}
    seal = Seal([secret], purpose="who", namespace=namespace)
    return seal.close(place or lookups(URL, alice), json.dumps(content).encode())


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        pytest.param(b"garbage", "malformed", id="garbage"),
        pytest.param(b"-\n{}", "unauthenticated", id="not-sealed"),
        pytest.param(b"x" * (2 << 20), "too-large", id="huge"),
        pytest.param([b"x"], "wrong-type", id="a-list"),
        pytest.param({"secret": OTHER_SECRET}, "unauthenticated", id="another-secret"),
        pytest.param({"place": "elsewhere"}, "unauthenticated", id="of-another-token"),
        pytest.param({"at": -31}, "too-old", id="replayed-later"),
        pytest.param({"at": 31}, "too-old", id="from-the-future"),
        pytest.param({"body": EVE.body.decode()}, "another-person", id="somebody-else"),
        pytest.param({"body": "{}"}, "another-person", id="nobody"),
        pytest.param({"body": "garbage"}, "another-person", id="no-document"),
        pytest.param({"body": 7}, "malformed", id="body-of-another-type"),
        pytest.param({"asked_at": True}, "malformed", id="time-of-another-type"),
    ],
)
def test_what_cannot_be_believed_is_passed_over(
    redis: RedisServer, namespace: str, alice: str, poison: Any, reason: str
) -> None:
    endpoint = Endpoint(GOOD)
    lookups, told = shared(redis, namespace, endpoint)
    name = lookups.place(URL, alice)
    if isinstance(poison, list):
        redis.client.lpush(name, *poison)
    else:
        redis.client.set(name, poison if isinstance(poison, bytes) else sealed(namespace, alice, **poison))
    assert look_up(lookups, alice) == GOOD
    assert (told, endpoint.count) == ([reason], 1)
    assert look_up(lookups, alice) == GOOD
    assert (told, endpoint.count) == ([reason], 1), "it was written over"


def test_redis_being_away_fails_nothing_and_is_asked_seldom(namespace: str, alice: str) -> None:
    clock, endpoint = Clock(), Endpoint(GOOD)
    asked = 0

    def store() -> Store:
        nonlocal asked
        asked += 1
        raise ConnectionError

    seal = Seal([], purpose="who", namespace=namespace)
    refused: list[str] = []
    lookups = SharedLookups(
        endpoint, store=store, seal=seal, namespace=namespace, lasts=30, refuse=refused.append, clock=clock
    )
    for _ in range(3):
        assert look_up(lookups, alice) == GOOD
    assert (asked, endpoint.count, refused) == (1, 3, [])
    clock.now += 5
    look_up(lookups, alice)
    assert asked == 2


def test_redis_being_paused_costs_one_short_wait(frail: RedisServer, namespace: str, alice: str) -> None:
    lookups, _ = shared(frail, namespace, Endpoint(GOOD))
    frail.pause()
    began = time.monotonic()
    for _ in range(5):
        assert look_up(lookups, alice) == GOOD
    assert time.monotonic() - began < 5
    frail.resume()


@pytest.mark.parametrize("failure", [FetchError("connect"), LookupError("x")], ids=["fetch", "odd"])
def test_what_the_endpoint_raises_is_raised(redis: RedisServer, namespace: str, alice: str, failure: Exception) -> None:
    with pytest.raises(type(failure)):
        look_up(shared(redis, namespace, Endpoint(failure))[0], alice)


def test_services_and_certificates_are_told_apart(redis: RedisServer, namespace: str, issuer: Issuer) -> None:
    token = issuer.service(CLIENT_ID, audience=AUD, issued_at=time.time())
    reply = Reply(status=200, body=json.dumps({"service_token_id": CLIENT_ID}).encode())
    for endpoint in (Endpoint(reply), Endpoint(GONE)):
        assert look_up(shared(redis, namespace, endpoint)[0], token) == reply


def test_workers_share_and_the_whole_counts_no_longer_than_configured(
    issuer: Issuer, redis: RedisServer, hire: Hire, alice: str
) -> None:
    first, second = Endpoint(GOOD), Endpoint(GONE)
    one = hire(redis, profile_fetcher=first, revalidate_every=60, profile_ttl=40, profile_hard_ttl=0, secret=SECRET)
    other = hire(redis, profile_fetcher=second, revalidate_every=60, profile_ttl=40, profile_hard_ttl=0, secret=SECRET)
    for worker in (one, other):
        assert worker.protection.verify(alice).profile_blocking().groups == ("admins",)
        (lookups,) = worker.protection._lookups.values()
        assert lookups.timing.lifetime == 20
        assert lookups.timing.last_for == 40
        assert worker.protection.gate._standing.revalidate_every == 40
    assert (first.count, second.count) == (1, 0)
    (name,) = redis.client.keys(f"{one.fleet.namespace}:who:*")
    assert 0 < redis.client.pttl(name) <= 20_000
