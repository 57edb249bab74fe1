"""How do people, and programs, read what was measured?"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.servers.lineup import VARIANTS
from benchmarks.servers.plan import Measured
from benchmarks.servers.scenes import SCENES

_COLUMNS = f"  {'':28}{'req/s':>8}{'lowest..highest':>18}{'of bare':>9}{'p50 ms':>9}{'p99 ms':>9}{'longest':>9}"


def table(measured: Measured) -> Iterator[str]:
    """The lines of one part.

    Args:
        measured: It.
    """
    part = measured.part
    workers = f", {part.workers} workers" if part.workers > 1 else ""
    yield f"\n{part.server}{workers}: {SCENES[part.scene].title}"
    yield _COLUMNS
    for variant, figure in measured.figures.items():
        share = "-" if figure.share is None else f"{figure.share:.3f}"
        wrong = [f"{figure.refused} refused"] * bool(figure.refused) + [f"{figure.broken} broken"] * bool(figure.broken)
        yield (
            f"  {VARIANTS[variant]:28}{figure.rate:8.0f}{f'{figure.slowest:.0f}..{figure.fastest:.0f}':>18}{share:>9}"
            f"{figure.p50:9.2f}{figure.p99:9.2f}{figure.longest:9.0f}{''.join(f'  {each}' for each in wrong)}"
        )


def as_data(measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """The same for JSON.

    Args:
        measured: All parts.
    """
    return [
        {**asdict(each.part), "figures": {name: asdict(figure) for name, figure in each.figures.items()}}
        for each in measured
    ]
