"""How do several workers run under a real server, and what did each of them answer?"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.processes import free_port, listens

PATIENCE: Final = 30.0

COMMANDS: Final = {
    "uvicorn": ("-m", "uvicorn", "tests.fleet.application:asgi_application", "--factory", "--no-access-log"),
    "gunicorn": ("-m", "gunicorn", "tests.fleet.application:wsgi_application()", "--worker-class=gthread"),
    "gunicorn-preload": ("-m", "gunicorn", "tests.fleet.application:wsgi_application()", "--preload"),
}


def _command(server: str, workers: int, port: int) -> list[str]:
    words = [sys.executable, *COMMANDS[server], f"--workers={workers}"]
    if server == "uvicorn":
        return [*words, "--host=127.0.0.1", f"--port={port}", "--timeout-graceful-shutdown=1"]
    return [*words, f"--bind=127.0.0.1:{port}", "--graceful-timeout=1", "--log-level=error", "--no-control-socket"]


@contextmanager
def serving(
    server: str, workers: int, fleet: Mapping[str, Any], certs: Any, folder: Path, alone: Path
) -> Iterator[int]:
    """Run a server with so many workers until the block ends; gives its port."""
    port, keys, log = free_port(), folder / "keys.json", folder / f"{server}.log"
    keys.write_text(json.dumps(certs))
    variables = {"FLEET_TEST_KEYS": str(keys), "FLEET_TEST_FLEET": json.dumps(fleet), "PYTHONPATH": str(alone)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(server, workers, port),
            cwd=alone,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        if not listens(process, port):
            raise OSError(log.read_text(errors="replace"))
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Load:
    """Requests one after the other from some threads, and what each worker answered when.

    Attributes:
        answers: By worker: when it was asked, when it answered, and with which status.
    """

    port: int
    token: str
    answers: dict[str, list[tuple[float, float, int]]] = field(default_factory=dict)
    _heard: threading.Condition = field(default_factory=threading.Condition)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self, threads: int) -> Iterator["Load"]:
        """Ask until the block ends."""
        running = [threading.Thread(target=self._ask) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in running:
                thread.join()

    def wait_for_all(self, workers: int, status: int) -> bool:
        """Wait until so many workers have answered, each with this status at last."""

        def is_so() -> bool:
            return len(self.answers) >= workers and all(each[-1][2] == status for each in self.answers.values())

        with self._heard:
            return self._heard.wait_for(is_so, PATIENCE)

    def _ask(self) -> None:
        while not self._over.is_set():
            asked_at = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/", headers={"Cf-Access-Jwt-Assertion": self.token})
                response = connection.getresponse()
                response.read()
                connection.close()
            except OSError:
                continue  # it is coming up
            with self._heard:
                found = self.answers.setdefault(response.headers["x-worker"], [])
                found.append((asked_at, time.monotonic(), response.status))
                self._heard.notify_all()
