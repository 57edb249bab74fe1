"""Do several processes measure, and are their figures told as one?"""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import RACES, main
from benchmarks.figures import Line, Section
from benchmarks.options import Options
from benchmarks.processes import probed
from benchmarks.several import measured, together

ALONE, FAILING = "tests.benchmarks.alone", "tests.benchmarks.failing"

# The figure of a line in each of three processes, or of five.
THREE = (1.25, 1.0, 1.1)
FIVE = (9.0, 1.0, 2.0, 4.0, 3.0)


def sections(values: tuple[float, ...], **more: Any) -> list[list[Section]]:
    """What so many processes found: a line each."""
    return [
        [Section(title="One", lines=(Line(name="it", value=one, low=one - 0.5, high=one + 0.5, **more),))]
        for one in values
    ]


def named(*names: str, remarks: tuple[str, ...] = ()) -> list[Section]:
    """What a process found that could measure these."""
    lines = tuple(Line.of(name, number, "x") for number, name in enumerate(names, 1))
    return [Section(title="One", lines=lines, remarks=remarks)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(THREE, (1.1, 1.0, 1.25), id="three"),
        pytest.param(FIVE, (3.0, 1.0, 9.0), id="five"),
        pytest.param((1.0, 2.0), (1.5, 1.0, 2.0), id="two"),
    ],
)
def test_the_median_of_medians_is_told_between_the_lowest_and_the_highest(
    values: tuple[float, ...], expected: tuple[float, float, float]
) -> None:
    (section,) = together(sections(values))
    (line,) = section.lines
    assert (line.value, line.low, line.high) == expected
    assert section.remarks == (
        f"{len(values)} processes: the median of their medians, and the lowest and the highest of these",
    )


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [pytest.param((300, 100, 110), 110, id="measured"), pytest.param((None, None, None), None, id="not-measured")],
)
def test_nanoseconds_are_those_of_the_median_too(nanoseconds: tuple[float | None, ...], expected: float | None) -> None:
    runs = [sections((1.0,), nanoseconds=one)[0] for one in nanoseconds]
    assert together(runs)[0].lines[0].nanoseconds == expected


def test_a_goal_is_judged_by_what_all_say() -> None:
    (line,) = together(sections(THREE, goal=1.1, ours=True, unit="µs", note="as promised"))[0].lines
    assert line.met
    assert (line.ours, line.unit, line.note) == (True, "µs", "as promised")


def test_sections_stay_what_they_are() -> None:
    run = [Section(title=title, base="b", lines=(), pictured=title == "A") for title in "AB"]
    assert [(one.title, one.base, one.pictured) for one in together([run, run])] == [
        ("A", "b", True),
        ("B", "b", False),
    ]


@pytest.mark.parametrize(
    ("best", "name", "value"),
    [
        pytest.param(["x", "x", "x"], "share of the best (x)", 2, id="the-same-in-all"),
        pytest.param(["y", "x", "x"], "share of the best (x)", 2, id="another-in-one"),
    ],
)
def test_a_share_of_the_best_is_each_process_own_whoever_is_the_best_there(
    best: list[str], name: str, value: float
) -> None:
    runs = [
        [Section(title="Added", lines=(Line.of(f"share of the best ({who})", share, "", goal=2),))]
        for who, share in zip(best, (1, 2, 3), strict=True)
    ]
    (line,) = together(runs)[0].lines
    assert (line.name, line.value, line.met) == (name, value, True)


@pytest.mark.parametrize(
    ("runs", "lines", "left_out"),
    [
        pytest.param([("a", "b"), ("a", "b")], ["a", "b"], [], id="in-all"),
        pytest.param(
            [("a", "b"), ("a",)], ["a"], ["b is left out: measured in 1 of 2 processes"], id="not-in-the-last"
        ),
        pytest.param(
            [("b",), ("a", "b")], ["b"], ["a is left out: measured in 1 of 2 processes"], id="not-in-the-first"
        ),
    ],
)
def test_who_was_not_measured_in_all_is_left_out(
    runs: list[tuple[str, ...]], lines: list[str], left_out: list[str]
) -> None:
    (section,) = together([named(*names) for names in runs])
    assert [line.name for line in section.lines] == lines
    assert list(section.remarks[:-1]) == left_out


def test_what_one_process_remarks_is_told_and_what_all_remark_is_told_once() -> None:
    runs = [named("a", remarks=("25 headers",)), named("a", remarks=("25 headers", "Node is left out"))]
    assert together(runs)[0].remarks[:-1] == ("25 headers", "Node is left out")


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([named("a"), []], id="none"),
        pytest.param([named("a"), [replace(named("a")[0], title="Another")]], id="another"),
        pytest.param([named("a (b)", "a (c)")] * 2, id="names-that-differ-in-brackets-only"),
    ],
)
def test_what_cannot_be_told_as_one_is_refused(runs: list[list[Section]]) -> None:
    with pytest.raises(ValueError, match=r"shorter|was not measured in each process|differ in brackets only"):
        together(runs)


LINE = Line(name="ours", value=1.2, low=1.1, high=1.3, unit="x", goal=1.25, ours=True, nanoseconds=18.0, note="so")
SECTION = Section(title="One", base="bare", lines=(LINE, Line.of("it", 2, "")), remarks=("25 headers",), pictured=True)


def test_json_is_read_as_what_it_was_written_from() -> None:
    assert Section.from_json(json.loads(json.dumps(SECTION.as_json()))) == SECTION


@pytest.mark.parametrize(
    ("section", "line", "named"),
    [
        pytest.param({"more": 1}, {}, "a Section has other names: more", id="section-more"),
        pytest.param({"base": None}, {}, "a Section has other names: base", id="section-less"),
        pytest.param({}, {"more": 1}, "a Line has other names: more", id="line-more"),
        pytest.param({}, {"goal": None}, "a Line has other names: goal", id="line-less"),
        pytest.param({}, {"met": None}, "a Line has other names: met", id="line-not-judged"),
    ],
)
def test_json_of_something_else_is_refused(section: dict[str, Any], line: dict[str, Any], named: str) -> None:
    told = SECTION.as_json()
    told["lines"][0] = changed(told["lines"][0], line)
    with pytest.raises(ValueError, match=named):
        Section.from_json(changed(told, section))


def changed(told: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """With other members, and without those that are None."""
    return {name: value for name, value in {**told, **changes}.items() if name not in changes or changes[name]}


def test_options_are_passed_on_whole(tmp_path: Path) -> None:
    options = Options(seed=7, kind="large", rounds=3, processes=2, full=True, peers=False, cache=tmp_path)
    assert Options.received(options.passed_on()) == options


def test_each_process_is_a_fresh_one_and_is_told_what_this_one_was(tmp_path: Path) -> None:
    (section,) = measured(ALONE, Options(processes=2, rounds=3, cache=tmp_path))
    process, parent, rounds = section.lines
    assert os.getpid() != process.low != process.high != os.getpid()
    assert (parent.low, parent.high) == (os.getpid(), os.getpid())
    assert rounds.value == 3
    assert section.remarks[0] == f"peers are in {tmp_path}"
    assert section.pictured


def test_a_process_finds_modules_where_this_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(__file__).with_name("alone.py").read_text(encoding="utf-8")
    (tmp_path / "wave.py").write_text(source, encoding="utf-8")  # before the library's own
    monkeypatch.syspath_prepend(tmp_path)
    assert measured("wave", Options(processes=1))[0].title == "Told"


def test_a_process_ends_when_patience_does() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        probed("part", ALONE, given=Options().passed_on(), patience=0.001)


@pytest.mark.parametrize(
    ("part", "flags", "fresh", "rounds"),
    [
        pytest.param("asgi", ("--processes", "2"), True, 30, id="a-race-in-several"),
        pytest.param("asgi", ("--processes", "1"), False, 30, id="a-race-here"),
        pytest.param("asgi", ("--quick",), False, 20, id="a-quick-race-is-here"),
        pytest.param("asgi", ("--quick", "--processes", "2"), True, 20, id="a-quick-race-in-several"),
        pytest.param("rules", ("--processes", "2"), False, 60, id="anything-else-here-with-all-rounds"),
        pytest.param("rules", (), False, 150, id="as-it-is"),
    ],
)
def test_races_are_run_in_several_processes_and_all_else_in_this_one(
    part: str, flags: tuple[str, ...], fresh: bool, rounds: int, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    assert main(["--only", part, *flags, "--json", str(figures)], {part: ALONE}) == 0
    told = json.loads(figures.read_text(encoding="utf-8"))
    process, _, counted = told["sections"][0]["lines"]
    assert (process["low"] != os.getpid()) is fresh
    assert counted["value"] == rounds
    assert told["options"]["processes"] == (int(flags[-1]) if "--processes" in flags else 5 if not flags else 1)


def test_a_race_is_measured_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "2", "--rules", "10", "--no-peers", "--processes", "2", "--only", "remembered"]) == 0
    shown = capsys.readouterr().out
    assert "2 rounds in each of 2 processes" in shown
    assert "Asking about a remembered token" in shown
    assert "raw RSA verify" in shown
    assert shown.count("(2 processes: the median of their medians") == 2


@pytest.mark.parametrize("part", RACES)
def test_what_is_not_installed_is_named_with_the_extra(part: str) -> None:
    with pytest.raises(SystemExit, match=r"^no_such_package is not installed; pip install 'cfaccess-mw\[bench\]'$"):
        main(["--only", part, "--processes", "2"], {part: "no_such_package"})


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        pytest.param("7", "RuntimeError: no luck with seed 7", id="it-says-why"),
        pytest.param("8", r"Expecting value: line 1 column 1 \(char 0\)", id="it-says-nothing"),
    ],
)
def test_a_part_that_fails_in_its_process_ends_the_command_with_one_message(seed: str, reason: str) -> None:
    told = f"^{FAILING} failed in a process of its own: {reason}; --processes 1 shows where$"
    with pytest.raises(SystemExit, match=told) as ended:
        main(["--only", "asgi", "--processes", "2", "--seed", seed], {"asgi": FAILING})
    assert ended.value.__context__ is None


@pytest.mark.parametrize("number", ["0", "-1", "many"])
@pytest.mark.parametrize("flag", ["--processes", "--rounds"])
def test_there_is_at_least_one(flag: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([flag, number])
    assert f"argument {flag}: " in capsys.readouterr().err


COMMAND = """
import sys
from benchmarks.__main__ import main
main(["--only", "asgi", "--processes", "2", "--cache", sys.argv[1]], {"asgi": "tests.benchmarks.patient"})
"""


def test_who_stops_the_command_stops_its_process_too(tmp_path: Path) -> None:
    path = os.pathsep.join(sys.path)
    program = f"import os, sys; sys.path[:] = sys.argv.pop().split(os.pathsep)\n{COMMAND}"
    command = [sys.executable, "-P", "-c", program, str(tmp_path), path]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        (tmp_path / "port").write_text(str(server.getsockname()[1]), encoding="utf-8")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(4) == b"here"
                running.send_signal(signal.SIGINT)
                assert connection.recv(1) == b""  # the end: nobody is there any more
            assert running.wait(10)
