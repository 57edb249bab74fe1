"""A part of the command that says that it runs, and runs until somebody ends it."""

import signal
import socket
from collections.abc import Iterator

from benchmarks.figures import Section
from benchmarks.options import Options


def run(options: Options) -> Iterator[Section]:
    """Hold a connection; an interrupt is left to the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    port = int((options.cache / "port").read_text(encoding="utf-8"))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"here")
        connection.settimeout(None)
        connection.recv(1)
    yield Section(title="Ended", lines=())
