"""How is a server loaded for one round, and what is said of several?"""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BESIDE: Final = Path(__file__).parent
_GRACE: Final = 30.0  # seconds for a generator to start, and to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round brought.

    Attributes:
        answers: How many.
        seconds: How long it took.
        p50: Milliseconds from a request to its answer, the median.
        p99: Likewise, of which one in a hundred is above.
        longest: Likewise, the longest of all.
        refused: Answers with another status than 2xx or 3xx.
        broken: Connections that were refused or lost, and requests without an answer.
    """

    answers: int
    seconds: float
    p50: float
    p99: float
    longest: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.answers - self.refused) / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What makes the load.

    Attributes:
        name: As reports say it.
        connections: How many requests at a time.
    """

    name: str
    connections: int = 16

    @classmethod
    def found(cls, *, own: bool = False) -> "Generator":
        """wrk where it is installed, ours otherwise.

        Args:
            own: Take ours in any case.
        """
        return cls(name="wrk" if shutil.which("wrk") and not own else "own generator")

    def shoot(self, port: int, requests: Path, seconds: float) -> Round:
        """Load a server.

        Args:
            port: On 127.0.0.1.
            requests: A file of ``armed``.
            seconds: How long.
        """
        done = subprocess.run(
            self._words(port, requests, seconds), capture_output=True, check=True, text=True, timeout=seconds + _GRACE
        )
        return Round(**json.loads(done.stdout.splitlines()[-1]))

    def _words(self, port: int, requests: Path, seconds: float) -> list[str]:
        if self.name != "wrk":
            words = [
                sys.executable,
                "-P",
                str(_BESIDE / "generator.py"),
                str(port),
                str(self.connections),
                str(seconds),
            ]
            return [*words, str(requests)]
        # wrk takes whole seconds only; -t1 leaves the other core to the server
        words = ["wrk", "-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s", "--timeout=20s"]
        return [*words, f"-s{_BESIDE / 'wrk.lua'}", f"http://127.0.0.1:{port}", "--", str(requests)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Several rounds of one thing: the medians, and between which two the rates lay.

    ``share`` is the rate compared with that of the bare application in the same turn, the median of all turns; None
    where there is none to compare with.
    """

    rate: float
    share: float | None
    slowest: float
    fastest: float
    p50: float
    p99: float
    longest: float
    refused: int
    broken: int
    rounds: int

    @classmethod
    def of(cls, rounds: Sequence[Round], bare: Sequence[Round] = ()) -> "Figure":
        """Sum up.

        Args:
            rounds: At least one.
            bare: Those of the bare application, in the same turns.
        """
        rates = [each.rate for each in rounds]
        shares = [each.rate / base.rate for each, base in zip(rounds, bare, strict=False) if base.rate]
        return cls(
            rate=statistics.median(rates),
            share=statistics.median(shares) if shares else None,
            slowest=min(rates),
            fastest=max(rates),
            p50=statistics.median(each.p50 for each in rounds),
            p99=statistics.median(each.p99 for each in rounds),
            longest=max(each.longest for each in rounds),
            refused=sum(each.refused for each in rounds),
            broken=sum(each.broken for each in rounds),
            rounds=len(rounds),
        )
