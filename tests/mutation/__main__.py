"""Take the package apart, and see whether a test notices::

    python -m tests.mutation checks                # remove each check of section 1 of the specification in turn
    python -m tests.mutation checks a-token-is-ascii
    python -m tests.mutation mutants               # mutmut over the modules of the core (modules.toml)
    python -m tests.mutation mutants token claims
    python -m tests.mutation outside               # what stands outside of functions, where mutmut changes nothing
    python -m tests.mutation outside token claims

All of it happens in a copy. The second needs mutmut (``pip install 'mutmut>=3.8,<4'``). The exit status is 0 where
every removed check is noticed, and where every mutant and every other change dies or is accepted.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutation import checks, mutants, outside, tree


def say(line: str) -> None:
    """Tell whoever runs this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def remove_checks(names: list[str]) -> int:
    """Remove checks one by one, and return how many are not missed."""
    wanted = [check for check in checks.load() if not names or check.name in names]
    unknown = set(names) - {check.name for check in wanted}
    if unknown:
        raise SystemExit(f"there is no check {', '.join(sorted(unknown))} in checks.toml")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree.copy_to(folder)
        failed = checks.whole(wanted, folder)
        if failed:
            raise SystemExit(f"with nothing removed, the tests fail already:\n{failed}")
        missed = 0
        for check in wanted:
            killer = checks.killer(check, folder)
            missed += killer is None
            say(f"{check.item}. {check.name}: {killer or 'NOBODY NOTICES'}")
    say(f"{len(wanted) - missed} of {len(wanted)} removed checks make a test fail")
    return missed


def run_mutants(names: list[str], processes: int) -> int:
    """Run the mutants of modules, and return how many live that are not accepted."""
    unknown = set(names) - mutants.modules().keys()
    if unknown:
        raise SystemExit(f"modules.toml names no tests for {', '.join(sorted(unknown))}")
    outcomes = []
    for module in names or mutants.modules():
        with tempfile.TemporaryDirectory() as name:
            tree.copy_to(Path(name))
            outcome = mutants.mutate(module, Path(name), processes=processes)
        outcomes.append(outcome)
        say(f"{module}: {outcome.killed} killed, {len(outcome.survivors)} live")
        for survivor in outcome.survivors:
            why = mutants.why_accepted(survivor)
            say(f"  {survivor.function}: {why or 'NOT ACCEPTED'}\n    - {survivor.was}\n    + {survivor.now}")
    say(mutants.table(outcomes))
    return sum(mutants.why_accepted(survivor) is None for outcome in outcomes for survivor in outcome.survivors)


def change_outside(names: list[str]) -> int:
    """Change what stands outside of functions, and return how many changes live that are not accepted."""
    unknown = set(names) - outside.modules().keys()
    if unknown:
        raise SystemExit(f"modules.toml names no tests for {', '.join(sorted(unknown))}")
    outcomes = []
    for module in names or outside.modules():
        with tempfile.TemporaryDirectory() as name:
            tree.copy_to(Path(name))
            outcome = outside.try_all(module, Path(name))
        outcomes.append(outcome)
        say(f"{module}: {outcome.killed} killed, {len(outcome.survivors)} live, {outcome.broken} cannot be imported")
        for survivor in outcome.survivors:
            why = outside.why_accepted(survivor)
            say(f"  {why or 'NOT ACCEPTED'}\n    - {survivor.was}\n    + {survivor.now}")
    say(outside.table(outcomes))
    return sum(outside.why_accepted(survivor) is None for outcome in outcomes for survivor in outcome.survivors)


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("checks").add_argument("names", nargs="*", help="checks of checks.toml; all where none is named")
    other = kinds.add_parser("mutants")
    other.add_argument("names", nargs="*", help="modules of the core; all of them where none is named")
    other.add_argument("--processes", type=int, default=2)
    kinds.add_parser("outside").add_argument("names", nargs="*", help="modules of the core; all where none is named")
    given = parser.parse_args()
    match given.kind:
        case "checks":
            left = remove_checks(given.names)
        case "mutants":
            left = run_mutants(given.names, given.processes)
        case _:
            left = change_outside(given.names)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
