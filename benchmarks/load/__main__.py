"""The command: ``python -m benchmarks.load``."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load.promises import status
from benchmarks.load.report import as_data, markdown
from benchmarks.load.run import LOADED, Plan, play
from benchmarks.machine import described
from benchmarks.servers.lineup import missing, versions
from benchmarks.servers.process import stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the load, print the report, and write it where asked; 1 where a promise was broken."""
    options = _parser().parse_args(arguments)
    logging.getLogger("cfaccess_mw").setLevel(logging.ERROR)
    servers = [server for server in options.server or LOADED if not missing(server)]
    if not servers:
        print("none of these servers is installed", file=sys.stderr)
        return 2
    seconds = options.minutes * 60 / len(servers)
    records = []
    with stage() as folder:
        for server in servers:
            print(f"{server}: {seconds:.0f} s …", file=sys.stderr, flush=True)
            plan = Plan(
                server=server, seconds=seconds, clients=options.clients, workers=options.workers, seed=options.seed
            )
            records.append(play(plan, folder))
    machine, command = {**described(), **versions()}, " ".join(["python -m benchmarks.load", *_words(options)])
    text = "\n".join(markdown(records, machine, command))
    print(text)
    if options.report:
        options.report.write_text(text + "\n")
        options.report.with_suffix(".json").write_text(json.dumps(as_data(records, machine, command), indent=1) + "\n")
    return status(records)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description="Mixed traffic, good and bad, for minutes; ends with 1 when a promise is broken.",
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="in all, shared by the servers (3)")
    parser.add_argument("--server", action="append", choices=list(LOADED), help="only this one; may be repeated")
    parser.add_argument("--clients", type=int, default=24, help="requests at a time (24)")
    parser.add_argument("--workers", type=int, default=0, help="processes of each server (uvicorn 1, gunicorn 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the dice (0)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it there, and as JSON beside it")
    return parser


def _words(options: argparse.Namespace) -> list[str]:
    """The options that make the same run again."""
    words = [f"--{name} {getattr(options, name):g}" for name in ("minutes", "clients", "workers", "seed")]
    return [*words, *(f"--server {server}" for server in options.server or ())]


if __name__ == "__main__":
    sys.exit(main())
