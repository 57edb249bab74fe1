"""What an ASGI scope says, and what of it the application sees."""

import pytest

from cfaccess_mw.core.decide import NOBODY, Pass
from cfaccess_mw.core.errors import DuplicateToken, InvalidToken, TooManyTokens
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.scope import Header, ScopeReader, is_preflight, reader_of, value_of

ASSERTION = b"cf-access-jwt-assertion"
EMAIL = b"cf-access-authenticated-user-email"
COOKIE = b"cookie"


def reader(*, cookie: bool = False, host: bool = False) -> ScopeReader:
    return ScopeReader(scrub=["x-user"], cookie=cookie, host=host)


@pytest.mark.parametrize(
    ("headers", "cookie", "token", "cookies"),
    [
        pytest.param([], False, None, (), id="nothing"),
        pytest.param([(ASSERTION, b"a.b.c")], False, b"a.b.c", (), id="header"),
        pytest.param([(ASSERTION, b"")], True, b"", (), id="an-empty-header-is-a-header"),
        pytest.param([(ASSERTION, b" a.b.c ")], False, b" a.b.c ", (), id="nothing-is-stripped"),
        pytest.param([(ASSERTION, b"a")] * 2, False, DuplicateToken, (), id="two-equal-headers"),
        pytest.param([(ASSERTION, b"a"), (b"Cf-Access-Jwt-Assertion", b"b")], False, DuplicateToken, (), id="cases"),
        pytest.param([(COOKIE, b"CF_Authorization=x")], False, None, (), id="cookie-not-enabled"),
        pytest.param([(COOKIE, b"CF_Authorization=x")], True, None, ("x",), id="cookie-enabled"),
        pytest.param([(ASSERTION, b"a"), (COOKIE, b"CF_Authorization=x")], True, b"a", (), id="header-before-cookie"),
        pytest.param([(COOKIE, b"CF_Authorization=x"), (ASSERTION, b"a")], True, b"a", (), id="in-any-order"),
        pytest.param(
            [(ASSERTION, b"a")] * 2 + [(COOKIE, b"CF_Authorization=x")], True, DuplicateToken, (), id="no-way-out"
        ),
        pytest.param([(COOKIE, b"CF_Authorization=x")] * 2, True, None, ("x", "x"), id="two-cookie-lines"),
        pytest.param([(COOKIE, b"CF_Authorization=x;" * 5)], True, TooManyTokens, (), id="five-cookies"),
        pytest.param([(b"cf_access_jwt_assertion", b"a")], False, None, (), id="underscores-are-another-header"),
    ],
)
def test_the_token_is_found(
    headers: list[Header], cookie: bool, token: bytes | type[InvalidToken] | None, cookies: tuple[str, ...]
) -> None:
    it = reader(cookie=cookie)
    assert it.tokens(headers, it.layout(headers)) == (token, cookies)


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        pytest.param([], None, id="missing"),
        pytest.param([(b"host", b"a.example")], "a.example", id="one"),
        pytest.param([(b"host", b"a.example")] * 2, None, id="two-equal"),
        pytest.param([(b"host", b"")], "", id="empty"),
        pytest.param([(b"host", b"\xe9")], "\xe9", id="latin-1"),
    ],
)
def test_the_host_is_found_where_it_counts(headers: list[Header], host: str | None) -> None:
    it = reader(host=True)
    assert it.host(headers, it.layout(headers)) == host
    it = reader(host=False)
    assert it.host(headers, it.layout(headers)) is None


ACCEPT: Header = (b"accept", b"*/*")
SPOOFED: list[Header] = [
    (EMAIL, b"boss@example.com"),
    (b"cf_access_authenticated_user_email", b"boss@example.com"),
    (b"Cf-Access-Whatever", b"x"),
    (b"remote-user", b"boss"),
    (b"remote_user", b"boss"),
    (b"x-user", b"boss"),
]


def test_what_could_be_spoofed_is_removed_and_nothing_else() -> None:
    stays: list[Header] = [
        (b"authorization", b"Bearer x"),
        (b"cf-ray", b"8f1a2b3c4d5e6f70-FRA"),
        (b"cf-connecting-ip", b"203.0.113.9"),
        (COOKIE, b"CF_Authorization=x; a=b"),
    ]
    headers = [ACCEPT, *SPOOFED, (ASSERTION, b"bad"), *stays]
    it = reader()
    assert it.clean(headers, it.layout(headers), NOBODY) == [ACCEPT, *stays]


def test_what_was_verified_is_put_back(person: Identity) -> None:
    headers = [*SPOOFED, (ASSERTION, b"a.b.c"), ACCEPT]
    it = reader()
    cleaned = list(it.clean(headers, it.layout(headers), Pass(identity=person, token=b"a.b.c")))
    assert cleaned == [ACCEPT, (ASSERTION, b"a.b.c"), (EMAIL, b"alice@example.com")]


def test_what_cloudflare_sends_is_passed_on_as_it_is(person: Identity) -> None:
    headers = [ACCEPT, (ASSERTION, b"a.b.c"), (EMAIL, b"alice@example.com")]
    it = reader()
    assert it.clean(headers, it.layout(headers), Pass(identity=person, token=b"a.b.c")) is headers


@pytest.mark.parametrize(
    "claimed",
    [
        pytest.param([(EMAIL, b"boss@example.com")], id="another-address"),
        pytest.param([(EMAIL, b"alice@example.com"), (EMAIL, b"boss@example.com")], id="a-second-one"),
        pytest.param([(b"CF-Access-Authenticated-User-Email", b"boss@example.com")], id="another-case"),
    ],
)
def test_a_claimed_address_never_stays(person: Identity, claimed: list[Header]) -> None:
    headers = [(ASSERTION, b"a.b.c"), *claimed]
    it = reader()
    cleaned = list(it.clean(headers, it.layout(headers), Pass(identity=person, token=b"a.b.c")))
    assert cleaned == [(ASSERTION, b"a.b.c"), (EMAIL, b"alice@example.com")]


def test_a_service_has_no_address(machine: Identity) -> None:
    headers = [(ASSERTION, b"a.b.c"), (EMAIL, b"boss@example.com")]
    it = reader()
    cleaned = list(it.clean(headers, it.layout(headers), Pass(identity=machine, token=b"a.b.c")))
    assert cleaned == [(ASSERTION, b"a.b.c")]


def test_a_token_from_a_cookie_is_put_into_the_header(person: Identity) -> None:
    headers = [(COOKIE, b"CF_Authorization=a.b.c; a=b")]
    it = reader(cookie=True)
    cleaned = list(it.clean(headers, it.layout(headers), Pass(identity=person, token="a.b.c")))
    assert cleaned == [*headers, (ASSERTION, b"a.b.c"), (EMAIL, b"alice@example.com")]


def test_a_cookie_that_was_not_verified_is_removed_where_cookies_count() -> None:
    headers = [(COOKIE, b"CF_Authorization=bad; a=b"), ACCEPT]
    it = reader(cookie=True)
    assert it.clean(headers, it.layout(headers), NOBODY) == [(COOKIE, b"a=b"), ACCEPT]


@pytest.mark.parametrize(
    ("seen", "names"),
    [
        pytest.param([b"a", b"b"], [b"a", b"remote-user"], id="another-name"),
        pytest.param([b"a", b"b", ASSERTION], [b"a", ASSERTION, b"b"], id="another-order"),
        pytest.param([b"a\nremote-user"], [b"a", b"remote-user"], id="one-name-like-two"),
        pytest.param([b"a\nremote-user", b"x", b"y\nz"], [b"a", b"remote-user", b"x\ny\nz"], id="as-many"),
        pytest.param([b"a", b"remote-user"], [b"a\nremote-user"], id="two-names-like-one"),
        pytest.param([b""], [], id="an-empty-name-like-none"),
    ],
)
def test_what_was_seen_before_never_passes_for_something_else(seen: list[bytes], names: list[bytes]) -> None:
    it = reader()
    it.layout([(name, b"x") for name in seen])
    headers = [(name, b"x") for name in names]
    assert it.layout(headers) == reader().layout(headers)


def test_names_that_somebody_makes_up_fill_no_memory() -> None:
    it = reader()
    for number in range(3_000):
        it.layout([(b"x-%d" % number, b"x")])
    it.layout([(b"x" * 5_000, b"x")])
    assert 100 < len(it._layouts) <= 1_024


@pytest.mark.parametrize("count", [128, 4_000], ids=["as-many-as-anybody-sends", "far-more"])
def test_many_short_names_fill_no_more_memory_than_is_promised(count: int) -> None:
    it = reader()
    for number in range(1_100):
        it.layout([(b"%d" % (number >> bit & 1) if bit < 11 else b"", b"x") for bit in range(count)])
    held = it._layouts._old | it._layouts._young
    assert sum(8 * len(layout.kinds) + len(joined) for joined, (layout, _) in held.items()) < 1_024 * 1_024


@pytest.mark.parametrize(
    ("kind", "method", "sent", "preflight"),
    [
        pytest.param("http", "OPTIONS", (b"origin", b"access-control-request-method"), True, id="preflight"),
        pytest.param("http", "OPTIONS", (b"origin",), False, id="no-method-asked-for"),
        pytest.param("http", "OPTIONS", (b"access-control-request-method",), False, id="no-origin"),
        pytest.param("http", "GET", (b"origin", b"access-control-request-method"), False, id="another-method"),
        pytest.param("http", "options", (b"origin", b"access-control-request-method"), False, id="lower-case"),
        pytest.param("websocket", "OPTIONS", (b"origin", b"access-control-request-method"), False, id="websocket"),
    ],
)
def test_a_preflight_is_told_by_three_signs(kind: str, method: str, sent: tuple[bytes, ...], preflight: bool) -> None:
    scope = {"type": kind, "method": method, "headers": [(name, b"x") for name in sent]}
    assert is_preflight(scope) is preflight


def test_a_value_is_found_whatever_its_case() -> None:
    scope = {"headers": [(b"Accept", b"text/html"), (b"accept", b"second"), (b"cookie", b"a=b"), (b"cookie", b"c=d")]}
    for read in (lambda name: value_of(scope, name), reader_of(scope)):
        assert read("cookie") == "a=b; c=d"
        assert (read("accept"), read("cf-ray")) == ("text/html, second", "")
