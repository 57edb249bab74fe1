"""Does it matter how many rules there are?"""

import itertools
from collections.abc import Callable, Iterator

from benchmarks.figures import Section, lines_of
from benchmarks.measure import Contender, Take, calling, race
from benchmarks.options import Options
from benchmarks.subject import Subject
from cfaccess_mw.core.table import RuleTable

_FEW, _MANY = 10, 10_000
_GOAL = 1.2
_PATHS = 64  # that are asked for again and again


def run(options: Options) -> Iterator[Section]:
    """Measure look-ups with 10 rules and with 10,000."""
    subject = options.subject()
    for title, take in (("a path seen before", known), ("a path never seen", unseen)):
        found = race(
            [
                Contender(name=f"{count:,} rules", take=take(subject, count), goal=goal, ours=True, most=1_000)
                for count, goal in ((_FEW, None), (_MANY, _GOAL))
            ],
            rounds=options.rounds,
        )
        yield Section(title=f"The rule of {title}", base=f"{_FEW} rules", lines=tuple(lines_of(found)))


def known(subject: Subject, count: int) -> Take:
    """Look up paths that were looked up before, among so many rules."""
    table, paths = _table(subject, count, _PATHS)
    return calling(_asking(table), lambda times: [_anew(paths[number % _PATHS]) for number in range(times)])


def unseen(subject: Subject, count: int) -> Take:
    """Look up paths that nobody asked for before, among so many rules."""
    table, areas = _table(subject, count, _PATHS)
    numbers = itertools.count()
    return calling(
        _asking(table), lambda times: [f"{areas[next(numbers) % _PATHS]}{next(numbers)}" for _ in range(times)]
    )


def _table(subject: Subject, count: int, paths: int) -> tuple[RuleTable, list[str]]:
    rules = subject.table(count)
    return RuleTable(rules, audience=frozenset({subject.audience})), subject.paths(rules, paths)


def _asking(table: RuleTable) -> Callable[[str], object]:
    return lambda path: table.find("GET", path, None, "", None)


def _anew(path: str) -> str:
    return path.encode().decode()
