"""How does a person read the figures?"""

from collections.abc import Iterable, Iterator

from benchmarks.figures import Line, Section


def shown(section: Section) -> str:
    """A section as text."""
    return "\n".join(_lines(section))


def _lines(section: Section) -> Iterator[str]:
    yield section.title
    if section.base:
        yield f"  ratios to: {section.base}"
    rows = [_cells(line) for line in section.lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        name, *values = row
        cells = [name.ljust(widths[0]), *(value.rjust(width) for value, width in zip(values, widths[1:], strict=True))]
        yield f"  {'  '.join(cells)}".rstrip()
    for line in section.lines:
        if line.note:
            yield f"    {line.name}: {line.note}"
    for remark in section.remarks:
        yield f"  ({remark})"
    yield ""


def _cells(line: Line) -> tuple[str, ...]:
    spread = "" if line.low == line.high else f"{_number(line.low)} to {_number(line.high)}"
    time = "" if line.nanoseconds is None else f"{line.nanoseconds / 1_000:.2f} µs"
    goal = "" if line.goal is None else f"goal {_number(line.goal)}"
    met = {None: "", True: "met", False: "NOT MET"}[line.met]
    mark = "*" if line.ours else " "
    return f"{mark} {line.name}", f"{_number(line.value)} {line.unit or 'x'}", spread, time, goal, met


def _number(value: float) -> str:
    """Three digits that say something, and no more."""
    magnitude = abs(value)
    if value == int(value) or magnitude >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if magnitude < 1 else f"{value:.2f}" if magnitude < 10 else f"{value:.1f}"


def summary(sections: Iterable[Section]) -> str:
    """How many goals were met, and which were not."""
    promised = [(section, line) for section in sections for line in section.lines if line.met is not None]
    missed = [f"  {section.title}: {line.name}" for section, line in promised if not line.met]
    return "\n".join([f"{len(promised) - len(missed)} of {len(promised)} goals met", *missed])
