"""Which CF_Authorization cookies a request carries."""

from http.cookies import SimpleCookie

import pytest

from cfaccess_mw.core.errors import TooManyTokens
from cfaccess_mw.wire.cookies import read_cookies, without_ours

OURS = "CF_Authorization"


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        pytest.param([], (), id="no-header"),
        pytest.param([""], (), id="empty"),
        pytest.param(["a=b"], (), id="others-only"),
        pytest.param([f"{OURS}=x.y.z"], ("x.y.z",), id="alone"),
        pytest.param([f"a=b; {OURS}=x.y.z; c=d"], ("x.y.z",), id="among-others"),
        pytest.param([f"a=b;{OURS}=x.y.z;c=d"], ("x.y.z",), id="no-space"),
        pytest.param([f"a=b;\t {OURS} = x.y.z \t;c"], ("x.y.z",), id="odd-white-space"),
        pytest.param([f"{OURS}=one; {OURS}=two"], ("one", "two"), id="two-path-scoped"),
        pytest.param([f"{OURS}=one", f"a=b; {OURS}=two"], ("one", "two"), id="two-lines"),
        pytest.param(
            [f'a={{"x": [1, 2]}}; b=c d@e; f; {OURS}=x.y.z'], ("x.y.z",), id="beside-json-space-and-no-equals"
        ),
        pytest.param([f"{OURS.lower()}=x"], (), id="names-are-case-sensitive"),
        pytest.param([f"X{OURS}=x; {OURS}X=y; {OURS}"], (), id="other-names"),
        pytest.param([f"a={OURS}=x"], (), id="in-a-value"),
        pytest.param([f"{OURS}=a=b"], ("a=b",), id="first-equals-ends-the-name"),
        pytest.param([f"{OURS}="], ("",), id="empty-value"),
        pytest.param([f'{OURS}="x.y.z"'], ('"x.y.z"',), id="quotes-are-not-unquoted"),
        pytest.param([f"{OURS}=1; " * 4], ("1",) * 4, id="four"),
    ],
)
def test_ours_are_read(lines: list[str], values: tuple[str, ...]) -> None:
    assert read_cookies(lines) == values


def test_more_text_than_any_server_takes_is_refused() -> None:
    assert read_cookies([f"{OURS}=1; " + "a" * 65_536]) is TooManyTokens
    assert read_cookies(["a" * 1_000_000]) == (), "and looked at no further where ours is not in it"


def test_more_than_four_are_refused() -> None:
    assert read_cookies([f"{OURS}=1; " * 5]) is TooManyTokens


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        pytest.param(f"{OURS}=x", "", id="alone"),
        pytest.param(f"a=b; {OURS}=x; c=d", "a=b; c=d", id="between"),
        pytest.param(f"{OURS}=x; a=b; {OURS}=y", "a=b", id="twice"),
        pytest.param(f"a=b;{OURS} =x", "a=b", id="space-before-equals"),
        pytest.param(f"{OURS}; a=b", "a=b", id="no-value"),
        pytest.param('a={"x": 1}; b=c d', 'a={"x": 1}; b=c d', id="nothing-of-ours"),
    ],
)
def test_ours_are_taken_out(line: str, kept: str) -> None:
    assert without_ours(line) == kept
    assert OURS not in SimpleCookie(without_ours(line))
