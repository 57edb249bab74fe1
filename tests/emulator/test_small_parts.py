"""Hosts, users, destinations, headers, cookies, sessions and addresses: the parts that need no server."""

import re

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.destinations import is_local_path
from cfaccess_mw.emulator.forwarding import end_to_end, new_ray, to_application
from cfaccess_mw.emulator.hosts import is_loopback, requested_host, split_host
from cfaccess_mw.emulator.sessions import Session, Sessions
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.users import ServiceToken, User, is_email


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"localhost", ("localhost", "")),
        (b"LocalHost.:8000", ("localhost", ":8000")),
        (b"app.test.", ("app.test", "")),
        (b"[::1]", ("[::1]", "")),
        (b"[::1]:8000", ("[::1]", ":8000")),
        (b"app.test:", ("app.test", "")),
        (b"", ("", "")),
        (b"a_b-c.test:65535", ("a_b-c.test", ":65535")),
        (b"\xff", ("", "")),
        (b"localhost:80@evil.example", ("", "")),
        (b"user@localhost", ("", "")),
        (b"localhost:1; script-src *", ("", "")),
        (b"x; script-src *.localhost", ("", "")),
        (b"localhost:123456", ("", "")),
        (b"localhost:-1", ("", "")),
        (b"localhost:\xb2", ("", "")),
        (b"localhost:80, evil.example", ("", "")),
        (b"[::1", ("", "")),
        (b"[::1]x:80", ("", "")),
        (b"::1", ("", "")),
        (b"evil.example/.localhost", ("", "")),
    ],
)
def test_split_host(value: bytes, expected: tuple[str, str]) -> None:
    assert split_host(value) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([(b"host", b"a:1"), (b"x-forwarded-host", b"b")], ("a", ":1"), id="one"),
        pytest.param([], ("", ""), id="none"),
        pytest.param([(b"host", b"a"), (b"host", b"a")], ("", ""), id="two"),
    ],
)
def test_requested_host(headers: list[tuple[bytes, bytes]], expected: tuple[str, str]) -> None:
    assert requested_host(headers) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("::1", True),
        ("notlocalhost", False),
        ("localhost.evil.test", False),
        ("127.0.0.1.evil.test", False),
        ("evil.test?.localhost", False),
        ("evil.test#.localhost", False),
        ("evil.test\\.localhost", False),
        ("a b.localhost", False),
        ("a\r\nb.localhost", False),
        ("..localhost", False),
        ("::1%evil", False),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b", True),
        ("a+b@example.com", True),
        ("jürgen@bücher.example", True),
        ("", False),
        ("a", False),
        ("@b", False),
        ("a@", False),
        ("a@b@c", False),
        ("a b@c", False),
        ("a@b\n", False),
        ("a@b\x00", False),
    ],
)
def test_is_email(text: str, expected: bool) -> None:
    assert is_email(text) is expected


def test_a_user_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="email: must have one '@'"):
        User(email="nobody")


def test_group_names() -> None:
    user = User(email="a@b", groups=("plain", {"id": "1", "name": "named"}, {"id": "only id"}, {}))
    assert user.group_names() == ["plain", "named", "only id", ""]


def test_a_generated_service_token_has_today_s_form() -> None:
    token = ServiceToken.generate("robot")
    assert re.fullmatch(r"[0-9a-f]{32}\.access", token.client_id)
    assert re.fullmatch(r"cfast_[A-Za-z0-9]{40}[0-9a-f]{8}", token.client_secret)
    assert token.client_secret not in repr(token)
    assert token.accepts(token.client_secret.encode())
    assert not token.accepts(b"")
    assert not token.accepts(b"\xff")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/", True),
        ("/a/b?c=d&e=/f", True),
        ("/a//b", True),
        ("/%0d%0a", True),
        ("", False),
        ("a", False),
        ("//evil.test", False),
        ("/\\evil.test", False),
        ("\\/evil.test", False),
        ("/a\\b", False),
        ("/\t/evil.test", False),
        ("/a\r\nSet-Cookie: x", False),
        ("/a\n", False),
        ("https://evil.test", False),
        ("javascript:alert(1)", False),
        (" /a", False),
    ],
)
def test_is_local_path(url: str, expected: bool) -> None:
    assert is_local_path(url) is expected


def test_hop_by_hop_headers_and_those_that_connection_names_are_dropped() -> None:
    dropped = ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE"]
    dropped += ["Trailer", "Transfer-Encoding", "Upgrade", "Expect", "X-Hop"]
    headers = [(name.encode(), b"X-Hop, close" if name == "Connection" else b"1") for name in dropped]
    assert end_to_end([*headers, (b"X-Kept", b"1"), (b"Content-Length", b"3")]) == [(b"X-Kept", b"1")]


def test_a_length_is_kept_unless_chunks_override_it_and_a_host_always() -> None:
    kept = [(b"Content-Length", b"3"), (b"Host", b"a")]
    assert end_to_end([*kept, (b"Connection", b"host")]) == kept


@pytest.mark.parametrize(
    "name",
    [
        "cf-access-jwt-assertion",
        "cf_access_jwt_assertion",
        "cf-access_jwt-assertion",
        "cf-access-authenticated-user-email",
        "cf-access-client-id",
        "cf-access-client-secret",
        "cf-access-token",
        "cf-access-user",
        "cf-access-",
        "cf-connecting-ip",
        "cf_connecting_ip",
        "cf-connecting-ipv6",
        "cf-ray",
        "cf-ipcountry",
        "cf-visitor",
        "cf-pseudo-ipv4",
        "true-client-ip",
        "cf-cert-verified",
        "cf_cert_presented",
        "cf-client-cert-der-base64",
        "x-forwarded-proto",
    ],
)
def test_what_a_client_says_in_the_edge_s_name_is_dropped(name: str) -> None:
    sent = to_application(
        [(name.encode(), b"forged")], token=None, email=None, ip="127.0.0.1", country="XX", ray=b"ray"
    )
    assert b"forged" not in [value for _, value in sent]


def test_everything_else_arrives_with_the_edge_s_own_headers() -> None:
    headers = [(b"host", b"a"), (b"x-forwarded-for", b"6.6.6.6"), (b"accept", b"1"), (b"accept", b"2")]
    headers += [(b"cf-accessory", b"kept"), (b"authorization", b"kept"), (b"x-forwarded-for", b"7.7.7.7")]
    sent = to_application(headers, token="t", email="jürgen@example.com", ip="127.0.0.1", country="DE", ray=b"ray")
    assert sent == [
        (b"host", b"a"),
        (b"accept", b"1"),
        (b"accept", b"2"),
        (b"cf-accessory", b"kept"),
        (b"authorization", b"kept"),
        (b"x-forwarded-for", b"6.6.6.6, 7.7.7.7, 127.0.0.1"),
        (b"x-forwarded-proto", b"http"),
        (b"cf-connecting-ip", b"127.0.0.1"),
        (b"cf-ipcountry", b"DE"),
        (b"cf-ray", b"ray"),
        (b"cf-visitor", b'{"scheme":"http"}'),
        (b"cf-access-jwt-assertion", b"t"),
        (b"cf-access-authenticated-user-email", "jürgen@example.com".encode()),
    ]


def test_ray() -> None:
    assert re.fullmatch(rb"[0-9a-f]{16}-[A-Z]{3}", new_ray())
    assert new_ray() != new_ray()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([b"CF_Authorization=a.b.c"], ["a.b.c"], id="alone"),
        pytest.param([b"x=1; CF_Authorization=a; y=2"], ["a"], id="among others"),
        pytest.param([b"CF_Authorization=a;CF_Authorization=b"], ["a", "b"], id="two in a line"),
        pytest.param([b"CF_Authorization=a", b"CF_Authorization=b"], ["a", "b"], id="two lines"),
        pytest.param([b'j={"a":[1]}; CF_Authorization=a; b[]=x@y'], ["a"], id="beside what SimpleCookie trips over"),
        pytest.param([b"cf_authorization=a; XCF_Authorization=b; CF_Authorization"], [""], id="exactly this name"),
    ],
)
def test_cookie_tokens(lines: list[bytes], expected: list[str]) -> None:
    assert cookie.tokens([(b"cookie", line) for line in lines] + [(b"x", b"CF_Authorization=z")]) == expected


def test_cookie_attributes() -> None:
    assert cookie.issued("t", path="/admin") == "CF_Authorization=t; Path=/admin; HttpOnly; SameSite=Lax"
    assert cookie.cleared(path="/") == "CF_Authorization=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    ("url", "host", "port", "netloc"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, "127.0.0.1:8000"),
        ("http://app/", "app", 80, "app:80"),
        ("http://[::1]:8000", "::1", 8000, "[::1]:8000"),
    ],
)
def test_upstream(url: str, host: str, port: int, netloc: str) -> None:
    upstream = Upstream.parse(url)
    assert (upstream.host, upstream.port, upstream.netloc) == (host, port, netloc)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "https://app",
        "http://",
        "http://app/path",
        "http://app?query",
        "http://app#fragment",
        "http://user@app",
        "http://app:port",
        "http://app:70000",
        "http://app:0/x",
    ],
)
def test_upstream_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="upstream: must be 'http://host:port'"):
        Upstream.parse(url)


class TestSessions:
    @staticmethod
    def session(nonce: str, email: str = "a@example.com", *, expires_at: float = 100) -> Session:
        return Session(user=User(email=email), nonce=nonce, ip="127.0.0.1", expires_at=expires_at)

    def test_a_session_is_found_until_it_is_revoked(self) -> None:
        sessions = Sessions()
        sessions.start(self.session("n"), now=0)
        assert sessions.find("n") == self.session("n")
        assert not sessions.revoked("n")
        sessions.revoke("n", expires_at=100)
        assert sessions.find("n") is None
        assert sessions.revoked("n")

    def test_logout_ends_every_session_of_the_user_and_no_other(self) -> None:
        sessions = Sessions()
        for nonce, email in [("1", "a@example.com"), ("2", "A@example.com"), ("3", "b@example.com")]:
            sessions.start(self.session(nonce, email), now=0)
        sessions.revoke("1", expires_at=100)
        assert [sessions.revoked(nonce) for nonce in "123"] == [True, True, False]

    def test_a_token_from_elsewhere_is_revoked_by_its_nonce(self) -> None:
        sessions = Sessions()
        sessions.revoke("n", expires_at=100)
        assert sessions.revoked("n")

    def test_what_is_over_is_forgotten_at_the_next_login(self) -> None:
        sessions = Sessions()
        sessions.start(self.session("old", expires_at=10), now=0)
        sessions.revoke("revoked", expires_at=10)
        sessions.start(self.session("new"), now=10)
        assert sessions.find("old") is None
        assert not sessions.revoked("revoked")

    @pytest.mark.parametrize(
        ("host", "now", "good"),
        [
            pytest.param("a.test", 59.9, True, id="in time"),
            pytest.param("a.test", 60, False, id="too late"),
            pytest.param("b.test", 0, False, id="on another host"),
        ],
    )
    def test_a_grant_is_taken_once_in_time_and_on_its_host(self, host: str, now: float, good: bool) -> None:
        sessions = Sessions()
        code = sessions.grant(token="t", host="a.test", cookie_path="/", redirect_url="/x", now=0)
        assert (sessions.take(code, host=host, now=now) is not None) is good
        assert sessions.take(code, host="a.test", now=0) is None

    def test_grants_that_nobody_took_are_forgotten_at_the_next_login(self) -> None:
        sessions = Sessions()
        code = sessions.grant(token="t", host="a.test", cookie_path="/", redirect_url="/x", now=0)
        sessions.start(self.session("n"), now=60)
        assert sessions.take(code, host="a.test", now=0) is None
