"""How does a real Redis come up for a test, and what can be done to it?"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from tests.processes import free_port, listens

PROGRAM: Final = "redis-server"
_TRIES: Final = 3  # ports: between asking for a free one and using it, another process may take it


def needs_redis() -> None:
    """Skip a test where there is no Redis."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")


class RedisServer:
    """A server of its own, on 127.0.0.1.

    Args:
        folder: Where its data and its log go.
        options: Further words of its command line.
        port: Where; a free one by default. With TLS the plain port is another one.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options: Sequence[str] = options
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Any:
        """A client for what the test itself does there."""
        return Redis(port=self.port)

    def start(self) -> None:
        """Begin, where it was before or at a free port."""
        for _ in range(_TRIES):
            port = self.port or free_port()
            with (self.folder / "redis.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [PROGRAM, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--hz", "100", *self.options],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if listens(self._process, port):
                self.port = port
                return
            self.kill()
        raise OSError((self.folder / "redis.log").read_text(errors="replace"))

    def kill(self) -> None:
        """End at once; what was not written down is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Have it answer nobody, though it takes connections."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run one until the block ends."""
    needs_redis()
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
