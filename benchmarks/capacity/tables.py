"""How do people, and programs, read it?"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.capacity.redis import MOST_CLIENTS, Rates, burden
from benchmarks.capacity.simulation import Fetches
from benchmarks.capacity.story import END, PHASES


def endpoint_table(fetches: Fetches) -> Iterator[str]:
    """What a fleet does to the certs endpoint.

    Args:
        fetches: Of its story.
    """
    sampled = "" if fetches.sample == fetches.workers else f", from a sample of {fetches.sample:,}"
    yield f"\ncerts endpoint, {fetches.workers:,} workers{sampled}; fetches a second"
    yield f"  {'':26}{'minutes':>12}{'mean':>10}{'busiest 10 s':>14}{'to mean':>9}{'busiest 1 s':>13}{'a worker':>10}"
    for phase in PHASES:
        minutes = f"{phase.begins / 60:.0f}..{phase.ends / 60:.0f}"
        mean, most, each = fetches.mean(phase), fetches.busiest(phase), fetches.total(phase) / fetches.workers
        times = most / mean if mean else 0.0
        figures = f"{mean:10.2f}{most:14.2f}{times:9.1f}{fetches.peak(phase):13.0f}{each:10.2f}"
        yield f"  {phase.text:26}{minutes:>12}{figures}"


def redis_table(sizes: Sequence[int], rates: Rates, answers: float) -> Iterator[str]:
    """What fleets do to Redis.

    Args:
        sizes: How many workers.
        rates: Of one worker.
        answers: How many commands a second one Redis answers.
    """
    yield (
        f"\nRedis; each worker waits for news for {rates.poll_every:g} s, reads all {rates.revocations:,} revocations "
        f"again every {rates.read_every:g} s, and looks up {rates.lookups:g} people a second"
    )
    yield f"  {'workers':>10}{'connections':>13}{'commands/s':>12}{'of one':>9}{'MB/s read':>11}{'told at once':>14}"
    for workers in sizes:
        it = burden(workers, rates)
        beyond = f"  more than maxclients ({MOST_CLIENTS:,})" if it.connections > MOST_CLIENTS else ""
        yield (
            f"  {workers:10,}{it.connections:13,}{it.commands:12,.0f}{it.commands / answers:9.1%}"
            f"{it.bytes / 1e6:11.2f}{it.told:14,}{beyond}"
        )


def as_data(all_fetches: Sequence[Fetches], rates: Rates) -> dict[str, Any]:
    """The same for programs, with every second.

    Args:
        all_fetches: One for each fleet.
        rates: Of one worker, at Redis.
    """
    return {
        "fleets": [
            {
                "workers": fetches.workers,
                "sample": fetches.sample,
                "phases": [
                    {
                        **asdict(phase),
                        "total": fetches.total(phase),
                        "mean": fetches.mean(phase),
                        "busiest_10s": fetches.busiest(phase),
                        "busiest_1s": fetches.peak(phase),
                    }
                    for phase in PHASES
                ],
                "fetches_a_second": [fetches.rate(second) for second in range(int(END))],
                "redis": asdict(burden(fetches.workers, rates)),
            }
            for fetches in all_fetches
        ],
        "rates": asdict(rates),
    }
