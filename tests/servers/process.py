"""How does a real server come up for a test, and go again?"""

import importlib.util
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from tests.eventually import eventually
from tests.processes import free_port
from tests.servers.matrix import SELECT, SERVERS, Pair
from tests.servers.raw import Conversation, get

_TRIES: Final = 3  # ports: between asking for a free one and using it, another process may take it


class DidNotStart(Exception):
    """The server left before it answered; the message is what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers.

    Attributes:
        pair: What runs.
        port: Where, on 127.0.0.1.
        log: The file of everything that it wrote.
        end: Tells the process to end.
    """

    pair: Pair
    port: int
    log: Path
    end: Callable[[], None]

    def connect(self) -> Conversation:
        """A new connection."""
        return Conversation(self.port)

    def select(self, name: str | None = None) -> None:
        """Let another of the process's applications answer.

        Args:
            name: At the switchboard; the pair's own by default.

        Raises:
            LookupError: There is none of this name, or it does not come up.
        """
        with self.connect() as conversation:
            conversation.send(get(f"{self.pair.mount}{SELECT}?{name or self.pair.selected}"))
            if conversation.answer().status != 200:
                raise LookupError(f"{name or self.pair.selected}\n{self.log.read_text(errors='replace')}")


def skip_without(*packages: str) -> None:
    """Skip a test where one of these is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


class Processes:
    """One process for each server and mount, which runs until the block ends, whatever application is selected in it.

    Args:
        environment: Further variables for each.
        folder: Where their output goes.
        alone: Where the tests can be imported from.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, alone: Path) -> None:
        self._how = (environment, folder, alone)
        self._running: dict[tuple[str, str], Running] = {}
        self._open = ExitStack()

    def __enter__(self) -> "Processes":
        """Itself; nothing runs yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """End them all: each is told before the first is waited for."""
        for process in self._running.values():
            process.end()
        self._open.close()

    def of(self, pair: Pair) -> Running:
        """The process that can run a pair; it may have been running another one."""
        key = (pair.server, pair.mount)
        if key not in self._running:
            self._running[key] = self._open.enter_context(running(pair, *self._how))
        return replace(self._running[key], pair=pair)


@contextmanager
def running(pair: Pair, environment: Mapping[str, str], folder: Path, alone: Path) -> Iterator[Running]:
    """Run a server until the block ends.

    Args:
        pair: What to run.
        environment: Further variables for it.
        folder: Where its output goes.
        alone: Where the tests can be imported from.

    Raises:
        DidNotStart: It left early, on three ports.
    """
    log = folder / f"{pair}.log"
    for left in reversed(range(_TRIES)):
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                _command(pair, port),
                cwd=alone,
                env={**os.environ, **environment, **_variables(pair), "PYTHONPATH": str(alone)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            if _answers(process, port, pair.mount):
                up = Running(pair=pair, port=port, log=log, end=process.terminate)
                if pair.application:
                    up.select()
                yield up
                return
        finally:
            _stop(process)
        if not left:
            raise DidNotStart(log.read_text(errors="replace"))


def _command(pair: Pair, port: int) -> list[str]:
    return SERVERS[pair.server].command(f"tests.servers.apps.switchboard:{pair.interface}", port, pair.mount)


def _variables(pair: Pair) -> dict[str, str]:
    variables = {"PYTHONUNBUFFERED": "1"}
    if pair.mount:
        variables["SERVERS_MOUNT"] = pair.mount
        if SERVERS[pair.server].mounts_by_variable:
            variables["SCRIPT_NAME"] = pair.mount
    return variables


def _answers(process: "subprocess.Popen[bytes]", port: int, mount: str) -> bool:
    def status() -> int:
        with suppress(OSError), Conversation(port) as conversation:
            conversation.send(get(f"{mount}{SELECT}?"))
            return conversation.answer().status
        return 0

    return eventually(status, unless=lambda: process.poll() is not None) > 0


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
