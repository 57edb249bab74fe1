"""How does an example come up behind an emulated Cloudflare Access, as its documentation says, and go again?"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import ServiceToken
from tests.eventually import eventually
from tests.examples.catalogue import Example
from tests.processes import free_port

PATIENCE: Final = 60.0  # seconds for an example to come up on a busy machine
_TRIES: Final = 3  # ports: between asking for a free one and using it, another process may take it
ROBOT: Final = ServiceToken.generate("robot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An example that answers.

    Attributes:
        edge: Its address by way of Cloudflare Access.
        origin: Its own address, around it.
    """

    edge: str
    origin: str


def skip_what_is_missing(example: Example) -> None:
    """Skip the test where the example, or what it needs, is not there."""
    if not (example.folder / example.file).is_file():
        pytest.skip(f"there is no examples/{example.name}")
    for name in example.needs:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            pytest.skip(f"{name} is not installed")


@contextmanager
def running(example: Example, issuer: Issuer, log: Path) -> Iterator[Running]:
    """Run an example behind an emulator until the block ends.

    Args:
        example: It.
        issuer: The team's keys.
        log: The file for everything that it writes.
    """
    for left in reversed(range(_TRIES)):
        port = free_port()
        with ExitStack() as stack:
            emulator = stack.enter_context(
                Emulator(upstream=f"http://127.0.0.1:{port}", issuer=issuer, service_tokens=[ROBOT])
            )
            told = {
                "CFACCESS_TEAM": issuer.team,
                "CFACCESS_AUDIENCE": emulator.audience,
                "CFACCESS_TEAM_URL": emulator.url,
            }
            process = stack.enter_context(_process(example.command(port), example.folder, told, log))
            if _answers(process, port):
                yield Running(edge=emulator.url, origin=f"http://127.0.0.1:{port}")
                return
        if not left:
            pytest.fail(f"examples/{example.name} did not start:\n{log.read_text(errors='replace')}")


def run(command: tuple[str, ...], folder: Path, told: Mapping[str, str]) -> str:
    """Run a program to its end, and give what it printed."""
    ended = subprocess.run(
        executable(command),
        cwd=folder,
        env=_environment(told),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def executable(command: tuple[str, ...]) -> list[str]:
    """A command as it is found beside the interpreter that runs the tests."""
    return [str(Path(sys.executable).parent / command[0]), *command[1:]]


@contextmanager
def _process(
    command: tuple[str, ...], folder: Path, told: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            executable(command),
            cwd=folder,
            env=_environment(told),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(told: Mapping[str, str]) -> dict[str, str]:
    """What a user's shell would have: the folder is where the user is, and nothing leads to the package's source."""
    own = ("CFACCESS_", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**inherited, **told, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    with httpx.Client(trust_env=False) as client:

        def answers() -> bool:
            with suppress(httpx.HTTPError):
                return client.get(f"http://127.0.0.1:{port}/healthz").status_code > 0
            return False

        return eventually(answers, unless=lambda: process.poll() is not None, within=PATIENCE)
