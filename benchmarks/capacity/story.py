"""What happens to a fleet? A start, quiet, a rotation, a flood, an outage and its end; times in seconds."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the story that is summed up on its own; those between two are not.

    Attributes:
        text: What happens.
        begins: When.
        ends: When it is over.
    """

    text: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The story, and what the endpoint is like.

    Attributes:
        start_within: All workers start within so many seconds, evenly; 0 is a deployment that starts them at once.
        answers_in: How long a fetch takes, on average.
        fails_in: How long an attempt takes while the endpoint is away: a fetch's deadline where it is silent.
        met_after: How long after a rotation a worker meets the first token of the new key, on average.
    """

    start_within: float = 0.0
    answers_in: float = 0.1
    fails_in: float = 5.0
    met_after: float = 10.0


START: Final = Phase(text="start", begins=0, ends=60)
SECOND: Final = Phase(text="the second fetch", begins=400, ends=600)
QUIET: Final = Phase(text="quiet, later", begins=1_800, ends=3_600)
ROTATION: Final = Phase(text="rotation", begins=3_600, ends=3_660)
FLOOD: Final = Phase(text="flood of unknown key ids", begins=4_200, ends=4_800)
OUTAGE: Final = Phase(text="endpoint silent", begins=5_400, ends=6_300)
RETURN: Final = Phase(text="endpoint back", begins=6_300, ends=6_400)
AFTER: Final = Phase(text="quiet again", begins=6_900, ends=8_100)
PHASES: Final = (START, SECOND, QUIET, ROTATION, FLOOD, OUTAGE, RETURN, AFTER)
END: Final = PHASES[-1].ends
