"""Are links signed so that nothing of them can be changed, and refused for the right reason?"""

import logging
from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.edge.signed_urls import SignedURL, SignedURLs
from cfaccess_mw.edge.signed_urls_mac import is_timed_hmac_valid_v0, make_stamp
from cfaccess_mw.edge.signed_urls_refusals import LinkRefused

AT = 1_795_342_800
SECRET, OLDER, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2, "somebody else's secret"
LINKS = SignedURLs(secrets=SECRET, ttl=100)


def signed(message: str, separator: str = "?verify=", at: int = AT, secret: str = SECRET, flags: str = "") -> str:
    """A link that was put together by hand."""
    return f"{message}{separator}{make_stamp(secret.encode(), message.encode(), at, flags=flags).decode()}"


def code_of(links: SignedURLs, target: str | bytes, **given: Any) -> str:
    """Why a link is refused; nothing where it is not."""
    try:
        links.check(target, **{"now": AT + 1, **given})
    except LinkRefused as refusal:
        return str(refusal.code)
    return ""


def test_every_refusal_is_a_403_of_its_own() -> None:
    kinds: list[type[LinkRefused]] = [LinkRefused, *LinkRefused.__subclasses__()]
    assert {kind.status for kind in kinds} == {403}
    assert len({kind.code for kind in kinds}) == len(kinds) == 7


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        pytest.param("/images/cat.jpg", "/images/cat.jpg?verify=", id="a-path"),
        pytest.param("/", "/?verify=", id="the-shortest"),
        pytest.param("/a?x=1&y=2", "/a?x=1&y=2&verify=", id="with-a-query"),
        pytest.param("/a?", "/a?&verify=", id="with-an-empty-query"),
        pytest.param("/caf%C3%A9/%7Efile;v=1,2@x!", "/caf%C3%A9/%7Efile;v=1,2@x!?verify=", id="escapes-stay"),
        pytest.param("https://dl.example.com/a", "https://dl.example.com/a?verify=", id="an-address"),
        pytest.param("http://[::1]:8000/a?b", "http://[::1]:8000/a?b&verify=", id="an-address-with-a-port"),
    ],
)
@pytest.mark.parametrize("url_safe", [False, True], ids=["standard", "url-safe"])
def test_what_is_signed_is_taken(url: str, begins: str, url_safe: bool) -> None:
    links = SignedURLs(secrets=[SECRET, OLDER], ttl=100, url_safe=url_safe)
    made = links.sign(url, issued_at=AT + 0.9)
    assert made.startswith(f"{begins}{AT}-")
    target = "/" + made.split("/", 3)[3] if "://" in made else made
    path, _, query = target.partition("?")
    link = links.check(target, now=AT + 99.9)
    assert link == SignedURL(path=path, query=query.rpartition("&")[0], issued_at=AT, expires_at=AT + 100)
    assert links.check(target.encode(), now=AT) == link
    assert is_timed_hmac_valid_v0(SECRET, target, 100, AT + 99, 8, "s" if url_safe else ""), "as Cloudflare would"


def test_the_clock_is_used_where_no_time_is_given() -> None:
    made = LINKS.sign("/now")
    assert LINKS.check(made).expires_at - LINKS.check(made).issued_at == 100


GOOD = signed("/a?x=1", "&verify=")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param(GOOD, "", id="good"),
        pytest.param("/a?x=1", "link-missing", id="no-signature"),
        pytest.param("/a", "link-missing", id="no-query"),
        pytest.param("", "link-missing", id="nothing"),
        pytest.param("/a?x=1&verify", "link-malformed", id="the-name-alone"),
        pytest.param("/a?x=1&verify=", "link-malformed", id="an-empty-signature"),
        pytest.param(GOOD + "&y=2", "link-malformed", id="not-the-last-parameter"),
        pytest.param(GOOD.replace("verify", "Verify"), "link-missing", id="the-name-in-another-case"),
        pytest.param(GOOD.replace("x=1", "x=2"), "link-forged", id="another-query"),
        pytest.param(GOOD.replace("/a", "/b"), "link-forged", id="another-path"),
        pytest.param(GOOD.replace("/a", "/%61"), "link-forged", id="the-same-path-escaped"),
        pytest.param(GOOD.replace("/a", "//a"), "link-forged", id="another-slash"),
        pytest.param(GOOD.replace("x=1&", ""), "link-forged", id="without-its-query"),
        pytest.param(GOOD.replace("&verify", "?verify"), "link-missing", id="a-question-mark-for-the-ampersand"),
        pytest.param(signed("/a", "&verify="), "link-missing", id="an-ampersand-for-the-question-mark"),
        pytest.param(signed("/a", "/verify="), "link-missing", id="within-the-path"),
        pytest.param(GOOD + "%3D", "link-malformed", id="more"),
        pytest.param(GOOD[:-1], "link-malformed", id="less"),
        pytest.param(GOOD.replace(f"{AT}", f"{AT + 1}"), "link-forged", id="a-later-time"),
        pytest.param(signed("/a?verify=1", "&verify="), "link-malformed", id="the-parameter-twice"),
        pytest.param(signed("/a", secret=OTHER), "link-forged", id="another-secret"),
        pytest.param(signed("/a", flags="s"), "link-malformed", id="another-alphabet"),
        pytest.param(signed("a"), "link-malformed", id="not-a-path"),
        pytest.param(signed("/" + "a" * 8_192), "link-malformed", id="longer-than-a-request-line"),
        pytest.param(f"{GOOD}#", "link-malformed", id="a-fragment"),
        pytest.param(b"/a\xff?verify=" + GOOD.rpartition("=")[2].encode(), "link-forged", id="bytes-that-are-no-text"),
        pytest.param("/a\ud800?verify=x", "link-malformed", id="text-that-is-none"),
    ],
)
def test_what_is_refused_and_why(target: str | bytes, code: str) -> None:
    assert code_of(LINKS, target) == code


@pytest.mark.parametrize(
    ("at", "now", "code"),
    [
        pytest.param(AT, AT, "", id="at-once"),
        pytest.param(AT, AT + 99.99, "", id="as-long-as-now-is-less"),
        pytest.param(AT, AT + 100, "link-expired", id="and-no-longer"),
        pytest.param(AT + 60, AT, "", id="clocks-differ"),
        pytest.param(AT + 61, AT, "link-not-yet-valid", id="by-too-much"),
        pytest.param(9_999_999_999, AT, "link-not-yet-valid", id="at-the-end-of-time"),
    ],
)
def test_when_a_link_counts(at: int, now: float, code: str) -> None:
    assert code_of(LINKS, signed("/a", at=at), now=now) == code


def test_a_forged_link_is_not_said_to_have_expired() -> None:
    assert code_of(LINKS, signed("/a", secret=OTHER), now=AT + 1_000) == "link-forged"


def test_a_ttl_of_nothing_makes_the_timestamp_the_end() -> None:
    links = SignedURLs(secrets=SECRET, ttl=0)
    made = links.sign("/a", expires_at=AT + 1_000_000)
    assert links.check(made, now=AT).expires_at == AT + 1_000_000
    assert code_of(links, made, now=AT + 1_000_000) == "link-expired"
    with pytest.raises(ConfigurationError, match="expires_at: is missing"):
        links.sign("/a")


def test_a_link_may_end_earlier_than_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: AT + 0.5)
    made = LINKS.sign("/a", expires_at=AT + 30)
    assert LINKS.check(made).expires_at == AT + 30
    assert code_of(LINKS, made, now=AT + 30) == "link-expired"
    assert is_timed_hmac_valid_v0(SECRET, made, 100, AT + 29, 8), "at the edge too"
    with pytest.raises(ConfigurationError, match=r"expires_at: lies more than ttl \(100 seconds\) ahead"):
        LINKS.sign("/a", expires_at=AT + 101)


def test_the_first_secret_signs_and_all_verify() -> None:
    rotated = SignedURLs(secrets=[SECRET, OLDER], ttl=100)
    assert rotated.sign("/a", issued_at=AT) == LINKS.sign("/a", issued_at=AT)
    assert code_of(rotated, signed("/a", secret=OLDER)) == ""
    assert code_of(rotated, signed("/a", secret=OTHER)) == "link-forged"
    assert code_of(LINKS, signed("/a", secret=OLDER)) == "link-forged"


@pytest.mark.parametrize(
    ("signed_for", "shown", "code"),
    [
        pytest.param(["203.0.113.9"], ["203.0.113.9"], "", id="the-same"),
        pytest.param(["203.0.113.9", "alice@example.com"], ["203.0.113.9", "alice@example.com"], "", id="two"),
        pytest.param(["203.0.113.9"], ["203.0.113.8"], "link-forged", id="another"),
        pytest.param(["203.0.113.9"], [], "link-forged", id="bound-where-none-is"),
        pytest.param([], ["203.0.113.9"], "link-forged", id="not-bound-where-one-is"),
        pytest.param(["a", "b"], ["b", "a"], "link-forged", id="in-another-order"),
        pytest.param(["a", "b"], ["ab"], "link-forged", id="together"),
        pytest.param(["a"], [""], "link-unbound", id="nothing-is-shown"),
        pytest.param(["a"], ["a|/b"], "link-unbound", id="what-would-end-a-value"),
        pytest.param(["a"], ["a b"], "link-unbound", id="a-space"),
        pytest.param(["a"], ["é"], "link-unbound", id="not-ascii"),
        pytest.param(["a"], ["a" * 1_025], "link-unbound", id="too-long"),
    ],
)
def test_links_are_bound(signed_for: list[str], shown: list[str], code: str) -> None:
    assert code_of(LINKS, LINKS.sign("/a", bound=signed_for, issued_at=AT), bound=shown) == code


def test_what_is_bound_stands_before_the_path_as_a_rule_can_put_it_together() -> None:
    """``concat(http.request.cookies["sid"][0], "|", http.request.uri)``."""
    made = LINKS.sign("/a?x=1", bound=["s1d/7"], issued_at=AT)
    assert is_timed_hmac_valid_v0(SECRET, f"s1d/7|{made}", 100, AT, 8)


DIRECTORY = SignedURLs(secrets=SECRET, ttl=100, directory=len("/videos/ab12/"))
STAMP = DIRECTORY.sign("/videos/ab12/", issued_at=AT).partition("?")[2]


@pytest.mark.parametrize(
    ("target", "given", "code"),
    [
        pytest.param(f"/videos/ab12/?{STAMP}", {}, "", id="itself"),
        pytest.param(f"/videos/ab12/hd/1.ts?{STAMP}", {}, "", id="below"),
        pytest.param(f"/videos/ab12/caf%C3%A9.ts?{STAMP}", {}, "", id="below-with-escapes"),
        pytest.param(f"/videos/ab12?{STAMP}", {}, "link-malformed", id="without-its-slash"),
        pytest.param(f"/videos/ab13/1.ts?{STAMP}", {}, "link-forged", id="another-directory"),
        pytest.param(f"/videos/ab123/1.ts?{STAMP}", {}, "link-malformed", id="a-longer-name"),
        pytest.param(f"/videos/ab12/../ab13/1.ts?{STAMP}", {}, "link-malformed", id="dots"),
        pytest.param(f"/videos/ab12/%2e%2e/ab13/1.ts?{STAMP}", {}, "link-malformed", id="escaped-dots"),
        pytest.param(f"/videos/ab12/..%2f..%2fsecret?{STAMP}", {}, "link-malformed", id="escaped-slashes"),
        pytest.param(f"/videos/ab12/%252e%252e/x?{STAMP}", {}, "link-malformed", id="escaped-twice"),
        pytest.param(f"/videos/ab12/..\\x?{STAMP}", {}, "link-malformed", id="a-backslash"),
        pytest.param(f"/videos/ab12/..;/x?{STAMP}", {}, "link-malformed", id="parameters"),
        pytest.param(f"/videos/ab12/api/admin?{STAMP}", {"root_path": "/api"}, "link-malformed", id="a-mount-within"),
        pytest.param(f"/videos/ab12/1.ts?x=1&{STAMP}", {}, "link-forged", id="a-query-that-was-not-signed"),
    ],
)
def test_a_directory_is_signed_and_not_left(target: str, given: dict[str, Any], code: str) -> None:
    assert code_of(DIRECTORY, target, **given) == code


@pytest.mark.parametrize(
    "url", ["/videos/", "/videos/ab12", "/videos/ab123/", "/videos/ab12/../x", "/videos/ab12/%2e%2e/x"]
)
def test_what_is_no_directory_is_not_signed(url: str) -> None:
    with pytest.raises(ConfigurationError, match="url: "):
        DIRECTORY.sign(url)


def test_the_rule_for_cloudflare_is_told() -> None:
    assert LINKS.expression() == 'is_timed_hmac_valid_v0("…", http.request.uri, 100, http.request.timestamp.sec, 8)'
    named = SignedURLs(secrets=SECRET, ttl=60, parameter="token", url_safe=True)
    assert named.expression() == 'is_timed_hmac_valid_v0("…", http.request.uri, 60, http.request.timestamp.sec, 7, "s")'
    assert DIRECTORY.expression() == (
        'is_timed_hmac_valid_v0("…", concat(substring(http.request.uri.path, 0, 13), "?", http.request.uri.query), '
        "100, http.request.timestamp.sec, 0)"
    )
    at = f"/videos/ab12/1.ts?{STAMP}"
    assert is_timed_hmac_valid_v0(SECRET, at[:13] + "?" + at.partition("?")[2], 100, AT), "and it takes the link"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"secrets": ""}, "secrets: holds empty text", id="empty-secret"),
        pytest.param({"secrets": []}, "secrets: is empty", id="no-secret"),
        pytest.param({"secrets": None}, "secrets: is None", id="none"),
        pytest.param({"secrets": b"0123456789abcdef"}, "secrets: is 16 bytes", id="bytes"),
        pytest.param({"secrets": [SECRET, 7]}, "secrets: holds a number", id="a-number"),
        pytest.param({"secrets": [SECRET, ""]}, "secrets: holds empty text", id="an-empty-one-among-them"),
        pytest.param({"secrets": SECRET + "\n"}, "secrets: holds text of 33 characters", id="a-line-end"),
        pytest.param({"secrets": f" {SECRET}"}, "secrets: holds text of 33 characters", id="a-space-in-front"),
        pytest.param({"secrets": "\udc80" * 20}, "secrets: holds text of 20 characters", id="no-text"),
        pytest.param({"ttl": -1}, "ttl: is a number; give whole seconds", id="negative-ttl"),
        pytest.param({"ttl": 1.5}, "ttl: is a number", id="ttl-with-a-fraction"),
        pytest.param({"ttl": True}, "ttl: is a boolean", id="ttl-true"),
        pytest.param({"ttl": 315_360_001}, "ttl: is a number", id="ttl-of-eleven-years"),
        pytest.param({"parameter": ""}, "parameter: is empty text", id="no-parameter"),
        pytest.param({"parameter": "a=b"}, "parameter: is text of 3 characters", id="a-sign-in-the-parameter"),
        pytest.param({"parameter": None}, "parameter: is None", id="parameter-none"),
        pytest.param({"url_safe": 1}, "url_safe: is a number", id="url-safe-1"),
        pytest.param({"leeway": -1}, "leeway: is a number", id="negative-leeway"),
        pytest.param({"leeway": True}, "leeway: is a boolean", id="leeway-true"),
        pytest.param({"leeway": 3_601}, "leeway: is a number", id="an-hour-and-more"),
        pytest.param({"leeway": float("nan")}, "leeway: is a number", id="not-a-number"),
        pytest.param({"directory": 0}, "directory: is a number", id="no-directory"),
        pytest.param({"directory": "/videos/"}, "directory: is text of 8 characters", id="a-directory-by-name"),
    ],
)
def test_a_mistake_is_said_at_start(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SignedURLs(**{"secrets": SECRET, **options})
    assert str(caught.value).startswith(message)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        pytest.param("", {}, "url: is empty text", id="nothing"),
        pytest.param(None, {}, "url: is None", id="none"),
        pytest.param("images/cat.jpg", {}, "url: is text", id="not-absolute"),
        pytest.param("https://example.com", {}, "url: is text", id="no-path"),
        pytest.param("ftp://example.com/a", {}, "url: is text", id="another-scheme"),
        pytest.param("/a#top", {}, "url: is text", id="a-fragment"),
        pytest.param("/a b", {}, "url: is text", id="a-space"),
        pytest.param("/café", {}, "url: is text", id="not-encoded"),
        pytest.param("/a%2", {}, "url: is text", id="half-an-escape"),
        pytest.param("/a?b='c'", {}, "url: is text", id="what-browsers-encode-in-a-query"),
        pytest.param("/a\n", {}, "url: is text", id="a-line-end"),
        pytest.param("/a/../b", {}, "url: has '.' or '..'", id="dots"),
        pytest.param("/a/%2E/b", {}, "url: has '.' or '..'", id="escaped-dots"),
        pytest.param("/" + "a" * 8_192, {}, "url: is text", id="too-long"),
        pytest.param("/a?verify=1", {}, "url: has a parameter 'verify'", id="the-parameter-is-taken"),
        pytest.param("/a", {"bound": [""]}, "bound: holds empty text", id="bound-to-nothing"),
        pytest.param("/a", {"bound": ["a|b"]}, "bound: holds text of 3", id="bound-to-a-bar"),
        pytest.param("/a", {"bound": [7]}, "bound: holds a number", id="bound-to-a-number"),
        pytest.param("/a", {"issued_at": 999_999_999}, "issued_at: is a number", id="nine-digits"),
        pytest.param("/a", {"issued_at": 10_000_000_000}, "issued_at: is a number", id="eleven-digits"),
        pytest.param("/a", {"issued_at": "now"}, "issued_at: is text", id="a-word"),
        pytest.param("/a", {"issued_at": float("nan")}, "issued_at: is a number", id="not-a-number"),
        pytest.param("/a", {"issued_at": AT, "expires_at": AT}, "expires_at: stands beside", id="both"),
        pytest.param("/a", {"expires_at": 1_000_000_050}, "expires_at: is a number", id="an-end-that-is-too-early"),
    ],
)
def test_what_cannot_be_signed_is_said(url: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        LINKS.sign(url, **options)
    assert str(caught.value).startswith(message)


def test_secrets_are_in_no_repr() -> None:
    assert SECRET not in repr(LINKS)
    assert SECRET not in str(LINKS)


@pytest.mark.parametrize(("secret", "told"), [("mysecrettoken", True), (SECRET, False)], ids=["short", "long"])
def test_a_short_secret_is_told_of(secret: str, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "cfaccess_mw"):
        SignedURLs(secrets=["0123456789abcdef", secret])
    assert ("link-secret-short" in caplog.text) is told
    assert secret not in caplog.text
