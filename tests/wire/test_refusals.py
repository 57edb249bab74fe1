"""How refusals look, to programs and to people, and who may have them look otherwise."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cfaccess_mw.core.errors import (
    AmbiguousPath,
    Expired,
    KeysUnavailable,
    NoToken,
    NotPermitted,
    Refused,
    WrongAudience,
)
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.login import LOGOUT_PATH, marker
from cfaccess_mw.wire.refusals import Response
from tests.tokens import AUD
from tests.wire.refusing import LOGIN, NAVIGATION, RAY, TEAM_URL, asked, every_refusal, refusals


def answer(error: Refused, sent: Mapping[str, str] | None = None, *, method: str = "GET", **options: Any) -> Response:
    """What a door that says no more than it must gets."""
    return refusals(**options).response(error, method=method, header=lambda name: (sent or {}).get(name, ""))


def sign_in(error: Refused | None = None, sent: Mapping[str, str] | None = None, **changed: Any) -> Response:
    """What is answered where people are sent to sign in."""
    door = refusals(team_url=TEAM_URL, audience=(AUD,), login_redirect=True)
    return door.response(error or NoToken(), **asked(sent, **changed))


@pytest.mark.parametrize(
    ("error", "unauthenticated_status", "status", "challenge", "retry_after"),
    [
        pytest.param(NoToken(), 401, 401, 'Cloudflare-Access realm="acme.cloudflareaccess.com"', None, id="no-token"),
        pytest.param(
            Expired(),
            401,
            401,
            'Cloudflare-Access realm="acme.cloudflareaccess.com", error="invalid_token"',
            None,
            id="bad-token",
        ),
        pytest.param(NoToken(), 403, 403, None, None, id="no-token-managed-oauth"),
        pytest.param(Expired(), 403, 403, None, None, id="bad-token-managed-oauth"),
        pytest.param(NotPermitted(), 401, 403, None, None, id="not-permitted"),
        pytest.param(AmbiguousPath(), 401, 400, None, None, id="ambiguous"),
        pytest.param(KeysUnavailable(), 401, 503, None, "1", id="unavailable"),
        pytest.param(KeysUnavailable(retry_after=0.0), 401, 503, None, "1", id="unavailable-now"),
        pytest.param(KeysUnavailable(retry_after=29.2), 401, 503, None, "30", id="unavailable-for-a-while"),
    ],
)
def test_status_and_headers(
    error: Refused, unauthenticated_status: int, status: int, challenge: str | None, retry_after: str | None
) -> None:
    response = answer(error, unauthenticated_status=unauthenticated_status)
    headers = dict(response.headers)
    assert response.status == status
    assert headers.get("WWW-Authenticate") == challenge
    assert headers.get("Retry-After") == retry_after
    assert headers["Cache-Control"] == "no-store"
    assert headers["Vary"] == "Accept, Sec-Fetch-Mode"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Length"] == str(len(response.body))
    assert json.loads(response.body)["status"] == status


@pytest.mark.parametrize("kind", list(every_refusal()), ids=lambda kind: kind.__name__)
def test_every_refusal_can_be_shown(kind: type[Refused]) -> None:
    problem = answer(kind())
    assert dict(problem.headers)["Content-Type"] == "application/problem+json"
    assert json.loads(problem.body) == {
        "type": f"urn:cfaccess:refusal:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail,
        "code": kind.code,
    }
    page = answer(kind(), NAVIGATION)
    assert dict(page.headers)["Content-Type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in dict(page.headers)["Content-Security-Policy"]
    assert kind.code in page.body.decode()
    assert f"<dd>{kind.status}</dd>" in page.body.decode()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(RAY, RAY, id="a-ray"),
        pytest.param("", None, id="none"),
        pytest.param(RAY + "\r\nX: y", None, id="injection"),
        pytest.param("<script>", None, id="markup"),
        pytest.param("8F1A2B3C4D5E6F70-FRA", None, id="upper-case"),
        pytest.param("8f1a2b3c4d5e6f70-FRA\n", None, id="newline-at-the-end"),
        pytest.param(f"{RAY}, {RAY}", None, id="two"),
        pytest.param("8" * 65_536, None, id="endless"),
    ],
)
def test_only_a_true_ray_is_repeated(sent: str, shown: str | None) -> None:
    problem = json.loads(answer(NoToken(), {"cf-ray": sent}).body)
    assert problem.get("instance") == shown
    page = answer(NoToken(), {**NAVIGATION, "cf-ray": sent}).body.decode()
    assert (shown or "<dd>none</dd>") in page


HOSTILE = {
    "injection": "x\r\nSet-Cookie: a=b",
    "markup": "\"'><script>alert(1)</script>",
    "placeholder": "$code ${ray} $$",
    "bytes": "\xe4\xff\x00\x7f",
    "endless": "a" * 65_536,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["host", "path", "query", "scheme", "cf-ray", "accept", "cookie", "sec-fetch-dest"])
def test_nothing_of_the_request_breaks_out(place: str, hostile: str) -> None:
    error = NoToken()
    if place in ("path", "query", "scheme"):
        changed: dict[str, Any] = {place: "/" + hostile if place == "path" else hostile}
        response = sign_in(error, **changed)
    else:
        response = sign_in(error, NAVIGATION | {place: hostile})
    assert response.status in (302, 401)
    for name, value in response.headers:
        assert (name + value).isascii()
        assert (name + value).isprintable(), name
        assert len(value) < 8_192
    assert "a=b" not in dict(response.headers).get("Set-Cookie", "")
    assert b"<script" not in response.body
    assert len(response.body) < 16_384
    assert {name for name, _ in response.headers} <= {
        "Content-Type",
        "Content-Security-Policy",
        "Referrer-Policy",
        "Content-Length",
        "Cache-Control",
        "X-Content-Type-Options",
        "Vary",
        "WWW-Authenticate",
        "Location",
        "Set-Cookie",
    }


@pytest.mark.parametrize("sent", [{}, NAVIGATION], ids=["program", "person"])
def test_head_has_the_headers_and_no_body(sent: dict[str, str]) -> None:
    head, get = answer(NoToken(), sent, method="HEAD"), answer(NoToken(), sent)
    assert head.body == b""
    assert head.headers == get.headers


def test_people_are_sent_to_sign_in() -> None:
    response = sign_in()
    headers = dict(response.headers)
    assert response.status == 302
    assert headers["Location"] == LOGIN + "%2Freports%3Fq%3D1"
    assert headers["Set-Cookie"] == marker("https")
    assert headers["Cache-Control"] == "no-store"
    assert {"Accept", "Sec-Fetch-Mode", "X-Requested-With", "Cookie"} <= set(headers["Vary"].split(", "))
    assert b"Sign in</a>" in response.body, "for who does not follow redirects"
    assert sign_in(method="HEAD") == Response(status=302, headers=response.headers, body=b"")
    assert dict(sign_in(scheme="http").headers)["Set-Cookie"] == marker("http")


@pytest.mark.parametrize(
    ("error", "sent", "changed", "status"),
    [
        pytest.param(NoToken(), {}, {}, 302, id="nobody"),
        pytest.param(Expired(), {}, {}, 302, id="expired"),
        pytest.param(WrongAudience(), {}, {}, 401, id="another-application's"),
        pytest.param(NotPermitted(), {}, {}, 403, id="not-permitted"),
        pytest.param(KeysUnavailable(), {}, {}, 503, id="unavailable"),
        pytest.param(AmbiguousPath(), {}, {}, 400, id="ambiguous"),
        pytest.param(NoToken(), {"cookie": "a=b; cfaccess_login=1"}, {}, 401, id="just-been-there"),
        pytest.param(NoToken(), {"cookie": "a=b"}, {}, 302, id="other-cookies"),
        pytest.param(NoToken(), {"sec-fetch-mode": "cors"}, {}, 401, id="fetch"),
        pytest.param(NoToken(), {"sec-fetch-dest": "iframe"}, {}, 401, id="a-frame"),
        pytest.param(NoToken(), {"x-requested-with": "XMLHttpRequest"}, {}, 401, id="xhr"),
        pytest.param(NoToken(), {"sec-fetch-mode": "", "accept": "text/html"}, {}, 302, id="an-older-browser"),
        pytest.param(NoToken(), {"sec-fetch-mode": "", "accept": "application/json"}, {}, 401, id="an-api"),
        pytest.param(NoToken(), {"host": "a b"}, {}, 401, id="no-host"),
        pytest.param(NoToken(), {}, {"method": "POST"}, 401, id="a-form"),
        pytest.param(NoToken(), {}, {"audiences": ()}, 401, id="no-audience"),
    ],
)
def test_who_is_redirected(error: Refused, sent: dict[str, str], changed: dict[str, Any], status: int) -> None:
    response = sign_in(error, NAVIGATION | sent, **changed)
    assert response.status == status
    assert ("Location" in dict(response.headers)) is (status == 302)
    assert ("Set-Cookie" in dict(response.headers)) is (status == 302)


@pytest.mark.parametrize("unauthenticated_status", [401, 403])
def test_a_redirect_is_the_same_whatever_the_status_would_be(unauthenticated_status: int) -> None:
    door = refusals(unauthenticated_status=unauthenticated_status, team_url=TEAM_URL, login_redirect=True)
    response = door.response(NoToken(), **asked())
    assert response.status == 302
    assert f"<dd>{unauthenticated_status}</dd>".encode() in response.body


@pytest.mark.parametrize(
    ("options", "changed", "href"),
    [
        pytest.param({"team_url": TEAM_URL}, {}, LOGIN + "%2Freports%3Fq%3D1", id="a-link"),
        pytest.param({"team_url": TEAM_URL}, {"method": "POST"}, LOGIN + "%2F", id="a-form-is-not-sent-again"),
        pytest.param({"team_url": TEAM_URL}, {"method": "HEAD"}, None, id="head"),
        pytest.param({}, {}, None, id="no-team"),
    ],
)
def test_without_the_redirect_people_are_shown_the_way(
    options: dict[str, Any], changed: dict[str, Any], href: str | None
) -> None:
    response = refusals(**options).response(NoToken(), **asked(**changed))
    assert response.status == 401
    assert "Location" not in dict(response.headers)
    shown = response.body.decode()
    assert ("<a href" in shown) is (href is not None)
    assert href is None or f'<a href="{href.replace("&", "&amp;")}">' in shown


def test_who_may_be_somebody_else_can_sign_out(person: Identity, machine: Identity) -> None:
    for identity, offered in ((None, True), (person, True), (machine, False)):
        response = refusals().response(NotPermitted(), **asked(identity=identity))
        assert (f'<a href="{LOGOUT_PATH}">'.encode() in response.body) is offered
    assert LOGOUT_PATH.encode() not in refusals().response(NoToken(), **asked(identity=person)).body


@pytest.mark.parametrize("sent", [{}, NAVIGATION], ids=["program", "person"])
def test_nobody_is_named(person: Identity, sent: dict[str, str]) -> None:
    response = refusals(team_url=TEAM_URL).response(NotPermitted(), **asked(sent, identity=person))
    for known in (person.id, str(person.email), person.audience[0] + '"'):
        assert known not in response.body.decode()
        assert known not in str(response.headers)


def test_an_own_template_is_used(tmp_path: Path) -> None:
    path = tmp_path / "refusal.html"
    path.write_text("<h1>Ours</h1>$code")
    response = answer(NoToken(), NAVIGATION, template=path)
    assert response.body == b"<h1>Ours</h1>no-token"
    assert "'unsafe-inline'" in dict(response.headers)["Content-Security-Policy"]
    assert dict(answer(NoToken(), template=path).headers)["Content-Type"] == "application/problem+json"
