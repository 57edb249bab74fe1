"""How does a server come up to be measured, and go again?"""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PATIENCE: Final = 30.0  # seconds for a server to come up on a busy machine
_LAST_WORDS: Final = 2_000  # characters of what a server wrote that are shown when it does not


class DidNotStart(Exception):
    """The server left before it answered; the message is what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers.

    Attributes:
        pid: Of the process that was started; its workers are its children.
        port: Where, on 127.0.0.1.
        log: Everything that it wrote.
    """

    pid: int
    port: int
    log: Path


@contextmanager
def stage() -> Iterator[Path]:
    """A folder from which processes can import ``benchmarks``, and the package only where it is installed."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        (folder / "benchmarks").symlink_to(Path(__file__).parents[1], target_is_directory=True)
        yield folder


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def running(words: Sequence[str], port: int, environment: Mapping[str, str], folder: Path) -> Iterator[Running]:
    """Run a server until the block ends.

    Args:
        words: Its command line.
        port: Where it will listen.
        environment: Further variables for it.
        folder: Made by ``stage``.

    Raises:
        DidNotStart: It left early, or answers nothing on ``/healthz``.
    """
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        if not _answers(process, port):
            raise DidNotStart(log.read_text(errors="replace")[-_LAST_WORDS:])
        yield Running(pid=process.pid, port=port, log=log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def status_of(port: int, request: bytes, *, patience: float = 15.0) -> int:
    """Send one request on a connection of its own.

    Args:
        port: Where, on 127.0.0.1.
        request: Its bytes.
        patience: Seconds of silence.

    Returns:
        The status of the answer; 0 where there was none.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), patience) as connection:
            connection.sendall(request)
            words = connection.recv(64).split(b" ")
    except OSError:
        return 0
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            if status_of(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", patience=2) == 200:
                return True
        time.sleep(0.05)  # between tries to connect: nothing tells us when a foreign process listens
    return False
