"""Is a server loaded as it is said, and are the answers counted right?"""

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.servers.__main__ import main
from benchmarks.servers.lineup import SERVERS, VARIANTS, Server, missing, versions
from benchmarks.servers.plan import FULL, QUICK, Measured, Part, left_out, measure
from benchmarks.servers.process import DidNotStart, Running, free_port, running, status_of
from benchmarks.servers.requests import armed, request
from benchmarks.servers.scenes import SCENES, Stage
from benchmarks.servers.shooting import Figure, Generator, Round
from benchmarks.servers.tables import as_data, table

GENERATORS = [
    pytest.param(Generator.found(own=True), id="own"),
    pytest.param(
        Generator.found(),
        id="wrk",
        marks=pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed"),
    ),
]


def a_round(rate: int = 100, *, p50: float = 1.0, longest: float = 3.0, refused: int = 0, broken: int = 0) -> Round:
    """One second."""
    return Round(answers=rate, seconds=1.0, p50=p50, p99=2.0, longest=longest, refused=refused, broken=broken)


@pytest.mark.parametrize("generator", GENERATORS)
def test_good_answers_are_counted(generator: Generator, stage: Stage, ours: Running, tmp_path: Path) -> None:
    """Each request carries a token of its own, and each is let in."""
    found = generator.shoot(ours.port, armed(tmp_path / "requests", stage.tokens(3)), 0.3)
    assert (found.refused, found.broken) == (0, 0)
    assert found.answers > 0
    assert 0 < found.p50 <= found.p99 <= found.longest
    assert found.rate == pytest.approx(found.answers / found.seconds)


@pytest.mark.parametrize("generator", GENERATORS)
def test_refused_ones_are_no_good_answers(generator: Generator, ours: Running, bad_requests: Path) -> None:
    """A server that refuses everything is not a fast one."""
    found = generator.shoot(ours.port, bad_requests, 0.3)
    assert (found.refused, found.rate) == (found.answers, 0)
    assert found.answers > 0


@pytest.mark.parametrize("scene", ["steady", "many", "rotation"])
def test_a_scene_refuses_nobody_of_ours(scene: str, stage: Stage, ours: Running) -> None:
    """Not even those whose key nobody had when the round began."""
    found = SCENES[scene].play(stage, ours)
    assert (found.refused, found.broken) == (0, 0)
    assert found.answers > 0


def test_a_part_is_measured_in_turn(stage: Stage) -> None:
    """Each variant as often as was said, and shown in a table and as JSON."""
    part = Part(server="gunicorn-gthread", scene="steady", variants=("bare", "ours"))
    (measured,) = measure([part], stage, 2)
    assert {name: (figure.rounds, figure.refused) for name, figure in measured.figures.items()} == {
        "bare": (2, 0),
        "ours": (2, 0),
    }
    lines = list(table(measured))
    assert [line.strip().startswith(VARIANTS["ours"]) for line in lines] == [False, False, False, True]
    (data,) = json.loads(json.dumps(as_data([measured])))
    assert (data["server"], data["figures"]["ours"]["rounds"]) == ("gunicorn-gthread", 2)


def test_medians_and_spread() -> None:
    """Rates and usual times by their medians, the worst time by the worst."""
    rounds = [a_round(100, p50=1, longest=3), a_round(300, p50=9, longest=50, refused=3), a_round(200, p50=2, broken=1)]
    found = Figure.of(rounds)
    assert (found.rate, found.slowest, found.fastest) == (200, 100, 297)
    assert (found.p50, found.longest, found.refused, found.broken, found.rounds) == (2, 50, 3, 1, 3)
    assert found.share is None


def test_a_share_is_that_of_the_same_turn() -> None:
    """A machine that is busy for one turn is busy for both."""
    bare, ours = [a_round(1_000), a_round(100), a_round(800)], [a_round(900), a_round(80), a_round(400)]
    assert Figure.of(ours, bare).share == pytest.approx(0.8)


def test_what_went_wrong_stands_beside_the_figures() -> None:
    """A fast server that refuses half must not look fast."""
    bare = [a_round(200)]
    figures = {"bare": Figure.of(bare, bare), "ours": Figure.of([a_round(refused=50, broken=2)], bare)}
    part = Part(server="uvicorn", scene="steady", variants=("bare", "ours"), workers=4)
    lines = list(table(Measured(part=part, figures=figures)))
    assert lines[0].strip() == "uvicorn, 4 workers: known people"
    assert " 0.250 " in lines[-1]
    assert lines[-1].endswith("  50 refused  2 broken")


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """With its own last words."""
    words = [sys.executable, "-c", "raise SystemExit('there is no such application')"]
    with pytest.raises(DidNotStart, match="there is no such application"), running(words, free_port(), {}, tmp_path):
        pass  # pragma: no cover - it does not come to that


def test_nobody_answers() -> None:
    """A status of 0, and no exception: benchmarks count it."""
    assert status_of(free_port(), request(None)) == 0


@pytest.mark.parametrize("part", [*FULL, *QUICK], ids=lambda part: f"{part.server}-{part.scene}-{part.workers}")
def test_every_part_names_what_there_is(part: Part) -> None:
    """Servers, scenes, variants."""
    assert part.server in SERVERS
    assert part.scene in SCENES
    assert set(part.variants) <= set(VARIANTS)
    assert "ours" in part.variants
    assert part.variants[0] == "bare" or "bare" not in part.variants


def test_what_is_not_installed_is_left_out() -> None:
    """It is seen before a server is started; what is there is not named."""
    absent = Server(interface="asgi", command=SERVERS["uvicorn"].command, packages=("uvicorn", "no_such_parser"))
    assert (absent.is_installed, SERVERS["uvicorn"].is_installed) == (False, True)
    assert missing("uvicorn", "pyjwt") == ""
    assert list(left_out(FULL)) == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """It says on what it measured, with what, and what it found."""
    options = ["--quick", "--server", "uvicorn", "--scene", "steady", "--rounds", "1", "--seconds", "0.2"]
    assert main([*options, "--own-generator", "--json", str(tmp_path / "figures.json")]) == 0
    said = capsys.readouterr().out
    data = json.loads((tmp_path / "figures.json").read_text())
    assert "load by own generator" in said
    assert f"uvicorn {versions()['uvicorn']}" in said
    assert data["generator"] == "own generator"
    assert list(data["parts"][0]["figures"]) == ["bare", "ours", "pyjwt"]
    assert str(stage.folder.parent) not in json.dumps(data)
