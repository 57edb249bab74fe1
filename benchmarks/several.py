"""What do several processes say together that measured the same?

Where the loader puts libraries in memory decides how they collide in the processor's caches and branch predictors, so
that the same code takes up to a tenth longer in one process than in the next. Within a process that never changes, and
more rounds do not help: only other processes do.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.figures import Line, Section
from benchmarks.options import Options
from benchmarks.processes import probed


def measured(module: str, options: Options) -> list[Section]:
    """Measure a part in fresh processes, one after the other.

    Args:
        module: Whose ``run`` measures it.
        options: How many processes, and what each of them is told.

    Raises:
        SystemExit: It failed in one of them.
    """
    return together([_alone(module, options) for _ in range(options.processes)])


def _alone(module: str, options: Options) -> list[Section]:
    try:
        # No limit: what is measured in this process has none, and somebody's peers may have to be installed first.
        told, _ = probed("part", module, given=options.passed_on(), patience=None)
    except (RuntimeError, ValueError) as error:  # it failed, or what it printed are no figures
        reason = str(error).strip().rpartition("\n")[2]
    else:
        return [Section.from_json(section) for section in told]
    raise SystemExit(f"{module} failed in a process of its own: {reason}; --processes 1 shows where")


def together(runs: Sequence[Sequence[Section]]) -> list[Section]:
    """The figures of several processes as one: medians of their medians, and between which two those lie.

    Args:
        runs: The sections of each process, the same ones in the same order.

    Raises:
        ValueError: They are not the same ones.
    """
    return [_one(sections) for sections in zip(*runs, strict=True)]


def _one(sections: Sequence[Section]) -> Section:
    first, count = sections[0], len(sections)
    if {section.title for section in sections} != {first.title}:
        raise ValueError(f"{first.title!r} was not measured in each process")
    found: dict[str, list[Line]] = {}
    for section in sections:
        for what, line in _named(section).items():
            found.setdefault(what, []).append(line)
    remarks = dict.fromkeys(remark for section in sections for remark in section.remarks)
    left_out = [
        f"{what} is left out: measured in {len(lines)} of {count} processes"
        for what, lines in found.items()
        if len(lines) < count
    ]
    spread = f"{count} processes: the median of their medians, and the lowest and the highest of these"
    return replace(
        first,
        lines=tuple(_median(lines) for lines in found.values() if len(lines) == count),
        remarks=(*remarks, *left_out, spread),
    )


def _named(section: Section) -> Mapping[str, Line]:
    """Lines by what they are; in brackets stands what one process found, such as who was the best of the others."""
    named = {line.name.partition(" (")[0]: line for line in section.lines}
    if len(named) < len(section.lines):
        raise ValueError(f"two lines of {section.title!r} differ in brackets only")
    return named


def _median(lines: Sequence[Line]) -> Line:
    values = [line.value for line in lines]
    nanoseconds = [line.nanoseconds for line in lines if line.nanoseconds is not None]
    return replace(
        lines[0],
        name=statistics.mode(line.name for line in lines),
        value=statistics.median(values),
        low=min(values),
        high=max(values),
        nanoseconds=statistics.median(nanoseconds) if nanoseconds else None,
    )
