"""Where people sign in and out, and who is shown the way there."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from cfaccess_mw.core.errors import (
    ConfigurationError,
    Expired,
    NoToken,
    Refused,
    TooOld,
)
from cfaccess_mw.emulator.destinations import is_local_path
from cfaccess_mw.wire.login import LOGOUT_PATH, SignIn, is_marked, login_url, logout_url, marker
from tests.tokens import AUD, OTHER_AUD
from tests.wire.cost import calls
from tests.wire.refusing import TEAM_URL, every_refusal

LOGIN = f"{TEAM_URL}/cdn-cgi/access/login/app.example.com?kid={AUD}&redirect_url="


def sign_in_url(
    error: Refused | None = None,
    *,
    host: str = "app.example.com",
    path: str = "/",
    query: str = "",
    audiences: Iterable[frozenset[str]] = (frozenset({AUD}),),
    configured: tuple[str, ...] = (AUD,),
) -> str | None:
    sign_in = SignIn(base_url=TEAM_URL, audience=configured)
    return sign_in.url(error or NoToken(), host=host, path=path, query=query, audiences=audiences)


def way_back(url: str | None) -> str:
    assert url is not None
    (value,) = parse_qs(urlsplit(url).query, strict_parsing=True)["redirect_url"]
    return value


@pytest.mark.parametrize("kind", list(every_refusal()), ids=lambda kind: kind.__name__)
def test_only_what_a_new_session_mends_is_sent_to_sign_in(kind: type[Refused]) -> None:
    assert (sign_in_url(kind()) is not None) is (kind in (NoToken, Expired, TooOld))


@pytest.mark.parametrize(
    ("host", "named"),
    [
        pytest.param("app.example.com", "app.example.com", id="plain"),
        pytest.param("App.Example.COM:8443", "app.example.com", id="without-port-in-lower-case"),
        pytest.param("app.example.com.", "app.example.com", id="without-the-final-dot"),
        pytest.param("[::1]:8000", "%5B%3A%3A1%5D", id="ipv6"),
        pytest.param("", None, id="none"),
        pytest.param("a.example, b.example", None, id="two"),
        pytest.param("a.example/../evil", None, id="a-path"),
        pytest.param("user@a.example", None, id="a-user"),
        pytest.param("a.example?kid=x", None, id="a-query"),
        pytest.param("a.example\r\nX: y", None, id="injection"),
        pytest.param("a.example\n", None, id="newline-at-the-end"),
        pytest.param("\u212a.example", None, id="the-kelvin-sign"),
        pytest.param("a" * 65_536, None, id="endless"),
    ],
)
def test_the_host_is_validated(host: str, named: str | None) -> None:
    url = sign_in_url(host=host)
    assert url == (None if named is None else LOGIN.replace("app.example.com", named) + "%2F")


@pytest.mark.parametrize(
    ("path", "query", "back"),
    [
        pytest.param("/", "", "/", id="root"),
        pytest.param("/reports/2026", "q=1&r=a%20b", "/reports/2026?q=1&r=a%20b", id="path-and-query"),
        pytest.param("/a b/\u4e2d", "", "/a%20b/%E4%B8%AD", id="beyond-ascii"),
        pytest.param("/100%.png", "", "/100%25.png", id="percent"),
        pytest.param("/a?b#c", "d#e", "/a%3Fb%23c?d%23e", id="delimiters"),
        pytest.param("/a;b=c,d:e@f", "", "/a;b=c,d:e@f", id="what-stands-for-itself"),
        pytest.param("//evil.example", "", "/evil.example", id="two-slashes"),
        pytest.param("////evil.example", "", "/evil.example", id="four-slashes"),
        pytest.param("/\\evil.example", "", "/%5Cevil.example", id="backslash"),
        pytest.param("\\\\evil.example", "", "/%5C%5Cevil.example", id="backslashes"),
        pytest.param("/\t/evil.example", "", "/%09/evil.example", id="tab"),
        pytest.param("/..//evil.example", "a=b", "/", id="dot-segments"),
        pytest.param("/.//evil.example", "", "/", id="one-dot"),
        pytest.param("/a/..", "", "/", id="dots-at-the-end"),
        pytest.param("/%2e%2e//evil.example", "", "/%252e%252e//evil.example", id="dots-encoded-twice"),
        pytest.param("/a..b/...", "", "/a..b/...", id="dots-that-are-names"),
        pytest.param("https://evil.example/", "", "/https://evil.example/", id="absolute"),
        pytest.param("", "", "/", id="empty"),
        pytest.param("*", "", "/*", id="asterisk"),
        pytest.param("/\r\nSet-Cookie: a=b", "\r\nX: y", "/%0D%0ASet-Cookie:%20a=b?%0D%0AX:%20y", id="injection"),
        pytest.param("/\udcff", "", "/%3F", id="a-lone-surrogate"),
        pytest.param("/", "\xe4\xff", "/?%E4%FF", id="a-query-of-bytes"),
        pytest.param("/", "\u4e2d", "/??", id="a-query-that-no-server-gives"),
        pytest.param("/", "&kid=evil&redirect_url=//evil.example", "/?&kid=evil&redirect_url=//evil.example", id="kid"),
        pytest.param("/", "q=" + "a" * 2_044, "/?q=" + "a" * 2_044, id="the-longest"),
        pytest.param("/a", "q=" + "a" * 2_044, "/a", id="one-too-long"),
        pytest.param("/a", "q" * 65_536, "/a", id="an-endless-query"),
        pytest.param("/a", " " * 2_048, "/a", id="a-query-that-grows"),
        pytest.param("/" + "a" * 2_047, "", "/" + "a" * 2_047, id="the-longest-path"),
        pytest.param("/" + "a" * 2_048, "q=1", "/", id="a-path-too-long"),
        pytest.param("/" + "\u4e2d" * 2_000, "q=1", "/", id="a-path-that-grows"),
    ],
)
def test_the_way_back_leads_to_the_same_host(path: str, query: str, back: str) -> None:
    url = sign_in_url(path=path, query=query)
    assert url is not None
    assert url.startswith(LOGIN)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert parse_qs(urlsplit(url).query) == {"kid": [AUD], "redirect_url": [back]}
    assert is_local_path(back)
    assert urlsplit(urljoin("https://app.example.com", back)).netloc == "app.example.com"
    assert len(back) <= 2_048


@pytest.mark.parametrize("place", ["path", "query"])
def test_what_an_endless_way_back_costs_is_bounded(place: str) -> None:
    def asked(size: int) -> dict[str, Any]:
        return {place: "/" + " " * size}

    for size in (2_048, 65_536):  # the standard library has caches, and fills them now
        sign_in_url(**asked(size))
    assert calls(lambda: sign_in_url(**asked(65_536))) <= calls(lambda: sign_in_url(**asked(2_048))) + 32


def test_an_encoded_dot_segment_leads_to_the_root() -> None:
    for path in ("/%2e%2e//evil.example", "/.%2E//evil.example", "/%2E//evil.example"):
        assert way_back(login_url("acme", audience=AUD, url="https://app.example.com" + path)) == "/"


@pytest.mark.parametrize(
    ("audiences", "configured", "kid"),
    [
        pytest.param([{AUD}], [], AUD, id="the-rule's-own"),
        pytest.param([{OTHER_AUD}], [AUD], OTHER_AUD, id="the-rule's-before-the-configured"),
        pytest.param([{AUD, OTHER_AUD}], [OTHER_AUD, AUD], OTHER_AUD, id="the-first-configured"),
        pytest.param([{AUD, OTHER_AUD}], [AUD, OTHER_AUD], AUD, id="the-first-the-other-way-round"),
        pytest.param([{AUD, OTHER_AUD}], ["x"], None, id="nobody-can-say"),
        pytest.param([{AUD, OTHER_AUD}, {OTHER_AUD}], [AUD], OTHER_AUD, id="what-all-readings-accept"),
        pytest.param([{AUD}, {OTHER_AUD}], [AUD], None, id="no-one-application-does"),
        pytest.param([set()], [AUD], None, id="nobody-passes"),
        pytest.param([], [AUD], None, id="nothing-known"),
    ],
)
def test_which_application_is_signed_in_to(audiences: list[set[str]], configured: list[str], kid: str | None) -> None:
    url = sign_in_url(audiences=map(frozenset, audiences), configured=tuple(configured))
    assert (url and parse_qs(urlsplit(url).query)["kid"]) == (kid and [kid])


@pytest.mark.parametrize(
    ("team", "team_url", "url", "expected"),
    [
        pytest.param("acme", None, "https://app.example.com/reports?q=1", LOGIN + "%2Freports%3Fq%3D1", id="plain"),
        pytest.param("acme", None, "https://app.example.com", LOGIN + "%2F", id="no-path"),
        pytest.param("acme", None, "http://APP.example.com:8000/", LOGIN + "%2F", id="no-port"),
        pytest.param("acme", None, "https://app.example.com/#/a?b", LOGIN + "%2F", id="no-fragment"),
        pytest.param("acme", None, "https://app.example.com/a%20b", LOGIN + "%2Fa%2520b", id="encoded-stays"),
        pytest.param("acme", None, "https://app.example.com/a%2Fb", LOGIN + "%2Fa%252Fb", id="an-encoded-slash-stays"),
        pytest.param("acme", None, "https://app.example.com/\u4e2d", LOGIN + "%2F%25E4%25B8%25AD", id="beyond-ascii"),
        pytest.param("acme", None, "https://app.example.com//evil", LOGIN + "%2Fevil", id="two-slashes"),
        pytest.param(
            "acme.fed.cloudflareaccess.com",
            None,
            "https://app.example.com/",
            LOGIN.replace("acme.", "acme.fed.") + "%2F",
            id="fedramp",
        ),
        pytest.param(
            "acme",
            "http://localhost:8787",
            "https://app.example.com/",
            LOGIN.replace(TEAM_URL, "http://localhost:8787") + "%2F",
            id="another-base",
        ),
    ],
)
def test_login_url(team: str, team_url: str | None, url: str, expected: str) -> None:
    assert login_url(team, audience=AUD, url=url, team_url=team_url) == expected


NO_ADDRESSES = pytest.mark.parametrize(
    "url",
    [
        "",
        "/reports",
        "//app.example.com/",
        "ftp://a.example/",
        "javascript:alert(1)",
        "https:///",
        "https://u@a/",
        "https://[x/",
        "https://a.example\\@evil.example/",
        "https://a.example:port/",
    ],
)


@NO_ADDRESSES
def test_login_url_wants_a_whole_address(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - urlsplit has words of its own for brackets
        login_url("acme", audience=AUD, url=url)


@NO_ADDRESSES
def test_logout_url_wants_a_whole_address(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        logout_url("acme", url=url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://app.example.com", "https://app.example.com", id="plain"),
        pytest.param("https://App.Example.com/a/../b?returnTo=//evil#c", "https://app.example.com", id="only-the-host"),
        pytest.param("http://localhost:8001/a", "http://localhost:8001", id="the-port-counts"),
        pytest.param("https://[::1]:8443/a", "https://[::1]:8443", id="ipv6"),
    ],
)
def test_logout_url_at_an_application(url: str, expected: str) -> None:
    assert logout_url("acme", url=url) == expected + LOGOUT_PATH


def test_logout_url() -> None:
    assert logout_url("acme") == f"{TEAM_URL}/cdn-cgi/access/logout" == TEAM_URL + LOGOUT_PATH
    assert logout_url("acme", team_url="http://localhost:8787/") == "http://localhost:8787/cdn-cgi/access/logout"


def test_a_team_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match="team: "):
        logout_url("evil.example")
    with pytest.raises(ConfigurationError, match="team_url: "):
        login_url("acme", audience=AUD, url="https://a.example/", team_url="http://evil.example")


@pytest.mark.parametrize(
    ("scheme", "secure"),
    [pytest.param("https", True, id="https"), pytest.param("http", False, id="http-behind-a-tunnel")],
)
def test_the_marker_lives_a_minute(scheme: str, secure: bool) -> None:
    pair, *attributes = marker(scheme).split("; ")
    assert is_marked(pair)
    assert attributes == ["Max-Age=60", "Path=/", "HttpOnly", "SameSite=Lax", *(["Secure"] if secure else [])]


@pytest.mark.parametrize(
    ("cookie", "marked"),
    [
        pytest.param("cfaccess_login=1", True, id="alone"),
        pytest.param("a=b; cfaccess_login=1; c=d", True, id="among-others"),
        pytest.param("a=b;cfaccess_login=1", True, id="without-space"),
        pytest.param("a=b,cfaccess_login=1,c=d", True, id="joined-by-a-server"),
        pytest.param('a={"b": [1, 2]}; cfaccess_login=1', True, id="beside-json"),
        pytest.param("", False, id="none"),
        pytest.param("xcfaccess_login=1", False, id="another-name"),
        pytest.param("cfaccess_login=12", False, id="another-value"),
        pytest.param("cfaccess_login=", False, id="no-value"),
        pytest.param("a=cfaccess_login=1", False, id="in-a-value"),
        pytest.param("; " * 32_768, False, id="endless"),
        pytest.param(" " * 65_536, False, id="endless-space"),
    ],
)
def test_the_marker_is_found(cookie: str, marked: bool) -> None:
    assert is_marked(cookie) is marked
