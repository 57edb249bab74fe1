"""Whether a person waits for the answer."""

import pytest

from cfaccess_mw.wire.prefers import is_for_a_person

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


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
        pytest.param("", "text/html;q=much", False, id="nonsense-quality"),
        pytest.param("", ";;,,==,q=1", False, id="nonsense"),
        pytest.param("", "text/html;q=nan", False, id="not-a-number"),
    ],
)
def test_who_waits(mode: str, accept: str, page: bool) -> None:
    assert is_for_a_person(mode, accept) is page
