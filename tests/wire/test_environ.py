"""What a WSGI environ says, and what of it the application sees."""

import pytest

from cfaccess_mw.core.decide import NOBODY, Pass
from cfaccess_mw.core.errors import InvalidToken, TooManyTokens
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.environ import Environ, EnvironReader, is_preflight, value_of

ASSERTION = "HTTP_CF_ACCESS_JWT_ASSERTION"
EMAIL = "HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL"
COOKIE = "HTTP_COOKIE"


def reader(*, cookie: bool = False, remote_user: str = "id") -> EnvironReader:
    return EnvironReader(scrub=["x-user"], cookie=cookie, remote_user=remote_user)


@pytest.mark.parametrize(
    ("environ", "cookie", "token", "cookies"),
    [
        pytest.param({}, False, None, (), id="nothing"),
        pytest.param({ASSERTION: "a.b.c"}, False, "a.b.c", (), id="header"),
        pytest.param({ASSERTION: ""}, True, "", (), id="an-empty-header-is-a-header"),
        pytest.param({ASSERTION: " a, b "}, False, " a, b ", (), id="nothing-is-stripped"),
        pytest.param({COOKIE: "CF_Authorization=x"}, False, None, (), id="cookie-not-enabled"),
        pytest.param({COOKIE: "CF_Authorization=x"}, True, None, ("x",), id="cookie-enabled"),
        pytest.param({ASSERTION: "a", COOKIE: "CF_Authorization=x"}, True, "a", (), id="header-before-cookie"),
        pytest.param({COOKIE: "CF_Authorization=x;" * 5}, True, TooManyTokens, (), id="five-cookies"),
    ],
)
def test_the_token_is_found(
    environ: Environ, cookie: bool, token: str | type[InvalidToken] | None, cookies: tuple[str, ...]
) -> None:
    assert reader(cookie=cookie).tokens(environ) == (token, cookies)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"PATH_INFO": "/a"}, "/a", id="plain"),
        pytest.param({"SCRIPT_NAME": "/api", "PATH_INFO": "/a"}, "/api/a", id="mounted"),
        pytest.param({"SCRIPT_NAME": "/api", "PATH_INFO": ""}, "/api", id="mount-itself"),
        pytest.param({"PATH_INFO": "/\xc3\xa9"}, "/\u00e9", id="utf-8-in-the-latin-1-tunnel"),
        pytest.param({"PATH_INFO": "/\xe9"}, None, id="not-utf-8"),
        pytest.param({"PATH_INFO": "/\u4e2d"}, None, id="not-even-latin-1"),
        pytest.param({"SCRIPT_NAME": "/api", "PATH_INFO": "x/admin"}, None, id="not-cut-at-a-slash"),
        pytest.param({"PATH_INFO": "admin"}, None, id="no-slash"),
        pytest.param({"PATH_INFO": "*"}, None, id="asterisk-form"),
        pytest.param(
            {"SCRIPT_NAME": "/static", "PATH_INFO": "/admin", "HTTP_SCRIPT_NAME": "/static"}, None, id="mount-by-header"
        ),
    ],
)
def test_the_path_is_read(environ: Environ, path: str | None) -> None:
    assert reader().path(environ) == path


@pytest.mark.parametrize(
    ("environ", "raw"),
    [
        pytest.param({}, None, id="not-told"),
        pytest.param({"RAW_URI": "/a%2fb?c"}, b"/a%2fb", id="gunicorn-without-the-query"),
        pytest.param({"REQUEST_URI": "/a%2fb"}, b"/a%2fb", id="others"),
        pytest.param({"RAW_URI": "", "REQUEST_URI": "/a"}, b"/a", id="empty"),
        pytest.param({"REQUEST_URI": "/\u4e2d"}, b"/?", id="not-latin-1"),
    ],
)
def test_the_raw_target_is_read(environ: Environ, raw: bytes | None) -> None:
    assert reader().raw_path(environ) == raw


SPOOFED: Environ = {
    ASSERTION: "bad",
    EMAIL: "boss@example.com",
    "HTTP_CF_ACCESS_WHATEVER": "x",
    "HTTP_REMOTE_USER": "boss",
    "HTTP_X_USER": "boss",
    "REMOTE_USER": "boss",
    "AUTH_TYPE": "Basic",
}
STAYS: Environ = {
    "PATH_INFO": "/",
    "HTTP_AUTHORIZATION": "Bearer x",
    "HTTP_CF_RAY": "8f1a2b3c4d5e6f70-FRA",
    "HTTP_CF_CONNECTING_IP": "203.0.113.9",
    COOKIE: "CF_Authorization=x; a=b",
    "cf_access_own": "an application's own key is not a header",
    "wsgi.input": None,
}


@pytest.mark.parametrize("times", [1, 2], ids=["first", "again"])
def test_what_could_be_spoofed_is_removed_and_nothing_else(times: int) -> None:
    it = reader()
    for _ in range(times):
        given = {**STAYS, **SPOOFED}
        assert it.clean(given, NOBODY) == {**STAYS, "cfaccess.identity": None}
        assert given == {**STAYS, **SPOOFED}, "the server's own environ is left alone"


def test_what_was_verified_is_put_there(person: Identity) -> None:
    cleaned = reader().clean({**STAYS, **SPOOFED}, Pass(identity=person, token="a.b.c"))
    assert cleaned == {
        **STAYS,
        ASSERTION: "a.b.c",
        EMAIL: "alice@example.com",
        "REMOTE_USER": "7335d417-61da-459d-899c-0a01c76a2f94",
        "AUTH_TYPE": "Cloudflare-Access",
        "cfaccess.identity": person,
    }
    assert type(cleaned) is dict, "PEP 3333 wants a plain dictionary"


def test_a_service_has_no_address(machine: Identity) -> None:
    cleaned = reader(remote_user="email").clean(dict(SPOOFED), Pass(identity=machine, token="a.b.c"))
    assert EMAIL not in cleaned
    assert cleaned["REMOTE_USER"] == machine.id


def test_the_remote_user_may_be_the_address(person: Identity) -> None:
    cleaned = reader(remote_user="email").clean({}, Pass(identity=person, token="a.b.c"))
    assert cleaned["REMOTE_USER"] == "alice@example.com"


def test_text_is_native_to_wsgi(foreigner: Identity) -> None:
    cleaned = reader().clean({}, Pass(identity=foreigner, token="a.b.c"))
    assert cleaned["REMOTE_USER"].encode("latin-1").decode() == foreigner.id
    assert cleaned[EMAIL].encode("latin-1").decode() == foreigner.email


def test_a_cookie_that_was_not_verified_is_removed_where_cookies_count() -> None:
    cleaned = reader(cookie=True).clean({COOKIE: "CF_Authorization=bad; a=b"}, NOBODY)
    assert cleaned[COOKIE] == "a=b"


def test_new_names_are_not_remembered_without_end(person: Identity) -> None:
    it = reader()
    for number in range(3_000):
        it.clean({f"HTTP_X_{number}": "x", "HTTP_" + "X" * 100 + str(number): "x"}, NOBODY)
    assert len(it._harmless) <= 1_024
    late = it.clean({"HTTP_X_LATE": "x", "HTTP_CF_ACCESS_LATE": "x"}, Pass(identity=person, token="a.b.c"))
    assert "HTTP_X_LATE" in late
    assert "HTTP_CF_ACCESS_LATE" not in late


@pytest.mark.parametrize(
    ("environ", "preflight"),
    [
        pytest.param({"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "x"}, False, id="no-method-asked-for"),
        pytest.param({"REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}, False, id="no-origin"),
        pytest.param(
            {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"},
            False,
            id="empty-origin",
        ),
        pytest.param(
            {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "x", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": ""},
            False,
            id="empty-method",
        ),
        pytest.param(
            {"REQUEST_METHOD": "GET", "HTTP_ORIGIN": "x", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"},
            False,
            id="another-method",
        ),
        pytest.param(
            {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "x", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"},
            True,
            id="preflight",
        ),
    ],
)
def test_a_preflight_is_told_by_three_signs(environ: Environ, preflight: bool) -> None:
    assert is_preflight(environ) is preflight


def test_a_value_is_found_by_its_name() -> None:
    assert value_of({"HTTP_CF_RAY": "x"}, "cf-ray") == "x"
    assert value_of({}, "cf-ray") == ""
