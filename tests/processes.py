"""Is a process of another program up yet, and where may it listen?"""

import socket
import time
from contextlib import suppress
from subprocess import Popen

PATIENCE = 30.0  # seconds for a server to come up on a busy machine


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def listens(process: Popen[bytes], port: int) -> bool:
    """Wait until a process takes connections at a port of 127.0.0.1; False where it ended, or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)  # between tries to connect: nothing tells us when a foreign process listens
    return False
