"""How the doors live with a real certs endpoint: one fetch for many, rotations, outages, waiting that blocks nobody."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import pytest

from cfaccess_mw import ConfigurationError, Identity, InvalidToken, KeysUnavailable, Rule
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core.errors import UnknownKey, WrongAudience
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.protection import Protection
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.doors.conftest import Request, asgi_application, ask_asgi
from tests.tokens import AUD, OTHER_AUD


@dataclass
class Endpoint:
    """A team's certs endpoint on loopback, whose answer a test can change."""

    issuer: Issuer
    url: str = ""
    fetches: int = 0
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    @property
    def certs_url(self) -> str:
        """One of its own for each endpoint: ports are used again, and what was kept of another would be found."""
        return f"{self.url}/{id(self)}-{self.began}/certs"

    def options(self, **more: Any) -> dict[str, Any]:
        return {"team": "acme", "audience": AUD, "certs_url": self.certs_url, **more}

    def token(self, email: str = "alice@example.com", **more: Any) -> str:
        return self.issuer.user(email, **{"audience": AUD, "issued_at": time.time(), **more})


@contextmanager
def serving(issuer: Issuer) -> Iterator[Endpoint]:
    endpoint = Endpoint(issuer)
    endpoint.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.fetches += 1
            endpoint.asked.set()
            endpoint.gate.wait(10)
            body = json.dumps(issuer.certs()).encode() if endpoint.status == 200 else b"down"
            self.send_response(endpoint.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield endpoint
    finally:
        endpoint.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def endpoint(issuer: Issuer) -> Iterator[Endpoint]:
    """An endpoint with the keys of the session, its own rotation."""
    with serving(Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)) as served:
        yield served


@pytest.fixture
def asgi(endpoint: Endpoint) -> Iterator[AsgiDoor]:
    door = AsgiDoor(asgi_application, **endpoint.options(rules=[Rule.public("/healthz")]))
    yield door
    door.protection.close()


@pytest.fixture
def protection(endpoint: Endpoint) -> Iterator[Protection]:
    it = Protection(**endpoint.options())
    yield it
    it.close()


def statuses(door: WsgiDoor, token: str, times: int) -> Counter[int]:
    """Ask a WSGI door from as many threads as there are requests."""
    barrier = threading.Barrier(times)

    def one(_: int) -> int:
        got: list[int] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "HTTP_CF_ACCESS_JWT_ASSERTION": token,
        }
        barrier.wait(30)
        door(environ, lambda status, _, __=None: got.append(int(status[:3])))  # type: ignore[arg-type]
        return got[0]

    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(one, range(times)))


def wsgi_application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"reached"]


@pytest.mark.anyio
async def test_500_cold_requests_cause_one_fetch(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    seen: Counter[int] = Counter()

    async def one() -> None:
        answer = await ask_asgi(asgi, Request.with_token(endpoint.token()))
        seen[answer.status] += 1

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(500):
                tasks.start_soon(one)
    assert seen == {200: 500}
    assert endpoint.fetches == 1


def test_500_cold_requests_in_threads_cause_one_fetch(endpoint: Endpoint) -> None:
    door = WsgiDoor(wsgi_application, **endpoint.options())
    assert statuses(door, endpoint.token(), 500) == {200: 500}
    assert endpoint.fetches == 1
    door.protection.close()


@pytest.mark.anyio
async def test_others_are_served_while_keys_are_fetched(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    endpoint.gate.clear()
    answers: list[int] = []

    async def needs_keys() -> None:
        answers.append((await ask_asgi(asgi, Request.with_token(endpoint.token()))).status)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(needs_keys)
            await anyio.to_thread.run_sync(endpoint.asked.wait)
            assert (await ask_asgi(asgi, Request(path="/healthz"))).status == 200
            assert (await ask_asgi(asgi, Request.with_token("x"))).status == 401, "a known-bad token waits for nothing"
            assert answers == []
            endpoint.gate.set()
    assert answers == [200]


@pytest.mark.anyio
async def test_a_rotation_is_picked_up_by_the_first_request_that_needs_it(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    old = endpoint.token()
    assert (await ask_asgi(asgi, Request.with_token(old))).status == 200
    endpoint.issuer.rotate(SigningKey.generate(now=time.time()))
    assert (await ask_asgi(asgi, Request.with_token(endpoint.token("bob@example.com")))).status == 200
    assert (await ask_asgi(asgi, Request.with_token(old))).status == 200, "the previous key is still published"
    assert endpoint.fetches == 2


@pytest.mark.anyio
async def test_a_removed_key_is_refused_after_the_next_fetch(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    old = endpoint.token()
    assert (await ask_asgi(asgi, Request.with_token(old))).status == 200
    for _ in range(2):
        endpoint.issuer.rotate(SigningKey.generate(now=time.time()))
    assert (await ask_asgi(asgi, Request.with_token(endpoint.token("bob@example.com")))).status == 200
    answer = await ask_asgi(asgi, Request.with_token(old))
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "unknown-key")


@pytest.mark.anyio
async def test_cold_and_down_is_503_and_no_storm(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    endpoint.status = 500
    for _ in range(50):
        answer = await ask_asgi(asgi, Request.with_token(endpoint.token()))
        assert (answer.status, json.loads(answer.body)["code"]) == (503, "keys-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert endpoint.fetches == 1
    assert (await ask_asgi(asgi, Request(path="/healthz"))).status == 200


@pytest.mark.anyio
async def test_known_keys_survive_an_outage(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    assert (await ask_asgi(asgi, Request.with_token(endpoint.token()))).status == 200
    endpoint.status = 500
    assert (await ask_asgi(asgi, Request.with_token(endpoint.token("bob@example.com")))).status == 200
    stranger = endpoint.token(key=SigningKey.generate(now=time.time()))
    assert (await ask_asgi(asgi, Request.with_token(stranger))).status == 503, "it may be a new key"


def test_doors_of_one_team_share_their_keys(endpoint: Endpoint) -> None:
    wsgi = WsgiDoor(wsgi_application, **endpoint.options())
    asgi = AsgiDoor(asgi_application, **endpoint.options())
    token = endpoint.token()
    assert statuses(wsgi, token, 1) == {200: 1}
    assert asyncio.run(ask_asgi(asgi, Request.with_token(token))).status == 200
    assert endpoint.fetches == 1
    wsgi.protection.close()
    assert asyncio.run(ask_asgi(asgi, Request.with_token(token))).status == 200
    asgi.protection.close()


def test_doors_that_disagree_say_so_at_start(endpoint: Endpoint) -> None:
    first = Protection(**endpoint.options())
    with pytest.raises(ConfigurationError, match="hard_ttl"):
        Protection(**endpoint.options(hard_ttl=3_600))
    first.close()
    Protection(**endpoint.options(hard_ttl=3_600)).close()


def test_a_door_that_rests_keeps_its_word(endpoint: Endpoint) -> None:
    door = WsgiDoor(wsgi_application, **endpoint.options())
    door.protection.rest()
    with pytest.raises(ConfigurationError, match="hard_ttl"):
        Protection(**endpoint.options(hard_ttl=3_600))
    assert statuses(door, endpoint.token(), 1) == {200: 1}
    door.protection.close()


def test_a_door_that_nobody_keeps_holds_nothing(endpoint: Endpoint) -> None:
    Protection(**endpoint.options())
    other = Protection(**endpoint.options(hard_ttl=3_600))
    assert other.config.hard_ttl == 3_600, "with the first one's parameters nobody is in the way any more"
    other.close()


@pytest.mark.anyio
async def test_each_request_may_have_an_event_loop_of_its_own(endpoint: Endpoint) -> None:
    door = AsgiDoor(asgi_application, **endpoint.options())
    token = endpoint.token()

    def in_a_loop_of_its_own() -> int:
        return asyncio.run(ask_asgi(door, Request.with_token(token))).status

    for _ in range(3):
        assert await anyio.to_thread.run_sync(in_a_loop_of_its_own) == 200
    assert endpoint.fetches == 1
    door.protection.close()


@pytest.mark.anyio
async def test_lifespan_fetches_ahead_and_lets_go(asgi: AsgiDoor, endpoint: Endpoint) -> None:
    async def until_keys(scope: Any, receive: Any, send: Any) -> None:
        await anyio.to_thread.run_sync(endpoint.asked.wait)

    asgi.app = until_keys
    with anyio.fail_after(30):
        await asgi({"type": "lifespan"}, lambda: None, lambda _: None)  # type: ignore[arg-type,return-value]
    assert endpoint.fetches == 1
    asgi.app = asgi_application
    assert (await ask_asgi(asgi, Request.with_token(endpoint.token()))).status == 200, "and takes hold again"


class TestProtection:
    """What callers without a door may ask."""

    def test_verify_does_no_io(self, protection: Protection, endpoint: Endpoint) -> None:
        with pytest.raises(KeysUnavailable):
            protection.verify(endpoint.token())
        assert endpoint.fetches == 0

    def test_verify_after_hydrate(self, protection: Protection, endpoint: Endpoint) -> None:
        protection.hydrate()
        identity = protection.verify(endpoint.token())
        assert isinstance(identity, Identity)
        assert identity.email == "alice@example.com"
        with pytest.raises(WrongAudience):
            protection.verify(endpoint.token(), audience=OTHER_AUD)
        assert protection.verify(endpoint.token(audience=OTHER_AUD), audience=OTHER_AUD).kind == "user"
        with pytest.raises(InvalidToken):
            protection.verify("x")
        with pytest.raises(KeysUnavailable):
            protection.verify(endpoint.token(key=SigningKey.generate(now=time.time())))
        assert endpoint.fetches == 1

    @pytest.mark.anyio
    async def test_hydrate_on_an_event_loop(self, protection: Protection, endpoint: Endpoint) -> None:
        await protection.ahydrate()
        assert protection.verify(endpoint.token()).kind == "user"

    def test_hydrate_says_when_it_cannot(self, protection: Protection, endpoint: Endpoint) -> None:
        endpoint.status = 500
        with pytest.raises(KeysUnavailable):
            protection.hydrate()
        assert not protection.ready()
        (health,) = protection.health().values()
        assert (health.ready, health.failures, health.reason) == (False, 1, "status-500")

    def test_ready_once_there_are_keys(self, protection: Protection) -> None:
        assert not protection.ready()
        protection.hydrate()
        assert protection.ready()

    def test_keys_of_an_earlier_process_are_a_warm_start(self, protection: Protection, endpoint: Endpoint) -> None:
        protection.hydrate()
        exported = protection.export_keys()
        assert list(exported) == ["https://acme.cloudflareaccess.com"]
        protection.close()
        with serving(endpoint.issuer) as elsewhere:
            later = Protection(**elsewhere.options(certs_url=endpoint.certs_url, hard_ttl=3_600))
            assert later.adopt_keys(exported)
            assert later.verify(endpoint.token()).kind == "user"
            assert not later.adopt_keys({"https://other.cloudflareaccess.com": b"{}"})
            later.close()
            other_url = Protection(**elsewhere.options())
            assert not other_url.adopt_keys(exported)
            other_url.close()

    def test_nothing_to_export_when_cold(self, protection: Protection) -> None:
        assert protection.export_keys() == {}

    def test_closed_refuses_until_it_is_opened(self, endpoint: Endpoint) -> None:
        door = WsgiDoor(wsgi_application, **endpoint.options())
        token = endpoint.token()
        assert statuses(door, token, 1) == {200: 1}
        door.protection.close()
        assert statuses(door, token, 1) == {503: 1}
        door.protection.open()
        assert statuses(door, token, 1) == {200: 1}
        assert endpoint.fetches == 1, "what was kept aside is still good"
        door.protection.close()

    def test_resting_takes_hold_again_when_asked(self, endpoint: Endpoint) -> None:
        door = WsgiDoor(wsgi_application, **endpoint.options())
        token = endpoint.token()
        assert statuses(door, token, 1) == {200: 1}
        door.protection.rest()
        assert statuses(door, token, 1) == {200: 1}
        assert endpoint.fetches == 1
        door.protection.close()

    def test_given_keys_are_never_fetched(self, issuer: Issuer) -> None:
        protection = Protection(team="acme", audience=AUD, keys=issuer.certs())
        assert protection.ready()
        protection.open()
        token = issuer.user(audience=AUD, issued_at=time.time())
        assert protection.verify(token).kind == "user"
        stranger = issuer.user(audience=AUD, issued_at=time.time(), key=SigningKey.generate(now=time.time()))
        door = WsgiDoor(wsgi_application, team="acme", audience=AUD, keys=issuer.certs())
        assert statuses(door, stranger, 1) == {401: 1}
        assert UnknownKey.code == "unknown-key"

    def test_explain_tells_the_rules(self, issuer: Issuer) -> None:
        protection = Protection(team="acme", audience=AUD, keys=issuer.certs(), rules=[Rule.public("/healthz")])
        assert protection.explain("GET", "/healthz").requirement.access.value == "public"
        assert protection.explain("GET", "/x").requirement.access.value == "token"


@pytest.mark.anyio
async def test_a_fetcher_of_the_users_own_is_asked(issuer: Issuer) -> None:
    from cfaccess_mw.refresh.fetchers import Document

    urls: list[str] = []

    class Vault:
        def fetch(self, url: str, *, etag: str | None) -> Document:
            urls.append(url)
            return Document(body=json.dumps(issuer.certs()).encode())

    door = AsgiDoor(asgi_application, team="acme", audience=AUD, fetcher=Vault())
    token = issuer.user(audience=AUD, issued_at=time.time())
    assert (await ask_asgi(door, Request.with_token(token))).status == 200
    assert urls == ["https://acme.cloudflareaccess.com/cdn-cgi/access/certs"]
    door.protection.close()
