"""Which paths are refused, and what may the others mean?"""

import sys
import time
from collections.abc import Callable
from types import FrameType
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfaccess_mw.core.paths import _CANONICALISERS, MAX_DECODINGS, MAX_LENGTH, MAX_READINGS, read_path, refusal_ground

REFUSED = [
    pytest.param("/" + "a" * MAX_LENGTH, "too-long", id="one character too long"),
    pytest.param("", "not-absolute", id="empty"),
    pytest.param("*", "not-absolute", id="OPTIONS *"),
    pytest.param("admin", "not-absolute", id="no leading slash"),
    pytest.param("http://app.example.com/admin", "not-absolute", id="absolute form not taken apart by the server"),
    pytest.param("/admin\n", "control-character", id="line feed: Starlette's $ matches before it"),
    pytest.param("/a\x00b", "control-character", id="NUL"),
    pytest.param("/a\tb", "control-character", id="tab"),
    pytest.param("/a\x7fb", "control-character", id="DEL"),
    pytest.param("/a\x85b", "control-character", id="NEL, a C1 control"),
    pytest.param("/a\u2028b", "control-character", id="line separator"),
    pytest.param("/a\u2029b", "control-character", id="paragraph separator"),
    pytest.param("/a\ufffdb", "invalid-utf-8", id="replacement character: the server met bytes that are not UTF-8"),
    pytest.param("/a\udcffb", "invalid-utf-8", id="lone surrogate"),
    pytest.param("/a\u200bb", "invisible-character", id="zero-width space"),
    pytest.param("/a\u200db", "invisible-character", id="zero-width joiner"),
    pytest.param("/a\ufeffb", "invisible-character", id="byte-order mark"),
    pytest.param("/a\u2060b", "invisible-character", id="word joiner"),
    pytest.param("/a\u00adb", "invisible-character", id="soft hyphen"),
    pytest.param("/a\u202eb", "invisible-character", id="right-to-left override"),
    pytest.param("/a\u200eb", "invisible-character", id="left-to-right mark"),
    pytest.param("/a\u2066b", "invisible-character", id="isolate"),
    pytest.param("/a\u061cb", "invisible-character", id="Arabic letter mark"),
    pytest.param("/a\U000e0041b", "invisible-character", id="tag"),
    pytest.param("/a\\b", "backslash", id="backslash"),
    pytest.param("/a/../b", "dot-segment", id="dot dot"),
    pytest.param("/a/./b", "dot-segment", id="dot"),
    pytest.param("/a/..", "dot-segment", id="dot dot at the end"),
    pytest.param("/.", "dot-segment", id="dot alone"),
    pytest.param("/a/..;x=1/b", "dot-segment", id="dot dot with parameters"),
    pytest.param("/a/.;/b", "dot-segment", id="dot with empty parameters"),
    pytest.param("/a/ ../b", "dot-segment", id="dot dot after a space"),
    pytest.param("/a/. ./b", "dot-segment", id="dot dot with a space between"),
    pytest.param("/a/.. ", "dot-segment", id="dot dot before a space"),
    pytest.param("/a/..\u00a0;x", "dot-segment", id="dot dot, no-break space, parameters"),
    pytest.param("/a\uff0fb", "disguised-character", id="full-width slash"),
    pytest.param("/a\uff05b", "disguised-character", id="full-width per cent"),
    pytest.param("/\u2025/b", "disguised-character", id="two dot leader"),
    pytest.param("/a\u2100b", "disguised-character", id="account of, which is a/c"),
    pytest.param("/a\uff1bx", "disguised-character", id="full-width semicolon"),
    pytest.param("/a\u037ex", "disguised-character", id="Greek question mark, which is a semicolon"),
    pytest.param("/a\uff1fx", "disguised-character", id="full-width question mark"),
    pytest.param("/a\uff03x", "disguised-character", id="full-width number sign"),
    pytest.param("/a\uff3cx", "disguised-character", id="full-width backslash"),
    pytest.param("/a/%2e%2E/b", "dot-segment", id="dot dot once more encoded"),
    pytest.param("/a%252f..%252fb", "dot-segment", id="dot dot between twice more encoded slashes"),
    pytest.param("/a%0a", "control-character", id="line feed once more encoded"),
    pytest.param("/a%255c", "backslash", id="backslash twice more encoded"),
    pytest.param("/a%ff", "invalid-utf-8", id="bytes that are not UTF-8 once more encoded"),
    pytest.param("/a%b5.png", "invalid-utf-8", id="a per cent sign followed by two digits of a name"),
    pytest.param("/a%c0%af", "invalid-utf-8", id="overlong slash"),
    pytest.param("/a/..?x", "dot-segment", id="dot dot before a decoded question mark"),
    pytest.param("/a/..%23x", "dot-segment", id="dot dot before an encoded number sign"),
    pytest.param("/a%25252525253b", "too-many-encodings", id="six further encodings"),
]


@pytest.mark.parametrize(("path", "ground"), REFUSED)
def test_refused(path: str, ground: str) -> None:
    assert read_path(path).ground == ground


# Where each kind of character that is refused begins and ends, as Unicode has them.
RANGES = [
    pytest.param("control-character", 0x00, 0x1F, id="C0"),
    pytest.param("control-character", 0x7F, 0x9F, id="DEL and C1"),
    pytest.param("control-character", 0x2028, 0x2029, id="separators"),
    pytest.param("invisible-character", 0xAD, 0xAD, id="soft hyphen"),
    pytest.param("invisible-character", 0x61C, 0x61C, id="Arabic letter mark"),
    pytest.param("invisible-character", 0x180E, 0x180E, id="Mongolian vowel separator"),
    pytest.param("invisible-character", 0x200B, 0x200F, id="zero widths and marks"),
    pytest.param("invisible-character", 0x202A, 0x202E, id="embeddings and overrides"),
    pytest.param("invisible-character", 0x2060, 0x206F, id="joiners, operators and isolates"),
    pytest.param("invisible-character", 0xFEFF, 0xFEFF, id="byte-order mark"),
    pytest.param("invisible-character", 0xFFF9, 0xFFFB, id="annotations"),
    pytest.param("invisible-character", 0xE0000, 0xE007F, id="tags"),
    pytest.param("invalid-utf-8", 0xD800, 0xDFFF, id="surrogates"),
    pytest.param("invalid-utf-8", 0xFFFD, 0xFFFD, id="replacement character"),
]


@pytest.mark.parametrize(("ground", "first", "last"), RANGES)
def test_every_character_of_a_kind_is_refused_and_none_beside_it(ground: str, first: int, last: int) -> None:
    assert {refusal_ground(f"/a{chr(code)}b") for code in range(first, last + 1)} == {ground}
    for code in (first - 1, last + 1):
        assert code < 0 or refusal_ground(f"/a{chr(code)}b") != ground


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/", id="root"),
        pytest.param("/healthz", id="plain"),
        pytest.param("/a/b/", id="trailing slash"),
        pytest.param("/.well-known/x", id="leading dot"),
        pytest.param("/a/...", id="three dots"),
        pytest.param("/.a/.1", id="a leading dot and one character"),
        pytest.param("/a/..b/c.", id="dots in names"),
        pytest.param("/a b/c.png", id="space"),
        pytest.param("/100%.png", id="a per cent sign"),
        pytest.param("/50%-off/%zz", id="not an escape"),
        pytest.param("/caf\u00e9/\u65e5\u672c", id="letters beyond ASCII"),
        pytest.param("/e\u0301", id="combining accent"),
        pytest.param("/a~!$&'()*+,=:@_-", id="every plain character"),
        pytest.param("/\U0001f600", id="beyond the basic plane"),
        pytest.param("/" + "a" * (MAX_LENGTH - 1), id="as long as may be"),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_an_honest_path_is_its_own_only_reading(path: str, raw: bool) -> None:
    read = read_path(path, quote(path).encode() if raw else None)
    assert read.ground is None
    assert [(reading.path, reading.steps) for reading in read.readings] == [(path, ())]


@pytest.mark.parametrize(
    ("path", "raw", "root", "expected"),
    [
        pytest.param("//admin", None, "", {"/admin"}, id="slashes collapse"),
        pytest.param("/a///b//", None, "", {"/a/b/"}, id="all of them"),
        pytest.param("//Xa", None, "", {"/Xa"}, id="and no letters"),
        pytest.param("//a//b", None, "", {"/a/b", "/a//b"}, id="or those in front alone"),
        pytest.param("/admin;x=1/y;z", None, "", {"/admin/y"}, id="parameters drop"),
        pytest.param("/admin?x", None, "", {"/admin"}, id="a decoded question mark cuts"),
        pytest.param("/admin#x", None, "", {"/admin"}, id="a decoded number sign cuts"),
        pytest.param("/a#b?c", None, "", {"/a#b", "/a"}, id="each cuts on its own"),
        pytest.param("/ a /b\u3000/c d", None, "", {"/a/b/c d"}, id="segments are trimmed"),
        pytest.param("/%61dmin", None, "", {"/admin"}, id="decoding again"),
        pytest.param("/%2561dmin", None, "", {"/%61dmin", "/admin"}, id="and again"),
        pytest.param("/%25252561", None, "", {"/%252561", "/%2561", "/%61", "/a"}, id="four times"),
        pytest.param("/%2525252561", None, "", {"/%25252561", "/%252561", "/%2561", "/%61", "/a"}, id="five times"),
        pytest.param("/a%3Bx", None, "", {"/a;x", "/a"}, id="decoding, then parameters"),
        pytest.param("/a;%2Fb", None, "", {"/a;/b", "/a/b", "/a"}, id="parameters before and after decoding"),
        pytest.param("/a;/;b/c", None, "", {"/a//c", "/a/c"}, id="parameters, then slashes"),
        pytest.param("/a/b", b"/a%2Fb", "", {"/a%2Fb"}, id="an encoded slash is kept as data"),
        pytest.param("/a/b/c", b"/a%2fb%2Fc", "", {"/a%2Fb%2Fc"}, id="every one, in upper case"),
        pytest.param("/a%2Fb", b"/a%252Fb", "", {"/a/b"}, id="one that was data already"),
        pytest.param("/m/a/b", b"/a%2Fb", "/m", {"/m/a%2Fb"}, id="kept where raw_path lacks root_path"),
        pytest.param("/a/b", b"/m/a%2Fb", "/m", {"/a%2Fb"}, id="kept where path lacks root_path"),
        pytest.param("/static/api/admin", None, "/api", {"/api/admin"}, id="a splice at root_path"),
        pytest.param("/x/api/y/api/z", None, "/api", {"/api/y/api/z", "/api/z"}, id="a splice at any of them"),
        pytest.param("/apiadmin", None, "/api", {"/api/admin"}, id="root_path without a slash behind it"),
        pytest.param("/x/apiadmin", None, "/api", {"/apiadmin", "/api/admin"}, id="the same in the middle"),
        pytest.param("/x/a/a/a", None, "/a/a", {"/a/a/a", "/a/a"}, id="occurrences that overlap"),
        pytest.param("/x//api/admin", None, "/api", {"/x/api/admin", "/api/admin"}, id="a splice after a collapse"),
        pytest.param("/api//a//b", None, "/api/", {"/api/a/b", "/api/a//b"}, id="slashes that lead what remains"),
        pytest.param("/x/%61pi/admin", None, "/api", {"/x/api/admin", "/api/admin"}, id="a splice after decoding"),
        pytest.param("/x/api/y", None, "/api/", {"/api/y"}, id="a slash at the end of root_path"),
        pytest.param("/x/y", None, "/", set(), id="a root_path that is only a slash"),
        pytest.param("/r#/r", None, "/r", {"/r", "/r/", "/r/#/r"}, id="a splice beside one that is known"),
        pytest.param("/apiXadmin", None, "/api", {"/api/Xadmin"}, id="slashes lead what remains, and no letters"),
        pytest.param("/apiX/api", None, "/apiX", set(), id="a letter at the end of root_path is a part of it"),
        pytest.param("/apiX/api", b"/apiX/api", "/apiX", set(), id="the same beside a raw path"),
        pytest.param("/xapi/y", None, "api", {"/api/y"}, id="a root_path without a slash at its front"),
    ],
)
def test_readings(path: str, raw: bytes | None, root: str, expected: set[str]) -> None:
    read = read_path(path, raw, root)
    assert {reading.path for reading in read.readings if not reading.adds_only} == {path} | expected


@pytest.mark.parametrize(
    ("path", "raw", "root", "expected"),
    [
        pytest.param("/api/admin", None, "/api", {"/admin"}, id="the remainder inside the mount"),
        pytest.param("/api", None, "/api", {"/"}, id="nothing remains"),
        pytest.param("/apiadmin", None, "/api", {"/admin"}, id="a remainder without a slash"),
        pytest.param("/api//admin", None, "/api", {"//admin", "/admin"}, id="the remainder of every reading"),
        pytest.param("/admin", None, "/api", {"/api/admin"}, id="a server that cut root_path off"),
        pytest.param("/api/x", b"/api/api/x", "/api", {"/x", "/api/api/x"}, id="one that did, as raw_path shows"),
        pytest.param("/api/x", b"/api/x", "/api", {"/x"}, id="one that did not"),
        pytest.param("/admin", None, "", set(), id="no mount"),
        pytest.param(
            "//admin/x",
            None,
            "/admin",
            {"/admin//admin/x", "/x", "/admin/admin/x"},
            id="inside, and each reading of it, though one begins like the mount",
        ),
    ],
)
def test_what_is_asked_of_protecting_rules_only(path: str, raw: bytes | None, root: str, expected: set[str]) -> None:
    assert {reading.path for reading in read_path(path, raw, root).readings if reading.adds_only} == expected


@pytest.mark.parametrize(
    ("raw", "path", "root", "ground"),
    [
        pytest.param(b"/a?x=%zz&\xff#", "/a", "", None, id="a query is cut off unread"),
        pytest.param(b"http://app.example.com/a?b", "/a", "", None, id="absolute form"),
        pytest.param(b"http://app.example.com", "/", "", None, id="absolute form without a path"),
        pytest.param(b"/%61", "/a", "", None, id="needless escape"),
        pytest.param(b"/caf%C3%A9", "/caf\u00e9", "", None, id="UTF-8"),
        pytest.param(b"/m/a", "/m/a", "/m", None, id="both with root_path"),
        pytest.param(b"/a", "/m/a", "/m", None, id="raw_path without root_path"),
        pytest.param(b"/m/a", "/a", "/m", None, id="path without root_path"),
        pytest.param(b"/m%20n/a", "/a", "/m n", None, id="root_path escaped in raw_path"),
        pytest.param(b"HTTP://h/a", "/a", "", None, id="a scheme in upper case"),
        pytest.param(b"Sv+1.x-Y://h/a", "/a", "", None, id="a scheme of every character it may have"),
        pytest.param(b"x://h/a", "/a", "", None, id="a scheme of one letter"),
        pytest.param(b"http:///a", "/a", "", None, id="an absolute form without host"),
        pytest.param(b"/b", "/a", "", "raw-path-differs", id="another path"),
        pytest.param(b"%2Fadmin", "/admin", "", "not-absolute", id="no path to who keeps an encoded slash"),
        pytest.param(b"/A", "/a", "", "raw-path-differs", id="another case"),
        pytest.param(b"/a/", "/a", "", "raw-path-differs", id="another slash"),
        pytest.param(b"", "/a", "", "raw-path-differs", id="empty"),
        pytest.param(b"/%2561", "/a", "", "raw-path-differs", id="a server that decodes twice"),
        pytest.param(b"/m/a", "/a", "", "raw-path-differs", id="a root_path that is not stated"),
        pytest.param(b"/a" + b"%20" * 70_000, "/a", "", "raw-path-differs", id="far too long to be the same"),
        pytest.param(b"/a" * 90, "/api", "/api", "raw-path-differs", id="the same where the path is all root_path"),
        pytest.param(b"", "/api", "/api", None, id="nothing but root_path"),
        pytest.param(b"/x", "/api//x", "/api/", None, id="a root_path with a slash, put in front as it is"),
        pytest.param(b"/a%ff", "/a\u00ff", "", "raw-path-differs", id="Latin-1 taken for UTF-8"),
        pytest.param(b"/caf\xc3\xa9", "/caf\u00e9", "", "raw-character", id="bytes above ASCII"),
        pytest.param(b"/a b", "/a b", "", "raw-character", id="a space"),
        pytest.param(b"/a\x7f", "/a", "", "raw-character", id="DEL"),
        pytest.param(b"/a#b", "/a#b", "", "raw-character", id="a number sign"),
        pytest.param(b"/100%", "/100%", "", "malformed-escape", id="a bare per cent sign"),
        pytest.param(b"/a%2", "/a%2", "", "malformed-escape", id="half an escape"),
        pytest.param(b"/a%zz", "/a%zz", "", "malformed-escape", id="no hexadecimal digits"),
        pytest.param(b"/a%u0041", "/a%u0041", "", "malformed-escape", id="an escape of another language"),
        pytest.param(b"/a%0a", "/a\n", "", "control-character", id="a line feed, whatever the raw path says"),
    ],
)
def test_raw_path(raw: bytes, path: str, root: str, ground: str | None) -> None:
    assert read_path(path, raw, root).ground == ground


@pytest.mark.parametrize("path", ["/a/.;", "/a/.;/b", "/a/..;/b", "/a/..;x", "/a/ .;"])
def test_a_dot_segment_is_seen_behind_its_parameters(path: str) -> None:
    assert refusal_ground(path) == "dot-segment"


@pytest.mark.parametrize("path", ["/.a", "/.a/b c", "/a/.1;x", "/a/. b"])
def test_a_name_that_begins_with_a_dot_is_no_dot_segment(path: str) -> None:
    assert refusal_ground(path) is None


def test_the_bounds_are_those_of_the_manual() -> None:
    assert (MAX_LENGTH, MAX_READINGS, MAX_DECODINGS) == (2_048, 64, 5)


@pytest.mark.parametrize(
    ("count", "ground"),
    [pytest.param(MAX_READINGS, None, id="as many as may be"), pytest.param(65, "too-many-readings", id="one more")],
)
def test_readings_are_bounded(count: int, ground: str | None) -> None:
    read = read_path("/r/x" * (count - 1) + "/r" + "/y", root_path="/r")
    assert read.ground == ground


def test_the_steps_name_the_canonicalisers_in_order() -> None:
    read = read_path("/x//api/%61;b", b"/x//api/%2561;b", "/api")
    steps = {reading.path: reading.steps for reading in read.readings}
    assert steps["/x//api/%61;b"] == ()
    assert set(steps["/api/a"]) == {"decode-again", "drop-parameters", "splice-root-path"}
    assert steps["/a"][-1] == "without-root-path"
    steps = {reading.path: reading.steps for reading in read_path("/a//b", b"/a%2F/b", "/api").readings}
    assert steps["/a%2F/b"] == ("keep-encoded-slash",)
    assert steps["/api/a/b"][-1] == "with-root-path"
    assert len(steps["/api/a/b"]) == 2


@pytest.mark.parametrize(
    ("path", "root", "step"),
    [
        pytest.param("/%61", "", "decode-again", id="decoding"),
        pytest.param("/a;b", "", "drop-parameters", id="parameters"),
        pytest.param("/a?b", "", "cut-query", id="query"),
        pytest.param("/a#b", "", "cut-fragment", id="fragment"),
        pytest.param("/a//b", "", "collapse-slashes", id="slashes"),
        pytest.param("/ a", "", "trim-segments", id="white-space"),
        pytest.param("/x/api/a", "/api", "splice-root-path", id="splice"),
    ],
)
def test_each_step_has_its_name(path: str, root: str, step: str) -> None:
    assert (step,) in {reading.steps for reading in read_path(path, None, root).readings}


@given(st.text(), st.none() | st.binary(), st.sampled_from(["", "/api", "/", "api", "/a b"]))
def test_anything_is_answered(path: str, raw: bytes | None, root: str) -> None:
    read = read_path(path, raw, root)
    assert bool(read.readings) == (read.ground is None)


ODDITIES = ["/", "a", "A", ";x", "%25", "%2f", "%3b", "?", "#", "//", "/api", "%2525", "\u00e9", " ", "%41", "api/"]


@given(st.lists(st.sampled_from(ODDITIES), max_size=12), st.sampled_from(["", "/api", "/a"]))
def test_the_readings_are_a_fixed_point(parts: list[str], root: str) -> None:
    read = read_path("/" + "".join(parts), None, root)
    own = {reading.path for reading in read.readings if not reading.adds_only}
    for text in own:
        assert refusal_ground(text) is None
        again = read_path(text, None, root)
        assert {reading.path for reading in again.readings if not reading.adds_only} <= own


def calls_of(read: Callable[[], object]) -> int:
    """Return how many Python functions are called, which repeats exactly where time does not."""
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        read()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("raw", [None, b"/healthz"])
def test_a_plain_path_costs_next_to_nothing(raw: bytes | None) -> None:
    assert calls_of(lambda: read_path("/healthz", raw)) == 4  # the caller here, the reader, and its two values


@pytest.mark.parametrize("size", [2_048, 65_536])
@pytest.mark.parametrize("unit", ["/", ";/", "%25", "%41", "?", " .", "\u00e9", "/api", "//a;b%3Bc%2F/%253b", "#?"])
def test_no_path_costs_more_than_a_bounded_number_of_steps(unit: str, size: int) -> None:
    """Each call goes over at most 2,048 characters."""
    path = ("/" + unit * size)[:size]
    assert calls_of(lambda: read_path(path, path.encode(), "/api")) < 6_000
    assert calls_of(lambda: read_path(path, None, "/api")) < 6_000


def time_of(read: Callable[[], object]) -> float:
    """Return the seconds of the processor that the quickest of some runs takes."""
    taken = []
    for _ in range(5):
        before = time.thread_time()
        read()
        taken.append(time.thread_time() - before)
    return min(taken)


@pytest.mark.parametrize("unit", [" ", "\u00a0", " ;", "%20", "/ ", "a ", ";", "?", "#", "/", "\ufb01"])
@pytest.mark.parametrize(("step", "canonicalise"), _CANONICALISERS, ids=[step for step, _ in _CANONICALISERS])
def test_no_step_takes_longer_than_its_text_is_long(
    step: str, canonicalise: Callable[[str, str], object], unit: str
) -> None:
    """Measured against itself: of sixteen times the text, a step that begins anew at each character takes 256 times."""

    def take(size: int) -> float:
        text = "/a" + (unit * size)[:size] + "b"
        return time_of(lambda: list(canonicalise(text, "/api")))  # type: ignore[call-overload]

    assert take(16 * 1_024) < 96 * take(1_024) + 0.000_5


@pytest.mark.parametrize(
    ("path", "trimmed"),
    [
        pytest.param("/ admin ", "/admin", id="both sides"),
        pytest.param("/a /\u00a0b\u3000/ c", "/a/b/c", id="each segment"),
        pytest.param("/a b/ ", "/a b/", id="not within"),
        pytest.param("/ / ", "//", id="nothing else"),
    ],
)
def test_white_space_around_a_segment_may_be_dropped(path: str, trimmed: str) -> None:
    assert trimmed in {reading.path for reading in read_path(path).readings}
