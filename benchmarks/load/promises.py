"""What is promised of a run, and was it kept? Each with the number that decided."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.load.record import Record
from cfaccess_mw.core.timing import Timing

_TIMING: Final = Timing()
_MIB: Final = 2**20

# Between the first third of a run and the last. A leak grows with the requests and passes any of these in minutes; what
# they leave room for is the noise of a busy machine.
_LATER: Final = {"median": (1.5, 0.005), "p95": (2.0, 0.100)}  # times, and seconds more
# What is taken, its unit, times, and more for each worker: what a pool starts late, connections that happen to be open.
_FLAT: Final = (("memory", _MIB, 1.10, 4 * _MIB), ("files", 0, 1.0, 24), ("threads", 0, 1.0, 2))
_SLACK: Final = 1  # fetches a worker: one that was under way when it was counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One, with its outcome.

    Attributes:
        text: What is promised.
        kept: Whether it was.
        measured: What was seen.
    """

    text: str
    kept: bool
    measured: str


def promises(record: Record) -> list[Promise]:
    """Judge a run.

    Args:
        record: Of it.
    """
    return [
        _none("nobody with a good token is refused, or taken for somebody else", record.wrong(good=True), record.total),
        _none("nobody else is let in, and each is told why", record.wrong(good=False), record.total),
        _none("no 5xx but the specified 503", record.failures(), record.total),
        _none("the server wrote no traceback", {"tracebacks": record.tracebacks} if record.tracebacks else {}, 0),
        _fetches(record),
        *_learned(record),
        *_flat(record),
    ]


def status(records: Iterable[Record]) -> int:
    """What the command ends with: 1 where a promise was broken.

    Args:
        records: Of all runs.
    """
    return 0 if all(promise.kept for record in records for promise in promises(record)) else 1


def most_fetches(seconds: float, workers: int) -> int:
    """How often the certs endpoint may be asked, at most.

    Each worker: one at first, the bucket for unknown key ids with what flows into it, and the routine ones.

    Args:
        seconds: How long.
        workers: How many processes.
    """
    timing = _TIMING
    unknown = timing.bucket_size + math.floor(seconds / timing.bucket_period)
    routine = math.floor(seconds / (timing.shortest * (timing.ahead - timing.spread)))
    return workers * (1 + unknown + routine + _SLACK)


def _none(text: str, wrong: dict[str, int], total: int) -> Promise:
    several = "; ".join(f"{name} ({count})" for name, count in sorted(wrong.items(), key=lambda each: -each[1])[:8])
    return Promise(text=text, kept=not wrong, measured=several or (f"none of {total:,}" if total else "none"))


def _fetches(record: Record) -> Promise:
    most = most_fetches(record.seconds, record.workers)
    return Promise(
        text=f"the certs endpoint is asked at most {most} times by {record.workers} workers",
        kept=record.fetches <= most,
        measured=f"{record.fetches} times",
    )


def _learned(record: Record) -> Iterator[Promise]:
    if record.learned is not None:
        # the newcomer's own expectation holds the bound; this shows the number
        yield Promise(
            text="a rotation is learned under the flood by every worker",
            kept=True,
            measured=f"the last newcomer was told to come again after {record.learned:.1f} s",
        )


def _flat(record: Record) -> Iterator[Promise]:
    for name, share in (("median", 0.5), ("p95", 0.95)):
        times, seconds = _LATER[name]
        first, last = record.latency(0, share), record.latency(2, share)
        yield _compared(f"latency stays flat ({name}, ms)", first, last, first * times + seconds, 1e-3)
    if not record.samples:  # nothing to look into on this system
        return
    for what, unit, times, more in _FLAT:
        first, last = record.taken(0, what), record.taken(2, what)
        text = f"{what} stays flat (MiB)" if unit else f"{what} stay flat"
        yield _compared(text, first, last, first * times + more * record.workers, unit or 1)
    died = len(record.samples[0].processes - record.samples[-1].processes)
    yield Promise(text="no worker dies", kept=not died, measured=f"{died} processes are gone" if died else "none")


def _compared(text: str, first: float, last: float, most: float, unit: float) -> Promise:
    shown = [f"{value / unit:.1f}" for value in (first, last, most)]
    measured = "first third {}, last third {}, at most {}".format(*shown)
    return Promise(text=text, kept=last <= most, measured=measured)
