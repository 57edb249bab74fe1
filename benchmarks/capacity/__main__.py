"""The command: ``python -m benchmarks.capacity``."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.capacity.measured import measured
from benchmarks.capacity.picture import picture
from benchmarks.capacity.redis import Rates
from benchmarks.capacity.simulation import Simulation
from benchmarks.capacity.story import Story
from benchmarks.capacity.tables import as_data, endpoint_table, redis_table

_MEASURED = 8  # workers: threads of this process


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, print, and write what was asked for."""
    options = _parser().parse_args(arguments)
    sizes = options.workers or [10, 1_000, 100_000]
    story = Story(
        start_within=options.start_within,
        answers_in=options.answers_in,
        fails_in=options.fails_in,
        met_after=options.met_after,
    )
    rates = Rates(
        poll_every=options.poll_every,
        read_every=options.read_every,
        revocations=options.revocations,
        lookups=options.lookups,
    )
    results = []
    for workers in sizes:
        fetches = Simulation(workers, sample=options.sample, story=story, seed=options.seed).run()
        results.append(fetches)
        print("\n".join(endpoint_table(fetches)), flush=True)
    print("\n".join(redis_table(sizes, rates, options.redis_answers)))
    if options.measure:
        logging.getLogger("cfaccess_mw").setLevel(logging.CRITICAL)  # that Redis is gone at the end is no news
        print(measured(_MEASURED, options.measure, rates))
    if options.json:
        options.json.write_text(json.dumps(as_data(results, rates)) + "\n")
    if options.svg:
        options.svg.write_text(picture(results[-1]))
    return 0


def _parser() -> argparse.ArgumentParser:
    story, rates = Story(), Rates()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity",
        description="What fleets of workers do to the certs endpoint and to Redis. Times are in seconds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--workers", type=int, action="append", help="of a fleet; may be repeated (10, 1,000 and 100,000)")
    add("--sample", type=int, default=4_000, help="how many of them are simulated at most; more take longer")
    add("--seed", type=int, default=0, help="of the dice")
    add("--start-within", type=float, default=story.start_within, help="all workers start within")
    add("--answers-in", type=float, default=story.answers_in, help="how long a fetch takes")
    add("--fails-in", type=float, default=story.fails_in, help="how long an attempt takes while the endpoint is away")
    add("--met-after", type=float, default=story.met_after, help="a worker meets a new key so long after a rotation")
    add("--poll-every", type=float, default=rates.poll_every, help="a worker waits for news of Redis for")
    add("--read-every", type=float, default=rates.read_every, help="a worker reads all revocations again after")
    add("--revocations", type=int, default=rates.revocations, help="how many there are")
    add("--lookups", type=float, default=rates.lookups, help="people that a worker looks up a second")
    add("--redis-answers", type=float, default=50_000, help="commands a second of one Redis; redis-benchmark tells")
    add("--measure", type=float, metavar="SECONDS", help="check the reckoning against a Redis started for it")
    add("--json", type=Path, metavar="FILE", help="write it there too, second by second")
    add("--svg", type=Path, metavar="FILE", help="draw the last fleet there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
