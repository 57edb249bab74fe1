"""Does the simulation drive the machine as workers do, and does the reckoning add up?"""

import importlib.util
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.capacity.__main__ import main
from benchmarks.capacity.measured import measured
from benchmarks.capacity.picture import picture
from benchmarks.capacity.redis import Rates, burden
from benchmarks.capacity.simulation import Fetches, Simulation
from benchmarks.capacity.story import AFTER, FLOOD, OUTAGE, PHASES, QUIET, RETURN, ROTATION, SECOND, START, Phase, Story
from benchmarks.capacity.tables import endpoint_table, redis_table

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def fetches() -> Fetches:
    """Of forty workers."""
    return Simulation(40, sample=40, story=Story()).run()


@pytest.mark.parametrize(
    ("phase", "least", "most"),
    [
        pytest.param(START, 1, 1, id="start"),
        pytest.param(SECOND, 1, 1, id="second"),
        pytest.param(QUIET, 1_800 / 510 - 1, 1_800 / 450 + 1, id="quiet"),
        pytest.param(ROTATION, 0.9, 2, id="rotation"),
        pytest.param(FLOOD, 20, 2 + 600 / 30 + 2, id="flood"),
        pytest.param(OUTAGE, 5, 30, id="outage"),
        pytest.param(RETURN, 0.9, 1.1, id="return"),
        pytest.param(AFTER, 1_200 / 510 - 1, 1_200 / 450 + 1, id="after"),
    ],
)
def test_a_worker_fetches_as_often_as_specified(fetches: Fetches, phase: Phase, least: float, most: float) -> None:
    """On average, over the parts of the story."""
    assert least <= fetches.total(phase) / fetches.workers <= most


def test_workers_that_start_together_do_not_stay_together(fetches: Fetches) -> None:
    """The second fetch of all is spread over a minute at least."""
    assert fetches.peak(START) == 40
    assert fetches.peak(SECOND) < 10


def test_a_start_can_be_spread() -> None:
    """As a deployment that goes worker by worker."""
    spread = Simulation(40, sample=40, story=Story(start_within=50.0)).run()
    assert spread.peak(START) < 10
    assert spread.total(START) == 40


def test_the_same_dice_fall_alike() -> None:
    """What is reported can be made again."""
    runs = [Simulation(5, sample=5, story=Story(), seed=seed).run().seconds for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_sample_stands_for_a_fleet() -> None:
    """In numbers of the fleet."""
    found = Simulation(1_000, sample=10, story=Story()).run()
    assert (found.sample, found.total(START), found.peak(START)) == (10, 1_000, 1_000)
    assert found.busiest(START) == 100
    assert found.rate(0) == 1_000


@pytest.mark.parametrize(
    ("rates", "connections", "commands", "read"),
    [
        pytest.param(Rates(poll_every=2, read_every=100, revocations=0), 10, 10.442, 0, id="idle"),
        pytest.param(Rates(poll_every=4, read_every=100, revocations=0), 10, 5.442, 0, id="patient"),
        pytest.param(Rates(poll_every=2, read_every=100, revocations=1_000), 10, 10.642, 30_000, id="revocations"),
        pytest.param(Rates(poll_every=2, read_every=100, revocations=0, lookups=1), 20, 21.442, 0, id="lookups"),
    ],
)
def test_what_redis_has_to_do(rates: Rates, connections: int, commands: float, read: float) -> None:
    """For ten workers."""
    found = burden(10, rates)
    assert (found.connections, found.told, found.bytes) == (connections, 10, read)
    assert found.commands == pytest.approx(commands, abs=0.001)


def test_too_many_for_one_redis() -> None:
    """It is said where the number of connections is beyond what Redis takes as it comes."""
    lines = list(redis_table([1_000, 100_000], Rates(), 50_000))
    assert ["maxclients" in line for line in lines] == [False, False, False, True]


def test_the_table_has_every_phase(fetches: Fetches) -> None:
    """In the order of the story."""
    assert [line.split("  ")[1] for line in list(endpoint_table(fetches))[2:]] == [phase.text for phase in PHASES]


def test_the_picture_is_well_formed(fetches: Fetches) -> None:
    """With a text for whoever does not see it, and bars within its bounds."""
    root = ET.fromstring(picture(fetches))
    assert root.findtext(f"{SVG}title") == "Fetches of the certs endpoint by 40 workers"
    assert "quiet, later" in (root.findtext(f"{SVG}desc") or "")
    heights = [float(bar.attrib["height"]) for bar in root.findall(f"{SVG}rect")]
    assert len(heights) > 20
    assert min(heights) > 0
    assert max(heights) < 320


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table for people, the same for programs, and the picture."""
    drawn, written = tmp_path / "jitter.svg", tmp_path / "capacity.json"
    assert main(["--workers", "10", "--workers", "20", "--svg", str(drawn), "--json", str(written)]) == 0
    said, data = capsys.readouterr().out, json.loads(written.read_text())
    assert "certs endpoint, 20 workers" in said
    assert [fleet["workers"] for fleet in data["fleets"]] == [10, 20]
    assert sum(data["fleets"][0]["fetches_a_second"][:60]) == 10
    assert "20 workers" in drawn.read_text()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
@pytest.mark.skipif(importlib.util.find_spec("redis") is None, reason="redis is not installed")
def test_redis_can_be_asked_itself() -> None:
    """What it counted of real workers stands beside what was reckoned."""
    assert measured(1, 0.3, Rates(poll_every=0.2)).startswith("1 workers for 0.3 s: Redis counted ")
