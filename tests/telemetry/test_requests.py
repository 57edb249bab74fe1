"""What is told of a request, however it was sent?"""

import base64

import pytest

from cfaccess_mw import Rule
from cfaccess_mw.core.errors import (
    AmbiguousHost,
    Expired,
    IdentityUnavailable,
    KeysUnavailable,
    NoToken,
    NotPermitted,
    Refused,
)
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.telemetry.requests import OUTCOMES, RequestFacts, ToldRequest, named
from cfaccess_mw.telemetry.shown import shown
from tests.tokens import AUD

RAY = "8f2b1c0d9e3a4f56-LHR"


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        pytest.param("/reports/q3.pdf", "/reports/q3.pdf", id="plain"),
        pytest.param("/straße/日本", "/straße/日本", id="letters"),
        pytest.param("/a b\"c'd", "/a b\"c'd", id="blank-and-quotes"),
        pytest.param("/a\r\nInjected: yes", "/a\\r\\nInjected: yes", id="line-breaks"),
        pytest.param("/\x1b[2Jgone", "/\\x1b[2Jgone", id="terminal"),
        pytest.param("/\u202ecod.exe", "/\\u202ecod.exe", id="bidirectional"),
        pytest.param("/\u2028", "/\\u2028", id="line-separator"),
        pytest.param("/\ud800", "/\\ud800", id="lone-surrogate"),
        pytest.param("/a\\x1b", "/a\\\\x1b", id="what-looks-escaped"),
        pytest.param("/" + "a" * 300, "/" + "a" * 255, id="long"),
        pytest.param("\x00" * 300, "\\x00" * 256, id="long-and-escaped"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_text_is_one_visible_line(text: str, visible: str) -> None:
    assert shown(text) == visible
    assert ToldRequest("accepted", sent_method="GET", sent_path=text).path == visible


@pytest.mark.parametrize(
    ("sent", "ray"),
    [
        pytest.param(RAY, RAY, id="cloudflares"),
        pytest.param(None, None, id="none"),
        pytest.param("", None, id="empty"),
        pytest.param(RAY.upper(), None, id="upper-case"),
        pytest.param(RAY + "\n", None, id="line-break"),
        pytest.param(f"{RAY}, {RAY}", None, id="two"),
        pytest.param("../../etc", None, id="something-else"),
    ],
)
def test_a_ray_counts_in_cloudflares_form_only(sent: str | None, ray: str | None) -> None:
    request = ToldRequest("accepted", sent_method="GET", sent_path="/", header={"cf-ray": sent}.get)
    assert request.ray == ray


def test_without_headers_there_is_no_ray() -> None:
    assert ToldRequest("accepted", sent_method="GET", sent_path="/").ray is None


def _segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("token", "prefix"),
    [
        pytest.param(_segment('{"alg":"RS256","kid":"0123456789abcdef"}') + ".e30.AA", "01234567", id="cut"),
        pytest.param((_segment('{"alg":"RS256","kid":"k\\\\"}') + ".e30.AA").encode(), "k\\\\", id="bytes-and-escaped"),
        pytest.param(_segment('{"alg":"RS256"}') + ".e30.AA", None, id="names-none"),
        pytest.param(_segment('{"alg":"none","kid":"k"}') + ".e30.", None, id="another-algorithm"),
        pytest.param("x" * 2000 + ".e30.AA", None, id="long"),
        pytest.param("\u20ac.e30.AA", None, id="not-ascii"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="no-token"),
    ],
)
def test_a_key_is_told_by_the_beginning_of_its_id(token: str | bytes | None, prefix: str | None) -> None:
    assert ToldRequest("accepted", sent_method="GET", sent_path="/", token=token).key_id == prefix
    if not isinstance(token, bytes):
        header = {"cf-access-jwt-assertion": token}.get
        refused = ToldRequest("unauthenticated", error=Expired(), sent_method="GET", sent_path="/", header=header)
        assert refused.key_id == prefix, "the header's, where none was verified"


@pytest.mark.parametrize(
    ("patterns", "rule"),
    [
        pytest.param((), None, id="default"),
        pytest.param(("/admin/*",), "/admin/*", id="one"),
        pytest.param(("/admin/*", "/a/*"), "/admin/* /a/*", id="of-two-readings"),
        pytest.param(tuple(f"/{n}" for n in range(20)), "/0 /1 /2 /3 /4 /5 /6 /7", id="of-many"),
        pytest.param(("/" + "a" * 400,), "/" + "a" * 255, id="long"),
    ],
)
def test_the_rules_that_decided_are_told_by_their_patterns(patterns: tuple[str, ...], rule: str | None) -> None:
    requirement = Requirement(
        access=Access.TOKEN,
        audiences=(frozenset({AUD}),),
        rules=tuple(Rule.token(pattern) for pattern in patterns),
    )
    assert ToldRequest("accepted", sent_method="GET", sent_path="/", requirement=requirement).rule == rule


@pytest.mark.parametrize(
    ("error", "name", "outcome"),
    [
        pytest.param(NoToken(), "token-refused", "unauthenticated", id="no-token"),
        pytest.param(Expired(), "token-refused", "unauthenticated", id="bad-token"),
        pytest.param(NotPermitted(), "policy-denied", "denied", id="not-permitted"),
        pytest.param(AmbiguousHost(), "path-ambiguous", "ambiguous", id="ambiguous"),
        pytest.param(KeysUnavailable(), "keys-lacking", "unavailable", id="keys"),
        pytest.param(IdentityUnavailable(), "keys-lacking", "unavailable", id="identity"),
        pytest.param(Refused(), "token-refused", "unauthenticated", id="a-handlers-own"),
    ],
)
def test_each_refusal_has_a_name_and_an_outcome(error: Refused, name: str, outcome: str) -> None:
    assert named(error) == (name, outcome)
    assert outcome in OUTCOMES


def test_facts_are_made_when_they_are_read_and_hold_nothing_personal() -> None:
    request = ToldRequest("denied", error=NotPermitted(), sent_method="GET\n" + "X" * 20, sent_path="/a'\n")
    facts = RequestFacts(request)
    assert facts == {"code": "not-permitted", "method": "'GET\\nXXXXXXXXXXXX'", "path": '"/a\'\\n"'}
    assert (len(facts), list(facts), repr(facts)) == (3, ["code", "method", "path"], repr(dict(facts)))
    accepted = ToldRequest("accepted", sent_method="GET", sent_path="/")
    assert RequestFacts(accepted) == {"method": "'GET'", "path": "'/'"}
    assert repr(request) == "<ToldRequest denied not-permitted>"
    assert request.method == "GET\\nXXXXXXXXXXXX"
