"""How are the servers of these tests started, asked and ended?"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.eventually import PATIENCE
from tests.faults.endpoint import Endpoint
from tests.processes import free_port, listens
from tests.servers.raw import Answer, Conversation, request
from tests.tokens import AUD

CLOSED: Final = (0, "")
PASSED: Final = (200, "PASSED alice@example.com")

_TRIES: Final = 3  # ports: between asking for a free one and using it, another process may take it

GUNICORN: Final = ("gunicorn", "--bind=127.0.0.1:{port}", "--log-level=error", "--no-control-socket")
GTHREAD: Final = (*GUNICORN, "--worker-class=gthread", "--threads=8")
ON_UVICORN: Final = (*GUNICORN, "--worker-class=uvicorn.workers.UvicornWorker")
UVICORN: Final = ("uvicorn", "--host=127.0.0.1", "--port={port}", "--no-access-log")

SERVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn": (*UVICORN, "tests.faults.on_asgi:app"),
    "uvicorn-workers": (*UVICORN, "--workers=2", "tests.faults.on_asgi:app"),
    "hypercorn": ("hypercorn", "--bind=127.0.0.1:{port}", "tests.faults.on_asgi:app"),
    "granian": ("granian", "--interface=asgi", "--host=127.0.0.1", "--port={port}", "tests.faults.on_asgi:app"),
    "gunicorn-sync": (*GUNICORN, "tests.faults.on_wsgi:app"),
    "gunicorn-gthread": (*GTHREAD, "tests.faults.on_wsgi:app"),
    "gunicorn-uvicorn": (*ON_UVICORN, "tests.faults.on_asgi:app"),
    "waitress": ("waitress", "--listen=127.0.0.1:{port}", "--threads=8", "tests.faults.on_wsgi:app"),
}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def ask(self, token: str | None, path: str = "/") -> tuple[int, str]:
        """What it answers: the status with the code of the refusal, or with what the application says."""
        return heard(self.send(token, path))

    def send(self, token: str | None, path: str = "/", *, close: bool = True) -> Conversation:
        """Send a request on a connection of its own, and do not wait for the answer."""
        conversation = Conversation(self.port)
        conversation.send(asking(token, path, close=close))
        return conversation

    def knock(self) -> Conversation | None:
        """Ask without a token where perhaps nobody listens any more."""
        try:
            return self.send(None)
        except ConnectionError:
            return None


def asking(token: str | None, path: str = "/", *, close: bool = True) -> bytes:
    """The bytes of a request."""
    lines = [] if token is None else [f"Cf-Access-Jwt-Assertion: {token}"]
    return request(path, *lines, close=close)


def heard(conversation: Conversation | None) -> tuple[int, str]:
    """An answer, after which we hang up; (0, "") where the connection was closed without one, or never made."""
    if conversation is None:
        return CLOSED
    with conversation:
        return told(conversation.answer())


def told(answer: Answer) -> tuple[int, str]:
    """The status with the code of the refusal, or with what the application says."""
    text = answer.body.decode()
    return answer.status, json.loads(text)["code"] if answer.status >= 400 else text


def environment_of(endpoint: Endpoint, alone: Path) -> dict[str, str]:
    """What a process of ours is told: our own variables and nobody's configuration, and where the tests are."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CFACCESS_")}
    return {
        **own,
        "CFACCESS_TEAM": "acme",
        "CFACCESS_AUDIENCE": AUD,
        "CFACCESS_CERTS_URL": endpoint.url,
        "PYTHONPATH": str(alone),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def running(words: tuple[str, ...], endpoint: Endpoint, folder: Path, alone: Path, **more: str) -> Iterator[Running]:
    """Run a server until the block ends.

    Args:
        words: A row of ``SERVERS``.
        endpoint: Where its door fetches keys.
        folder: Where its output goes.
        alone: Where the tests can be imported from.
        more: Further variables of its environment.
    """
    log = folder / "log"
    environment = {**environment_of(endpoint, alone), **more}
    for _ in range(_TRIES):
        port = free_port()
        filled = [word.format(port=port) for word in words]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *filled],
                cwd=alone,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            if listens(process, port):
                yield Running(process, port, log)
                return
        finally:
            _stop(process)
    raise AssertionError(log.read_text(errors="replace"))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Gate:
    """Where requests to ``/hold`` wait until they are let go."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE)
        self._held: list[socket.socket] = []
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.open()
        self._listening.close()

    def wait(self) -> None:
        """Wait until one more request is held."""
        self._held.append(self._listening.accept()[0])

    def open(self) -> None:
        """Let all go that are held."""
        while self._held:
            with self._held.pop() as held:
                held.sendall(b"x")
