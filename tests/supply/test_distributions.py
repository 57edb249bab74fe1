"""Do the wheel and the source distribution hold what they should, nothing else, and the same bytes each time?

Both are built by the real backend: the source distribution from this tree, the wheel from what was unpacked of it.
"""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cfaccess_mw"

pytest.importorskip("hatchling", reason="the build backend, hatchling, is not installed")
if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("the tests stand alone, there is nothing to build", allow_module_level=True)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME = f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}"
INFO = f"{NAME}.dist-info"
EPOCH = "1735689600"  # seconds since the epoch: any time that a ZIP archive can show

# What git ignores, and whatever a machine leaves about.
NEVER = re.compile(
    r"(^|/)(\.git|\.hypothesis|\.venv|\.tox|\.[a-z]+_cache|__pycache__|node_modules|build|dist)(/|$)"
    r"|\.(pyc|pyo|so|log|pem|key|orig|rej|swp)$|(^|/)\.(coverage|DS_Store)|~$"
)


@dataclass(frozen=True)
class Built:
    """Both distributions."""

    wheel: Path
    sdist: Path


def backend(call: str, source: Path, target: Path, *, epoch: str = EPOCH, umask: int = 0o022) -> Path:
    """Ask the backend for a distribution of ``source``, in a process whose environment is nearly empty."""
    target.mkdir(parents=True, exist_ok=True)
    program = f"import os; os.umask({umask}); from hatchling.build import {call}; print({call}({str(target)!r}))"
    environment = {"SOURCE_DATE_EPOCH": epoch, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=source, env=environment, capture_output=True, text=True, check=True
    )
    return target / done.stdout.splitlines()[-1]


def unpacked(sdist: Path, target: Path) -> Path:
    """The folder that a source distribution holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    return target / NAME


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    sdist = backend("build_sdist", ROOT, folder)
    return Built(wheel=backend("build_wheel", unpacked(sdist, folder), folder), sdist=sdist)


@pytest.fixture(scope="module")
def in_wheel(built: Built) -> set[str]:
    with zipfile.ZipFile(built.wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def in_sdist(built: Built) -> set[str]:
    with tarfile.open(built.sdist) as archive:
        return {str(PurePosixPath(member.name).relative_to(NAME)) for member in archive if member.isfile()}


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with zipfile.ZipFile(built.wheel) as archive:
        return Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())


def sources(folder: Path) -> set[str]:
    """The files below a folder that are anybody's work, as paths from the root."""
    files = {file.relative_to(ROOT).as_posix() for file in folder.rglob("*") if file.is_file()}
    return {name for name in files if not NEVER.search(name)}


def test_the_wheel_holds_the_package_and_what_is_said_of_it(in_wheel: set[str]) -> None:
    said = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    assert in_wheel == sources(PACKAGE) | said


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("cfaccess_mw/py.typed", id="it is typed"),
        pytest.param("cfaccess_mw/wire/refusal.html", id="the page of a refusal"),
        pytest.param("cfaccess_mw/emulator/style.css", id="the emulator's style"),
        pytest.param("cfaccess_mw/edge/cloudflare-ranges.json", id="the networks of Cloudflare"),
    ],
)
def test_what_is_not_code_is_in_both(name: str, in_wheel: set[str], in_sdist: set[str]) -> None:
    assert name in in_wheel
    assert name in in_sdist


def test_what_is_installed_is_of_a_few_kinds(in_wheel: set[str]) -> None:
    """A new kind is somebody's decision, never an accident."""
    kinds = {PurePosixPath(name).suffix for name in in_wheel if name.startswith("cfaccess_mw/")}
    assert kinds <= {".py", ".html", ".css", ".json", ".md", ".typed"}


@pytest.mark.parametrize("folder", ["cfaccess_mw", "tests", "benchmarks", "examples"])
def test_the_source_distribution_holds_all_that_it_takes_to_test_and_measure(folder: str, in_sdist: set[str]) -> None:
    assert {name for name in in_sdist if name.startswith(f"{folder}/")} >= sources(ROOT / folder)


def test_the_source_distribution_holds_no_more_than_it_says(in_sdist: set[str]) -> None:
    tops = {name.partition("/")[0] for name in in_sdist}
    assert tops == {
        *("cfaccess_mw", "tests", "benchmarks", "examples", "pyproject.toml", "tox.ini", "PKG-INFO", ".gitignore"),
        *("README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"),
    }


def test_nothing_that_a_machine_leaves_about_is_in_either(in_wheel: set[str], in_sdist: set[str]) -> None:
    assert [name for name in in_wheel | in_sdist - {".gitignore"} if NEVER.search(name)] == []


def test_the_metadata_is_the_projects(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert metadata.get_payload() == (ROOT / "README.md").read_text("utf-8")
    plain = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(plain) == len(PROJECT["dependencies"])


@pytest.mark.parametrize("call", ["build_wheel", "build_sdist"])
def test_the_same_source_gives_the_same_bytes(call: str, built: Built, tmp_path: Path) -> None:
    """From another folder, with other times and another umask."""
    again = unpacked(built.sdist, tmp_path)
    for file in again.rglob("*.py"):
        file.touch()
    other = backend(call, again, tmp_path / "out", umask=0o077)
    assert other.read_bytes() == (built.wheel if call == "build_wheel" else built.sdist).read_bytes()


def test_the_time_within_is_the_one_that_was_given(built: Built, tmp_path: Path) -> None:
    later = backend("build_wheel", unpacked(built.sdist, tmp_path), tmp_path / "out", epoch=str(int(EPOCH) + 86_400))
    with zipfile.ZipFile(built.wheel) as one, zipfile.ZipFile(later) as other:
        assert {info.date_time for info in one.infolist()} == {(2025, 1, 1, 0, 0, 0)}
        assert {info.date_time for info in other.infolist()} == {(2025, 1, 2, 0, 0, 0)}
