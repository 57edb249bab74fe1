"""What is a result? Lines of sections: a value, how far it spreads, and the goal that it was to reach."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from benchmarks.measure import Race, Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure.

    Attributes:
        name: What was measured.
        value: The median; of several processes, the median of their medians.
        low: The lower quartile; of several processes, the lowest of their medians.
        high: The upper quartile, or the highest.
        unit: Of the three; empty for a ratio.
        goal: What the value was to be at most; None where nothing was promised.
        ours: Whether it is this package.
        nanoseconds: For a ratio, what a call took; it varies from machine to machine.
        note: What a reader should know.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str = ""
    goal: float | None = None
    ours: bool = False
    nanoseconds: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal was reached, or None without one."""
        return None if self.goal is None else self.value <= self.goal

    @classmethod
    def of(cls, name: str, sample: Sequence[float] | float, unit: str, **more: Any) -> "Line":
        """A line of a sample, or of something that was counted."""
        spread = Spread.of([sample] if isinstance(sample, int | float) else sample)
        return cls(name=name, value=spread.median, low=spread.low, high=spread.high, unit=unit, **more)

    def as_json(self) -> dict[str, Any]:
        """The line as JSON has it."""
        return {**asdict(self), "met": self.met}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Line":
        """The line that :meth:`as_json` told.

        Raises:
            ValueError: It is something else.
        """
        return cls(**{name: value for name, value in _exactly(cls, told, "met").items() if name != "met"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures that belong together.

    Attributes:
        title: What they answer.
        base: What ratios are ratios to.
        lines: The figures.
        remarks: What was left out, and why.
        pictured: Whether it is drawn.
    """

    title: str
    lines: tuple[Line, ...]
    base: str = ""
    remarks: tuple[str, ...] = ()
    pictured: bool = False

    def as_json(self) -> dict[str, Any]:
        """The section as JSON has it."""
        return {**asdict(self), "lines": [line.as_json() for line in self.lines], "remarks": list(self.remarks)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Section":
        """The section that :meth:`as_json` told.

        Raises:
            ValueError: It is something else.
        """
        lines = tuple(map(Line.from_json, _exactly(cls, told)["lines"]))
        return cls(**{**told, "lines": lines, "remarks": tuple(told["remarks"])})


def _exactly(kind: type[Line | Section], told: Mapping[str, Any], *more: str) -> Mapping[str, Any]:
    names = {*(field.name for field in fields(kind)), *more}
    if told.keys() != names:
        raise ValueError(f"a {kind.__name__} has other names: {', '.join(sorted(told.keys() ^ names))}")
    return told


def lines_of(race: Race) -> list[Line]:
    """The ratios of a race."""
    return [
        Line(
            name=one.name,
            value=ratio.median,
            low=ratio.low,
            high=ratio.high,
            goal=one.goal,
            ours=one.ours,
            nanoseconds=race.each(one.name).median,
        )
        for one in race.contenders
        for ratio in (race.ratio(one.name),)
    ]
