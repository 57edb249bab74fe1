"""Which cookies are kept, for how long, and which are nothing to us?"""

import email.utils
from typing import Any

import pytest

from cfaccess_mw.client import NotAdmitted, ServiceToken, tokenless_cookies
from cfaccess_mw.client.conversation import Answer
from cfaccess_mw.client.cookies import KeptCookies
from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.hosts import Origin
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.issuer import Issuer
from tests.client.calling import Open, every_client
from tests.client.conftest import GOOD, NOW, ROBOT, Clock, Serve
from tests.client.site import Asked, Says, in_turn
from tests.client.test_service_token import HEADERS, gives, token

HERE = Origin("https", "app.example.com", 443)
HOUR = 3_600.0


def says(*lines: str) -> Answer:
    return Answer(status=200, headers=tuple(("set-cookie", line) for line in lines))


def at(seconds: float) -> str:
    return email.utils.formatdate(NOW + seconds, usegmt=True)


@pytest.fixture
def good(clock: Clock, team: Issuer) -> str:
    return token(clock, team, HOUR)


@pytest.fixture
def kept(clock: Clock) -> KeptCookies:
    return KeptCookies(clock)


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        pytest.param("CF_Authorization={}", True, id="bare"),
        pytest.param(" CF_Authorization = {} ; path=/; Secure; HttpOnly", True, id="with spaces"),
        pytest.param("CF_Authorization={}; Path=/a", True, id="a path"),
        pytest.param("CF_Authorization={}; Path=/b", False, id="another path"),
        pytest.param("CF_Authorization={}; Path=/a/bc", False, id="a path that ends within a segment"),
        pytest.param("CF_Authorization={}; Path=", True, id="no path"),
        pytest.param("CF_Authorization={}; Domain=app.example.com", True, id="the host as domain"),
        pytest.param("CF_Authorization={}; Domain=.Example.com", True, id="a domain that the host is in"),
        pytest.param("CF_Authorization={}; Domain=evil.example", False, id="another domain"),
        pytest.param("CF_Authorization={}; Domain=pp.example.com", False, id="the end of the host's name"),
        pytest.param("CF_Authorization={}; Domain=sub.app.example.com", False, id="a domain below the host"),
        pytest.param("CF_Authorization={}; Max-Age=60", True, id="an age"),
        pytest.param("CF_Authorization={}; Max-Age=0", False, id="taken away by age"),
        pytest.param("CF_Authorization={}; Max-Age=-1", False, id="a negative age"),
        pytest.param("CF_Authorization={}; Max-Age=soon", False, id="an age that is none"),
        pytest.param(f"CF_Authorization={{}}; Expires={at(60)}", True, id="a date"),
        pytest.param(
            f"CF_Authorization={{}}; Expires={at(60).replace(' 2023', '-2023').replace(' Nov', '-Nov')}",
            True,
            id="an old form of date",
        ),
        pytest.param(f"CF_Authorization={{}}; Expires={at(-60)}", False, id="taken away by date"),
        pytest.param("CF_Authorization={}; Expires=tomorrow", False, id="a date that is none"),
        pytest.param(
            "CF_Authorization={}; Expires=Fri, 31 Dec 99999 23:59:59 GMT", False, id="a date beyond all dates"
        ),
        pytest.param(
            f"CF_Authorization={{}}; Expires={at(0)[:-3]}+99999999999999999999", False, id="a zone that is none"
        ),
        pytest.param(f"CF_Authorization={{}}; Max-Age=60; Expires={at(-60)}", True, id="age before date"),
        pytest.param("cf_authorization={}", False, id="another case"),
        pytest.param("CF_Authorization2={}", False, id="another name"),
        pytest.param("CF_Authorization", False, id="no value"),
        pytest.param("CF_Authorization=", False, id="empty"),
        pytest.param("CF_Authorization=hello", False, id="no token"),
        pytest.param("CF_Authorization={}.x", False, id="four segments"),
        pytest.param("CF_Authorization={}" + "A" * 16_384, False, id="huge"),
        pytest.param('CF_Authorization="{}"', False, id="quoted"),
        pytest.param("CF_Authorization=\u00e9{}", False, id="not ASCII"),
    ],
)
def test_what_is_kept(kept: KeptCookies, good: str, line: str, is_kept: bool) -> None:
    kept.learn(HERE, "/a/b", says(line.format(good)))
    assert kept.choose(HERE, "/a/b") == (good if is_kept else None)


@pytest.mark.parametrize(
    ("claims", "is_kept"),
    [
        pytest.param({}, True, id="as it should be"),
        pytest.param({"exp": NOW + 60.5}, True, id="with a fraction"),
        pytest.param({"exp": NOW}, False, id="expired this moment"),
        pytest.param({"exp": -1}, False, id="before all time"),
        pytest.param({"exp": 253402300800}, False, id="after all time"),
        pytest.param({"exp": True}, False, id="a boolean"),
        pytest.param({"exp": "soon"}, False, id="text"),
        pytest.param({"exp": None}, False, id="nothing"),
    ],
)
def test_expiry_is_read_from_the_token(kept: KeptCookies, team: Issuer, claims: dict[str, Any], is_kept: bool) -> None:
    value = team.service(ROBOT.client_id, audience=DEFAULT_AUDIENCE, **claims)
    kept.learn(HERE, "/", says(f"CF_Authorization={value}"))
    assert (kept.choose(HERE, "/") is not None) is is_kept


def test_nobody_sends_a_cookie_in_its_last_moments(kept: KeptCookies, good: str, clock: Clock) -> None:
    kept.learn(HERE, "/", says(f"CF_Authorization={good}"))
    clock.now = NOW + HOUR - 9
    assert [kept.choose(HERE, "/") for _ in range(2)] == [None, None]


def test_one_call_renews_a_cookie_in_good_time(kept: KeptCookies, good: str, clock: Clock) -> None:
    kept.learn(HERE, "/", says(f"CF_Authorization={good}"))
    clock.now = NOW + HOUR - 301
    assert kept.choose(HERE, "/") == good
    clock.now += 1
    assert [kept.choose(HERE, "/") for _ in range(3)] == [None, good, good]
    clock.now += 60  # the one that set out did not come back
    assert [kept.choose(HERE, "/") for _ in range(2)] == [None, good]


def test_a_short_life_is_renewed_in_its_last_tenth(kept: KeptCookies, clock: Clock, team: Issuer) -> None:
    value = token(clock, team, 20)
    kept.learn(HERE, "/", says(f"CF_Authorization={value}"))
    for now, expected in ((17.9, [value, value]), (18, [None, value]), (19, [None, None])):
        clock.now = NOW + now
        assert [kept.choose(HERE, "/") for _ in range(2)] == expected


def test_what_is_taken_away_is_not_sent(kept: KeptCookies, good: str) -> None:
    kept.learn(HERE, "/", says(f"CF_Authorization={good}; Path=/"))
    kept.learn(HERE, "/", says("CF_Authorization=; Path=/; Max-Age=0"))
    assert kept.choose(HERE, "/") is None


def test_origins_and_paths_are_kept_apart(kept: KeptCookies, clock: Clock, team: Issuer) -> None:
    outer, inner = token(clock, team), token(clock, team, 100)
    kept.learn(HERE, "/", says(f"CF_Authorization={outer}; Path=/", f"CF_Authorization={inner}; Path=/admin"))
    paths = ("/", "/admin", "/admin/x", "/administrator")
    assert [kept.choose(HERE, path) for path in paths] == [outer, inner, inner, outer]
    for other in (
        Origin("http", HERE.host, 443),
        Origin("https", HERE.host, 8443),
        Origin("https", "example.com", 443),
    ):
        assert kept.choose(other, "/") is None


@pytest.mark.parametrize(("path", "default"), [("/a/b/c", "/a/b"), ("/a", "/"), ("/", "/"), ("*", "/")])
def test_a_cookie_without_path_is_for_where_it_came_from(kept: KeptCookies, good: str, path: str, default: str) -> None:
    kept.learn(HERE, path, says(f"CF_Authorization={good}"))
    assert kept.choose(HERE, default) == good
    assert kept.choose(HERE, "/z") == (good if default == "/" else None)


def test_cookies_are_bounded(kept: KeptCookies, good: str) -> None:
    kept.learn(HERE, "/", says(*[f"CF_Authorization={good}; Path=/{number}" for number in range(20)]))
    assert [number for number in range(20) if kept.choose(HERE, f"/{number}")] == [*range(4, 20)]
    kept.learn(HERE, "/", says(*["a=1"] * 64, f"CF_Authorization={good}; Path=/last"))
    assert kept.choose(HERE, "/last") is None


def test_an_origin_that_refuses_a_good_cookie_gets_none_for_a_while(kept: KeptCookies, good: str, clock: Clock) -> None:
    answer = says(f"CF_Authorization={good}; Path=/")
    kept.was_refused(HERE, Secret(good))  # of somebody who is late
    kept.learn(HERE, "/", answer)
    kept.was_refused(HERE, Secret("another"))
    assert kept.choose(HERE, "/") == good
    kept.was_refused(HERE, Secret(good))
    kept.learn(HERE, "/", answer)
    assert kept.choose(HERE, "/") is None
    clock.now += 600
    kept.learn(HERE, "/", answer)
    assert kept.choose(HERE, "/") == good


@every_client
def test_a_cookie_on_an_answer_elsewhere_is_not_for_here(
    client: Open, serve: Serve, clock: Clock, team: Issuer
) -> None:
    other = serve(lambda _: gives(token(clock, team), "Path=/", "Domain=localhost"))
    site = serve(lambda _: Says(302, (("location", f"http://localhost:{other.port}/"),)))
    with client(ServiceToken(site.host, credentials=GOOD, clock=clock)) as call:
        for _ in range(2):
            call(f"{site.url}/a")
    assert site.brought() == [HEADERS, HEADERS]


@every_client
def test_one_of_several_cookies_is_found(client: Open, serve: Serve, clock: Clock, team: Issuer) -> None:
    lines = ("a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", f"CF_Authorization={token(clock, team)}", "b=2")
    site = serve(lambda _: Says(headers=tuple(("set-cookie", line) for line in lines)))
    with client(ServiceToken(site.host, credentials=GOOD, clock=clock), cookies=tokenless_cookies()) as call:
        for _ in range(2):
            call(f"{site.url}/a")
    assert not site.asked[1].brought & HEADERS
    assert site.asked[1].get("cookie") == f"a=1; b=2; CF_Authorization={token(clock, team)}"


@every_client
def test_what_comes_with_a_refusal_is_not_kept(client: Open, serve: Serve, clock: Clock, team: Issuer) -> None:
    ours = ("set-cookie", f"CF_Authorization={token(clock, team)}")
    site = serve(in_turn(Says(403, (("cf-access-aud", "x"), ours)), Says()))
    with client(ServiceToken(site.host, credentials=GOOD, clock=clock), cookies=tokenless_cookies()) as call:
        with pytest.raises(NotAdmitted):
            call(f"{site.url}/a")
        call(f"{site.url}/a")
    assert site.brought() == [HEADERS, HEADERS]


@every_client
def test_an_origin_that_never_takes_its_own_cookies_costs_one_call(
    client: Open, serve: Serve, clock: Clock, team: Issuer
) -> None:
    def answers(asked: Asked) -> Says:
        refusal = Says(401, (("cf-access-aud", "x"),))
        return gives(token(clock, team)) if "cf-access-client-secret" in asked.brought else refusal

    site = serve(answers)
    with client(ServiceToken(site.host, credentials=GOOD, clock=clock)) as call:
        assert [call(f"{site.url}/a").status for _ in range(4)] == [200] * 4
    assert [bool(brought & HEADERS) for brought in site.brought()] == [True, False, True, True, True]
