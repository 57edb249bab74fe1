"""``python -m benchmarks``: every figure that was promised, and how it grows, in one run."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import several
from benchmarks.figures import Section
from benchmarks.machine import described
from benchmarks.options import Options
from benchmarks.picture import drawn
from benchmarks.subject import KINDS
from benchmarks.table import shown, summary

# What ``--only`` takes, and the module whose ``run`` measures it.
PARTS = {
    "verification": "benchmarks.goals.verification",
    "remembered": "benchmarks.goals.remembered",
    "asgi": "benchmarks.goals.requests_asgi",
    "wsgi": "benchmarks.goals.requests_wsgi",
    "rules": "benchmarks.goals.lookups",
    "stalls": "benchmarks.goals.stalls",
    "fetches": "benchmarks.goals.herds",
    "memory": "benchmarks.goals.memory",
    "imports": "benchmarks.goals.imports",
    "growth": "benchmarks.growth",
}

# Races of calls so short that what they take differs from process to process.
RACES = ("verification", "remembered", "asgi", "wsgi")

GOALS = tuple(name for name in PARTS if name != "growth")


def main(arguments: Sequence[str] | None = None, parts: Mapping[str, str] = PARTS) -> int:
    """Measure, print, write.

    Args:
        arguments: The command line.
        parts: Which modules measure what.

    Returns:
        1 where ``--check`` was given and a goal was not met.
    """
    given = _parser().parse_args(arguments)
    options = Options(
        seed=given.seed,
        kind=given.token,
        headers=given.headers,
        rules=given.rules,
        processes=given.processes or (1 if given.quick else 5),
        rounds=20 if given.quick else given.rounds,
        repeats=1 if given.quick else 5,
        full=given.full,
        peers=not given.no_peers,
        **({} if given.cache is None else {"cache": given.cache}),
    )
    machine = described()
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    print(f"measured with: {options.described(options.subject())}", end="\n\n")
    sections = []
    for section in _measured(given.only, parts, options):
        print(shown(section), flush=True)
        sections.append(section)
    print(summary(sections))
    if given.json is not None:
        told = {
            "machine": machine,
            "options": options.as_json(),
            "sections": [section.as_json() for section in sections],
        }
        given.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.svg is not None:
        given.svg.write_text(drawn(sections), encoding="utf-8")
    missed = any(line.met is False for section in sections for line in section.lines)
    return int(given.check and missed)


def _measured(names: Sequence[str], parts: Mapping[str, str], options: Options) -> Iterator[Section]:
    # What is measured in this process alone has as many rounds as the others have in all of theirs.
    here = replace(options, rounds=options.rounds * options.processes)
    for name in names:
        try:
            module = importlib.import_module(parts[name])
        except ModuleNotFoundError as missing:
            raise SystemExit(f"{missing.name} is not installed; pip install 'cfaccess-mw[bench]'") from missing
        if name in RACES and options.processes > 1:
            yield from several.measured(parts[name], options)
        else:
            yield from module.run(here)


def _parts(text: str) -> list[str]:
    names = [name for word in text.split(",") for name in (GOALS if word == "goals" else (word,))]
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return names


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        type=_parts,
        default=list(PARTS),
        help=f"some of {', '.join(PARTS)}; or goals, all but growth",
    )
    parser.add_argument("--seed", type=int, default=1, help="of people, claims, paths and rules (1)")
    parser.add_argument("--token", choices=KINDS, default="user", help="which kind of token (user)")
    parser.add_argument("--headers", type=int, default=25, help="of a request (25)")
    parser.add_argument("--rules", type=int, default=1_000, help="of the application (1,000)")
    parser.add_argument("--rounds", type=_count, default=30, help="of each race, in each process (30)")
    parser.add_argument(
        "--processes",
        type=_count,
        help=f"fresh ones, in each of which {', '.join(RACES)} are run, in turn (5; quick: 1); 1: in this process",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    parser.add_argument("--full", action="store_true", help="take the curves to their ends: some minutes more")
    parser.add_argument("--no-peers", action="store_true", help="measure this package only")
    parser.add_argument("--cache", type=Path, help="where peers are installed that need an environment of their own")
    parser.add_argument("--check", action="store_true", help="fail where a goal is not met")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw verification, asgi and wsgi")
    return parser


if __name__ == "__main__":
    sys.exit(main())
