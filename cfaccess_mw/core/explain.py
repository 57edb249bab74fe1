"""Why does this path get what it gets?

Data for people: the command line and the documentation render it. It is made by the same look-ups that decide.
"""

from dataclasses import dataclass

from cfaccess_mw.core.paths import Reading
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """What the table said about one reading.

    Attributes:
        reading: The reading, with the canonicalisers that led to it.
        path: The text that was looked up: the reading's, or its folded form.
        folded: Whether the table that minds neither case nor compatibility forms was asked.
        rules: The rules that won; empty where none did or where what won adds nothing.
        default: Whether no rule matched and the default is required.
    """

    reading: Reading
    path: str
    folded: bool
    rules: tuple[Rule, ...]
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a request gets what it gets.

    Attributes:
        method: The method as sent.
        path: The path as given.
        host: The host that the rules were asked about; None where it made no difference, or is not known.
        ground: Why nobody can say what the request means, in kebab-case; None where everybody can.
        look_ups: Every question that the table was asked, in order.
        requirement: What came of it.
    """

    method: str
    path: str
    host: str | None
    ground: str | None
    look_ups: tuple[LookUp, ...]
    requirement: Requirement
