"""What did an examination find? Each thing in one line, with the mend beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cfaccess_mw.cli.mistakes import MISTAKEN, REFUSED, UNREACHABLE
from cfaccess_mw.cli.rendering import shown
from cfaccess_mw.core.errors import ConfigurationError


class Level(Enum):
    """How is it?"""

    GOOD = "ok"
    NOTE = "note"  # good to know, and nothing to mend
    WRONG = "wrong"
    UNUSABLE = "unusable"  # so wrong that nothing else can be looked at
    LACKING = "unreachable"  # nobody can say at the moment


_STATUS = ((Level.UNUSABLE, MISTAKEN), (Level.WRONG, REFUSED), (Level.LACKING, UNREACHABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: What it is about, in a word; stable.
        level: How it is.
        says: What was found.
        mend: What to do about it; empty where nothing is to be done.
    """

    about: str
    level: Level
    says: str
    mend: str = ""


def good(about: str, says: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(about=about, level=Level.GOOD, says=says)


def note(about: str, says: str, mend: str = "") -> Finding:
    """Return something that is good to know."""
    return Finding(about=about, level=Level.NOTE, says=says, mend=mend)


def wrong(about: str, says: str, mend: str) -> Finding:
    """Return something that has to be mended."""
    return Finding(about=about, level=Level.WRONG, says=says, mend=mend)


def mistaken(about: str, mistake: ConfigurationError) -> Finding:
    """Return what a configuration was refused for; the mend stands at the end of the message."""
    says, _, mend = str(mistake).removeprefix(f"{about}: ").rpartition("; ")
    return wrong(about, says, mend) if says else wrong(about, mend, "see README.md")


def lacking(about: str, says: str, mend: str) -> Finding:
    """Return that nobody answered."""
    return Finding(about=about, level=Level.LACKING, says=says, mend=mend)


def status_of(findings: Iterable[Finding]) -> int:
    """Return the exit status: what is known to be wrong counts more than what cannot be known."""
    levels = {finding.level for finding in findings}
    return next((status for level, status in _STATUS if level in levels), 0)


def as_data(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as JSON has them; the names are stable."""
    return {
        "status": status_of(findings),
        "findings": [
            {"about": finding.about, "level": finding.level.value, "says": finding.says, "mend": finding.mend}
            for finding in findings
        ],
    }


def as_line(finding: Finding) -> str:
    """Show one in a line, its level aside."""
    mend = f"; mend: {finding.mend}" if finding.mend else ""
    return f"{finding.about:<13} {shown(finding.says + mend)}"
