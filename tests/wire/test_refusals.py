"""How refusals look, to programs and to people."""

import json
from collections.abc import Iterator, Mapping

import pytest

from cfaccess_mw.core.errors import (
    AmbiguousPath,
    Expired,
    KeysUnavailable,
    NoToken,
    NotPermitted,
    Refused,
)
from cfaccess_mw.wire.refusals import Refusals, Response

RAY = "8f1a2b3c4d5e6f70-FRA"
NAVIGATION = {"sec-fetch-mode": "navigate"}


def answer(
    error: Refused, sent: Mapping[str, str] | None = None, *, method: str = "GET", unauthenticated_status: int = 401
) -> Response:
    refusals = Refusals(realm="acme.cloudflareaccess.com", unauthenticated_status=unauthenticated_status)
    return refusals.response(error, method=method, header=lambda name: (sent or {}).get(name, ""))


def every_refusal(base: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for kind in base.__subclasses__():
        yield kind
        yield from every_refusal(kind)


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
    assert kind.code in page.body.decode()
    assert "$" not in page.body.decode(), "every place of the template is filled"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(RAY, RAY, id="a-ray"),
        pytest.param("", None, id="none"),
        pytest.param(RAY + "\r\nX: y", None, id="injection"),
        pytest.param("<script>", None, id="markup"),
        pytest.param("8F1A2B3C4D5E6F70-FRA", None, id="upper-case"),
        pytest.param("8f1a2b3c4d5e6f70-FRA\n", None, id="newline-at-the-end"),
    ],
)
def test_only_a_true_ray_is_repeated(sent: str, shown: str | None) -> None:
    problem = json.loads(answer(NoToken(), {"cf-ray": sent}).body)
    assert problem.get("instance") == shown
    page = answer(NoToken(), {**NAVIGATION, "cf-ray": sent}).body.decode()
    assert (shown or "<dd>none</dd>") in page


def test_the_page_may_do_nothing_but_be_read() -> None:
    response = answer(NoToken(), NAVIGATION)
    policy = dict(response.headers)["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in response.body.decode()
    assert 'lang="en"' in response.body.decode()


@pytest.mark.parametrize("sent", [{}, NAVIGATION], ids=["program", "person"])
def test_head_has_the_headers_and_no_body(sent: dict[str, str]) -> None:
    head, get = answer(NoToken(), sent, method="HEAD"), answer(NoToken(), sent)
    assert head.body == b""
    assert head.headers == get.headers


def test_the_status_line_has_a_phrase() -> None:
    assert answer(NoToken()).phrase == "Unauthorized"
