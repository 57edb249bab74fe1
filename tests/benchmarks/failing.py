"""A part of the command that fails."""

from collections.abc import Iterator

from benchmarks.figures import Section
from benchmarks.options import Options


def run(options: Options) -> Iterator[Section]:
    """Fail after a while, or end without a word."""
    yield Section(title="The first", lines=())
    if options.seed == 8:
        raise SystemExit
    raise RuntimeError(f"no luck with seed {options.seed}")
