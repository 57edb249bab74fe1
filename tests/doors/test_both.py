"""What both doors do alike: one table of requests, configurations and expected answers, run through each."""

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from cfaccess_mw import ConfigurationError, Rule, current_identity
from cfaccess_mw.emulator.issuer import Issuer
from tests.doors.conftest import Ask, Request
from tests.tokens import AUD, OTHER_AUD

if TYPE_CHECKING:
    from collections.abc import Callable
from dataclasses import replace

ASSERTION = "cf-access-jwt-assertion"
EMAIL = "cf-access-authenticated-user-email"
ORIGIN = (("origin", "https://other.example"), ("access-control-request-method", "PUT"))


@pytest.fixture
def team(issuer: Issuer) -> Issuer:
    """The same team, but of now: the doors read the clock."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)


RULES = [
    Rule.public("/healthz"),
    Rule.optional("/maybe"),
    Rule.token("/other/*", audience=OTHER_AUD),
]


@pytest.mark.parametrize(
    ("path", "given", "status", "code"),
    [
        pytest.param("/", None, 401, "no-token", id="default-none"),
        pytest.param("/", "good", 200, None, id="default-good"),
        pytest.param("/", "bad", 401, "malformed-token", id="default-bad"),
        pytest.param("/", "empty", 401, "malformed-token", id="default-empty"),
        pytest.param("/", "other", 401, "wrong-audience", id="default-other-application"),
        pytest.param("/", "expired", 401, "expired", id="default-expired"),
        pytest.param("/", "service", 200, None, id="default-service"),
        pytest.param("/", "organisation", 401, "wrong-token-type", id="default-organisation-token"),
        pytest.param("/", "stranger", 401, "unknown-key", id="default-unknown-key"),
        pytest.param("/", "twice", 401, "duplicate-token", id="default-two-headers"),
        pytest.param("/healthz", None, 200, None, id="public-none"),
        pytest.param("/healthz", "good", 200, None, id="public-good"),
        pytest.param("/healthz", "bad", 200, None, id="public-bad"),
        pytest.param("/healthz", "twice", 200, None, id="public-two-headers"),
        pytest.param("/healthz/", None, 200, None, id="public-trailing-slash"),
        pytest.param("/healthz-admin", None, 401, "no-token", id="not-a-prefix"),
        pytest.param("/HEALTHZ", None, 401, "no-token", id="public-by-case"),
        pytest.param("/maybe", None, 200, None, id="optional-none"),
        pytest.param("/maybe", "good", 200, None, id="optional-good"),
        pytest.param("/maybe", "bad", 401, "malformed-token", id="optional-bad"),
        pytest.param("/other/x", "good", 401, "wrong-audience", id="own-audience-usual-token"),
        pytest.param("/other/x", "other", 200, None, id="own-audience-own-token"),
        pytest.param("/a\nb", "good", 400, "ambiguous-path", id="ambiguous-good-token"),
        pytest.param("/healthz/../x", None, 400, "ambiguous-path", id="ambiguous-none"),
        pytest.param("", "good", 400, "ambiguous-path", id="no-path"),
    ],
)
def test_who_reaches_the_application(
    ask: Ask, team: Issuer, path: str, given: str | None, status: int, code: str | None
) -> None:
    tokens: dict[str, Callable[[], str]] = {
        "good": lambda: team.user("alice@example.com", audience=AUD),
        "bad": lambda: "x",
        "empty": lambda: "",
        "other": lambda: team.user("alice@example.com", audience=OTHER_AUD),
        "expired": lambda: team.user("alice@example.com", audience=AUD, expires_in=-60),
        "service": lambda: team.service(audience=AUD),
        "organisation": lambda: team.organisation(audience=AUD),
        "stranger": lambda: Issuer("acme").user(audience=AUD),
        "twice": lambda: team.user("alice@example.com", audience=AUD),
    }
    headers = () if given is None else ((ASSERTION, tokens[given]()),) * (2 if given == "twice" else 1)
    answer = ask(Request(path=path, headers=headers), rules=RULES)
    assert answer.status == status
    assert (answer.seen is not None) is (status == 200)
    if code is not None:
        assert json.loads(answer.body)["code"] == code
        assert answer.headers["cache-control"] == "no-store"
    if answer.seen is not None:
        assert (answer.seen.identity is not None) is (given in ("good", "other", "service"))
        assert answer.seen.current is answer.seen.identity
    assert current_identity() is None, "nobody is left behind"


def test_the_application_knows_who_asks(ask: Ask, team: Issuer) -> None:
    answer = ask(Request.with_token(team.user("alice@example.com", audience=AUD)))
    assert answer.seen is not None
    assert answer.seen.identity is not None
    assert (answer.seen.identity.kind, answer.seen.identity.email) == ("user", "alice@example.com")
    assert answer.seen.headers[EMAIL] == "alice@example.com"


@pytest.mark.parametrize("path", ["/", "/healthz"])
@pytest.mark.parametrize("signed_in", [True, False])
def test_spoofed_headers_never_arrive(ask: Ask, team: Issuer, path: str, signed_in: bool) -> None:
    spoofed = (
        (EMAIL, "boss@example.com"),
        ("Cf-Access-Client-Id", "boss@"),
        ("cf_access_anything", "boss@"),
        ("Remote-User", "boss@"),
        ("x-user", "boss@"),
    )
    headers = ((ASSERTION, team.user("alice@example.com", audience=AUD)),) if signed_in else ()
    answer = ask(Request(path=path, headers=(*spoofed, *headers)), rules=RULES, scrub=["X-User"])
    if path == "/" and not signed_in:
        assert answer.seen is None
        return
    assert answer.seen is not None
    assert "boss@" not in str(answer.seen.headers), "which no random token can spell"
    assert answer.seen.headers.get(EMAIL) == ("alice@example.com" if signed_in else None)


def test_a_bad_token_is_taken_from_a_public_request(ask: Ask) -> None:
    answer = ask(Request(path="/healthz", headers=((ASSERTION, "x"), ("accept", "*/*"))), rules=RULES)
    assert answer.seen is not None
    assert answer.seen.headers == {"accept": "*/*"}


@pytest.mark.parametrize(
    ("options", "cookie", "header", "status"),
    [
        pytest.param({}, "good", None, 401, id="not-enabled"),
        pytest.param({"cookie": True}, "good", None, 200, id="enabled"),
        pytest.param({"cookie": True}, "bad; CF_Authorization=good", None, 200, id="second-of-two"),
        pytest.param({"cookie": True}, "good", "bad", 401, id="a-bad-header-wins"),
        pytest.param({"cookie": True}, "good", "", 401, id="an-empty-header-wins"),
        pytest.param({"cookie": True}, "bad; " + "CF_Authorization=bad; " * 4, None, 401, id="too-many"),
    ],
)
def test_cookies_count_where_they_are_enabled(
    ask: Ask, team: Issuer, options: dict[str, Any], cookie: str, header: str | None, status: int
) -> None:
    line = "a=b; CF_Authorization=" + cookie.replace("good", team.user("alice@example.com", audience=AUD))
    headers = (("cookie", line), *(() if header is None else ((ASSERTION, header),)))
    answer = ask(Request(headers=headers), **options)
    assert answer.status == status
    if answer.seen is not None:
        assert answer.seen.headers[ASSERTION].count(".") == 2, "so that wrapping twice works"


@pytest.mark.parametrize(
    ("options", "method", "headers", "status"),
    [
        pytest.param({}, "OPTIONS", ORIGIN, 401, id="not-allowed"),
        pytest.param({"allow_preflight": True}, "OPTIONS", ORIGIN, 200, id="allowed"),
        pytest.param({"allow_preflight": True}, "OPTIONS", (*ORIGIN, (ASSERTION, "x")), 200, id="with-a-bad-token"),
        pytest.param({"allow_preflight": True}, "OPTIONS", ORIGIN[:1], 401, id="not-a-preflight"),
        pytest.param({"allow_preflight": True}, "GET", ORIGIN, 401, id="another-method"),
    ],
)
def test_preflights(ask: Ask, options: dict[str, Any], method: str, headers: Any, status: int) -> None:
    answer = ask(Request(method=method, headers=headers), **options)
    assert answer.status == status
    if answer.seen is not None:
        assert answer.seen.identity is None
        assert ASSERTION not in answer.seen.headers


def test_a_preflight_for_an_ambiguous_path_is_refused(ask: Ask) -> None:
    assert ask(Request(path="/a\\b", method="OPTIONS", headers=ORIGIN), allow_preflight=True).status == 400


@pytest.mark.parametrize(
    ("options", "status", "challenge"),
    [
        pytest.param({}, 401, 'Cloudflare-Access realm="acme.cloudflareaccess.com"', id="401"),
        pytest.param({"unauthenticated_status": 403}, 403, None, id="403"),
    ],
)
def test_the_status_for_nobody_is_configurable(
    ask: Ask, options: dict[str, Any], status: int, challenge: str | None
) -> None:
    answer = ask(Request(), **options)
    assert (answer.status, answer.headers.get("www-authenticate")) == (status, challenge)


def test_a_person_gets_a_page(ask: Ask) -> None:
    answer = ask(Request(headers=(("sec-fetch-mode", "navigate"),)))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<h1>Not signed in</h1>" in answer.body


def test_head_gets_no_body(ask: Ask) -> None:
    answer = ask(Request(method="HEAD"))
    assert (answer.status, answer.body) == (401, b"")


def test_hosts_choose_the_audience(ask: Ask, team: Issuer) -> None:
    rules = [
        Rule.token("/*", hosts=["a.example"], audience=AUD),
        Rule.token("/*", hosts=["b.example"], audience=OTHER_AUD),
    ]
    token = team.user(audience=OTHER_AUD)
    for host, status in (("b.example:8443", 200), ("a.example", 401), ("c.example", 400)):
        request = Request.with_token(token, "/", ("host", host))
        assert ask(request, rules=rules, host_routing=True).status == status


def test_a_mounted_application_is_protected_as_the_client_sees_it(ask: Ask) -> None:
    rules = [Rule.public("/api/healthz")]
    assert ask(Request(path="/api/healthz", root_path="/api"), rules=rules).status == 200
    assert ask(Request(path="/api/x", root_path="/api"), rules=rules).status == 401


def test_listeners_hear_of_refusals_and_never_of_tokens(ask: Ask, team: Issuer) -> None:
    heard: list[Any] = []
    token = team.user("alice@example.com", audience=OTHER_AUD)
    ask(Request.with_token(token, "/secret\u00e9"), listeners=[heard.append])
    (event,) = heard
    assert event.name == "token-refused"
    assert event.facts == {"code": "wrong-audience", "method": "'GET'", "path": event.facts["path"]}
    assert "alice" not in repr(event)


def test_a_listener_that_raises_changes_nothing(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("broken")

    assert ask(Request(), listeners=[broken]).status == 401
    assert "a listener failed on token-refused" in caplog.text


@pytest.mark.parametrize(
    ("path", "given", "code"),
    [
        pytest.param("/", None, "no-token", id="nobody"),
        pytest.param("/", "x", "malformed-token", id="bad-token"),
        pytest.param("/a\nb", None, "ambiguous-path", id="ambiguous"),
    ],
)
def test_report_only_refuses_nothing_and_tells(ask: Ask, path: str, given: str | None, code: str) -> None:
    heard: list[Any] = []
    headers = () if given is None else ((ASSERTION, given),)
    answer = ask(
        Request(path=path, headers=(*headers, ("remote-user", "boss"))), report_only=True, listeners=[heard.append]
    )
    assert answer.status == 200
    assert answer.seen is not None
    assert answer.seen.identity is None
    assert answer.seen.headers == {}, "what was not verified is not shown either"
    loud, event = heard
    assert (loud.name, loud.level) == ("report-only", logging.WARNING)
    assert (event.name, event.facts["code"]) == ("only-reported", code)


def test_a_person_who_is_not_signed_in_is_sent_to_the_login_where_that_is_wanted(ask: Ask) -> None:
    navigation = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("host", "app.example:8443"))
    answer = ask(Request(path="/a", headers=navigation), login_redirect=True)
    assert answer.status == 302
    assert answer.headers["location"] == (
        f"https://acme.cloudflareaccess.com/cdn-cgi/access/login/app.example?kid={AUD}&redirect_url=%2Fa"
    )
    marker = answer.headers["set-cookie"].partition(";")[0]
    again = ask(Request(path="/a", headers=(*navigation, ("cookie", marker))), login_redirect=True)
    assert again.status == 401, "once, or a browser that keeps no cookies would go round for ever"
    assert ask(Request(path="/a"), login_redirect=True).status == 401, "programs are told"


def test_an_answer_of_ones_own(ask: Ask) -> None:
    def on_refusal(refused: Any) -> Any:
        return (418, {"X-Why": refused.code}, f"{refused.method} {refused.path}")

    answer = ask(Request(path="/a"), on_refusal=on_refusal)
    assert (answer.status, answer.body, answer.headers["x-why"]) == (418, b"GET /a", "no-token")
    assert answer.headers["cache-control"] == "no-store"


OFFICE = Rule.allow("/admin/*", emails="alice@example.com", ips="192.0.2.0/24")


@pytest.mark.parametrize(
    ("peers", "address", "status"),
    [
        pytest.param(["unix"], "192.0.2.7", 200, id="from-the-office"),
        pytest.param(["unix"], "203.0.113.9", 403, id="from-elsewhere"),
        pytest.param(["unix"], None, 403, id="not-told"),
        pytest.param(["unix"], "192.0.2.7, 192.0.2.7", 403, id="told-twice"),
        pytest.param(["10.0.0.0/8"], "192.0.2.7", 403, id="told-by-somebody-else"),
    ],
)
def test_addresses_count_from_trusted_peers_only(
    ask: Ask, team: Issuer, peers: list[str], address: str | None, status: int
) -> None:
    told = () if address is None else (("cf-connecting-ip", address),)
    token = team.user("alice@example.com", audience=AUD)
    answer = ask(Request.with_token(token, "/admin/x", *told), rules=[OFFICE], trusted_peers=peers)
    assert answer.status == status
    if status == 403:
        assert json.loads(answer.body)["code"] == "not-permitted"


def test_a_rule_for_addresses_needs_somebody_to_trust(ask: Ask) -> None:
    with pytest.raises(ConfigurationError, match="trusted_peers: is empty"):
        ask(Request(), rules=[OFFICE])
    with pytest.raises(ConfigurationError, match="certificate_headers: counts for nothing"):
        ask(Request(), certificate_headers=True)


def test_methods_are_told_apart_by_policies(ask: Ask, team: Issuer) -> None:
    policies = [{"decision": "allow", "include": [{"methods": ["GET"]}]}]
    request = Request.with_token(team.user(audience=AUD))
    assert ask(request, policies=policies).status == 200
    assert ask(replace(request, method="POST"), policies=policies).status == 403


def test_one_rule_may_only_report(ask: Ask, team: Issuer) -> None:
    heard: list[Any] = []
    rules = [Rule.allow("/new/*", emails="bob@example.com", report_only=True), Rule.deny("/old/*")]
    token = team.user("alice@example.com", audience=AUD)
    answer = ask(Request.with_token(token, "/new/x"), rules=rules, listeners=[heard.append])
    assert answer.status == 200
    assert answer.seen is not None
    assert answer.seen.identity is not None, "who it is was verified, whatever the policies say"
    assert [event.name for event in heard] == ["report-only", "only-reported"]
    assert heard[0].facts["paths"] == "'/new/*'"
    assert ask(Request.with_token(token, "/old/x"), rules=rules).status == 403
