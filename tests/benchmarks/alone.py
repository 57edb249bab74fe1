"""A part of the command that tells what it was told, and in which process it was."""

import os
from collections.abc import Iterator

from benchmarks.figures import Line, Section
from benchmarks.options import Options


def run(options: Options) -> Iterator[Section]:
    """Give the process, its rounds, and where it would keep peers."""
    counted = {"process": os.getpid(), "parent": os.getppid(), "rounds": options.rounds}
    lines = tuple(Line.of(name, number, "") for name, number in counted.items())
    yield Section(title="Told", lines=lines, remarks=(f"peers are in {options.cache}",), pictured=True)
