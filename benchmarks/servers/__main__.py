"""The command: ``python -m benchmarks.servers``."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import described
from benchmarks.servers.lineup import SERVERS, versions
from benchmarks.servers.plan import FULL, QUICK, left_out, measure
from benchmarks.servers.process import stage
from benchmarks.servers.scenes import SCENES, Stage
from benchmarks.servers.shooting import Generator
from benchmarks.servers.tables import as_data, table
from cfaccess_mw.emulator.server import Emulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write what was asked for."""
    options = _parser().parse_args(arguments)
    logging.getLogger("cfaccess_mw").setLevel(logging.ERROR)
    parts = [
        part
        for part in (QUICK if options.quick else FULL)
        if part.server in (options.server or SERVERS) and part.scene in (options.scene or SCENES)
    ]
    generator, facts, results = Generator.found(own=options.own_generator), {**described(), **versions()}, []
    print(f"{'; '.join(f'{name} {value}' for name, value in facts.items())}\nload by {generator.name}", flush=True)
    print("".join(f"{line}\n" for line in left_out(parts)), end="", flush=True)
    with stage() as folder, Emulator(upstream="http://127.0.0.1:9") as emulator:
        scenery = Stage(
            emulator=emulator,
            folder=folder,
            generator=generator,
            seconds=options.seconds,
            people=options.tokens or (1_000 if options.quick else 10_000),
        )
        for measured in measure(parts, scenery, options.rounds or (2 if options.quick else 3)):
            results.append(measured)
            print("\n".join(table(measured)), flush=True)
    if options.json:
        data = {"machine": facts, "generator": generator.name, "parts": as_data(results)}
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0 if results else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.servers", description="Whole servers: bare, behind cfaccess_mw, behind PyJWT."
    )
    parser.add_argument("--quick", action="store_true", help="the most telling parts, in about 20 s instead of 3 min")
    parser.add_argument("--server", action="append", choices=list(SERVERS), help="only this one; may be repeated")
    parser.add_argument("--scene", action="append", choices=list(SCENES), help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, help="of each variant (3; quick: 2)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round (1; wrk takes whole ones)")
    parser.add_argument("--tokens", type=int, help="how many distinct tokens many are (10,000; quick: 1,000)")
    parser.add_argument("--own-generator", action="store_true", help="even where wrk is installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
