"""What is a condition of a policy? The classes that all have in common, and the one that is true of everybody."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.selector_values import Read, read_values
from cfaccess_mw.core.truth import Truth, truth_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(ABC):
    """Something that is true of a request, or not.

    A selector that adds no attribute is no dataclass of its own: each costs half a millisecond of every start.
    """

    key: ClassVar[str]
    """Its name in a configuration."""

    reason: ClassVar[str]
    """Its stable kebab-case code, for explanations and logs."""

    _needs: ClassVar[Need]

    @property
    def needs(self) -> Need:
        """What it looks at."""
        return self._needs

    @property
    def is_anonymous(self) -> bool:
        """Whether it can be true of a request of nobody, so that a bypass may have it."""
        return not self.needs or bool(self.needs & Need.REQUEST)

    @abstractmethod
    def evaluate(self, facts: Facts) -> Truth:
        """Say whether it is true."""

    def settle(self, facts: Facts, *, unknown: bool) -> Truth:
        """Say whether it is true where what cannot be known counts as ``unknown``; that is never the answer."""
        truth = self.evaluate(facts)
        return truth_of(unknown) if truth is Truth.UNKNOWN else truth

    @abstractmethod
    def to_value(self) -> object:
        """Return what stands beside its key in a configuration."""

    def to_mapping(self) -> dict[str, object]:
        """Return it as a configuration has it."""
        return {self.key: self.to_value()}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(Condition):
    """A condition that one of several values meets.

    Attributes:
        values: Each in the one form that is compared.
    """

    read: ClassVar[Read]

    values: frozenset[str] = field(repr=False)

    def __post_init__(self) -> None:
        """Bring the values into their one form."""
        object.__setattr__(self, "values", read_values(self.key, self.values, type(self).read))

    def to_value(self) -> object:
        """Return the value, or a list of them."""
        return next(iter(self.values)) if len(self.values) == 1 else sorted(self.values)


class Everyone(Condition):
    """True of everybody."""

    __slots__ = ()

    key: ClassVar[str] = "everyone"
    reason: ClassVar[str] = "everyone"
    _needs: ClassVar[Need] = Need.NOTHING

    def evaluate(self, facts: Facts) -> Truth:
        """Say that it is true."""
        return Truth.TRUE

    def to_value(self) -> object:
        """Return True."""
        return True
