"""What do probes read, and when are requests to be sent elsewhere?"""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from cfaccess_mw import ConfigurationError, Rule
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core.states import State
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.health import Health, Report, report
from cfaccess_mw.protection import Protection
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.telemetry.fleets import in_a_fleet
from tests.tokens import AUD

READY = {"status": "ready", "keys": [{"state": "static", "age": None}]}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a probe got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


async def over_asgi(app: Any, path: str, method: str = "GET") -> Answer:
    """Ask an ASGI application."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    start, body = messages
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(status=start["status"], headers=headers, body=body["body"])


def over_wsgi(app: Any, path: str, method: str = "GET") -> Answer:
    """Ask a WSGI application, checked by ``wsgiref.validate``."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    got: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        got.update(status=int(status[:3]), headers={name.lower(): value for name, value in headers})

    body = validator(app)(environ, start_response)
    try:
        got["body"] = b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]
    return Answer(**got)


@pytest.fixture(params=["asgi", "wsgi"])
def probe(request: pytest.FixtureRequest) -> Any:
    """Ask an endpoint by either interface: ``probe(health, path, method)``."""

    def ask(health: Health, path: str, method: str = "GET") -> Answer:
        if request.param == "wsgi":
            return over_wsgi(health.wsgi, path, method)
        return asyncio.run(over_asgi(health.asgi, path, method))

    return ask


@pytest.fixture
def protection(issuer: Issuer) -> Iterator[Protection]:
    made = Protection(team="acme", audience=AUD, keys=issuer.certs())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("/readyz", READY, id="ready"),
        pytest.param("/", READY, id="root"),
        pytest.param("/healthz/ready/", READY, id="mounted"),
        pytest.param("/livez", {"status": "alive"}, id="live"),
        pytest.param("/healthz/live", {"status": "alive"}, id="mounted-live"),
        pytest.param("/healthz/live/", {"status": "alive"}, id="with-a-slash"),
        pytest.param("/alive", READY, id="not-quite"),
    ],
)
def test_what_a_probe_reads(probe: Any, protection: Protection, path: str, said: dict[str, Any]) -> None:
    answer = probe(Health(protection), path)
    assert (answer.status, answer.said) == (200, said)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_a_head_has_no_body_and_nothing_else_is_a_method(probe: Any, protection: Protection) -> None:
    head = probe(Health(protection), "/readyz", "HEAD")
    assert (head.status, head.body) == (200, b"")
    post = probe(Health(protection), "/readyz", "POST")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD")


def test_a_process_without_keys_is_alive_and_not_ready(probe: Any) -> None:
    cold = Protection(team="acme", audience=AUD, certs_url="http://127.0.0.1:9/health")
    endpoint = Health(cold)
    answer = probe(endpoint, "/readyz")
    assert (answer.status, answer.said["status"]) == (503, "not ready")
    assert answer.said["keys"][0]["state"] == "cold"
    assert probe(endpoint, "/livez").status == 200
    for secret in ("acme", "127.0.0.1", "connect", AUD):
        assert secret not in answer.body.decode()
    cold.close()
    assert probe(endpoint, "/readyz").said["keys"][0]["state"] == "closed"


def test_a_probe_may_be_the_first_that_needs_keys(probe: Any, team: Issuer) -> None:
    with Emulator(upstream="http://127.0.0.1:9", issuer=team) as emulator:
        fetched = Fetched()
        protection = Protection(team="acme", audience=AUD, team_url=emulator.url, listeners=[fetched])
        probe(Health(protection), "/readyz")
        assert fetched.wait(30)
        answer = probe(Health(protection), "/readyz")
        assert (answer.status, answer.said) == (200, {"status": "ready", "keys": [{"state": "fresh", "age": 0}]})
        protection.close()


class Fetched:
    """A listener that waits for the keys."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self.wait = self._there.wait

    def __call__(self, event: Any) -> None:
        if event.name == "keys-fetched":
            self._there.set()


@pytest.mark.parametrize(
    ("now", "status", "said"),
    [
        pytest.param({}, 200, "ready", id="connected"),
        pytest.param({"state": "lost", "degraded": True}, 200, "degraded", id="lost"),
        pytest.param({"state": "lost", "degraded": True, "ready": False}, 503, "not ready", id="lost-for-long"),
    ],
)
def test_a_fleet_counts(probe: Any, issuer: Issuer, now: dict[str, Any], status: int, said: str) -> None:
    protection = in_a_fleet(issuer, **now)
    answer = probe(Health(protection), "/readyz")
    assert (answer.status, answer.said["status"]) == (status, said)
    assert answer.said["fleet"] == {"state": now.get("state", "connected"), "heard_ago": 0}
    found = report(protection)
    assert (found.ready, found.degraded) == (status == 200, "degraded" in now)


def test_the_report_is_a_value(protection: Protection) -> None:
    found = report(protection)
    assert isinstance(found, Report)
    assert (found.ready, found.degraded, found.fleet) == (True, False, None)
    assert found.keys["https://acme.cloudflareaccess.com"].state is State.STATIC


def test_behind_a_door_it_finds_the_door(probe: Any, issuer: Issuer) -> None:
    health = Health()
    options: dict[str, Any] = {"team": "acme", "audience": AUD, "keys": issuer.certs()}
    inner = Starlette(routes=[Route("/readyz", health.asgi), Mount("/healthz", health.asgi)])
    asgi = AsgiDoor(inner, **options, rules=[Rule.public("/readyz"), Rule.public("/healthz/*")])
    wsgi = WsgiDoor(health.wsgi, **options, rules=[Rule.public("/healthz/*")])
    for path in ("/readyz", "/healthz/ready", "/healthz/live"):
        assert asyncio.run(over_asgi(asgi, path)).status == 200
    assert over_wsgi(wsgi, "/healthz/ready").said == READY
    assert over_wsgi(wsgi, "/private").status == 401, "the door stays closed"


def test_without_a_door_it_has_to_be_given_one(probe: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^protection: is None, and no door stands before this endpoint; give "
    ):
        probe(Health(), "/readyz")


def test_it_answers_http_only(protection: Protection) -> None:
    async def ask() -> None:
        await Health(protection).asgi({"type": "websocket"}, None, None)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="answers http, not 'websocket'"):
        anyio.run(ask)


def test_for_wsgi_nothing_of_asgi_is_imported() -> None:
    script = (
        "import sys, cfaccess_mw.health; print(*sorted({'starlette', 'anyio', 'asyncio', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
