"""Who is let through, what the application is sent, and what comes back, over real sockets."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.server import Emulator
from tests.emulator.application import PATIENCE, Mirror
from tests.emulator.conftest import ROBOT, Connect, Emulate


def sent(response: httpx.Response) -> dict[str, list[str]]:
    """The headers that the application got, by name."""
    got: dict[str, list[str]] = {}
    for name, value in response.json()["headers"]:
        got.setdefault(name, []).append(value)
    return got


def token_of(client: httpx.Client) -> str:
    return client.headers["Cookie"].removeprefix("CF_Authorization=")


class TestWhoPasses:
    def test_a_user_arrives_with_the_token_of_the_cookie(self, alice: httpx.Client) -> None:
        got = sent(alice.get("/"))
        assert got["cf-access-jwt-assertion"] == [token_of(alice)]
        assert got["cf-access-authenticated-user-email"] == ["alice@example.com"]

    def test_cf_access_token_is_as_good_as_the_cookie_and_stays_at_the_edge(
        self, alice: httpx.Client, client: httpx.Client
    ) -> None:
        got = sent(client.get("/", headers={"Cf-Access-Token": token_of(alice)}))
        assert got["cf-access-jwt-assertion"] == [token_of(alice)]
        assert "cf-access-token" not in got

    @pytest.mark.parametrize(
        "claims",
        [
            pytest.param({"audience": audience_for(path="/admin")}, id="another application's"),
            pytest.param({"audience": DEFAULT_AUDIENCE[:10]}, id="a part of the audience"),
            pytest.param({"audience": DEFAULT_AUDIENCE, "aud": DEFAULT_AUDIENCE + "0"}, id="a longer text"),
            pytest.param({"audience": DEFAULT_AUDIENCE, "aud": ABSENT}, id="no audience"),
            pytest.param({"audience": DEFAULT_AUDIENCE, "type": "org"}, id="another type"),
            pytest.param({"audience": DEFAULT_AUDIENCE, "expires_in": -1}, id="expired"),
        ],
    )
    def test_any_other_token_is_sent_to_the_login_page(
        self, emulator: Emulator, client: httpx.Client, claims: dict[str, Any]
    ) -> None:
        token = emulator.issuer.user(**claims)
        assert client.get("/", headers={"Cookie": f"CF_Authorization={token}"}).status_code == 302

    def test_an_audience_may_be_a_text(self, emulator: Emulator, client: httpx.Client) -> None:
        token = emulator.issuer.user(audience="", aud=DEFAULT_AUDIENCE)
        assert client.get("/", headers={"Cookie": f"CF_Authorization={token}"}).status_code == 201

    def test_the_header_itself_lets_nobody_through(self, alice: httpx.Client, client: httpx.Client) -> None:
        assert client.get("/", headers={"Cf-Access-Jwt-Assertion": token_of(alice)}).status_code == 302

    @pytest.mark.parametrize("path", ["/healthz", "/static/logo.png"])
    def test_a_public_path_is_open_and_gets_no_assertion(
        self, client: httpx.Client, alice: httpx.Client, path: str
    ) -> None:
        for someone in (client, alice):
            got = sent(someone.get(path, headers={"Cf-Access-Jwt-Assertion": "forged"}))
            assert not [name for name in got if name.startswith("cf-access-")]

    def test_a_path_without_an_application_is_open_and_gets_no_assertion(
        self, emulate: Emulate, connect: Connect
    ) -> None:
        client = connect(emulate(applications=[Application(path="/app")]))
        assert client.get("/app/x").status_code == 302
        assert "cf-access-jwt-assertion" not in sent(client.get("/other"))

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            pytest.param("/", {"Origin": "x", "Access-Control-Request-Method": "PUT"}, 403, id="a preflight"),
            pytest.param("/api", {"Origin": "x", "Access-Control-Request-Method": "PUT"}, 201, id="let through"),
            pytest.param("/api", {"Origin": "x"}, 302, id="no preflight without a method"),
            pytest.param("/api", {"Access-Control-Request-Method": "PUT"}, 302, id="no preflight without an origin"),
        ],
    )
    def test_preflights(self, client: httpx.Client, path: str, headers: dict[str, str], status: int) -> None:
        response = client.options(path, headers=headers)
        assert response.status_code == status
        if status == 201:
            assert "cf-access-jwt-assertion" not in sent(response)

    def test_the_headers_of_a_preflight_on_a_get_are_no_preflight(self, client: httpx.Client) -> None:
        headers = {"Origin": "x", "Access-Control-Request-Method": "PUT"}
        assert client.get("/api", headers=headers).status_code == 302


class TestServiceTokens:
    GOOD = (("CF-Access-Client-Id", ROBOT.client_id), ("CF-Access-Client-Secret", ROBOT.client_secret))

    def test_a_service_arrives_with_its_own_assertion_and_gets_a_cookie(self, client: httpx.Client) -> None:
        response = client.get("/", headers=self.GOOD)
        got = sent(response)
        said = jwt.decode(got["cf-access-jwt-assertion"][0], options={"verify_signature": False})
        assert (said["common_name"], said["sub"], said["aud"]) == (ROBOT.client_id, "", [DEFAULT_AUDIENCE])
        assert said["exp"] - said["iat"] == 86_400
        assert [name for name in got if name.startswith("cf-access-")] == ["cf-access-jwt-assertion"]
        assert response.cookies["CF_Authorization"] == got["cf-access-jwt-assertion"][0]
        assert "CF_Authorization" in client.cookies
        assert client.get("/").status_code == 201

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param([GOOD[0]], id="no secret"),
            pytest.param([GOOD[1]], id="no id"),
            pytest.param([GOOD[0], (GOOD[1][0], "wrong")], id="a wrong secret"),
            pytest.param([(GOOD[0][0], "0" * 32 + ".access"), GOOD[1]], id="an unknown id"),
            pytest.param([GOOD[0], GOOD[0], GOOD[1]], id="two ids"),
            pytest.param([GOOD[0], GOOD[1], GOOD[1]], id="two secrets"),
        ],
    )
    def test_anything_else_is_sent_to_the_login_page(
        self, client: httpx.Client, headers: list[tuple[str, str]]
    ) -> None:
        assert client.get("/", headers=headers).status_code == 302


class TestRequest:
    def test_what_a_client_says_in_access_s_name_never_arrives(self, alice: httpx.Client) -> None:
        forged = ["Cf-Access-Jwt-Assertion", "cf_access_jwt_assertion", "CF-Access_User", "Cf-Access-Client-Secret"]
        forged += ["Cf-Access-Authenticated-User-Email", "CF-Connecting-IP", "CF-Ray", "CF-IPCountry", "Cf_Ray"]
        response = alice.get("/", headers=[(name, "forged") for name in forged])
        assert response.status_code == 201
        got = sent(response)
        assert "forged" not in [value for values in got.values() for value in values]
        assert got["cf-connecting-ip"] == ["127.0.0.1"]
        assert got["cf-ipcountry"] == ["NZ"]
        assert got["cf-ray"] == [response.headers["cf-ray"]]
        assert re.fullmatch(r"[0-9a-f]{16}-[A-Z]{3}", got["cf-ray"][0])

    def test_the_address_is_the_connection_s_and_not_the_client_s_word(self, alice: httpx.Client) -> None:
        got = sent(alice.get("/", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}))
        assert got["cf-connecting-ip"] == ["127.0.0.1"]
        assert got["x-forwarded-for"] == ["6.6.6.6, 127.0.0.1"]
        assert got["x-forwarded-proto"] == ["http"]

    def test_everything_else_arrives(self, emulator: Emulator, alice: httpx.Client) -> None:
        headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Authorization", "Bearer x"), ("Connection", "X-Hop")]
        got = sent(alice.get("/", headers=[*headers, ("X-Hop", "1")]))
        assert got["x-twice"] == ["1", "2"]
        assert got["authorization"] == ["Bearer x"]
        assert got["host"] == [urlsplit(emulator.url).netloc]
        assert "x-hop" not in got
        assert got["cookie"] == [alice.headers["Cookie"]]

    @pytest.mark.parametrize(
        "target",
        [
            "/",
            "/a?b=c&d=%20",
            "//double//slash",
            "/a/../b/./c",
            "/%2e%2e/%2E/x",
            "/a%2fb%5cc",
            "/a%00b%0a",
            "/line%0abreak/x",
            "/%zz%",
            "/a;b=c;d",
            "/a#b",
            "/%C3%A9%ff",
            '/"<>^`{|}[]',
            "/a?b?c//../%2e",
            "/a:b@c",
        ],
    )
    def test_the_path_arrives_byte_for_byte(self, emulator: Emulator, alice: httpx.Client, target: str) -> None:
        answer = raw(emulator, f"GET {target} HTTP/1.1", f"Cookie: {alice.headers['Cookie']}")
        path, _, query = target.partition("?")
        seen = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (seen["raw_path"], seen["query"]) == (path, query)

    def test_the_method_arrives_as_it_was_sent(self, emulator: Emulator, alice: httpx.Client) -> None:
        for method in ("get", "PURGE", "pOsT"):
            answer = raw(emulator, f"{method} / HTTP/1.1", f"Cookie: {alice.headers['Cookie']}")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["method"] == method

    @pytest.mark.parametrize(
        ("line", "header", "status"),
        [
            pytest.param("GET http://127.0.0.1/x HTTP/1.1", "X: y", 400, id="the absolute form"),
            pytest.param("OPTIONS * HTTP/1.1", "X: y", 400, id="the asterisk form"),
            pytest.param("GET / HTTP/1.1", "Host: evil.test", 400, id="two hosts"),
            pytest.param("GET /\xe9 HTTP/1.1", "X: y", 400, id="not ASCII"),
        ],
    )
    def test_a_request_that_means_two_things_is_refused(
        self, emulator: Emulator, line: str, header: str, status: int
    ) -> None:
        assert raw(emulator, line, header).startswith(f"HTTP/1.1 {status} ".encode())

    @pytest.mark.parametrize("path", ["/", "/healthz", "/cdn-cgi/access/certs"])
    def test_a_host_that_is_nobody_s_is_refused(self, alice: httpx.Client, path: str) -> None:
        assert alice.get(path, headers={"Host": "rebound.evil.test"}).status_code == 421

    @pytest.mark.parametrize(
        "host",
        ["localhost:80@evil.example", "localhost:1; script-src *", "x; script-src *.localhost", "localhost:abc"],
    )
    @pytest.mark.parametrize("path", ["/", "/cdn-cgi/access/login/localhost?redirect_url=/"])
    def test_a_host_that_is_more_than_a_host_is_refused(self, alice: httpx.Client, path: str, host: str) -> None:
        assert alice.get(path, headers={"Host": host}).status_code == 421

    @pytest.mark.parametrize("path", ["/cdn-cgi/", "/cdn-cgi/x", "/cdn-cgi/access/none", "/cdn-cgi/access/certs/"])
    def test_the_application_is_never_asked_for_the_edge_s_own_paths(self, alice: httpx.Client, path: str) -> None:
        assert alice.get(path).status_code == 404

    def test_nor_with_another_method(self, alice: httpx.Client) -> None:
        assert alice.post("/cdn-cgi/access/certs").status_code == 405

    @pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
    def test_a_body_of_declared_length(self, alice: httpx.Client, method: str) -> None:
        response = alice.request(method, "/", content="body")
        assert response.json()["body"] == "body"
        assert sent(response)["content-length"] == ["4"]
        assert "transfer-encoding" not in sent(response)

    def test_no_body_declares_none(self, alice: httpx.Client) -> None:
        got = sent(alice.get("/"))
        assert "content-length" not in got
        assert "transfer-encoding" not in got

    def test_a_body_is_passed_on_while_it_comes(self, alice: httpx.Client, mirror: Mirror) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"one "
            assert mirror.signals.first_chunk_read.wait(PATIENCE)
            yield b"two"

        assert alice.post("/upload", content=pieces()).text == "one two"

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
    def test_each_has_a_connection_of_its_own(self, alice: httpx.Client, method: str) -> None:
        # what is sent behind an answer on a kept one would be somebody else's answer
        assert alice.request(method, "/").json()["peer"] != alice.request(method, "/").json()["peer"]

    def test_expect_is_answered_by_the_edge(self, emulator: Emulator, alice: httpx.Client) -> None:
        lines = [f"Cookie: {alice.headers['Cookie']}", "Expect: 100-continue", "Content-Length: 2"]
        answer = raw(emulator, "POST / HTTP/1.1", *lines, body=b"ok")
        assert answer.startswith(b"HTTP/1.1 100 ")
        seen = json.loads(answer.rpartition(b"\r\n\r\n")[2])
        assert seen["body"] == "ok"
        assert "expect" not in [name for name, _ in seen["headers"]]


class TestResponse:
    def test_status_and_headers_come_back_without_the_hop_s_own(self, alice: httpx.Client) -> None:
        response = alice.get("/")
        assert response.status_code == 201
        assert response.headers["x-end-to-end"] == "1"
        assert response.headers["content-encoding"] == "identity"
        assert response.headers["server"] == "uvicorn"  # the application's, once
        assert response.headers.get_list("date") == [response.headers["date"]]
        assert "x-hop" not in response.headers
        assert "keep-alive" not in response.headers
        assert "set-cookie" not in response.headers

    def test_two_cookies_stay_two_and_a_redirect_is_the_client_s(self, alice: httpx.Client) -> None:
        response = alice.get("/cookies")
        assert response.status_code == 302
        assert response.headers["location"] == "/elsewhere"
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        # and the edge keeps none of them for whoever comes next
        assert sent(alice.get("/x", headers={"Cookie": alice.headers["Cookie"]}))["cookie"] == [alice.headers["Cookie"]]

    def test_head_has_the_length_and_no_body(self, alice: httpx.Client) -> None:
        response = alice.head("/")
        assert int(response.headers["content-length"]) > 0
        assert response.content == b""
        assert alice.get("/drip").content == b"abc"

    def test_chunks_arrive_while_the_answer_stays_open(self, alice: httpx.Client, mirror: Mirror) -> None:
        with alice.stream("GET", "/stream") as response:
            pieces = response.iter_raw()
            assert next(pieces) == b"data: 1\n\n"
            assert not mirror.signals.client_left.is_set()
        # and when the client leaves, the application learns of it
        assert mirror.signals.client_left.wait(PATIENCE)

    @pytest.mark.parametrize("lines", [[], ["Content-Length: 2"]], ids=["without a body", "with a body"])
    def test_a_client_that_leaves_before_the_answer_began(
        self, emulator: Emulator, alice: httpx.Client, mirror: Mirror, lines: list[str]
    ) -> None:
        with socket.create_connection(address(emulator)) as connection:
            head = ["POST /endless HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {alice.headers['Cookie']}", *lines]
            connection.sendall("\r\n".join([*head, "", "ok" if lines else ""]).encode())
            assert mirror.signals.first_chunk_read.wait(PATIENCE)
        assert mirror.signals.client_left.wait(PATIENCE)

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param(["Content-Length: 9", "", "half"], id="of declared length"),
            pytest.param(["Transfer-Encoding: chunked", "", "4", "half", ""], id="in chunks"),
        ],
    )
    def test_half_a_body_never_looks_like_a_whole_one(
        self, emulator: Emulator, alice: httpx.Client, mirror: Mirror, lines: list[str]
    ) -> None:
        with socket.create_connection(address(emulator)) as connection:
            head = ["POST /upload HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {alice.headers['Cookie']}"]
            connection.sendall("\r\n".join([*head, *lines]).encode())
            assert mirror.signals.first_chunk_read.wait(PATIENCE)
        assert mirror.signals.client_left.wait(PATIENCE)

    @pytest.mark.parametrize("path", ["/break/declared", "/break/chunked"])
    def test_an_answer_that_breaks_off_breaks_off(self, alice: httpx.Client, path: str) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            alice.get(path)

    def test_an_application_that_is_not_there_is_502(self, emulate: Emulate, connect: Connect) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        emulator = emulate(upstream=nowhere)
        token = emulator.issuer.user(audience=emulator.audience)
        response = connect(emulator).get("/", headers={"Cookie": f"CF_Authorization={token}"})
        assert response.status_code == 502
        assert response.headers["cache-control"] == "no-store"


def address(emulator: Emulator) -> tuple[str, int]:
    parts = urlsplit(emulator.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def raw(emulator: Emulator, line: str, *lines: str, body: bytes = b"") -> bytes:
    """Send a request as it is written, which no client would, and read until the end."""
    with socket.create_connection(address(emulator), timeout=PATIENCE) as connection:
        head = "\r\n".join([line, "Host: 127.0.0.1", "Connection: close", *lines, "", ""])
        connection.sendall(head.encode("latin-1") + body)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    "claims",
    [{"aud": 5}, {"identity_nonce": [1]}, {"identity_nonce": {}}, {"email": "a\r\nb@c.d"}, {"email": "\ud800@c.d"}],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/cdn-cgi/access/get-identity", "/cdn-cgi/access/logout"])
def test_a_token_with_strange_claims_is_nobody_s(
    emulator: Emulator, client: httpx.Client, claims: dict[str, object], path: str
) -> None:
    token = emulator.issuer.user(**{"audience": DEFAULT_AUDIENCE, **claims})  # type: ignore[arg-type]
    assert client.get(path, headers={"Cookie": f"CF_Authorization={token}"}).status_code < 500
