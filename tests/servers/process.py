"""How does a real server come up for a test, and go again?"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.matrix import SERVERS, Pair
from tests.servers.raw import Conversation, get

PATIENCE: Final = 30.0  # seconds for a server to come up on a busy machine
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
    """

    pair: Pair
    port: int
    log: Path

    def connect(self) -> Conversation:
        """A new connection."""
        return Conversation(self.port)


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
        port = _free_port()
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
                yield Running(pair=pair, port=port, log=log)
                return
        finally:
            _stop(process)
        if not left:
            raise DidNotStart(log.read_text(errors="replace"))


def _command(pair: Pair, port: int) -> list[str]:
    return SERVERS[pair.server].command(f"tests.servers.apps.{pair.application}:app", port, pair.mount)


def _variables(pair: Pair) -> dict[str, str]:
    variables = {"PYTHONUNBUFFERED": "1"}
    if pair.mount:
        variables["SERVERS_MOUNT"] = pair.mount
        if SERVERS[pair.server].mounts_by_variable:
            variables["SCRIPT_NAME"] = pair.mount
    if pair.naked:
        variables["SERVERS_NAKED"] = "1"
    if pair.wide:
        variables["SERVERS_WIDE"] = "1"
    return variables


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def _answers(process: "subprocess.Popen[bytes]", port: int, mount: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), Conversation(port) as conversation:
            conversation.send(get(f"{mount}/healthz"))
            if conversation.answer().status:
                return True
        time.sleep(0.02)  # between tries to connect: nothing tells us when a foreign process listens
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
