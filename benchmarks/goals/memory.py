"""What does it cost to remember tokens?"""

import gc
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.figures import Line, Section
from benchmarks.options import Options
from benchmarks.ours import Core, expect

UNSIGNED = "signatures are not computed here: to make so many would take longer than all the rest"

_FULL = 9_999  # tokens: one more, and half of them may be forgotten
_SOME = 4_000  # tokens, few enough that none is
_OBJECTS = 1_024  # bytes that were promised beside twice the token's length
_COLLECTION = 10.0  # milliseconds that were promised


def run(options: Options) -> Iterator[Section]:
    """Fill the memory, and weigh it."""
    subject = options.subject()
    length = len(subject.token)
    each = weighed(Core(subject, signatures=False), _SOME) / _SOME
    full = weighed(Core(subject, signatures=False), _FULL)
    collections = [1_000 * seconds for seconds in _collections(Core(subject, signatures=False), 3 * options.repeats)]
    bound = float(_OBJECTS + 2 * length)
    yield Section(
        title="The memory of verified tokens",
        lines=(
            Line.of(f"one token of {length:,} bytes", each, "bytes", ours=True, goal=bound),
            Line.of(f"all {_FULL:,} that it may hold", full / 2**20, "MiB", ours=True, goal=64.0),
            Line.of("what a full garbage collection takes for them", collections, "ms", ours=True, goal=_COLLECTION),
        ),
        remarks=(UNSIGNED,),
    )


def weighed(core: Core, count: int) -> int:
    """Show so many tokens to a core, each another person's.

    Returns:
        Bytes that it holds afterwards.
    """
    decide, requirement, now = core.gate.decide, core.requirement, time.time()
    expect(core.fresh().decide(requirement, core.unsigned(0), now), passes=True)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            decide(requirement, core.unsigned(number), now)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def _collections(core: Core, times: int) -> list[float]:
    """Processor seconds of full garbage collections with the memory full, all that was there before left out."""
    decide, requirement, now = core.gate.decide, core.requirement, time.time()
    gc.collect()
    gc.freeze()
    try:
        for number in range(_FULL):
            decide(requirement, core.unsigned(number), now)
        gc.collect()
        return [_collected() for _ in range(times)]
    finally:
        gc.unfreeze()


def _collected() -> float:
    start = time.process_time()
    gc.collect()
    return time.process_time() - start
