"""Does a cold worker start from what others know while the certs endpoint is down, and never from anything else?"""

import json
import threading
import time
from typing import Any

import anyio
import pytest

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.team import read_team
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet.keys import Keys
from cfaccess_mw.fleet.sealing import Seal, digest
from cfaccess_mw.fleet.store import Store
from cfaccess_mw.refresh.fetchers import Document
from cfaccess_mw.refresh.warm import Export
from tests.doors.conftest import Request, asgi_application, ask_asgi
from tests.eventually import eventually
from tests.fleet.conftest import Hire
from tests.fleet.parts import OTHER_SECRET, SECRET, Worker, signed_in
from tests.fleet.servers import RedisServer

URL = read_team("acme", team_url=None, certs_url=None, issuer=None).certs_url


class Certs:
    """A certs endpoint, up or down; while it is down it may also keep its callers waiting."""

    def __init__(self, issuer: Issuer, *, is_up: bool = True, hangs: bool = False) -> None:
        self.body = json.dumps(issuer.certs()).encode()
        self.is_up = is_up
        self.go_on = threading.Event()
        self.asked = threading.Event()
        if not hangs:
            self.go_on.set()

    def fetch(self, url: str, *, etag: str | None) -> Document:
        self.asked.set()
        self.go_on.wait(20)
        if not self.is_up:
            raise FetchError("connect")
        return Document(body=self.body)


def place(namespace: str) -> str:
    return f"{namespace}:keys:{digest(URL)}"


def hydrated(hire: Hire, redis: RedisServer, issuer: Issuer, **more: Any) -> Worker:
    """A worker that has fetched, and whose keys stand in Redis."""
    worker = hire(redis, keys=None, fetcher=Certs(issuer), **more)
    worker.protection.hydrate()
    assert eventually(lambda: redis.client.exists(place(worker.fleet.namespace)))
    return worker


def until_taken(worker: Worker, token: str) -> None:
    assert eventually(lambda: worker.outcome(token) == "accepted"), worker.ear.events


@pytest.mark.parametrize("secret", [None, SECRET], ids=["no-secret", "secret"])
def test_a_cold_worker_serves_while_the_endpoint_is_down(
    issuer: Issuer, redis: RedisServer, hire: Hire, secret: str | None
) -> None:
    hydrated(hire, redis, issuer, secret=secret)
    cold = hire(redis, keys=None, fetcher=Certs(issuer, is_up=False), secret=secret)
    until_taken(cold, signed_in(issuer))
    assert cold.protection.ready()
    late = hire(redis, keys=None, fetcher=Certs(issuer, is_up=False), secret=OTHER_SECRET)
    assert late.ear.wait("fleet-value-refused").facts == {"what": "secret", "reason": "unauthenticated"}
    assert late.ear.wait("fleet-value-refused", count=2).facts == {"what": "keys", "reason": "unauthenticated"}
    assert late.outcome(signed_in(issuer)) == "keys-unavailable"


@pytest.mark.parametrize("door", ["asyncio", "trio", "thread"])
def test_who_waits_is_woken_when_keys_are_taken(
    issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str, door: str
) -> None:
    certs = Certs(issuer, is_up=False, hangs=True)
    cold = hire(redis, keys=None, fetcher=certs, cold_wait=20)
    answers: list[Any] = []

    def wait() -> None:
        if door == "thread":
            answers.append(cold.protection._keys[_issuer(cold)].obtain_blocking(None, patience=20))
        else:
            app = AccessMiddleware(asgi_application, cold.protection.config)
            request = Request.with_token(signed_in(issuer))
            answers.append(anyio.run(ask_asgi, app, request, backend=door).status)
            app.protection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert certs.asked.wait(20)
    began = time.monotonic()
    hydrated(hire, redis, issuer)
    waiting.join(20)
    assert not waiting.is_alive()
    assert time.monotonic() - began < 5, "the flight that hangs was not waited for"
    assert answers == [200] or answers[0].availability.name == "PRESENT"
    certs.go_on.set()


def _issuer(worker: Worker) -> str:
    return worker.protection.config.teams[0].issuer


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        pytest.param(("SET", b"garbage"), "malformed", id="garbage"),
        pytest.param(("SET", b"-\ngarbage"), "keys-not-taken", id="sealed-garbage"),
        pytest.param(("SET", b"-\n" + b"x" * (2 << 20)), "too-large", id="huge"),
        pytest.param(("LPUSH", b"x"), "wrong-type", id="a-list"),
        pytest.param(
            ("SET", b'-\n{"url": "%s", "fetched_at": 1%s}' % (URL.encode(), b"0" * 400)), "keys-not-taken", id="no-time"
        ),
        pytest.param("other-url", "keys-not-taken", id="another-url"),
        pytest.param("too-old", "keys-not-taken", id="older-than-may-be"),
        pytest.param("future", "keys-not-taken", id="from-the-future"),
        pytest.param("no-keys", "keys-not-taken", id="no-usable-key"),
    ],
)
def test_what_may_not_be_taken_is_not_and_is_written_over(
    issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str, poison: Any, reason: str
) -> None:
    at = {"too-old": time.time() - 86_401, "future": time.time() + 86_400}.get(str(poison), time.time())
    body = b'{"keys":[]}' if poison == "no-keys" else json.dumps(issuer.certs()).encode()
    url = "https://evil.example/certs" if poison == "other-url" else URL
    export = b"-\n" + Export(url=url, fetched_at=at, etag=None, body=body).pack()
    command, value = poison if isinstance(poison, tuple) else ("SET", export)
    redis.client.execute_command(command, place(namespace), value)
    cold = hire(redis, keys=None, fetcher=Certs(issuer, is_up=False))
    assert cold.ear.wait("fleet-value-refused").facts == {"what": "keys", "reason": reason}
    assert cold.outcome(signed_in(issuer)) == "keys-unavailable"
    if poison != "no-keys":  # it may be as new, and is written over by the next that is fetched
        good = hire(redis, keys=None, fetcher=Certs(issuer))
        good.protection.hydrate()
        until_taken(cold, signed_in(issuer))


@pytest.mark.parametrize(
    ("age", "is_kept"),
    [
        pytest.param(60, False, id="older"),
        pytest.param(-60, True, id="newer"),
        pytest.param(-86_400, False, id="from-the-future"),
    ],
)
def test_an_old_snapshot_never_takes_the_place_of_a_newer_one(
    redis: RedisServer, namespace: str, age: float, is_kept: bool
) -> None:
    seal, now = Seal([SECRET], purpose="keys", namespace=namespace), time.time()
    told: list[str] = []
    there = seal.close(place(namespace), Export(url=URL, fetched_at=now - age, etag=None, body=b"there").pack())
    redis.client.set(place(namespace), there)

    class Keeper:
        url = URL

        def export(self, wall_now: float) -> bytes:
            return Export(url=URL, fetched_at=now, etag=None, body=b"ours").pack()

        def adopt(self, data: bytes, wall_now: float) -> bool:
            raise AssertionError(data)

    keys = Keys(seal, namespace, refuse=told.append)
    keys.exchange(Store(redis.client, namespace), [Keeper()])
    assert (redis.client.get(place(namespace)) == there) is is_kept
    assert 0 < redis.client.pttl(place(namespace)) <= 604_800_000 or is_kept
    assert told == []


def test_of_two_who_write_at_once_one_wins(redis: RedisServer, namespace: str) -> None:
    store, name = Store(redis.client, namespace), f"{namespace}:x"
    assert store.replace(name, None, b"first", 60, 100)
    assert not store.replace(name, None, b"second", 60, 100)
    assert not store.replace(name, b"other", b"second", 60, 100)
    assert store.replace(name, b"first", b"second", 60, 100)
    assert redis.client.get(name) == b"second"


def test_who_may_not_write_keys_still_learns_of_revocations(issuer: Issuer, frail: RedisServer, hire: Hire) -> None:
    frail.client.execute_command("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@all", "-eval")
    reader = hire(frail.url.replace("//", "//reader:x@"), keys=None, fetcher=Certs(issuer))
    reader.protection.hydrate()
    assert reader.ear.wait("fleet-value-refused").facts == {"what": "keys", "reason": "NoPermissionError"}
    hire(frail).fleet.revoke(email="alice@example.com")
    reader.knows(1)
    assert reader.outcome(signed_in(issuer)) == "session-revoked"


def test_keys_that_were_given_outright_are_nobody_elses(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis)
    worker.fleet.revoke(user="a")
    worker.knows(1)
    assert redis.client.keys(f"{worker.fleet.namespace}:keys:*") == []


def test_keys_that_redis_lost_are_given_again(issuer: Issuer, frail: RedisServer, hire: Hire) -> None:
    warm = hydrated(hire, frail, issuer)
    warm.elsewhere().revoke(email="nobody@example.com")
    warm.knows(1)
    frail.client.flushall()
    warm.ear.wait("revocations-restored")
    assert eventually(lambda: frail.client.exists(place(warm.fleet.namespace))), warm.ear.events
    cold = hire(frail, keys=None, fetcher=Certs(issuer, is_up=False), namespace=warm.fleet.namespace)
    until_taken(cold, signed_in(issuer))
