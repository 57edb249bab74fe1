"""A stage with a team and one protected server for all of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.servers.lineup import SERVERS
from benchmarks.servers.process import Running, free_port, running
from benchmarks.servers.process import stage as staged
from benchmarks.servers.scenes import Stage
from benchmarks.servers.shooting import Generator
from cfaccess_mw.emulator.server import Emulator
from tests.servers.process import skip_without


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Rounds of a moment, with our own generator."""
    skip_without("uvicorn", "httptools", "jwt")
    with staged() as folder, Emulator(upstream="http://127.0.0.1:9") as emulator:
        generator = Generator.found(own=True)
        yield Stage(emulator=emulator, folder=folder, generator=generator, seconds=0.3, people=20)


@pytest.fixture(scope="session")
def ours(stage: Stage) -> Iterator[Running]:
    """uvicorn with the protected application."""
    port = free_port()
    environment = {**stage.emulator.environment(), "MEASURED_VARIANT": "ours"}
    with running(SERVERS["uvicorn"].words(port, 1), port, environment, stage.folder) as up:
        yield up


@pytest.fixture
def bad_requests(stage: Stage, tmp_path: Path) -> Path:
    """Requests that the protected application refuses, for a generator."""
    from benchmarks.servers.requests import armed

    return armed(tmp_path / "bad.requests", [f"{token}A" for token in stage.tokens(3)])
