"""How is a run reported? In Markdown for people, in JSON for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.load.events import EVENTS
from benchmarks.load.kinds import KINDS
from benchmarks.load.promises import promises
from benchmarks.load.record import Record


def markdown(records: Sequence[Record], machine: Mapping[str, str], command: str) -> Iterator[str]:
    """The lines of a report.

    Args:
        records: One for each server.
        machine: Where it was, and with which versions.
        command: That makes it again.
    """
    yield "# Under load"
    yield f"\nMade by `{command}`. {'; '.join(f'{name} {value}' for name, value in machine.items())}."
    yield "\nMeanwhile: " + ", ".join(f"{event.text} ({_when(event.at, event.lasts)})" for event in EVENTS) + "."
    for record in records:
        rate = record.total / record.seconds
        yield f"\n## {record.server}, {record.workers} workers, {record.seconds:.0f} s, {rate:.0f} requests a second"
        yield "\n| promise | kept | measured |\n|---|---|---|"
        for promise in promises(record):
            yield f"| {promise.text} | {'yes' if promise.kept else '**NO**'} | {promise.measured} |"
        yield "\n| requests | outcomes |\n|---|---|"
        for kind in KINDS:
            if kind.name in record.outcomes:
                counted = record.outcomes[kind.name].most_common()
                yield f"| {kind.name} | {', '.join(f'{count:,} of {outcome}' for outcome, count in counted)} |"


def as_data(records: Sequence[Record], machine: Mapping[str, str], command: str) -> dict[str, Any]:
    """The same for programs, with everything that was sampled."""
    return {
        "command": command,
        "machine": dict(machine),
        "runs": [
            {
                "server": record.server,
                "workers": record.workers,
                "seconds": record.seconds,
                "requests": record.total,
                "fetches": record.fetches,
                "learned": record.learned,
                "renewed": record.renewed,
                "promises": [
                    {"text": each.text, "kept": each.kept, "measured": each.measured} for each in promises(record)
                ],
                "outcomes": {name: dict(counter) for name, counter in record.outcomes.items()},
                "latency": {
                    name: [record.latency(third, share) for third in range(3)]
                    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
                },
                "samples": [
                    {"at": each.at - record.began, "memory": each.memory, "files": each.files, "threads": each.threads}
                    for each in record.samples
                ],
            }
            for record in records
        ],
    }


def _when(at: float, until: float) -> str:
    return f"at {at:.0%} to {until:.0%}" if until else f"at {at:.0%}"
