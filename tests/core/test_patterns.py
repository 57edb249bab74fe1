"""Is a pattern taken apart as it is written, and does a segment with ``*`` match what it says and no more?"""

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.paths import MAX_LENGTH
from cfaccess_mw.core.patterns import matches_segment, overlap, parse_pattern


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/", "/", id="root"),
        pytest.param("/*", "/*", id="everything"),
        pytest.param("/a/", "/a", id="trailing-slash"),
        pytest.param("/a/b*c/*/d", "/a/b*c/*/d", id="inside"),
        pytest.param("/a*/*", "/a*/*", id="below"),
        pytest.param("/5%a/100%", "/5%a/100%", id="a-per-cent-sign-that-escapes-nothing"),
    ],
)
def test_a_pattern_is_shown_in_its_normal_form(text: str, shown: str) -> None:
    assert str(parse_pattern(text)) == shown


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        pytest.param("ab*b*", "ab", False, id="what-the-beginning-took-is-taken"),
        pytest.param("ab*b*", "abb", True, id="behind-the-beginning"),
        pytest.param("*b*ab", "ab", False, id="what-the-end-took-is-taken"),
        pytest.param("*a*b*", "aba", True, id="the-leftmost-place-leaves-most-room"),
        pytest.param("xx*a*a*", "xxa", False, id="one-is-not-two"),
        pytest.param("*a*a*", "a", False, id="one-is-not-two-anywhere"),
        pytest.param("*a*a*", "aa", True, id="two-are-two"),
        pytest.param("*aa*aa*", "aaa", False, id="pieces-do-not-overlap"),
    ],
)
def test_pieces_are_found_one_after_the_other(pattern: str, text: str, matches: bool) -> None:
    assert matches_segment(tuple(pattern.split("*")), text) is matches


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        pytest.param("*b", "*ab", True, id="ends"),
        pytest.param("*b", "*ba", False, id="other-ends"),
        pytest.param("b*", "ba*", True, id="beginnings"),
        pytest.param("b*", "ab*", False, id="other-beginnings"),
        pytest.param("a*", "*b", True, id="a-beginning-and-an-end"),
    ],
)
def test_segments_meet_where_some_text_matches_both(one: str, other: str, meet: bool) -> None:
    assert overlap(tuple(one.split("*")), tuple(other.split("*"))) is meet
    assert overlap(tuple(other.split("*")), tuple(one.split("*"))) is meet


def test_a_pattern_is_as_long_as_a_path_may_be_and_shown_cut() -> None:
    assert parse_pattern("/" + "a" * (MAX_LENGTH - 1)).literals == MAX_LENGTH - 1
    with pytest.raises(ConfigurationError) as refused:
        parse_pattern("/" + "a" * MAX_LENGTH)
    assert f"'/{'a' * 255}' has {MAX_LENGTH + 1} characters" in str(refused.value)
