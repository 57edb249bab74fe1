"""What does the middleware let through, and what does a view see of it, however Django runs it?"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.test import override_settings
from django.views import View
from django.views.debug import (
    ExceptionReporter,
    SafeExceptionReporterFilter,
    get_default_exception_reporter_filter,
)

from cfaccess_mw import ConfigurationError, Rule, current_identity
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.contrib.django import conf
from cfaccess_mw.contrib.django.asking import identity_of
from cfaccess_mw.contrib.django.decorators import AccessRequiredMixin
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.protection import Protection
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.contrib.django.asking import Client
from tests.contrib.django.conftest import ROBOT
from tests.contrib.django.lookups import Directory
from tests.tokens import AUD, OTHER_AUD

ALICE = "alice@example.com"
CLAIMED = "mallory@example.com"

# What somebody may send who would like to be somebody else; servers and frameworks spell names in many ways.
SPOOFED = [
    pytest.param("cf-access-authenticated-user-email", id="email"),
    pytest.param("CF-Access-Authenticated-User-Email", id="email-in-capitals"),
    pytest.param("cf_access_authenticated_user_email", id="email-underscored"),
    pytest.param("cf-access_authenticated-user_email", id="email-mixed"),
    pytest.param("cf-access-anything", id="whatever-begins-so"),
    pytest.param("remote-user", id="remote-user"),
    pytest.param("remote_user", id="remote-user-underscored"),
    pytest.param("Remote-User", id="remote-user-in-capitals"),
    pytest.param("x-own", id="configured"),
]


def test_somebody_is_known(client: Client) -> None:
    seen = client.get("/whoami", ALICE).json
    assert (seen["kind"], seen["email"], seen["current"]) == ("user", ALICE, ALICE)
    assert current_identity() is None


def test_somebody_is_known_to_a_coroutine(client: Client) -> None:
    seen = client.get("/awhoami", ALICE).json
    assert (seen["kind"], seen["email"], seen["current"]) == ("user", ALICE, ALICE)


def test_a_service_is_known(client: Client) -> None:
    token = client.team.service(ROBOT, audience=AUD)
    seen = client.send("GET", "/whoami", [("cf-access-jwt-assertion", token)]).json
    assert (seen["kind"], seen["email"]) == ("service", None)


@pytest.mark.parametrize("name", SPOOFED)
@pytest.mark.parametrize("path", ["/whoami", "/public/x"])
def test_nobody_is_believed_by_header(client: Client, door: dict[str, Any], name: str, path: str) -> None:
    with override_settings(CFACCESS={**door, "scrub": ["X-Own"]}):
        honest = ALICE if path == "/whoami" else None
        answer = client.get(path, honest, (name, CLAIMED))
    assert answer.status == 200
    assert CLAIMED not in answer.body.decode()
    assert answer.json["email"] == honest


@pytest.mark.parametrize("name", SPOOFED)
def test_a_header_lets_nobody_in(client: Client, name: str) -> None:
    assert client.get("/whoami", None, (name, CLAIMED)).status == 401


def test_what_was_verified_is_put_back(client: Client) -> None:
    answer = client.get("/whoami", ALICE, ("cf-access-authenticated-user-email", CLAIMED))
    assert answer.json["meta"]["HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL"] == ALICE
    assert "HTTP_CF_ACCESS_JWT_ASSERTION" in answer.json["meta"]
    assert answer.json["headers"] == ["cf-access-authenticated-user-email", "cf-access-jwt-assertion"]


def test_other_headers_stay(client: Client) -> None:
    seen = client.get("/whoami", ALICE, ("x-own", "kept"), ("remote-user", CLAIMED)).json
    assert seen["meta"]["HTTP_X_OWN"] == "kept"


def test_a_bad_token_on_a_public_path_is_not_seen(client: Client) -> None:
    token = client.team.user(ALICE, audience=OTHER_AUD)
    answer = client.send("GET", "/public/x", [("cf-access-jwt-assertion", token)])
    assert answer.status == 200
    assert (answer.json["kind"], answer.json["meta"], answer.json["headers"]) == (None, {}, [])


def test_a_cookie_that_is_not_believed_is_not_seen(client: Client, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={**door, "cookie": True}):
        client.cookies = {"CF_Authorization": client.team.user(ALICE, audience=AUD)}
        assert client.get("/whoami").json["email"] == ALICE
        client.cookies = {"CF_Authorization": client.team.user(ALICE, audience=OTHER_AUD), "other": "kept"}
        assert client.get("/public/x").json["email"] is None
        assert client.get("/whoami").status == 401


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        pytest.param((), 401, "no-token", id="nobody"),
        pytest.param((("cf-access-jwt-assertion", "x"),), 401, "malformed-token", id="no-token-at-all"),
        pytest.param((("cf-access-jwt-assertion", "a"), ("cf-access-jwt-assertion", "b")), 401, None, id="two"),
    ],
)
def test_refusals_are_the_doors(client: Client, headers: Any, status: int, code: str | None) -> None:
    answer = client.send("GET", "/whoami", headers)
    assert answer.status == status
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("www-authenticate").startswith('Cloudflare-Access realm="acme.cloudflareaccess.com"')
    assert answer.header("cache-control") == "no-store"
    assert code in (None, answer.json["code"])


def test_a_person_gets_a_page_and_a_way_to_sign_in(client: Client, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={**door, "login_redirect": True}):
        answer = client.page("/whoami?a=b")
    assert answer.status == 302
    assert answer.header("location").startswith("https://acme.cloudflareaccess.com/cdn-cgi/access/login/testserver?")
    assert "cfaccess_login=1" in answer.header("set-cookie")
    assert b"<html" in answer.body


def test_head_gets_no_body(client: Client) -> None:
    answer = client.send("HEAD", "/whoami")
    assert (answer.status, answer.body) == (401, b"")


def test_an_answer_of_ones_own_keeps_its_headers(client: Client, door: dict[str, Any]) -> None:
    def on_refusal(_: object) -> Any:
        return 403, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Link", "<x>"), ("Link", "<y>")], "no"

    with override_settings(CFACCESS={**door, "on_refusal": on_refusal}):
        answer = client.get("/whoami")
    assert (answer.status, answer.body) == (403, b"no")
    assert answer.header("set-cookie") == "a=1, b=2"
    assert answer.header("link") == "<x>, <y>"


@pytest.mark.parametrize(
    ("path", "mount", "status"),
    [
        pytest.param("/public/gr%C3%BC%C3%9Fe", "", 200, id="public-not-ascii"),
        pytest.param("/gr%C3%BC%C3%9Fe", "", 401, id="protected-not-ascii"),
        pytest.param("/app/public/x", "/app", 401, id="public-inside-a-mount-alone"),
        pytest.param("/whoami%0a", "", 400, id="newline"),
        pytest.param("/public/..%2fwhoami", "", 400, id="dot-segments"),
        pytest.param("/public/x%ff", "", 400, id="no-utf-8"),
        pytest.param("/public%2f..%2fwhoami", "", 400, id="encoded-slashes"),
        pytest.param("//whoami", "", 401, id="two-slashes"),
    ],
)
def test_the_path_is_the_clients(client: Client, path: str, mount: str, status: int) -> None:
    assert client.get(path, mount=mount).status == status


def test_a_path_that_is_not_ascii_reaches_its_view(client: Client) -> None:
    assert client.get("/gr%C3%BC%C3%9Fe", ALICE).json["path"] == "/grüße"


@pytest.mark.parametrize("path", ["/app", "/app/", "/app/x"])
def test_a_mount_is_reached_with_and_without_its_slash(client: Client, door: dict[str, Any], path: str) -> None:
    with override_settings(CFACCESS={**door, "rules": [Rule.public("/app/*")]}):
        assert client.get(path, mount="/app").status == 404


def test_a_forced_mount_adds_what_is_required_inside(client: Client, door: dict[str, Any]) -> None:
    rules = [Rule.public("/app/*"), Rule.token("/whoami")]
    with override_settings(CFACCESS={**door, "rules": rules}, FORCE_SCRIPT_NAME="/app"):
        path = "/whoami" if client.way.startswith("wsgi") else "/app/whoami"
        assert client.get(path).status == 401
        assert client.get(path, ALICE).status == 200


@pytest.mark.parametrize("method", ["get", "Get"])
def test_a_method_that_django_capitalises_opens_nothing(client: Client, door: dict[str, Any], method: str) -> None:
    with override_settings(CFACCESS={**door, "rules": [Rule.public("/whoami", methods=["GET"])]}):
        assert client.send("GET", "/whoami").status == 200
        assert client.send(method, "/whoami").status == 401


@pytest.mark.parametrize("path", ["/function", "/afunction", "/class", "/aclass"])
@pytest.mark.parametrize(("email", "status"), [(ALICE, 200), ("bob@example.com", 403)])
def test_a_view_asks_for_more(client: Client, path: str, email: str, status: int) -> None:
    answer = client.get(path, email)
    assert answer.status == status
    if status == 403:
        assert answer.json["code"] == "not-permitted"


def test_a_view_on_a_public_path_asks_for_anybody(client: Client) -> None:
    assert client.get("/public/anybody").json["code"] == "no-token"
    assert client.get("/public/anybody", ALICE).body == b"in"


@pytest.mark.parametrize(("address", "status"), [("192.0.2.7", 200), ("203.0.113.7", 403)])
def test_a_view_asks_where_a_request_comes_from(
    client: Client, door: dict[str, Any], address: str, status: int
) -> None:
    with override_settings(CFACCESS={**door, "trusted_peers": ["192.0.2.1"]}):
        assert client.get("/nearby", ALICE, ("cf-connecting-ip", address)).status == status


@pytest.mark.parametrize("path", ["/grouped", "/agrouped"])
@pytest.mark.parametrize(
    ("groups", "ended", "status", "code"),
    [
        pytest.param(["admins"], False, 200, None, id="a-member"),
        pytest.param(["others"], False, 403, "not-permitted", id="no-member"),
        pytest.param(None, False, 503, "identity-unavailable", id="nobody-answers"),
        pytest.param(["admins"], True, 401, "session-ended", id="no-session-any-more"),
    ],
)
def test_a_view_asks_cloudflare(
    client: Client, door: dict[str, Any], path: str, groups: Any, ended: bool, status: int, code: str | None
) -> None:
    directory = Directory(client.team, groups, ended=ended)
    with override_settings(CFACCESS={**door, "profile_fetcher": directory}):
        answer = client.get(path, ALICE)
    assert answer.status == status
    assert code is None or answer.json["code"] == code


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")  # Django says so of the other kind
@pytest.mark.parametrize("path", ["/stream", "/astream"])
def test_a_stream_knows_who_is_asking(client: Client, path: str) -> None:
    assert client.get(path, ALICE).body == f"{ALICE} {ALICE} ".encode()
    assert current_identity() is None


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_a_file_is_left_to_the_server(client: Client) -> None:
    assert client.get("/file", ALICE).body.startswith(b'"""Which views')


def test_what_was_read_before_the_door_is_read_again(client: Client, door: dict[str, Any]) -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.curious", *settings.MIDDLEWARE], CFACCESS={**door, "cookie": True}):
        early = Client(client.team, client.way)
        early.cookies = {"CF_Authorization": "bad"}
        seen = early.get("/public/x", None, ("remote-user", CLAIMED)).json
    assert (seen["headers"], seen["cookies"]) == ([], [])


def curious(get_response: Any) -> Any:
    """A middleware that stands too early, and makes Django keep what it read."""

    def middleware(request: HttpRequest) -> Any:
        assert request.headers["remote-user"] == CLAIMED
        assert request.COOKIES
        return get_response(request)

    return middleware


@pytest.mark.parametrize("email", [ALICE, None])
def test_double_wrapping_is_harmless(client: Client, door: dict[str, Any], email: str | None) -> None:
    wrap = WsgiDoor if client.way.startswith("wsgi") else AsgiDoor
    client._handler = wrap(client._handler, **door)
    assert client.get("/whoami", email).status == (200 if email else 401)
    assert client.get("/public/x", email, ("remote-user", CLAIMED)).json["email"] == email


def test_settings_are_read_again_where_a_test_changes_them(client: Client, door: dict[str, Any]) -> None:
    assert client.get("/whoami").status == 401
    with override_settings(CFACCESS={**door, "rules": [Rule.public("/whoami")]}):
        assert client.get("/whoami").status == 200
    assert client.get("/whoami").status == 401


def test_a_request_that_no_door_saw_is_a_mistake() -> None:
    with pytest.raises(ImproperlyConfigured, match="AccessMiddleware first in MIDDLEWARE"):
        identity_of(HttpRequest())


def test_a_configuration_that_is_gone_lets_go_of_the_keys(project: None, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={"team": "gone", "audience": AUD}):
        protections = [conf.doors().wsgi.protection, conf.doors().asgi.protection]
        assert [state for one in protections for state in states(one)] == ["cold", "cold"]
    assert [state for one in protections for state in states(one)] == ["closed", "closed"]


def states(protection: Protection) -> list[str]:
    """Those of the keys."""
    return [health.state.value for health in protection.health().values()]


def test_the_configuration_is_read_once(client: Client) -> None:
    first = conf.doors()
    client.get("/whoami", ALICE)
    assert conf.doors() is first


@pytest.mark.parametrize("handler", [WSGIHandler, ASGIHandler])
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"team": "acme"}, id="no-audience"),
        pytest.param({"team": "acme", "audience": AUD, "typo": 1}, id="unknown-key"),
        pytest.param({"team": "acme", "audience": AUD, "refusal_template": "/nowhere.html"}, id="no-template"),
        pytest.param(3, id="a-number"),
        pytest.param({1: 2}, id="no-names"),
    ],
)
def test_half_a_configuration_stops_the_process(project: None, handler: Any, broken: Any) -> None:
    with override_settings(CFACCESS=broken), pytest.raises(ConfigurationError):
        handler()


def test_the_environment_says_what_the_settings_leave_out(
    project: None, team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFACCESS_TEAM", "acme")
    monkeypatch.setenv("CFACCESS_AUDIENCE", AUD)
    with override_settings(CFACCESS={"keys": team.certs()}):
        assert Client(team, "wsgi").get("/whoami", ALICE).status == 200


@pytest.fixture
def reported(project: None, team: Issuer) -> Iterator[Callable[[], str]]:
    """What is reported of a view that fails: the page, and the mail to the project's admins."""
    requests: list[HttpRequest] = []

    def failed(*, request: HttpRequest, **_: object) -> None:
        requests.append(request)

    def report() -> str:
        page = Client(team, "wsgi").page("/broken", ALICE).body.decode()
        mail = ExceptionReporter(requests[0], RuntimeError, RuntimeError(), None, is_email=True).get_traceback_text()
        assert "HTTP_CF_ACCESS_JWT_ASSERTION" in mail
        return f"{page}{mail}"

    got_request_exception.connect(failed)
    yield report
    got_request_exception.disconnect(failed)
    get_default_exception_reporter_filter.cache_clear()


class Own(SafeExceptionReporterFilter):
    """A filter of the project's, which hides something else."""

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        return "own" if key == "PATH_INFO" else super().cleanse_setting(key, value)


class Foreign:
    """A filter that is no relative of Django's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(SafeExceptionReporterFilter(), name)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("kind", "hidden", "word"), [("django", True, "****"), ("Own", True, "'own'"), ("Foreign", False, "****")]
)
def test_the_assertion_is_in_no_error_report(
    reported: Callable[[], str], debug: bool, kind: str, hidden: bool, word: str
) -> None:
    path = "django.views.debug.SafeExceptionReporterFilter" if kind == "django" else f"{__name__}.{kind}"
    get_default_exception_reporter_filter.cache_clear()
    with override_settings(DEBUG=debug, DEFAULT_EXCEPTION_REPORTER_FILTER=path):
        report = reported()
    assert word in report
    assert (re.search("eyJ[A-Za-z0-9_-]+[.]eyJ", report) is None) is hidden


def test_a_mixin_that_is_never_asked_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="put it first"):
        type("Behind", (View, AccessRequiredMixin), {})
    type("Before", (AccessRequiredMixin, View), {})


@pytest.mark.parametrize("path", ["/function", "/afunction"])
def test_refusals_of_views_are_told(door: dict[str, Any], database: None, team: Issuer, way: str, path: str) -> None:
    told: list[str] = []
    with override_settings(CFACCESS={**door, "listeners": [lambda event: told.append(event.name)]}):
        assert Client(team, way).get(path, "bob@example.com").status == 403
    conf.forget(setting=conf.DOOR)
    assert told == ["token-accepted", "policy-denied"]
