"""Does the command measure, write and judge?"""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS, main
from benchmarks.remote import Unavailable, installed, working

SMALL = ("--rounds", "2", "--rules", "10", "--no-peers", "--processes", "1")


def test_a_small_run_writes_what_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, picture = tmp_path / "figures.json", tmp_path / "figures.svg"
    files = ("--json", str(figures), "--svg", str(picture))
    parts = "verification,remembered,asgi,wsgi"
    assert main([*SMALL, "--only", parts, "--token", "service", "--headers", "60", "--seed", "7", *files]) == 0
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert told["options"]["seed"] == 7
    assert told["options"]["kind"] == "service"
    shown = capsys.readouterr().out
    for section in told["sections"]:
        assert section["title"] in shown
        assert all(line["value"] > 0 or line["unit"] for line in section["lines"])
    assert {line["name"] for line in told["sections"][0]["lines"]} >= {"raw RSA verify", "cfaccess_mw, the core"}
    assert str(tmp_path) not in figures.read_text(encoding="utf-8")
    assert "goals met" in shown
    ET.parse(picture)


def test_another_kind_of_token_can_be_measured() -> None:
    assert main([*SMALL, "--only", "remembered", "--token", "large"]) == 0


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_there(part: str) -> None:
    module = __import__(PARTS[part], fromlist=["run"])
    assert callable(module.run)


def test_a_part_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "verification,nonsense"])
    assert "'nonsense' is none of verification" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "status"), [pytest.param((), 0, id="told"), pytest.param(("--check",), 1, id="judged")]
)
def test_a_missed_goal_fails_the_command_only_where_asked(
    flags: tuple[str, ...], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PARTS, "rules", "tests.benchmarks.missed")
    assert main(["--only", "rules", *flags]) == status


def test_what_is_not_installed_is_named_with_the_extra() -> None:
    with pytest.raises(SystemExit, match=r"no_such_package is not installed; pip install 'cfaccess-mw\[bench\]'"):
        main(["--only", "rules"], {"rules": "no_such_package"})


WORKER = """
import json, sys
setup = json.loads(sys.stdin.readline())
print(json.dumps({"failed": "no luck"} if setup["fail"] else {"python": 3}), flush=True)
for line in sys.stdin:
    name, times = line.split()
    if name == "end":
        break
    print(int(times) * setup["pace"], flush=True)
"""


def test_a_worker_elsewhere_is_asked_and_answers() -> None:
    with working([sys.executable, "-c", WORKER], {"fail": False, "pace": 3}) as worker:
        assert worker.facts == {"python": 3}
        assert worker.take("anything")(14) == 42


def test_a_worker_that_cannot_says_why() -> None:
    with (
        pytest.raises(Unavailable, match="no luck"),
        working([sys.executable, "-c", WORKER], {"fail": True, "pace": 1}),
    ):
        pass


def test_a_worker_that_ends_is_noticed() -> None:
    with (
        working([sys.executable, "-c", WORKER], {"fail": False, "pace": 1}) as worker,
        pytest.raises(Unavailable, match="ended"),
    ):
        worker.take("end")(1)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param(["no-such-installer"], "FileNotFoundError", id="not-there"),
        pytest.param([sys.executable, "-c", "raise SystemExit('no such package')"], "no such package", id="fails"),
    ],
)
def test_an_installer_that_fails_says_why(command: list[str], reason: str) -> None:
    with pytest.raises(Unavailable, match=reason):
        installed(command)
