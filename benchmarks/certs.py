"""Who serves the keys to those who fetch them? ``certs_server`` in a process of its own."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.subject import Subject


class Certs:
    """The endpoint while it runs.

    Attributes:
        url: Of the document.
    """

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self.url = f"{self._base}/cdn-cgi/access/certs"

    @property
    def fetches(self) -> int:
        """How often the document was asked for."""
        with urllib.request.urlopen(f"{self._base}/count", timeout=10) as answer:
            return int(answer.read())


@contextmanager
def serving(subject: Subject, *, delay: float = 0.0) -> Iterator[Certs]:
    """Serve the subject's keys on loopback.

    Args:
        subject: Whose.
        delay: Seconds that the endpoint takes over each answer.
    """
    script = Path(__file__).with_name("certs_server.py")
    process = subprocess.Popen(
        [sys.executable, "-P", str(script), str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the certs endpoint has no pipes")
        process.stdin.write(json.dumps(subject.certs).encode() + b"\n")
        process.stdin.flush()
        try:
            yield Certs(int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(10)
