"""What becomes of an answer that somebody else wrote."""

from typing import Any

import pytest

from cfaccess_mw.wire.response import Response, for_method, own_response

DEFAULT = Response(
    status=401,
    headers=(
        ("Content-Type", "application/problem+json"),
        ("Content-Length", "2"),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Sec-Fetch-Mode"),
        ("WWW-Authenticate", "Cloudflare-Access"),
        ("Retry-After", "7"),
    ),
    body=b"{}",
)
FORCED = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Sec-Fetch-Mode",
}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("given", "status", "headers", "body"),
    [
        pytest.param((403, {}, b"no"), 403, TEXT, b"no", id="bytes"),
        pytest.param((403, {}, "n\xf6"), 403, TEXT, "n\xf6".encode(), id="text"),
        pytest.param([403, [], b""], 403, TEXT, b"", id="a-list"),
        pytest.param((404, [("content-type", "text/html")], b""), 404, {"content-type": "text/html"}, b"", id="pairs"),
        pytest.param((404, [["X-A", "b"]], b""), 404, {"X-A": "b"} | TEXT, b"", id="pairs-as-lists"),
        pytest.param(
            Response(status=302, headers=(("Location", "/x"), *HTML.items()), body=b""),
            302,
            {"Location": "/x"} | HTML,
            b"",
            id="a-response",
        ),
        pytest.param(
            (599, {"X-Empty": "", "X-Long": "a b~!"}, b""),
            599,
            {"X-Empty": "", "X-Long": "a b~!"} | TEXT,
            b"",
            id="values",
        ),
        pytest.param((300, {}, b""), 300, TEXT, b"", id="lowest"),
        pytest.param(
            (401, {}, b""), 401, TEXT | {"WWW-Authenticate": "Cloudflare-Access"}, b"", id="a-challenge-is-added"
        ),
        pytest.param(
            (401, {"www-authenticate": "X"}, b""), 401, {"www-authenticate": "X"} | TEXT, b"", id="their-challenge"
        ),
        pytest.param((503, {}, b""), 503, TEXT | {"Retry-After": "7"}, b"", id="retry-after-is-added"),
        pytest.param((503, {"Retry-after": "9"}, b""), 503, {"Retry-after": "9"} | TEXT, b"", id="their-retry-after"),
    ],
)
def test_what_may_be_sent(given: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    made = own_response(given, default=DEFAULT)
    assert (made.status, made.body) == (status, body)
    assert dict(made.headers) == headers | FORCED | {"Content-Length": str(len(body))}


@pytest.mark.parametrize(
    "name",
    [
        "Cache-Control",
        "CDN-Cache-Control",
        "Cloudflare-CDN-Cache-Control",
        "Surrogate-Control",
        "Expires",
        "Pragma",
        "X-Content-Type-Options",
        "Content-Length",
    ],
)
@pytest.mark.parametrize("form", [str, str.lower, str.upper], ids=["as-usual", "lower", "upper"])
def test_nobody_keeps_a_refusal(name: str, form: Any) -> None:
    made = own_response((403, {form(name): "max-age=600"}, b"abc"), default=DEFAULT)
    assert "max-age" not in str(made.headers)
    assert dict(made.headers) == TEXT | FORCED | {"Content-Length": "3"}


@pytest.mark.parametrize(
    ("theirs", "sent"),
    [
        pytest.param([], "Accept, Sec-Fetch-Mode", id="none"),
        pytest.param(["Cookie"], "Accept, Sec-Fetch-Mode, Cookie", id="another"),
        pytest.param(["accept,Origin", "cookie ,"], "Accept, Sec-Fetch-Mode, Origin, cookie", id="lines"),
        pytest.param(["*"], "Accept, Sec-Fetch-Mode, *", id="everything"),
    ],
)
def test_vary_names_what_either_answer_depends_on(theirs: list[str], sent: str) -> None:
    made = own_response((403, [("vary", value) for value in theirs], b""), default=DEFAULT)
    assert [value for name, value in made.headers if name == "Vary"] == [sent]
    assert "vary" not in dict(made.headers)


def test_cookies_stay_as_many_as_they_are() -> None:
    made = own_response((403, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b""), default=DEFAULT)
    assert [value for name, value in made.headers if name == "Set-Cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("no", "neither None", id="text"),
        pytest.param(True, "neither None", id="a-boolean"),
        pytest.param((403, b"no"), "neither None", id="a-pair"),
        pytest.param({"status": 403}, "neither None", id="a-mapping"),
        *(pytest.param((status, {}, b""), "300 to 599", id=f"status-{status}") for status in (100, 101, 200, 204, 299)),
        *(pytest.param((status, {}, b""), "300 to 599", id=f"status-{status}") for status in (304, 600, 0, -1)),
        *(pytest.param((status, {}, b""), "300 to 599", id=f"status-{status!r}") for status in ("403", None, 403.0)),
        pytest.param(Response(status=200, headers=(), body=b""), "300 to 599", id="a-response-that-lets-through"),
        pytest.param((403, {}, None), "body", id="no-body"),
        pytest.param((403, {}, ["x"]), "body", id="a-body-in-parts"),
        pytest.param((403, {}, "\ud800"), "surrogate", id="a-body-that-is-no-text"),
        pytest.param((403, ["X-A"], b""), "pair", id="half-a-header"),
        pytest.param((403, [(b"X-A", b"b")], b""), "pair", id="headers-as-bytes"),
        pytest.param((403, {"X-A": 1}, b""), "pair", id="a-number"),
        *(
            pytest.param((403, {name: "x"}, b""), "name", id=f"name-{name!r}")
            for name in ("", "X A", "X:A", "X\r\nY", "X-\xe4", "X\n", "-X", "X-", "X_")
        ),
        *(
            pytest.param((403, {name: "x"}, b""), "server's", id=f"name-{name}")
            for name in ("Connection", "transfer-encoding", "UPGRADE", "Keep-Alive", "Status")
        ),
        *(
            pytest.param((403, {"X-A": value}, b""), "value of the header X-A", id=f"value-{value!r}")
            for value in ("a\r\nSet-Cookie: b=c", "a\n", "a\rb", "a\0b", "a\tb", "\x7f", "\xe4", "\u4e2d", " a", "a ")
        ),
    ],
)
def test_what_may_not(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        own_response(given, default=DEFAULT)
    assert "b=c" not in str(caught.value), "values are not quoted"


@pytest.mark.parametrize(("method", "body"), [("GET", b"{}"), ("HEAD", b""), ("POST", b"{}"), ("head", b"{}")])
def test_head_has_the_headers_and_no_body(method: str, body: bytes) -> None:
    sent = for_method(DEFAULT, method)
    assert (sent.status, sent.headers, sent.body) == (DEFAULT.status, DEFAULT.headers, body)


@pytest.mark.parametrize(("status", "phrase"), [(401, "Unauthorized"), (302, "Found"), (499, "Refused")])
def test_a_status_line_has_a_phrase(status: int, phrase: str) -> None:
    assert Response(status=status, headers=(), body=b"").phrase == phrase
