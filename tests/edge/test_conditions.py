"""Do policies ask for signed links and for Cloudflare as a peer, through either door?"""

import asyncio
from typing import Any

import pytest

from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core.policy import Policy, PolicyDecision
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.edge.conditions import from_cloudflare, signed_link
from cfaccess_mw.edge.ranges_peers import CloudflarePeers
from cfaccess_mw.edge.signed_urls import SignedURLs
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.edge.asking import Answer, Request, ask_asgi, ask_wsgi
from tests.tokens import AUD

LINKS = SignedURLs(secrets="0123456789abcdef" * 2)
OURS, THEIRS, CLIENT = "104.16.0.1", "198.51.100.7", "203.0.113.9"
SAID = (("CF-Connecting-IP", CLIENT),)
SIGNED = LINKS.sign("/files/a%20b?x=1")
BOUND = LINKS.sign("/files/a", bound=[CLIENT])


@pytest.fixture
def ask(kind: str, issuer: Issuer) -> Any:
    """Ask an application behind a door, one of whose paths has a bypass with this condition."""
    door, ask = {"asgi": (AsgiDoor, ask_asgi), "wsgi": (WsgiDoor, ask_wsgi)}[kind]

    def asked(condition: Any, request: Request, **options: Any) -> Answer:
        bypass = Policy(decision=PolicyDecision.BYPASS, include=(condition,))
        given = {"team": "acme", "audience": AUD, "keys": issuer.certs(), **options}
        return ask(door, request, rules=[Rule.guarded("/files/*", [bypass])], **given)

    return asked


@pytest.mark.parametrize(
    ("request_", "reached"),
    [
        pytest.param(Request(target=SIGNED), True, id="signed"),
        pytest.param(Request(target=SIGNED, method="HEAD"), True, id="head"),
        pytest.param(Request(target=SIGNED, tells_raw=False), True, id="decoded"),
        pytest.param(Request(target=SIGNED, method="POST"), False, id="post"),
        pytest.param(Request(target="/files/a%20b?x=1"), False, id="not-signed"),
        pytest.param(Request(target=SIGNED.replace("x=1", "x=2")), False, id="changed"),
        pytest.param(Request(target=SIGNED.replace("/files/", "/other/")), False, id="another-path"),
        pytest.param(Request(target=SIGNED.replace("/files/", "/files//")), False, id="another-spelling"),
        pytest.param(Request(target=LINKS.sign("/other/a")), False, id="a-rule-without-it"),
    ],
)
def test_a_signed_link_opens_its_path(ask: Any, request_: Request, reached: bool) -> None:
    answer = ask(signed_link(LINKS), request_)
    assert answer.reached is reached
    assert answer.status == (200 if reached else 401)


def test_a_mount_is_no_way_out_of_a_directory(ask: Any) -> None:
    links = SignedURLs(secrets="0123456789abcdef" * 2, directory=len("/files/ab/"))
    stamp = links.sign("/files/ab/").partition("?")[2]
    good = Request(target=f"/files/ab/1.ts?{stamp}", root_path="/files")
    left = Request(target=f"/files/ab/files/cd/1.ts?{stamp}", root_path="/files")  # Litestar runs /files/cd/1.ts
    assert [ask(signed_link(links), request).reached for request in (good, left)] == [True, False]


def test_a_mount_that_the_client_names_is_not_signed(ask: Any, kind: str) -> None:
    if kind == "asgi":
        pytest.skip("nothing there makes a mount of a header")
    stamp = LINKS.sign("/files/mallory/files/a").partition("?")[2]
    named = Request(
        target=f"/files/a?{stamp}",
        path="/files/mallory/files/a",
        root_path="/files/mallory",
        headers=(("X-Forwarded-Prefix", "/files/mallory"),),
    )
    assert not ask(signed_link(LINKS), named).reached


@pytest.mark.parametrize(
    ("peer", "headers", "reached"),
    [
        pytest.param(OURS, SAID, True, id="the-client"),
        pytest.param(OURS, (("CF-Connecting-IP", "203.0.113.8"),), False, id="another-client"),
        pytest.param(OURS, (), False, id="not-said"),
        pytest.param(THEIRS, SAID, False, id="said-by-somebody"),
    ],
)
def test_a_link_is_bound_to_the_clients_address(ask: Any, peer: str, headers: Any, reached: bool) -> None:
    request = Request(target=BOUND, peer=peer, headers=headers)
    answer = ask(signed_link(LINKS, bind_address=True), request, trusted_peers=["104.16.0.0/13"])
    assert answer.reached is reached


@pytest.mark.parametrize(
    ("peers", "peer", "reached"),
    [
        pytest.param(None, OURS, True, id="cloudflare"),
        pytest.param(None, THEIRS, False, id="somebody"),
        pytest.param(None, None, False, id="no-peer"),
        pytest.param(CloudflarePeers(also=["unix"]), None, True, id="a-socket-that-is-named"),
    ],
)
def test_the_peer_is_cloudflare(ask: Any, peers: CloudflarePeers | None, peer: str | None, reached: bool) -> None:
    assert ask(from_cloudflare(peers), Request(target="/files/a", peer=peer)).reached is reached


def test_the_peer_is_known_where_the_client_has_taken_its_place(ask: Any, kind: str) -> None:
    kept: Any = (OURS, 1) if kind == "asgi" else {"REMOTE_ADDR": OURS}
    request = Request(target="/files/a", peer=CLIENT, more={"cfaccess.peer": kept})
    assert ask(from_cloudflare(), request).reached


def test_what_is_explained_without_a_request_is_refused(issuer: Issuer) -> None:
    bypass = Policy(decision=PolicyDecision.BYPASS, include=(signed_link(LINKS), from_cloudflare()))
    rules = [Rule.guarded("/files/*", [bypass])]
    door = AsgiDoor(_application, team="acme", audience=AUD, keys=issuer.certs(), rules=rules)
    assert door.protection.explain("GET", "/files/a").outcome == "refused"


async def _application(*_: Any) -> None:
    await asyncio.sleep(0)
