"""Is a proxy believed only where it speaks for itself, once, and in its own words?"""

from typing import Any

import httpx
import pytest

from cfaccess_mw.cli.forward_auth_service import ForwardAuth
from cfaccess_mw.cli.forwarding import CONVENTIONS
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.emulator.issuer import Issuer
from tests.cli.team import ALICE, ROBOT, fresh, robots
from tests.tokens import AUD

pytestmark = pytest.mark.anyio

Pairs = list[tuple[str, str]]
RULES: list[dict[str, Any]] = [
    {"pattern": "/healthz", "access": "public"},
    {"pattern": "/write", "methods": ["POST"], "access": "public"},
    {"pattern": "/docs", "hosts": ["docs.example.com"], "access": "public"},
    {"pattern": "/elsewhere", "hosts": ["app.example.com"], "access": "token"},
    {"pattern": "/office", "allow": {"ips": ["198.51.100.0/24"]}},
]


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on uvicorn, and that on asyncio."""
    return "asyncio"


def question(proxy: str, uri: str = "/", method: str = "GET", host: str = "app.example.com") -> Pairs:
    """What a proxy of a kind sends."""
    convention = CONVENTIONS[proxy]
    named = [(convention.method, method), (convention.uri, uri)]
    return (
        [*named, ("host", host)] if convention.host == "host" else [*named, (convention.host, host), ("host", "auth")]
    )


def configuration(issuer: Issuer, **more: Any) -> AccessConfig:
    return AccessConfig(
        team="acme",
        audience=AUD,
        keys=issuer.certs(),
        rules=RULES,
        host_routing=True,
        trusted_peers=["10.0.0.0/8"],
        **more,
    )


class Proxy:
    """A proxy that asks; what its client sent is given by each test."""

    def __init__(
        self, kind: str, config: AccessConfig, *, trust: str = "loopback", peer: str | None = "127.0.0.1"
    ) -> None:
        self.kind = kind
        self.service = ForwardAuth(config, proxy=kind, trusted=TrustedPeers([trust]))
        self.peer = peer

    async def ask(self, headers: Pairs, **about: str) -> httpx.Response:
        """Ask about a request."""
        return await self.send([*question(self.kind, **about), *headers])

    async def send(self, headers: Pairs, *, path: str = "/") -> httpx.Response:
        """Send headers as they are."""
        transport = httpx.ASGITransport(app=self._served)
        async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
            request = client.build_request("GET", path)
            request.headers = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in headers])
            return await client.send(request)

    async def _served(self, scope: Any, receive: Any, send: Any) -> None:
        await self.service({**scope, "client": self.peer and (self.peer, 4)}, receive, send)


@pytest.fixture(params=sorted(CONVENTIONS))
def proxy(request: pytest.FixtureRequest, issuer: Issuer) -> Proxy:
    return Proxy(request.param, configuration(issuer))


def code_of(answer: httpx.Response) -> str:
    return "" if answer.status_code == 200 else str(answer.json()["code"])


async def test_who_is_asking_is_told(proxy: Proxy, issuer: Issuer) -> None:
    answer = await proxy.ask([("cf-access-jwt-assertion", fresh(issuer))])
    assert answer.status_code == 200
    told = {name: value for name, value in answer.headers.items() if name not in ("content-length", "cache-control")}
    assert told == {
        "remote-user": issuer.subject(ALICE),
        "cf-access-authenticated-user-email": ALICE,
        "x-cfaccess-kind": "user",
        "x-cfaccess-id": issuer.subject(ALICE),
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_the_user_may_be_the_address(issuer: Issuer) -> None:
    proxy = Proxy("nginx", configuration(issuer, remote_user="email"))
    answer = await proxy.ask([("cf-access-jwt-assertion", fresh(issuer))])
    assert answer.headers["remote-user"] == ALICE
    answer = await proxy.ask([("cf-access-jwt-assertion", robots(issuer))])
    assert answer.headers["remote-user"] == ROBOT


async def test_nobody_is_told_as_the_proxy_understands_it(proxy: Proxy) -> None:
    answer = await proxy.ask([("remote-user", "mallory")], uri="/healthz")
    assert answer.status_code == 200
    assert {answer.headers.get(name) for name in ("remote-user", "x-cfaccess-id")} == {
        "" if proxy.kind == "caddy" else None
    }


@pytest.mark.parametrize(
    ("about", "code"),
    [
        pytest.param({}, "no-token", id="nobody"),
        pytest.param({"uri": "/healthz"}, "", id="public"),
        pytest.param({"uri": "/healthz?a=b/c%00"}, "", id="public-with-query"),
        pytest.param({"uri": "/write"}, "no-token", id="another-method"),
        pytest.param({"uri": "/write", "method": "POST"}, "", id="the-method"),
        pytest.param({"uri": "/write", "method": "post"}, "no-token", id="an-odd-method"),
        pytest.param({"uri": "/docs", "host": "docs.example.com"}, "", id="the-host"),
        pytest.param({"uri": "/docs", "host": "docs.example.com:8443"}, "", id="the-host-with-its-port"),
        pytest.param({"uri": "/docs"}, "no-token", id="another-host"),
        pytest.param({"uri": "/docs", "host": "evil.example.com"}, "ambiguous-host", id="an-unknown-host"),
        pytest.param({"uri": "/docs", "host": "docs.example.com, app.example.com"}, "bad-forwarding", id="two-hosts"),
        pytest.param({"uri": "/healthz/..%2f"}, "ambiguous-path", id="dots"),
        pytest.param({"uri": "/healthz%ff"}, "ambiguous-path", id="not-utf-8"),
        pytest.param({"uri": "/healthz%0a"}, "ambiguous-path", id="a-line-feed"),
        pytest.param({"uri": "/healthz\\..\\admin"}, "ambiguous-path", id="backslashes"),
        pytest.param({"uri": "/healthz#x"}, "ambiguous-path", id="a-fragment"),
        pytest.param({"uri": "/" + "a" * 3_000}, "ambiguous-path", id="long"),
        pytest.param({"uri": ""}, "bad-forwarding", id="no-path"),
        pytest.param({"uri": "healthz"}, "bad-forwarding", id="relative"),
        pytest.param({"uri": "*"}, "bad-forwarding", id="asterisk"),
        pytest.param({"uri": "http://app.example.com/healthz"}, "bad-forwarding", id="absolute"),
        pytest.param({"uri": "/healthz, /admin"}, "bad-forwarding", id="joined"),
        pytest.param({"uri": "/healthz "}, "bad-forwarding", id="a-space"),
        pytest.param({"uri": "/h\xe9"}, "bad-forwarding", id="not-ascii"),
        pytest.param({"method": ""}, "bad-forwarding", id="no-method"),
        pytest.param({"method": "GET, POST"}, "bad-forwarding", id="two-methods"),
        pytest.param({"method": "G" * 65}, "bad-forwarding", id="a-long-method"),
        pytest.param({"host": ""}, "bad-forwarding", id="no-host"),
        pytest.param({"host": "a" * 262}, "bad-forwarding", id="a-long-host"),
    ],
)
async def test_what_is_asked_about_decides(proxy: Proxy, about: dict[str, str], code: str) -> None:
    assert code_of(await proxy.ask([], **about)) == code


@pytest.mark.parametrize("what", ["method", "uri", "host"])
async def test_each_header_is_there_exactly_once(proxy: Proxy, what: str) -> None:
    name = getattr(CONVENTIONS[proxy.kind], what)
    headers = question(proxy.kind, "/healthz")
    twice = await proxy.send([*headers, *(header for header in headers if header[0] == name)])
    missing = await proxy.send([header for header in headers if header[0] != name])
    assert [(answer.status_code, code_of(answer)) for answer in (twice, missing)] == 2 * [(400, "bad-forwarding")]


async def test_the_words_of_another_proxy_say_nothing(issuer: Issuer) -> None:
    for kind in CONVENTIONS:
        proxy = Proxy(kind, configuration(issuer))
        others = [pair for other in CONVENTIONS for pair in question(other, "/healthz", "POST")]
        own = {name for name, _ in question(kind)}
        said = [(name, value) for name, value in others if name not in own and name != "host"]
        assert code_of(await proxy.ask(said)) == "no-token"


@pytest.mark.parametrize(
    ("trust", "peer", "is_heard"),
    [
        pytest.param("loopback", "127.0.0.1", True, id="loopback"),
        pytest.param("loopback", "::1", True, id="loopback-6"),
        pytest.param("loopback", "10.0.0.1", False, id="a-neighbour"),
        pytest.param("loopback", None, False, id="a-socket"),
        pytest.param("unix", None, True, id="the-socket"),
        pytest.param("unix", "127.0.0.1", False, id="not-the-socket"),
        pytest.param("10.1.0.0/16", "10.1.2.3", True, id="network"),
        pytest.param("10.1.0.0/16", "10.2.0.1", False, id="another-network"),
        pytest.param("10.1.0.0/16", "testclient", False, id="no-address"),
    ],
)
async def test_only_the_named_may_ask(issuer: Issuer, trust: str, peer: str | None, is_heard: bool) -> None:
    proxy = Proxy("nginx", configuration(issuer), trust=trust, peer=peer)
    answer = await proxy.ask([("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")], uri="/healthz")
    assert (answer.status_code, code_of(answer)) == ((200, "") if is_heard else (403, "untrusted-proxy"))


@pytest.mark.parametrize(
    ("peers", "is_admitted"),
    [
        pytest.param(["10.0.0.9"], True, id="cloudflared"),
        pytest.param(["203.0.113.9"], False, id="somebody"),
        pytest.param([], False, id="nobody-knows"),
        pytest.param(["10.0.0.9", "10.0.0.9"], False, id="twice"),
        pytest.param([""], False, id="empty"),
        pytest.param(["unix"], False, id="no-address"),
    ],
)
async def test_the_clients_address_is_the_word_of_whoever_is_connected_to_the_proxy(
    proxy: Proxy, issuer: Issuer, peers: list[str], is_admitted: bool
) -> None:
    name = CONVENTIONS[proxy.kind].peer
    headers = [("cf-access-jwt-assertion", fresh(issuer)), ("cf-connecting-ip", "198.51.100.7")]
    answer = await proxy.ask([*headers, *((name, peer) for peer in peers)], uri="/office")
    assert code_of(answer) == ("" if is_admitted else "not-permitted")


async def test_a_peer_of_whom_nothing_is_known_is_no_unix_socket(proxy: Proxy, issuer: Issuer) -> None:
    config = AccessConfig(team="acme", audience=AUD, keys=issuer.certs(), rules=RULES[-1:], trusted_peers=["unix"])
    headers = [("cf-access-jwt-assertion", fresh(issuer)), ("cf-connecting-ip", "198.51.100.7")]
    assert code_of(await Proxy(proxy.kind, config).ask(headers, uri="/office")) == "not-permitted"


async def test_of_a_list_of_addresses_the_last_is_the_proxys_own(issuer: Issuer) -> None:
    for peers, code in (("203.0.113.9, 10.0.0.9", ""), ("10.0.0.9, 203.0.113.9", "not-permitted")):
        headers = [("cf-access-jwt-assertion", fresh(issuer)), ("cf-connecting-ip", "198.51.100.7")]
        proxy = Proxy("traefik", configuration(issuer))
        assert code_of(await proxy.ask([*headers, ("x-forwarded-for", peers)], uri="/office")) == code


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        pytest.param("Remote_User", True, id="user"),
        pytest.param("Cf_Access_Jwt_Assertion", True, id="assertion"),
        pytest.param("CF-ACCESS_authenticated-user-email", True, id="email"),
        pytest.param("X_Cfaccess_Id", True, id="ours"),
        pytest.param("X_Tenant", True, id="scrubbed"),
        pytest.param("X_Anything", False, id="another"),
        pytest.param("Remote-User", False, id="with-dashes-the-proxy-replaces-it"),
    ],
)
async def test_spellings_that_no_proxy_replaces_are_refused(issuer: Issuer, name: str, is_refused: bool) -> None:
    proxy = Proxy("caddy", configuration(issuer, scrub=["X-Tenant"]))
    answer = await proxy.ask([(name, "mallory")], uri="/healthz")
    assert code_of(answer) == ("bad-forwarding" if is_refused else "")


async def test_a_refusal_is_whole_whatever_it_is_about(proxy: Proxy) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = await proxy.ask([], method=method)
        assert answer.status_code == 401
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert (answer.content == b"") is (method == "HEAD")


async def test_the_login_redirect_leads_back_to_what_was_asked_for(issuer: Issuer) -> None:
    proxy = Proxy("traefik", configuration(issuer, login_redirect=True))
    navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("x-forwarded-proto", "https")]
    answer = await proxy.ask(navigation, uri="/reports?q=1")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(
        f"https://acme.cloudflareaccess.com/cdn-cgi/access/login/app.example.com?kid={AUD}"
    )
    assert answer.headers["location"].endswith("redirect_url=%2Freports%3Fq%3D1")
    assert "Secure" in answer.headers["set-cookie"]


async def test_what_is_odd_is_told_the_operator_and_quotes_nothing(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = Proxy("nginx", configuration(issuer))
    await proxy.ask([], uri="secret")
    await Proxy("nginx", configuration(issuer), peer="10.0.0.1").ask([])
    told = [record.getMessage() for record in caplog.records if record.name == "cfaccess_mw"]
    assert any(line.startswith("x-original-uri: is malformed;") for line in told)
    assert any("not named by --trust" in line for line in told)
    assert "secret" not in caplog.text


async def test_what_is_no_question_is_declined(issuer: Issuer) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    service = ForwardAuth(configuration(issuer), proxy="nginx", trusted=TrustedPeers(["loopback"]))
    await service({"type": "websocket", "client": ("127.0.0.1", 1), "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close"}]


async def test_where_the_refusal_is_asked_for_nobody_is_let_in(proxy: Proxy, issuer: Issuer) -> None:
    """A 200 there would reach the client, and the application would never have seen the request."""
    pairs = [*question(proxy.kind, method="POST"), ("cf-access-jwt-assertion", fresh(issuer))]
    assert (await proxy.send(pairs)).status_code == 200
    late = await proxy.send(pairs, path="/refused")
    assert (late.status_code, late.json()["code"], late.headers["retry-after"]) == (503, "asked-too-late", "1")
    assert "remote-user" not in late.headers
    assert (await proxy.send(question(proxy.kind), path="/refused")).json()["code"] == "no-token"
