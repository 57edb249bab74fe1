"""What of that which stands outside of functions may be changed without a test that notices?

:mod:`tests.mutation.variants` makes the changes. Each is run in a process of its own that is forked off this one, which
has imported pytest and what the package depends on, and nothing of the package: so a variant costs what its tests cost.
"""

import importlib
import os
import re
import signal
import sys
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.mutation import mutants
from tests.mutation.tree import PYTEST
from tests.mutation.variants import Variant, variants

# What takes long to import and is the same for every variant.
_BEFOREHAND = ("pytest", "hypothesis", "httpx", "joserfc.jwk", "joserfc.jwt", "starlette.testclient", "anyio", "trio")

# Asked of every module: its dataclasses are frozen, and show what they may.
_OF_ALL = "tests/core/test_values.py"

_PASSED, _FAILED, _INTERRUPTED, _BROKEN = 0, 1, 2, 99  # pytest's exit statuses, and ours for what cannot be imported
_LIMIT = 60  # seconds: many times what the tests of a module take

Work = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A change that no test notices.

    Attributes:
        module: Of the core.
        was: The lines that it changes, without their indentation.
        now: What they have become.
    """

    module: str
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the variants of one module; those that cannot be imported are counted apart."""

    module: str
    killed: int
    broken: int
    survivors: tuple[Survivor, ...]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "outside.toml").read_text("utf-8"))


def modules() -> dict[str, tuple[str, ...]]:
    """Modules of the core, by name, to the tests that are to notice their changes."""
    more = {name: tuple(f"tests/core/{test}.py" for test in tests) for name, tests in _table()["modules"].items()}
    return {**mutants.modules(), **more}


def accepted() -> dict[Survivor, str]:
    """All survivors that are accepted one by one, and why."""
    return {Survivor(module=one["module"], was=one["was"], now=one["now"]): one["why"] for one in _table()["survivor"]}


def kinds() -> list[dict[str, str]]:
    """The rules by which survivors are accepted."""
    return list(_table()["kind"])


def why_accepted(survivor: Survivor) -> str | None:
    """Why a survivor may live, or None where nobody has said so."""
    if survivor in accepted():
        return accepted()[survivor]
    return next((kind["why"] for kind in kinds() if is_of(kind, survivor)), None)


def is_of(kind: dict[str, str], survivor: Survivor) -> bool:
    """Whether a change is of a kind: in its module, of a line that is the same but for what a pattern finds in it."""
    was, now = (re.sub(kind["but"], "", text) for text in (survivor.was, survivor.now))
    return survivor.module == kind["module"] and bool(re.fullmatch(kind["was"], survivor.was)) and was == now


def forked(work: Work, said: Path) -> int:
    """Do some work in a process of its own that writes to a file, and return its exit status, or minus the signal."""
    child = os.fork()
    if child == 0:
        status = _BROKEN
        try:
            file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            signal.alarm(_LIMIT)
            status = work()
        except BaseException:  # noqa: BLE001 - of whatever kind: it ends this process, and is told in the file
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _tested(module: str, folder: Path) -> int:
    """Run the tests of a module in the copy, as the only thing that this process does."""
    os.chdir(folder)
    sys.path[:] = [str(folder), *(place for place in sys.path if Path(place or ".").resolve() != _here())]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    importlib.import_module(f"cfaccess_mw.core.{module}")
    importlib.import_module("cfaccess_mw")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer to load than the tests take
    plugins = ("-p", "anyio.pytest_plugin", "-p", "_hypothesis_pytestplugin")
    quiet = ("-x", "-q", "--tb=line", "-W", "ignore::pytest.PytestAssertRewriteWarning")  # for what was imported before
    return int(importlib.import_module("pytest").main([*PYTEST, *plugins, *quiet, *modules()[module], _OF_ALL]))


def _here() -> Path:
    return Path(__file__).parents[2]


def try_all(module: str, folder: Path) -> Outcome:
    """Run the tests of a module over each of its variants, in the copy.

    Raises:
        RuntimeError: The tests fail with nothing changed, or end as tests do not end.
    """
    for name in _BEFOREHAND:
        importlib.import_module(name)
    said, path = folder / "said", folder / "cfaccess_mw" / "core" / f"{module}.py"
    source = path.read_text("utf-8")

    def run() -> int:
        return forked(lambda: _tested(module, folder), said)

    sys.dont_write_bytecode = False  # the first run compiles all that stays as it is ...
    if run() != _PASSED:
        raise RuntimeError(f"{module}: with nothing changed, the tests fail already:\n{said.read_text('utf-8')}")
    for compiled in (path.parent / "__pycache__").glob(f"{module}.*"):
        compiled.unlink()
    sys.dont_write_bytecode = True  # ... and no other run writes what it has compiled
    statuses: dict[Variant, int] = {}
    for variant in variants(source):
        path.write_text(variant.source, "utf-8")
        statuses[variant] = run() if _compiles(variant) else _BROKEN
        if statuses[variant] not in (_PASSED, _FAILED, _INTERRUPTED, _BROKEN, -signal.SIGALRM):
            raise RuntimeError(f"{module}: {statuses[variant]} for {variant.now}\n{said.read_text('utf-8')}")
    path.write_text(source, "utf-8")
    found = Counter(statuses.values())
    return Outcome(
        module=module,
        killed=len(statuses) - found[_PASSED] - found[_BROKEN],
        broken=found[_BROKEN],
        survivors=tuple(
            Survivor(module=module, was=variant.was, now=variant.now)
            for variant, status in statuses.items()
            if status == _PASSED
        ),
    )


def _compiles(variant: Variant) -> bool:
    try:
        compile(variant.source, "", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def table(outcomes: Iterable[Outcome]) -> str:
    """Say in a Markdown table what became of the variants."""
    rows = ["| module | changes | killed | accepted | not accepted | not importable |", "|---|" + "---:|" * 5]
    total: Counter[str] = Counter()
    for outcome in outcomes:
        known = sum(why_accepted(survivor) is not None for survivor in outcome.survivors)
        numbers = {
            "changes": outcome.killed + len(outcome.survivors),
            "killed": outcome.killed,
            "accepted": known,
            "other": len(outcome.survivors) - known,
            "broken": outcome.broken,
        }
        total.update(numbers)
        rows.append(f"| `{outcome.module}` | " + " | ".join(str(number) for number in numbers.values()) + " |")
    rows.append("| together | " + " | ".join(str(number) for number in total.values()) + " |")
    return "\n".join(rows)
