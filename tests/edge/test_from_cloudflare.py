"""Does nobody but Cloudflare get in, and is the client who Cloudflare says? In ASGI and in WSGI alike."""

import json
import logging
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.edge import ranges_asgi, ranges_wsgi
from cfaccess_mw.wire.refused import RefusedRequest
from tests.edge.asking import Answer, Ask, Request, ask_asgi, ask_wsgi
from tests.edge.test_ranges import V4, V6, as_text
from tests.edge.test_ranges_peers import NEW, NEWS, Publisher

if TYPE_CHECKING:
    from cfaccess_mw.telemetry.events import Event

OURS, THEIRS, CLIENT = "104.16.0.1", "198.51.100.7", "203.0.113.9"
SAID = (("CF-Connecting-IP", CLIENT),)


def client_of(answer: Answer) -> str | None:
    """Where the application finds the client's address."""
    seen = answer.seen or {}
    if "REMOTE_ADDR" in seen:
        return str(seen["REMOTE_ADDR"])
    return seen["client"][0] if seen["client"] else ""


def peer_of(answer: Answer) -> Any:
    """Where it finds the peer's, as the server gave it."""
    return (answer.seen or {}).get("cfaccess.peer")


@pytest.mark.parametrize(
    ("peer", "options", "reached"),
    [
        pytest.param(OURS, {}, True, id="cloudflare"),
        pytest.param("2606:4700::1", {}, True, id="cloudflare-6"),
        pytest.param(f"::ffff:{OURS}", {}, True, id="cloudflare-on-a-socket-of-both"),
        pytest.param(THEIRS, {}, False, id="somebody"),
        pytest.param("127.0.0.1", {}, False, id="loopback"),
        pytest.param("127.0.0.1", {"also": ["loopback"]}, True, id="a-tunnel-on-this-machine"),
        pytest.param("10.0.0.7", {"also": ["10.0.0.0/24"]}, True, id="a-proxy-of-ours"),
        pytest.param("", {"also": ["unix"]}, True, id="a-unix-socket"),
        pytest.param("", {}, False, id="a-unix-socket-that-is-not-named"),
        pytest.param(None, {}, False, id="no-peer"),
        pytest.param("testclient", {}, False, id="no-address"),
        pytest.param(THEIRS, {"refuse": False}, True, id="nobody-is-refused"),
    ],
)
def test_who_gets_in(ask_peers: Ask, peer: str | None, options: dict[str, Any], reached: bool) -> None:
    answer = ask_peers(Request(target="/a", peer=peer, headers=SAID), **options)
    assert answer.reached is reached
    assert answer.status == (200 if reached else 403)
    if not reached:
        assert json.loads(answer.body)["code"] == "not-from-cloudflare"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        pytest.param(SAID, CLIENT, id="ipv4"),
        pytest.param((("CF-Connecting-IP", "2001:DB8:0::9"),), "2001:db8::9", id="ipv6-in-its-one-form"),
        pytest.param((("CF-Connecting-IP", f"::ffff:{CLIENT}"),), CLIENT, id="ipv4-as-ipv6"),
        pytest.param((), "", id="not-said"),
        pytest.param((("CF-Connecting-IP", ""),), "", id="empty"),
        pytest.param((*SAID, *SAID), "", id="twice"),
        pytest.param((("CF-Connecting-IP", f"{CLIENT}, 127.0.0.1"),), "", id="two-in-one"),
        pytest.param((("CF-Connecting-IP", "localhost"),), "", id="a-name"),
        pytest.param((("CF-Connecting-IP", f"{CLIENT}:80"),), "", id="with-a-port"),
        pytest.param((("X-Forwarded-For", "127.0.0.1"), ("True-Client-IP", "127.0.0.1")), "", id="others-are-not-read"),
        pytest.param((*SAID, ("X-Forwarded-For", "127.0.0.1")), CLIENT, id="and-do-not-count"),
    ],
)
def test_the_client_is_who_cloudflare_says(
    ask_peers: Ask, kind: str, headers: tuple[tuple[str, str], ...], client: str
) -> None:
    answer = ask_peers(Request(peer=OURS, headers=headers))
    assert client_of(answer) == client
    assert peer_of(answer) == ((OURS, 40_000) if kind == "asgi" else {"REMOTE_ADDR": OURS, "REMOTE_PORT": "40000"})
    assert "REMOTE_PORT" not in (answer.seen or {})


def test_the_peer_stays_where_that_is_said(ask_peers: Ask) -> None:
    answer = ask_peers(Request(peer=OURS, headers=SAID), client_address=False)
    assert (client_of(answer), peer_of(answer)) == (OURS, None)


def test_a_stranger_who_is_not_refused_says_nothing_in_cloudflares_name(ask_peers: Ask, kind: str) -> None:
    spoofed = (
        ("CF-Connecting-IP", "127.0.0.1"),
        ("CF_Connecting_IP", "127.0.0.1"),
        ("CF-IPCountry", "DE"),
        ("CF-IPCity", "Berlin"),
        ("CF-Timezone", "Europe/Berlin"),
        ("CF-Verified-Bot", "true"),
        ("CF-Worker", "example.com"),
        ("True-Client-IP", "127.0.0.1"),
        ("CF-Visitor", '{"scheme":"https"}'),
        ("Cf-Cert-Verified", "true"),
        ("Cf-Client-Cert-Sha256", "0" * 64),
    )
    kept = (("Accept", "*/*"), ("Cf-Ray", "230b030023ae2822-SJC"), ("Cf-Access-Jwt-Assertion", "x"))
    answer = ask_peers(Request(peer=THEIRS, headers=(*spoofed, *kept)), refuse=False)
    seen = answer.seen or {}
    names = {name.decode() for name, _ in seen["headers"]} if kind == "asgi" else set(seen)
    if kind == "wsgi":
        names = {
            name[5:].lower().replace("_", "-") for name in names if name.startswith("HTTP_") and "HOST" not in name
        }
    assert names == {"accept", "cf-ray", "cf-access-jwt-assertion"}
    assert client_of(answer) == THEIRS


@pytest.mark.parametrize("peer", [OURS, THEIRS])
def test_wrapping_twice_looks_at_the_same_peer(peer: str) -> None:
    def both(middleware: Any) -> Any:
        return lambda app: middleware(middleware(app))

    request = Request(peer=peer, headers=SAID)
    for ask, middleware in ((ask_asgi, ranges_asgi.FromCloudflare), (ask_wsgi, ranges_wsgi.FromCloudflare)):
        answer = ask(both(middleware), request)
        assert answer.reached is (peer == OURS)
        if answer.reached:
            assert client_of(answer) == CLIENT


def test_a_fresh_list_counts(ask_peers: Ask) -> None:
    told: list[Event] = []
    options = {"refresh": True, "fetcher": Publisher(as_text(*V4, NEW, *V6)), "listeners": [told.append]}
    middleware: list[Any] = []

    def hydrated(inner: Any) -> Any:
        def make(app: Any, **given: Any) -> Any:
            made = inner(app, **given)
            made.peers.hydrate()
            middleware.append(made)
            return made

        return make

    ask, inner = ask_peers.func, ask_peers.args[0]  # type: ignore[attr-defined]
    answer = ask(hydrated(inner), Request(peer=NEWS, headers=SAID), **options)
    middleware[0].peers.close()
    assert client_of(answer) == CLIENT
    assert "ranges-fetched" in [event.name for event in told]


def test_a_refusal_is_told_and_can_be_answered_by_the_user(ask_peers: Ask) -> None:
    told: list[Event] = []

    def own(request: RefusedRequest) -> tuple[int, dict[str, str], str]:
        return 404, {}, f"{request.code} {request.method}"

    answer = ask_peers(Request(target="/a", peer=THEIRS), on_refusal=own, listeners=[told.append])
    assert (answer.status, answer.body) == (404, b"not-from-cloudflare GET")
    assert [(event.name, event.level) for event in told] == [("peer-refused", logging.INFO)]
    assert THEIRS not in str(told[0].facts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"refuse": "no"}, "refuse: is text of 2 characters", id="refuse"),
        pytest.param({"client_address": None}, "client_address: is None", id="client-address"),
        pytest.param({"also": ["Loopback"]}, "also: holds text of 8 characters", id="also"),
        pytest.param({"refusal_template": "/nowhere"}, "refusal_template", id="template"),
    ],
)
def test_a_mistake_is_said_at_start(ask_peers: Ask, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ask_peers(Request(), **options)
    assert message in str(caught.value)


@pytest.mark.anyio
async def test_lifespan_and_websockets() -> None:
    messages: list[str] = []
    reached: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        messages.append(message["type"])

    guarded = ranges_asgi.FromCloudflare(application)
    await guarded({"type": "lifespan"}, receive, send)
    for peer in (THEIRS, OURS):
        scope = {"type": "websocket", "path": "/ws", "headers": [], "client": (peer, 1)}
        await guarded(scope, receive, send)
    assert (reached, messages) == (["lifespan", "websocket"], ["websocket.close"])
    with pytest.raises(ValueError, match="not 'telnet'"):
        await guarded({"type": "telnet"}, receive, send)


def test_the_list_is_needed_from_start_to_end() -> None:
    publisher = Publisher(as_text(*V4, *V6))
    asked: list[bool] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        asked.append(await anyio.to_thread.run_sync(lambda: publisher.asked.acquire(timeout=20)))

    guarded = ranges_asgi.FromCloudflare(application, refresh=True, fetcher=publisher)
    try:
        anyio.run(cast("Any", guarded), {"type": "lifespan"}, None, None)
    finally:
        guarded.peers.close()
    assert asked == [True], "the list is fetched at start, before there are requests"
