"""Is this true in the eyes of a function of the operator's?"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import ClassVar

from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.truth import Truth, truth_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Condition):
    """True where a function of the operator's says so.

    Attributes:
        function: Gets the facts that it says it looks at and no others. Anything but True or False, and anything that
            it raises, is unknown.
        looks_at: What it looks at.
        pure: Whether it gives the same answer for the same facts, so that the answer may be kept.
    """

    key: ClassVar[str] = "check"
    reason: ClassVar[str] = "check"

    function: Callable[[Facts], bool]
    looks_at: Need = Need.TOKEN | Need.REQUEST
    pure: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be asked here."""
        if not callable(self.function):
            raise ConfigurationError(f"{self.key}: is {shape(self.function)}; give a function of the facts")
        if iscoroutinefunction(self.function) or iscoroutinefunction(type(self.function).__call__):
            raise ConfigurationError(f"{self.key}: is asynchronous, and nobody waits for it here; give a plain one")
        if type(self.looks_at) is not Need or Need.EVERY_TIME in self.looks_at:
            raise ConfigurationError(
                f"{self.key}: looks_at is {shape(self.looks_at)}; give what it looks at, as a Need"
            )
        if type(self.pure) is not bool:
            raise ConfigurationError(f"{self.key}: pure is {shape(self.pure)}; give true or false")

    @property
    def needs(self) -> Need:
        """What it says that it looks at."""
        return self.looks_at if self.pure else self.looks_at | Need.EVERY_TIME

    @property
    def is_anonymous(self) -> bool:
        """Whether it looks at nothing but the request."""
        return self.looks_at in Need.REQUEST

    def evaluate(self, facts: Facts) -> Truth:
        """Ask the function."""
        facts = facts.only(self.looks_at)
        if not facts.looked_up and facts.profile is None:
            return Truth.WAITING
        try:
            answer: object = self.function(facts)
        except Exception:  # noqa: BLE001 - whatever it is, the answer could not be had, and that counts against
            return Truth.UNKNOWN
        return truth_of(answer) if isinstance(answer, bool) else Truth.UNKNOWN

    def to_value(self) -> object:
        """Return the function, with what was said of it where that is not the default."""
        if self.looks_at == Need.TOKEN | Need.REQUEST and not self.pure:
            return self.function
        return {"function": self.function, "looks_at": self.looks_at, "pure": self.pure}
