"""Does what the examples configure hold with real reverse proxies, as an attacker before them would find out?"""

import json
from collections.abc import Iterator

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.cli.proxies import EXAMPLES, proxying, telling
from tests.cli.team import ALICE, ROBOT, ask, commanding, fresh, robots, write_team
from tests.servers.raw import Answer, request
from tests.tokens import OTHER_AUD

RULES = f"""
[[rules]]
pattern = "/healthz"
access = "public"
[[rules]]
pattern = "/admin/*"
deny = true
[[rules]]
pattern = "/written"
methods = ["POST"]
access = "token"
audience = "{OTHER_AUD}"
[[rules]]
pattern = "/office"
allow = {{ ips = ["198.51.100.0/24"] }}
"""

# Two hosts with one service behind two servers of a proxy.
HOSTS = """
[[rules]]
pattern = "/docs/*"
access = "public"
hosts = ["pub.example.com"]
[[rules]]
pattern = "/docs/*"
deny = true
hosts = ["admin.example.com"]
"""

NAMES = ("HTTP_REMOTE_USER", "HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL", "HTTP_X_CFACCESS_KIND", "HTTP_X_CFACCESS_ID")
SPOOFED = (
    "Remote-User: mallory",
    "Cf-Access-Authenticated-User-Email: mallory@example.com",
    "X-Cfaccess-Kind: user",
    "X-Cfaccess-Id: mallory",
)
# What a client would like the service to be asked about instead.
ELSEWHERE = (
    "X-Original-URI: /healthz",
    "X-Original-Method: GET",
    "X-Forwarded-Uri: /healthz",
    "X-Forwarded-Method: GET",
    "X-Forwarded-Host: elsewhere.example.com",
    "X-Real-IP: 198.51.100.7",
)


def _two_servers(text: str) -> str:
    """Of nginx: the server of the example under two names."""
    at = text.index("server {\n    listen")
    return text[:at] + "".join(
        text[at:].replace("listen", f"server_name {name};\n    listen", 1)
        for name in ("pub.example.com", "admin.example.com")
    )


def _behind_another(text: str) -> str:
    """Of Caddy: it trusts what stands before it, whose headers are the client's."""
    return text.replace("uri /\n", "uri /\n\t\t\ttrusted_proxies 127.0.0.1/8\n")


HOSTILE = {"nginx": _two_servers, "caddy": _behind_another}


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def hosts(request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A proxy of several hosts, of which the rules speak."""
    folder = tmp_path_factory.mktemp(request.param)
    config = write_team(folder, issuer, f"host_routing = true\n{HOSTS}")
    words = ("forward-auth", "--config", config, "--proxy", request.param, "--trust", "loopback", "--port", "0")
    with (
        telling() as upstream,
        commanding(*words, folder=folder) as service,
        proxying(request.param, folder, service=service.port, upstream=upstream, change=HOSTILE[request.param]) as port,
    ):
        yield port


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request("http://admin.example.com/docs/x", host="pub.example.com"), id="request-line"),
        pytest.param(
            request("/docs/x", "X-Forwarded-Host: pub.example.com", host="admin.example.com"), id="forwarded-host"
        ),
    ],
)
def test_the_host_that_is_asked_about_is_the_one_that_is_served(hosts: int, data: bytes) -> None:
    assert ask(hosts, data).status == 401


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def port(request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A proxy that asks the service about everything; where the team signs, nobody has to be reached."""
    folder = tmp_path_factory.mktemp(request.param)
    config = write_team(folder, issuer, f'login_redirect = true\ntrusted_peers = ["198.51.100.99"]\n{RULES}')
    words = ("forward-auth", "--config", config, "--proxy", request.param, "--trust", "loopback", "--port", "0")
    with (
        telling() as upstream,
        commanding(*words, folder=folder) as service,
        proxying(request.param, folder, service=service.port, upstream=upstream) as port,
    ):
        yield port


def assertion(token: str) -> str:
    return f"Cf-Access-Jwt-Assertion: {token}"


def told(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer
    found: dict[str, str] = json.loads(answer.body)
    return found


def test_who_is_asking_reaches_the_application(port: int, issuer: Issuer) -> None:
    seen = told(ask(port, request("/a/b?q=1", assertion(fresh(issuer)), *SPOOFED)))
    assert [seen.get(name) for name in NAMES] == [issuer.subject(ALICE), ALICE, "user", issuer.subject(ALICE)]
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/a/b", "q=1")
    assert "HTTP_CF_ACCESS_JWT_ASSERTION" not in seen


def test_nobody_takes_away_what_is_said_of_him(port: int, issuer: Issuer) -> None:
    connection = "Connection: close, Remote-User, X-Cfaccess-Id, X-Cfaccess-Kind, Cf-Access-Authenticated-User-Email"
    seen = told(ask(port, request("/", assertion(fresh(issuer)), connection, close=False)))
    assert [seen.get(name) for name in NAMES] == [issuer.subject(ALICE), ALICE, "user", issuer.subject(ALICE)]


HANDSHAKE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + 22 * "A")


def test_a_websocket_is_asked_about_like_anything_else(port: int, issuer: Issuer) -> None:
    assert ask(port, request("/x", *HANDSHAKE, close=False)).status == 401
    seen = told(ask(port, request("/x", assertion(fresh(issuer)), *HANDSHAKE, close=False)))
    assert seen["HTTP_REMOTE_USER"] == issuer.subject(ALICE)


def test_a_service_has_no_address(port: int, issuer: Issuer) -> None:
    seen = told(ask(port, request("/", assertion(robots(issuer)), *SPOOFED)))
    assert [seen.get(name) for name in NAMES] == [ROBOT, None, "service", ROBOT]


@pytest.mark.parametrize("headers", [(), ("Cf-Access-Jwt-Assertion: garbage",)], ids=["nobody", "bad-token"])
def test_what_a_client_claims_does_not_reach_a_public_path(port: int, headers: tuple[str, ...]) -> None:
    seen = told(ask(port, request("/healthz", *headers, *SPOOFED)))
    assert [name for name in (*NAMES, "HTTP_CF_ACCESS_JWT_ASSERTION") if name in seen] == []


def test_a_body_reaches_the_application_and_nobody_else(port: int, issuer: Issuer) -> None:
    token = fresh(issuer, audience=OTHER_AUD)
    data = request("/written", assertion(token), "Content-Length: 5", method="POST", body=b"hello")
    seen = told(ask(port, data))
    assert (seen["REQUEST_METHOD"], seen["body"]) == ("POST", "hello")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(request("/"), 401, "no-token", id="nobody"),
        pytest.param(request("/", *ELSEWHERE), 401, "no-token", id="nobody-asks-about-another-path"),
        pytest.param(request("/", *(2 * ELSEWHERE)), 401, "no-token", id="nobody-asks-twice"),
        pytest.param(request("/", *SPOOFED), 401, "no-token", id="somebody-claims"),
        pytest.param(request("/", "Cf-Access-Jwt-Assertion: x"), 401, "malformed-token", id="garbage"),
        pytest.param(request("/", method="POST"), 401, "no-token", id="a-post"),
        pytest.param(request("/healthz/x"), 401, "no-token", id="below-a-public-path"),
        pytest.param(request("/healthz%2f..%2fadmin"), 400, "ambiguous-path", id="an-odd-path"),
        pytest.param(request("//healthz/"), 401, "no-token", id="two-slashes"),
        pytest.param(request("/healthz?x=/admin"), 200, None, id="public"),
    ],
)
def test_who_is_refused_gets_the_refusal_itself(port: int, data: bytes, status: int, code: str | None) -> None:
    answer = ask(port, data)
    assert answer.status == status, answer
    if code is not None:
        assert json.loads(answer.body)["code"] == code
        assert answer.header("content-type") == "application/problem+json"
        assert answer.header("cache-control") == "no-store"
    if status == 401:
        assert (answer.header("www-authenticate") or "").startswith("Cloudflare-Access realm=")


def test_nobody_outside_can_ask(port: int) -> None:
    assert ask(port, request("/cfaccess", "X-Original-URI: /healthz", "X-Original-Method: GET")).status in (401, 404)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/admin", "not-permitted", id="denied"),
        pytest.param("/admin/x", "not-permitted", id="denied-below"),
        pytest.param("/office", "not-permitted", id="from-nowhere"),
    ],
)
def test_the_rules_of_the_path_that_is_asked_for_count(port: int, issuer: Issuer, path: str, code: str) -> None:
    address = "CF-Connecting-IP: 198.51.100.7"
    answer = ask(port, request(path, assertion(fresh(issuer)), address, "X-Forwarded-For: 198.51.100.99", *ELSEWHERE))
    assert (answer.status, json.loads(answer.body)["code"]) == (403, code)


def test_a_browser_is_sent_to_the_login_page(port: int) -> None:
    answer = ask(port, request("/reports?q=1", "Accept: text/html", "Sec-Fetch-Mode: navigate"))
    assert answer.status == 302
    location = answer.header("location") or ""
    assert location.startswith("https://acme.cloudflareaccess.com/cdn-cgi/access/login/app.example.com?")
    assert location.endswith("redirect_url=%2Freports%3Fq%3D1")


def test_a_person_sees_a_page(port: int, issuer: Issuer) -> None:
    answer = ask(port, request("/admin", assertion(fresh(issuer)), "Accept: text/html", "Sec-Fetch-Mode: navigate"))
    assert (answer.status, answer.header("content-type")) == (403, "text/html; charset=utf-8")
    assert b"<!doctype html>" in answer.body.lower()


def test_a_head_is_refused_without_a_body(port: int) -> None:
    answer = ask(port, request("/", method="HEAD"))
    assert answer.status == 401


def test_the_example_for_traefik_trusts_no_client() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    document = yaml.safe_load((EXAMPLES / "traefik.yaml").read_text(encoding="utf-8"))["http"]
    middlewares = document["middlewares"]
    assert document["routers"]["application"]["middlewares"] == list(middlewares)
    question = middlewares["cfaccess"]["forwardAuth"]
    assert question["trustForwardHeader"] is False
    assert [name.lower() for name in question["authResponseHeaders"]] == [
        name.removeprefix("HTTP_").replace("_", "-").lower() for name in NAMES
    ]
    assert middlewares["without-assertion"]["headers"]["customRequestHeaders"] == {"Cf-Access-Jwt-Assertion": ""}
