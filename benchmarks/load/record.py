"""What came of it all? Counted by kind and outcome; with the latency of what was let in, by the third of the run."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.load.kinds import KINDS, Kind
from benchmarks.load.watching import Sample


@dataclass(slots=True, kw_only=True)
class Record:
    """One server's run.

    Attributes:
        server: Its name.
        began: When the load began, in monotonic seconds.
        seconds: How long it was to last.
        workers: How many processes served.
        outcomes: How often each came of each kind.
        latencies: When a good answer came, and after how many seconds.
        samples: What the server took.
        fetches: How often the certs endpoint was asked, the beginning included.
        learned: Seconds from the rotation until the last newcomer was told to come again; None where none came.
        renewed: How often a server had closed a kept connection between two requests.
        tracebacks: How many the server wrote.
    """

    server: str
    began: float
    seconds: float
    workers: int
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    fetches: int = 0
    learned: float | None = None
    renewed: int = 0
    tracebacks: int = 0

    def note(self, kind: Kind, outcome: str, began: float, ended: float) -> None:
        """Count one request."""
        self.outcomes.setdefault(kind.name, Counter())[outcome] += 1
        if outcome == "200" and kind.name == "user":
            self.latencies.append((ended, ended - began))

    @property
    def total(self) -> int:
        """How many requests were made."""
        return sum(counter.total() for counter in self.outcomes.values())

    def wrong(self, *, good: bool) -> dict[str, int]:
        """Outcomes that are not expected, by ``kind: outcome``.

        Args:
            good: Of requests that must be let in, or of those that must not.
        """
        return {
            f"{kind.name}: {outcome}": count
            for kind in KINDS
            if kind.is_good is good
            for outcome, count in self.outcomes.get(kind.name, Counter()).items()
            if outcome not in kind.expected
        }

    def failures(self) -> dict[str, int]:
        """Answers of 500 and above that the specification does not name, by outcome."""
        found: Counter[str] = Counter()
        for kind in KINDS:
            for outcome, count in self.outcomes.get(kind.name, Counter()).items():
                if outcome[:1] == "5" and outcome not in kind.expected:
                    found[outcome] += count
        return dict(found)

    def latency(self, third: int, share: float) -> float:
        """Seconds below which a share of the answers in a third of the run stayed; 0 where there were none.

        Args:
            third: 0 to 2.
            share: 0.5 for the median.
        """
        found = sorted(taken for at, taken in self.latencies if self._third(at) == third)
        return found[min(len(found) - 1, int(len(found) * share))] if found else 0.0

    def taken(self, third: int, what: str) -> float:
        """The median of what the server took in a third of the run; 0 where nobody looked.

        Args:
            third: 0 to 2.
            what: ``memory``, ``files`` or ``threads``.
        """
        found: list[int] = [getattr(each, what) for each in self.samples if self._third(each.at) == third]
        return statistics.median(found) if found else 0.0

    def _third(self, at: float) -> int:
        return min(2, max(0, int(3 * (at - self.began) / self.seconds)))
