"""Is a process of another program up yet, and where may it listen?"""

import socket
from contextlib import suppress
from subprocess import Popen

from tests.eventually import eventually


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def listens(process: Popen[bytes], port: int) -> bool:
    """Wait until a process takes connections at a port of 127.0.0.1; False where it ended, or takes too long."""

    def answers() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return process.poll() is None
        return False

    return eventually(answers, unless=lambda: process.poll() is not None)
