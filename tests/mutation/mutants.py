"""Which mutants of the core live, and which of them were looked at and accepted?

mutmut makes them and says which live; here stands which tests are to kill those of which module, and what is known of
the survivors.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.mutation.tree import PYTEST, ROOT, run

SECTIONS = ("section_1", "the_rest")

# What mutmut writes beside a mutated module: the exit status of each mutant's tests.
_LIVES = (0, 33)  # no test failed; no test came by
_DIES = (1, 3, -24, 24, 36, 152, 255)  # a test failed, or none ended in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A mutant that no test kills.

    Attributes:
        module: Of the core.
        function: Where in it.
        was: The lines that it takes out, without their indentation.
        now: Those that it puts in their place.
    """

    module: str
    function: str
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the mutants of one module."""

    module: str
    killed: int
    survivors: tuple[Survivor, ...]


@cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text("utf-8"))


def modules() -> dict[str, tuple[str, ...]]:
    """Modules of the core, by name, to the tests that are to kill their mutants."""
    given = _table("modules")
    return {
        module: tuple(f"tests/core/{test}.py" for test in tests)
        for section in SECTIONS
        for module, tests in given[section].items()
    }


def counting() -> list[str]:
    """Tests that count calls, and so fail over every mutant."""
    return list(_table("modules")["counting"]["calls"])


def why_accepted(survivor: Survivor) -> str | None:
    """Why a survivor may live, or None where nobody has said so."""
    for one, why in accepted().items():
        if one == survivor:
            return why
    for one in _table("accepted")["kind"]:
        if re.fullmatch(one["was"], survivor.was) and _same_but(one["but"], survivor):
            return str(one["why"])
    return None


def _same_but(but: str, survivor: Survivor) -> bool:
    """Whether two lines are the same but for what a pattern finds in them."""
    return re.sub(but, "", survivor.was) == re.sub(but, "", survivor.now)


def accepted() -> dict[Survivor, str]:
    """All survivors that are accepted one by one, and why."""
    given = _table("accepted")["survivor"]
    return {Survivor(**{name: text for name, text in one.items() if name != "why"}): one["why"] for one in given}


def source_of(module: str) -> str:
    """Return the source of a module of the core."""
    return (ROOT / "cfaccess_mw" / "core" / f"{module}.py").read_text("utf-8")


def _configure(module: str, folder: Path) -> None:
    options = {
        "source_paths": ["cfaccess_mw/"],
        "only_mutate": [f"cfaccess_mw/core/{module}.py"],
        "pytest_add_cli_args": [*PYTEST, *(word for test in counting() for word in ("--deselect", test))],
        "pytest_add_cli_args_test_selection": modules()[module],
        "process_isolation": "forkserver",  # hypothesis will not have a test run twice in one process
    }
    lines = ["[mutmut]"]
    for name, value in options.items():
        lines += [f"{name} = {value}"] if isinstance(value, str) else [f"{name} =", *(f"    {one}" for one in value)]
    (folder / "setup.cfg").write_text("\n".join(lines) + "\n", "utf-8")


def mutate(module: str, folder: Path, *, processes: int) -> Outcome:
    """Make all mutants of a module in the copy, and run its tests over each.

    Raises:
        RuntimeError: mutmut did not get that far.
    """
    _configure(module, folder)
    said = run(folder, "mutmut", "run", "--max-children", str(processes))
    told = folder / "mutants" / "cfaccess_mw" / "core" / f"{module}.py.meta"
    statuses: dict[str, int | None] = json.loads(told.read_text("utf-8"))["exit_code_by_key"] if told.exists() else {}
    odd = {name for name, status in statuses.items() if status not in (*_LIVES, *_DIES)}
    if said.returncode or odd:
        raise RuntimeError(f"{module}: mutmut ended with {said.returncode}; {sorted(odd)[:5]}\n{said.stdout[-4_000:]}")
    living = [name for name, status in statuses.items() if status in _LIVES]
    return Outcome(
        module=module,
        killed=len(statuses) - len(living),
        survivors=tuple(_survivor(module, name, run(folder, "mutmut", "show", name).stdout) for name in living),
    )


def _survivor(module: str, name: str, difference: str) -> Survivor:
    def lines(sign: str) -> Iterator[str]:
        for line in difference.splitlines():
            if line.startswith(sign) and not line.startswith(sign * 3):
                yield line[1:].strip()

    # mutmut's names: <module>.x_<function>__mutmut_<n>, and <module>.xǁ<class>ǁ<method>__mutmut_<n>
    function = name.removeprefix(f"cfaccess_mw.core.{module}.x").rpartition("__mutmut_")[0]
    return Survivor(
        module=module,
        function=function.removeprefix("_").removeprefix("ǁ").replace("ǁ", "."),
        was="\n".join(lines("-")),
        now="\n".join(lines("+")),
    )


def table(outcomes: Iterable[Outcome]) -> str:
    """Say in a Markdown table what became of the mutants."""
    rows = ["| module | mutants | killed | accepted | not accepted |", "|---|---:|---:|---:|---:|"]
    total: Counter[str] = Counter()
    for outcome in outcomes:
        known = sum(why_accepted(survivor) is not None for survivor in outcome.survivors)
        numbers = {
            "mutants": outcome.killed + len(outcome.survivors),
            "killed": outcome.killed,
            "accepted": known,
            "other": len(outcome.survivors) - known,
        }
        total.update(numbers)
        rows.append(f"| `{outcome.module}` | " + " | ".join(str(number) for number in numbers.values()) + " |")
    rows.append("| together | " + " | ".join(str(number) for number in total.values()) + " |")
    return "\n".join(rows)
