"""What does an import of a door add to an application that is loaded already?"""

import tempfile
from collections.abc import Iterator
from dataclasses import make_dataclass
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.figures import Line, Section
from benchmarks.measure import Spread
from benchmarks.options import Options
from benchmarks.probes.imports import MARK
from benchmarks.processes import probed

_GOAL, _OWN_GOAL = 80.0, 10.0  # milliseconds
_LATER = ("httpx", "anyio", "starlette")  # what must not come before it is needed
_DOORS = (("flask", "cfaccess_mw.wsgi"), ("starlette.applications", "cfaccess_mw.asgi"))
_FIELDS = (("one", int), ("two", int), ("three", int))
_PEERS = (("flask", "jwt"), ("flask", "joserfc.jwt"), ("flask", "cryptography.hazmat.primitives.asymmetric.rsa"))


def run(options: Options) -> Iterator[Section]:
    """Import each in fresh processes, in turn."""
    pairs = [*_DOORS, *(_PEERS if options.peers else ())]
    with tempfile.TemporaryDirectory() as folder:
        found = _imported(pairs, Path(folder), options)
        times, sizes = [], []
        for (application, module), samples in found.items():
            is_ours = module.startswith("cfaccess_mw")
            name = f"{module} in a loaded {application.partition('.')[0].title()} application"
            goal = _GOAL if module == "cfaccess_mw.wsgi" else None
            took = [1_000 * sample["seconds"] for sample in samples]
            times.append(Line.of(name, took, "ms", ours=is_ours, goal=goal))
            if is_ours:
                accounts = [_account(application, module, Path(folder)) for _ in range(options.repeats)]
                times += _shares(took, accounts, own_goal=None if goal is None else _OWN_GOAL)
                times.append(_values(samples[0]["values"], options.repeats))
            sizes.append(Line.of(name, [sample["bytes"] / 2**20 for sample in samples], "MiB", ours=is_ours))
    yield Section(title="Import, in processor time", lines=tuple(times))
    yield Section(title="Memory of an import", lines=tuple(sizes))
    came = set(found["flask", "cfaccess_mw.wsgi"][0]["modules"])
    lines = [Line.of(name, int(name in came), "imported", ours=True, goal=0) for name in _LATER]
    yield Section(title="What cfaccess_mw.wsgi must not import before it is needed", lines=tuple(lines))


def _imported(pairs: list[tuple[str, str]], folder: Path, options: Options) -> dict[tuple[str, str], list[Any]]:
    for pair in pairs:
        probed("imports", *pair, compiled=folder)  # now everything is compiled
    found: dict[tuple[str, str], list[Any]] = {pair: [] for pair in pairs}
    for _ in range(2 * options.repeats):
        for pair in pairs:
            found[pair].append(probed("imports", *pair, compiled=folder)[0])
    return found


def _account(application: str, module: str, folder: Path) -> str:
    return probed("imports", application, module, flags=("-X", "importtime"), compiled=folder)[1]


def _shares(took: list[float], accounts: list[str], *, own_goal: float | None) -> Iterator[Line]:
    """Our own modules and everybody else's: the time, divided as the interpreter's account divides it."""
    divided = [shares(account) for account in accounts]
    share = Spread.of([own / (own + others) for own, others in divided]).median
    own = [share * one for one in took]
    others = [(1 - share) * one for one in took]
    yield Line.of("  of which our own modules", own, "ms", ours=True, goal=own_goal)
    yield Line.of("  of which our dependencies and the standard library", others, "ms", ours=True)


def _values(count: int, repeats: int) -> Line:
    """What the interpreter takes to make so many frozen dataclasses, whatever else their modules do."""
    taken = []
    for _ in range(2 * repeats):
        start = process_time()
        for _ in range(count):
            make_dataclass("Value", _FIELDS, frozen=True, slots=True, kw_only=True)
        taken.append(1_000 * (process_time() - start))
    return Line.of(f"    as many frozen dataclasses as are among them ({count}), of three fields each", taken, "ms")


def shares(account: str) -> tuple[float, float]:
    """Milliseconds of our own modules and of all others, from what ``-X importtime`` wrote.

    Args:
        account: Lines such as ``import time:       116 |        116 |   cfaccess_mw.core.shape``, behind the mark.
    """
    own = others = 0.0
    for line in account.partition(MARK)[2].splitlines():
        if line.startswith("import time:"):
            microseconds, _, name = line.removeprefix("import time:").split("|")
            if name.strip().partition(".")[0] == "cfaccess_mw":
                own += float(microseconds) / 1_000
            else:
                others += float(microseconds) / 1_000
    return own, others
