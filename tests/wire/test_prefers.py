"""Whether a person waits for the answer, and whether a browser's window does."""

import pytest

from cfaccess_mw.wire.prefers import is_for_a_person, is_navigation
from tests.wire.cost import calls

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
WINDOW = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none", "accept": CHROME}


@pytest.mark.parametrize(
    ("mode", "accept", "page"),
    [
        pytest.param("navigate", "", True, id="navigation"),
        pytest.param("navigate", "application/json", True, id="navigation-wins"),
        pytest.param("cors", CHROME, True, id="accept-decides-otherwise"),
        pytest.param("cors", "*/*", False, id="fetch"),
        pytest.param("", CHROME, True, id="browser-without-fetch-metadata"),
        pytest.param("", "", False, id="nothing-said"),
        pytest.param("", "*/*", False, id="curl"),
        pytest.param("", "application/json", False, id="json"),
        pytest.param("", "text/html, application/json", False, id="a-tie-goes-to-programs"),
        pytest.param("", "text/html;q=0.9, application/json", False, id="json-ranks-higher"),
        pytest.param("", "text/html, application/json;q=0.9", True, id="html-ranks-higher"),
        pytest.param("", "text/html, application/problem+json", False, id="problem-details-are-json"),
        pytest.param("", "TEXT/HTML", True, id="case"),
        pytest.param("", "text/*", True, id="range"),
        pytest.param("", "text/*;q=0.5, */*;q=0.8", False, id="the-most-specific-range-decides"),
        pytest.param("", "text/html;q=0, */*", False, id="html-refused"),
        pytest.param("", "text/html;level=1;q=0.4, */*;q=0.3", True, id="other-parameters"),
        pytest.param("", "text/html ; q = 0.4 , */* ; q = 0.3", True, id="white-space"),
        pytest.param("", "text/html;q=0.1, application/json;q=0.5, text/html", True, id="twice-the-better-counts"),
        pytest.param("", "text/html, application/json;q=0.5, text/html;q=0.1", True, id="twice-in-either-order"),
        pytest.param("", "text/html, image/gif, *; q=.2, */*; q=.2", True, id="quality-as-java-writes-it"),
        pytest.param("", "text/html;q=1.000, */*;q=0.", True, id="quality-with-all-its-digits"),
        pytest.param("", "text/html;q=much", False, id="nonsense-quality"),
        pytest.param("", ";;,,==,q=1", False, id="nonsense"),
        pytest.param("", "text/html;q=nan", False, id="not-a-number"),
        pytest.param("", "text/html;q=inf, application/json", False, id="infinity"),
        pytest.param("", "text/html;q=1_0, application/json;q=0.1", False, id="a-number-to-python-only"),
        pytest.param("", "text/html;q=2, application/json;q=0.1", False, id="more-than-everything"),
        pytest.param("", "text/html;q=-1, */*;q=0.1", False, id="less-than-nothing"),
        pytest.param("", "text/html;q=\u0661, */*;q=0.1", False, id="a-digit-of-another-script"),
        pytest.param("", "a/b," * 509 + "text/html", True, id="html-within-what-is-read"),
        pytest.param("", "a/b," * 512 + "text/html", False, id="html-behind-what-is-read"),
    ],
)
def test_who_waits(mode: str, accept: str, page: bool) -> None:
    assert is_for_a_person(mode, accept) is page


@pytest.mark.parametrize(
    ("method", "changed", "navigates"),
    [
        pytest.param("GET", {}, True, id="a-window"),
        pytest.param("HEAD", {}, True, id="head"),
        pytest.param("POST", {}, False, id="a-form"),
        pytest.param("get", {}, False, id="a-method-of-another-case"),
        pytest.param("GET", {"sec-fetch-dest": "iframe"}, False, id="a-frame"),
        pytest.param("GET", {"sec-fetch-dest": "object"}, False, id="an-embedded-object"),
        pytest.param("GET", {"sec-fetch-dest": ""}, True, id="no-destination"),
        pytest.param("GET", {"sec-fetch-mode": "cors"}, False, id="fetch"),
        pytest.param("GET", {"sec-fetch-mode": "no-cors"}, False, id="an-image"),
        pytest.param("GET", {"sec-fetch-mode": "same-origin"}, False, id="same-origin"),
        pytest.param("GET", {"sec-fetch-mode": "websocket"}, False, id="a-handshake"),
        pytest.param("GET", {"sec-fetch-mode": "navigate, cors"}, False, id="two-modes"),
        pytest.param("GET", {"sec-fetch-mode": ""}, False, id="metadata-without-a-mode"),
        pytest.param("GET", {"x-requested-with": "XMLHttpRequest"}, False, id="xhr"),
        pytest.param("GET", {"upgrade": "websocket"}, False, id="an-upgrade"),
        pytest.param("GET", {"sec-purpose": "prefetch;prerender"}, False, id="prerendered"),
        pytest.param("GET", {"purpose": "Prefetch"}, False, id="prefetched-the-old-way"),
        pytest.param("GET", {"accept": "application/json"}, True, id="metadata-is-the-browser's-own-word"),
    ],
)
def test_whether_a_window_waits(method: str, changed: dict[str, str], navigates: bool) -> None:
    sent = WINDOW | changed
    assert is_navigation(method, lambda name: sent.get(name, "")) is navigates


@pytest.mark.parametrize(
    ("sent", "navigates"),
    [
        pytest.param({"accept": CHROME}, True, id="an-older-browser"),
        pytest.param({"accept": CHROME, "x-requested-with": "x"}, False, id="its-script"),
        pytest.param({"accept": "application/json"}, False, id="an-api"),
        pytest.param({"accept": "*/*"}, False, id="curl"),
        pytest.param({}, False, id="nothing-said"),
        pytest.param({"accept": CHROME, "sec-fetch-site": "same-origin"}, False, id="half-of-the-metadata"),
        pytest.param({"accept": CHROME, "sec-fetch-user": "?1"}, False, id="another-half"),
        pytest.param({"accept": CHROME, "sec-fetch-dest": "document"}, False, id="a-third"),
    ],
)
def test_accept_decides_where_no_metadata_came(sent: dict[str, str], navigates: bool) -> None:
    assert is_navigation("GET", lambda name: sent.get(name, "")) is navigates


@pytest.mark.parametrize("part", ["a,", ";", "a/b;q=0.5,", ",", "a;q=.5;q=.5", "=", " "])
def test_what_an_endless_accept_costs_is_bounded(part: str) -> None:
    long, endless = ((part * 65_536)[:size] for size in (2_048, 65_536))
    # caches of the standard library make a difference of a few calls
    assert calls(lambda: is_for_a_person("", endless)) <= calls(lambda: is_for_a_person("", long)) + 32
