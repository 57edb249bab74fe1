"""Do people, programs and pictures get the figures, with the goals?"""

import json
import xml.etree.ElementTree as ET

import pytest

from benchmarks.figures import Line, Section
from benchmarks.goals.imports import shares
from benchmarks.goals.requests_asgi import added
from benchmarks.machine import described
from benchmarks.measure import Contender, race
from benchmarks.picture import drawn
from benchmarks.table import shown, summary

_SVG = "{http://www.w3.org/2000/svg}"

SECTION = Section(
    title="One request",
    base="bare <application>",
    lines=(
        Line(name="bare <application>", value=1, low=1, high=1, nanoseconds=15_000),
        Line(name="ours", value=1.2, low=1.1, high=1.31, nanoseconds=18_000, goal=1.25, ours=True),
        Line(name="theirs", value=20, low=19, high=21.5, nanoseconds=300_000, note="as documented"),
    ),
    remarks=("25 headers",),
    pictured=True,
)
MISSED = Section(title="Fetches", lines=(Line.of("in ten minutes", 23, "fetches", goal=22, ours=True),))


@pytest.mark.parametrize(
    ("value", "goal", "met"),
    [
        pytest.param(1.0, None, None, id="nothing-promised"),
        pytest.param(1.0, 1.25, True, id="below"),
        pytest.param(1.25, 1.25, True, id="exactly"),
        pytest.param(1.26, 1.25, False, id="above"),
    ],
)
def test_a_goal_is_met_at_most(value: float, goal: float | None, met: bool | None) -> None:
    assert Line.of("it", value, "", goal=goal).met is met


def test_people_read_a_table() -> None:
    assert shown(SECTION).splitlines() == [
        "One request",
        "  ratios to: bare <application>",
        "    bare <application>     1 x                 15.00 µs",
        "  * ours                1.20 x  1.10 to 1.31   18.00 µs  goal 1.25  met",
        "    theirs                20 x    19 to 21.5  300.00 µs",
        "    theirs: as documented",
        "  (25 headers)",
    ]


def test_a_missed_goal_is_named() -> None:
    assert "NOT MET" in shown(MISSED)
    assert summary([SECTION, MISSED]) == "1 of 2 goals met\n  Fetches: in ten minutes"


def test_programs_read_json() -> None:
    told = json.loads(json.dumps(SECTION.as_json()))
    assert told["title"] == "One request"
    assert [line["met"] for line in told["lines"]] == [None, True, None]
    assert told["lines"][1] == {
        "name": "ours",
        "value": 1.2,
        "low": 1.1,
        "high": 1.31,
        "unit": "",
        "goal": 1.25,
        "ours": True,
        "nanoseconds": 18_000,
        "note": "",
        "met": True,
    }


def test_a_picture_has_a_bar_for_each_line_and_says_the_same_in_words() -> None:
    picture = ET.fromstring(drawn([SECTION, MISSED]))
    bars = picture.findall(f"{_SVG}rect")
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [bar.attrib["class"] for bar in bars] == ["other", "ours", "other"]
    assert widths[2] / widths[1] == pytest.approx(20 / 1.2, rel=0.01)
    words = picture.findtext(f"{_SVG}desc")
    assert words == "One request, ratio to bare <application>: bare <application> 1.00, ours 1.20, theirs 20.00."
    assert picture.attrib["role"] == "img"
    assert {picture.find(f"{_SVG}{name}").attrib["id"] for name in ("title", "desc")} == set(  # type: ignore[union-attr]
        picture.attrib["aria-labelledby"].split()
    )


def test_a_picture_has_colours_for_dark_pages() -> None:
    light, _, dark = drawn([SECTION]).partition("@media (prefers-color-scheme: dark)")
    for name in ("text {", ".ours {", ".other {"):
        assert name in light
        assert name in dark


def test_nothing_is_drawn_outside_of_the_picture() -> None:
    picture = ET.fromstring(drawn([SECTION] * 3))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    for bar in picture.findall(f"{_SVG}rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) < width - 60  # room for the figure behind it
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= height


def test_added_time_is_compared_with_the_best_of_the_others() -> None:
    pace = {"bare": 10, "ours": 11, "worst": 60, "best": 30}
    contenders = [Contender(name=name, take=(each * 1_000_000).__mul__) for name, each in pace.items()]
    section = added(race(contenders, rounds=3), "added", "ours", ["worst", "best"])
    assert [(line.name, line.value) for line in section.lines[:3]] == [
        ("ours", 1_000),
        ("worst", 50_000),
        ("best", 20_000),
    ]
    assert section.lines[3].name.endswith("(best)")
    assert section.lines[3].value == 0.05


def test_the_machine_is_described_and_not_named() -> None:
    found = described()
    assert {"processor", "cores", "python", "openssl", "cryptography", "joserfc"} <= set(found)
    assert not [value for value in found.values() if "/" in value and "http" not in value]


def test_the_interpreters_account_of_imports_is_divided() -> None:
    account = """import time: self [us] | cumulative | imported package
import time:       500 |        500 | cfaccess_mw.before
benchmarks: here it begins
import time:      1000 |       1000 |   cfaccess_mw.core.shape
import time:       250 |       1250 | json
import time:       500 |       1750 | cfaccess_mw
import time:       125 |        125 | cfaccess_mw_lookalike
"""
    assert shares(account) == (1.5, 0.375)
