"""Do the conditions of a policy, or of a reusable group of them, hold together?

One of ``include`` has to be true, all of ``require``, none of ``exclude`` (Cloudflare, "Access policies").
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from cfaccess_mw.core.conditions import Condition, Everyone
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.truth import Truth, truth_of

Section = Literal["include", "require", "exclude"]
SECTIONS: tuple[Section, ...] = ("include", "require", "exclude")

MAX_DEPTH = 8  # groups within groups: evaluation recurses, and nobody reads more than that
MAX_CONDITIONS = 10_000  # with those of the groups written out: groups that name each other often multiply


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Whether criteria hold.

    Attributes:
        truth: TRUE, FALSE or WAITING; unknown it is never.
        reasons: The codes of the conditions that settled it, or that wait.
    """

    truth: Truth
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Conditions in their three sections.

    Attributes:
        include: One of these has to be true; there is at least one.
        require: All of these have to be true.
        exclude: None of these may be true.
        size: How many conditions there are, with those of groups written out.
        depth: How many groups within groups there are, this one counted.
    """

    include: tuple[Condition, ...]
    require: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no condition, and criteria that nobody could meet."""
        for section in SECTIONS:
            conditions = getattr(self, section)
            if not isinstance(conditions, tuple):
                raise ConfigurationError(f"{section}: is {shape(conditions)}; give a tuple of conditions")
            for condition in conditions:
                if not isinstance(condition, Condition):
                    raise ConfigurationError(f"{section}: has {shape(condition)}; give conditions")
        if not self.include:
            raise ConfigurationError("include: is empty, so that it would mean nobody; name at least one condition")
        groups = [condition.criteria for condition in self.conditions if isinstance(condition, AccessGroup)]
        size = sum(1 for _ in self.conditions) - len(groups) + sum(group.size for group in groups)
        if size > MAX_CONDITIONS:
            raise ConfigurationError(
                f"access_group: more than {MAX_CONDITIONS} conditions once groups are written out; name them less often"
            )
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "depth", 1 + max((group.depth for group in groups), default=0))

    @property
    def conditions(self) -> Iterator[Condition]:
        """All conditions, groups as one each."""
        yield from (*self.include, *self.require, *self.exclude)

    @property
    def needs(self) -> Need:
        """What the conditions look at, taken together."""
        needs = Need.NOTHING
        for condition in self.conditions:
            needs |= condition.needs
        return needs

    @property
    def is_unconditional(self) -> bool:
        """Whether they hold for every request there is, as far as their form shows it."""
        return any(map(_is_everyone, self.include)) and all(map(_is_everyone, self.require)) and not self.exclude

    def settle(self, facts: Facts, *, unknown: bool) -> Finding:
        """Say whether they hold.

        Args:
            facts: What is known of the request.
            unknown: What counts for a condition of ``include`` and ``require`` that cannot be known; for one of
                ``exclude`` it is the opposite.
        """
        reasons: list[str] = []
        waiting: list[str] = []
        for section, decisive, wanted in _SEMANTICS:
            conditions = getattr(self, section)
            if not conditions:
                continue
            counts = unknown if wanted is Truth.TRUE else not unknown
            truth, codes = _settle(conditions, facts, decisive, unknown=counts)
            if truth is Truth.WAITING:
                waiting += codes
            elif truth is not wanted:
                return Finding(truth=Truth.FALSE, reasons=tuple(codes))
            elif wanted is Truth.TRUE:
                reasons += codes
        if waiting:
            return Finding(truth=Truth.WAITING, reasons=tuple(waiting))
        return Finding(truth=Truth.TRUE, reasons=tuple(reasons))

    def to_mapping(self) -> dict[str, object]:
        """Return the sections as a configuration has them, without empty ones."""
        sections = {section: [one.to_mapping() for one in getattr(self, section)] for section in SECTIONS}
        return {section: conditions for section, conditions in sections.items() if conditions}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGroup(Condition):
    """Criteria that several policies share: true where they hold.

    Attributes:
        criteria: The conditions.
        id: Cloudflare's, by which its policies name the group.
        name: For people.
    """

    key: ClassVar[str] = "access_group"
    reason: ClassVar[str] = "access-group"

    criteria: Criteria
    id: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse groups that are nested too deep."""
        if self.criteria.depth > MAX_DEPTH:
            raise ConfigurationError(f"access_group: more than {MAX_DEPTH} groups within groups; nest fewer")

    @property
    def needs(self) -> Need:
        """What its conditions look at."""
        return self.criteria.needs

    @property
    def is_anonymous(self) -> bool:
        """Whether all of its conditions are."""
        return all(condition.is_anonymous for condition in self.criteria.conditions)

    def evaluate(self, facts: Facts) -> Truth:
        """Settle the criteria both ways: where that makes a difference, what cannot be known decides."""
        against, favour = (self.settle(facts, unknown=unknown) for unknown in (False, True))
        if against is favour:
            return against
        return Truth.WAITING if Truth.WAITING in (against, favour) else Truth.UNKNOWN

    def settle(self, facts: Facts, *, unknown: bool) -> Truth:
        """Settle the criteria; what cannot be known counts as ``unknown`` where the group then is rather that."""
        return self.criteria.settle(facts, unknown=unknown).truth

    def to_value(self) -> object:
        """Return the whole group."""
        names = {"id": self.id, "name": self.name}
        return {key: value for key, value in names.items() if value} | self.criteria.to_mapping()


# Of each section: the answer of one condition that settles it, and the answer that it should have.
_SEMANTICS: tuple[tuple[Section, Truth, Truth], ...] = (
    ("include", Truth.TRUE, Truth.TRUE),
    ("require", Truth.FALSE, Truth.TRUE),
    ("exclude", Truth.TRUE, Truth.FALSE),
)


def _settle(
    conditions: Iterable[Condition], facts: Facts, decisive: Truth, *, unknown: bool
) -> tuple[Truth, list[str]]:
    """Ask conditions until one gives the decisive answer; say what came of it, and which conditions made it so."""
    reasons: list[str] = []
    waiting: list[str] = []
    for condition in conditions:
        truth = condition.settle(facts, unknown=unknown)
        if truth is decisive:
            return truth, [condition.reason]
        (waiting if truth is Truth.WAITING else reasons).append(condition.reason)
    if waiting:
        return Truth.WAITING, waiting
    return truth_of(decisive is not Truth.TRUE), reasons


def _is_everyone(condition: Condition) -> bool:
    if isinstance(condition, AccessGroup):
        return condition.criteria.is_unconditional
    return isinstance(condition, Everyone)
