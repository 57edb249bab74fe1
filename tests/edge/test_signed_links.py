"""Does private content go to holders of a signed link, and to nobody else? In ASGI and in WSGI alike."""

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.edge import signed_urls_asgi, signed_urls_wsgi
from cfaccess_mw.edge.signed_urls import SignedURL, SignedURLs
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.protection import Protection
from cfaccess_mw.wire.refused import RefusedRequest
from tests.edge.asking import Answer, Ask, Request, ask_wsgi
from tests.tokens import AUD

if TYPE_CHECKING:
    from cfaccess_mw.telemetry.events import Event

SECRET = "0123456789abcdef" * 2
LINKS = SignedURLs(secrets=SECRET)


@pytest.fixture(scope="module")
def alice() -> Identity:
    """Somebody whom a door has let in."""
    issuer = Issuer("acme")
    protection = Protection(team="acme", audience=AUD, keys=issuer.certs())
    return protection.verify(issuer.user("alice@example.com", audience=AUD))


def outcome(answer: Answer) -> str:
    """What became of a request."""
    return "reached" if answer.reached else str(json.loads(answer.body)["code"])


@pytest.mark.parametrize(
    ("target", "tells_raw"),
    [
        pytest.param("/private/cat.jpg", True, id="plain"),
        pytest.param("/private/cat.jpg", False, id="plain-decoded"),
        pytest.param("/private/caf%C3%A9.jpg?size=1", True, id="escapes-and-a-query"),
        pytest.param("/private/caf%C3%A9.jpg?size=1", False, id="escapes-decoded"),
        pytest.param("/private/a%2Fb", True, id="what-only-the-raw-path-tells"),
        pytest.param("/private/", True, id="the-directory"),
    ],
)
def test_holders_get_in(ask_links: Ask, target: str, tells_raw: bool) -> None:
    signed = LINKS.sign(target)
    answer = ask_links(Request(target=signed, tells_raw=tells_raw), LINKS, paths="/private/*")
    assert (answer.status, outcome(answer)) == (200, "reached")
    link = (answer.seen or {})["cfaccess.link"]
    path, _, query = target.partition("?")
    assert isinstance(link, SignedURL)
    assert (link.path, link.query, link.expires_at - link.issued_at) == (path, query, 10_800)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/private/cat.jpg", "link-missing", id="no-link"),
        pytest.param("/private", "link-missing", id="the-directory"),
        pytest.param("/private/?verify=x", "link-malformed", id="no-signature"),
        pytest.param(LINKS.sign("/private/a").replace("/a", "/b"), "link-forged", id="another-path"),
        pytest.param(LINKS.sign("/private/a", issued_at=1_484_063_787), "link-expired", id="an-old-one"),
        pytest.param("//private/cat.jpg", "link-missing", id="two-slashes"),
        pytest.param("/%70rivate/cat.jpg", "link-missing", id="escaped"),
        pytest.param("/%2570rivate/cat.jpg", "link-missing", id="escaped-twice"),
        pytest.param("/PRIVATE/cat.jpg", "link-missing", id="in-another-case"),
        pytest.param("/public;/../private/cat.jpg", "ambiguous-path", id="dots"),
        pytest.param("/public/..%2fprivate/cat.jpg", "ambiguous-path", id="escaped-dots"),
        pytest.param("/public/cat.jpg", "reached", id="another-path-needs-none"),
        pytest.param("/privately", "reached", id="another-name"),
        pytest.param(LINKS.sign("/public/a").replace("/a", "/b"), "reached", id="nor-a-good-one"),
    ],
)
def test_nobody_else_does(ask_links: Ask, target: str, expected: str) -> None:
    answer = ask_links(Request(target=target), LINKS, paths=["/private/*"])
    assert outcome(answer) == expected
    assert answer.status == {"reached": 200, "ambiguous-path": 400}.get(expected, 403)
    if answer.reached:
        assert (answer.seen or {})["cfaccess.link"] is None
    else:
        assert answer.headers["cache-control"] == "no-store"
        assert "www-authenticate" not in answer.headers


def test_every_path_needs_a_link_unless_some_are_named(ask_links: Ask) -> None:
    assert outcome(ask_links(Request(target="/"), LINKS)) == "link-missing"
    assert outcome(ask_links(Request(target="/x"), LINKS, paths=["/*", "/x"])) == "link-missing"
    assert outcome(ask_links(Request(target=LINKS.sign("/")), LINKS)) == "reached"


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        pytest.param("GET", {}, "reached", id="get"),
        pytest.param("HEAD", {}, "reached", id="head"),
        pytest.param("POST", {}, "link-missing", id="post"),
        pytest.param("DELETE", {}, "link-missing", id="delete"),
        pytest.param("OPTIONS", {}, "link-missing", id="options"),
        pytest.param("PUT", {"methods": ["GET", "PUT"]}, "reached", id="one-that-is-named"),
        pytest.param("HEAD", {"methods": ["PUT"]}, "link-missing", id="head-without-get"),
    ],
)
def test_a_link_is_for_reading(ask_links: Ask, method: str, options: dict[str, Any], expected: str) -> None:
    answer = ask_links(Request(target=LINKS.sign("/a"), method=method), LINKS, **options)
    assert (expected if method == "HEAD" else outcome(answer)) == expected
    assert answer.reached is (expected == "reached")


def test_what_is_decoded_has_to_be_what_was_sent(ask_links: Ask) -> None:
    rewritten = Request(target=LINKS.sign("/a"), path="/b")
    assert outcome(ask_links(rewritten, LINKS)) == "ambiguous-path"
    absolute = Request(target=f"http://example.com{LINKS.sign('/a')}", path="/a")
    assert outcome(ask_links(absolute, LINKS)) == "ambiguous-path"


@pytest.mark.parametrize("sends_mount", [True, False], ids=["with-the-mount", "without-it"])
def test_a_mounted_application_signs_what_the_client_sees(ask_links: Ask, sends_mount: bool) -> None:
    signed = LINKS.sign("/api/a%20b")
    target = signed if sends_mount else signed.removeprefix("/api")
    request = Request(target=target, path="/api/a b", root_path="/api")
    assert outcome(ask_links(request, LINKS)) == "reached"


def test_a_mount_is_no_way_out_of_a_directory(ask_links: Ask) -> None:
    links = SignedURLs(secrets=SECRET, directory=len("/api/ab/"))
    stamp = links.sign("/api/ab/").partition("?")[2]
    good = Request(target=f"/api/ab/1.ts?{stamp}", root_path="/api")
    left = Request(target=f"/api/ab/api/cd/1.ts?{stamp}", root_path="/api")
    assert [outcome(ask_links(request, links)) for request in (good, left)] == ["reached", "link-malformed"]


@pytest.mark.parametrize("tells_raw", [True, False])
def test_a_mount_that_the_client_names_is_not_signed(tells_raw: bool) -> None:
    """Werkzeug's ``ProxyFix(x_prefix=1)`` makes ``SCRIPT_NAME`` of the header, behind a proxy that hands it on."""
    stamp = LINKS.sign("/u/mallory/reports/all.csv").partition("?")[2]
    named = Request(
        target=f"/reports/all.csv?{stamp}",
        path="/u/mallory/reports/all.csv",
        root_path="/u/mallory",
        headers=(("X-Forwarded-Prefix", "/u/mallory"),),
        tells_raw=tells_raw,
    )
    assert outcome(ask_wsgi(signed_urls_wsgi.SignedLinks, named, LINKS)) == "link-forged"
    inside = replace(named, target=LINKS.sign("/reports/all.csv"))
    assert outcome(ask_wsgi(signed_urls_wsgi.SignedLinks, inside, LINKS)) == "reached"


@pytest.mark.parametrize(
    ("bind", "bound", "request_", "expected"),
    [
        pytest.param("address", "192.0.2.7", {"peer": "192.0.2.7"}, "reached", id="address"),
        pytest.param("address", "192.0.2.7", {"peer": "192.0.2.8"}, "link-forged", id="another-address"),
        pytest.param("address", "2001:db8::7", {"peer": "2001:DB8:0::7"}, "reached", id="address-in-its-one-form"),
        pytest.param("address", "192.0.2.7", {"peer": "::ffff:192.0.2.7"}, "reached", id="ipv4-as-ipv6"),
        pytest.param("address", "192.0.2.7", {"peer": None}, "link-unbound", id="no-address"),
        pytest.param("address", "192.0.2.7", {"peer": "testclient"}, "link-unbound", id="no-address-but-a-name"),
        pytest.param("cookie:sid", "s1", {"headers": (("Cookie", "a=b; sid=s1"),)}, "reached", id="cookie"),
        pytest.param("cookie:sid", "s1=", {"headers": (("Cookie", "sid=s1="),)}, "reached", id="cookie-with-a-sign"),
        pytest.param("cookie:sid", "s1", {"headers": (("Cookie", "sid=s2"),)}, "link-forged", id="another-cookie"),
        pytest.param("cookie:sid", "s1", {"headers": (("Cookie", "SID=s1"),)}, "link-unbound", id="another-name"),
        pytest.param("cookie:sid", "s1", {}, "link-unbound", id="no-cookie"),
        pytest.param("cookie:sid", "s1", {"headers": (("Cookie", "sid=s1; sid=s1"),)}, "link-unbound", id="two"),
        pytest.param("cookie:sid", "s1", {"headers": (("Cookie", "sid=s1|/a"),)}, "link-unbound", id="a-bar"),
        pytest.param("user", "alice", {}, "link-unbound", id="no-user"),
        pytest.param("email", "alice@example.com", {}, "link-unbound", id="no-email"),
    ],
)
def test_links_are_bound_to_the_client(
    ask_links: Ask, bind: str, bound: str, request_: dict[str, Any], expected: str
) -> None:
    signed = LINKS.sign("/a", bound=[bound])
    assert outcome(ask_links(Request(target=signed, **request_), LINKS, bind=bind)) == expected
    assert outcome(ask_links(Request(target=LINKS.sign("/a"), **request_), LINKS, bind=bind)) != "reached"


def test_links_are_bound_to_whom_the_door_let_in(ask_links: Ask, alice: Identity) -> None:
    request = Request(target=LINKS.sign("/a", bound=[alice.id, "alice@example.com"]), more={"cfaccess.identity": alice})
    assert outcome(ask_links(request, LINKS, bind=["user", "email"])) == "reached"
    stranger = Request(target=LINKS.sign("/a", bound=["mallory", "m@example.com"]), more={"cfaccess.identity": alice})
    assert outcome(ask_links(stranger, LINKS, bind=["user", "email"])) == "link-forged"


@pytest.mark.parametrize(("or_identity", "expected"), [(True, "reached"), (False, "link-missing")])
def test_whoever_is_signed_in_needs_no_link_where_it_is_said(
    ask_links: Ask, alice: Identity, or_identity: bool, expected: str
) -> None:
    request = Request(target="/a", more={"cfaccess.identity": alice})
    assert outcome(ask_links(request, LINKS, or_identity=or_identity)) == expected
    nobody = Request(target="/a", more={"cfaccess.identity": None})
    assert outcome(ask_links(nobody, LINKS, or_identity=or_identity)) == "link-missing"


def test_people_see_a_page_and_nobody_is_sent_to_sign_in_or_out(ask_links: Ask) -> None:
    answer = ask_links(Request(target="/a", headers=(("Accept", "text/html"),)), LINKS)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"a link that was signed" in answer.body
    assert b"cdn-cgi" not in answer.body


def test_a_refusal_is_told_and_can_be_answered_by_the_user(ask_links: Ask) -> None:
    told: list[Event] = []

    def own(request: RefusedRequest) -> tuple[int, dict[str, str], str]:
        return 404, {}, f"{request.code} {request.method} {request.path}"

    answer = ask_links(Request(target="/a\x1b[2J"), LINKS, on_refusal=own, listeners=[told.append])
    assert (answer.status, answer.body) == (404, b"ambiguous-path GET /a\x1b[2J")
    assert [(event.name, event.level) for event in told] == [("link-refused", logging.INFO)]
    assert told[0].facts == {"code": "ambiguous-path", "method": "'GET'", "path": r"'/a\x1b[2J'"}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        pytest.param((SECRET,), {}, "links: is text of 32 characters", id="a-secret-for-links"),
        pytest.param((LINKS,), {"paths": []}, "paths: is empty", id="no-paths"),
        pytest.param((LINKS,), {"paths": 7}, "paths: is a number", id="paths-a-number"),
        pytest.param((LINKS,), {"paths": [7]}, "paths: holds a number", id="a-number-among-them"),
        pytest.param((LINKS,), {"paths": b"/a"}, "paths: is 2 bytes", id="paths-bytes"),
        pytest.param((LINKS,), {"paths": "private"}, "", id="no-pattern"),
        pytest.param((LINKS,), {"methods": []}, "methods: holds no method", id="no-methods"),
        pytest.param((LINKS,), {"methods": "get"}, "methods: holds no method", id="method-in-lower-case"),
        pytest.param((LINKS,), {"methods": "M2"}, "methods: holds no method", id="a-digit-in-a-method"),
        pytest.param((LINKS,), {"bind": "cookie:é"}, "bind: holds text of 8 characters", id="cookie-not-ascii"),
        pytest.param((LINKS,), {"bind": "cookie:a\t"}, "bind: holds text of 9 characters", id="cookie-with-a-tab"),
        pytest.param((LINKS,), {"bind": "ip"}, "bind: holds text of 2 characters", id="unknown-binding"),
        pytest.param((LINKS,), {"bind": "cookie:"}, "bind: holds text of 7 characters", id="no-cookie"),
        pytest.param((LINKS,), {"bind": "cookie:a;b"}, "bind: holds text of 10 characters", id="no-cookie-name"),
        pytest.param((LINKS,), {"or_identity": 1}, "or_identity: is a number", id="or-identity-1"),
        pytest.param((LINKS,), {"listeners": [7]}, "listeners: a number cannot be called", id="no-listener"),
        pytest.param((LINKS,), {"on_refusal": 7}, "on_refusal: a number cannot be called", id="no-answer"),
    ],
)
def test_a_mistake_is_said_at_start(
    ask_links: Ask, arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ask_links(Request(), *arguments, **options)
    assert str(caught.value).startswith(message)


def test_something_has_to_be_protected() -> None:
    for middleware in (signed_urls_asgi.SignedLinks, signed_urls_wsgi.SignedLinks):
        with pytest.raises(ConfigurationError, match="app: is None"):
            middleware(None, LINKS)  # type: ignore[arg-type]


def test_wsgi_paths_that_are_none_are_refused() -> None:
    def start_response(status: str, _: Any, __: Any = None) -> Any:
        assert status == "400 Bad Request"

    guarded = signed_urls_wsgi.SignedLinks(lambda _, __: [b"reached"], LINKS, paths="/private/*")
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/a\xff"}
    assert b"ambiguous-path" in b"".join(guarded(environ, start_response))


@pytest.mark.parametrize(
    ("target", "extensions", "sent"),
    [
        pytest.param("/ws", {}, ["websocket.close"], id="closed"),
        pytest.param(
            "/ws",
            {"websocket.http.response": {}},
            ["websocket.http.response.start", "websocket.http.response.body"],
            id="answered",
        ),
        pytest.param(LINKS.sign("/ws"), {}, ["websocket.accept"], id="let-in"),
    ],
)
def test_websockets_need_a_link_before_they_are_accepted(
    target: str, extensions: dict[str, Any], sent: list[str]
) -> None:
    messages: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        messages.append(message)

    path, _, query = target.partition("?")
    scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": [], "extensions": extensions}
    anyio.run(signed_urls_asgi.SignedLinks(application, LINKS), scope, receive, send)
    assert [message["type"] for message in messages] == sent
    assert messages[0].get("status", 403) == 403
    assert messages[0].get("code", 1008) == 1008


def test_a_websocket_that_is_gone_is_not_answered() -> None:
    async def receive() -> Any:
        return {"type": "websocket.disconnect", "code": 1006}

    scope = {"type": "websocket", "path": "/ws", "headers": []}
    anyio.run(signed_urls_asgi.SignedLinks(_unreachable, LINKS), scope, receive, _unreachable)


def test_lifespan_passes_and_nothing_else_does() -> None:
    reached: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    guarded: Any = signed_urls_asgi.SignedLinks(application, LINKS)
    anyio.run(guarded, {"type": "lifespan"}, _unreachable, _unreachable)
    with pytest.raises(ValueError, match="not 'telnet'"):
        anyio.run(guarded, {"type": "telnet"}, _unreachable, _unreachable)
    assert reached == ["lifespan"]


async def _unreachable(*_: Any) -> None:
    pytest.fail("nothing is to be sent or run here")
