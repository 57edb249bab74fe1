"""How do contenders take part that need another interpreter? A line asks for so many calls, a line says how long."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import Take


class Unavailable(Exception):
    """A peer cannot be measured here; the text says why."""


class Worker:
    """The other process.

    Attributes:
        facts: What it said about itself.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.facts: Mapping[str, Any] = json.loads(self._line() or "{}")
        if "failed" in self.facts:
            raise Unavailable(str(self.facts["failed"]))

    def take(self, name: str) -> Take:
        """What has one of its contenders called so many times."""

        def take(times: int) -> int:
            self._say(f"{name} {times}")
            return int(self._line())

        return take

    def _say(self, line: str) -> None:
        if self._process.stdin is None:
            raise Unavailable("it has no standard input")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise Unavailable(f"its process ended ({self._process.wait(10)})")
        return line


@contextmanager
def working(command: Sequence[str], setup: Mapping[str, Any], **options: Any) -> Iterator[Worker]:
    """Have a worker for a while.

    Args:
        command: How it is started.
        setup: What it is told first, as one line of JSON.
        options: Of :class:`subprocess.Popen`.

    Raises:
        Unavailable: It cannot work.
    """
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options
    ) as process:
        if process.stdin is None:
            raise Unavailable("it has no standard input")
        try:
            process.stdin.write(f"{json.dumps(setup)}\n")
            process.stdin.flush()
            yield Worker(process)
        finally:
            process.stdin.close()
            process.wait(10)


def installed(command: Sequence[str]) -> None:
    """Run an installer.

    Raises:
        Unavailable: It failed, or is not there.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {type(error).__name__}") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Unavailable(f"{' '.join(command[1:3])} failed: {''.join(last)}"[:200])
