"""A part of the command whose goal is never met."""

from collections.abc import Iterator

from benchmarks.figures import Line, Section
from benchmarks.options import Options


def run(options: Options) -> Iterator[Section]:
    """Give one figure that is too high."""
    yield Section(title="Too much", lines=(Line.of("it", options.rounds, "of them", goal=0),))
