"""``python -m benchmarks``: every figure that was promised, and how it grows, in one run."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
    for section in _measured([parts[name] for name in given.only], options):
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


def _measured(modules: Sequence[str], options: Options) -> Iterator[Section]:
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as missing:
            raise SystemExit(f"{missing.name} is not installed; pip install 'cfaccess-mw[bench]'") from missing
        yield from module.run(options)


def _parts(text: str) -> list[str]:
    names = [name for word in text.split(",") for name in (GOALS if word == "goals" else (word,))]
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return names


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
    parser.add_argument("--rounds", type=int, default=200, help="of each race (200)")
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
