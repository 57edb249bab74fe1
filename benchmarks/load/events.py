"""What happens to the team during a run? Its endpoint goes and comes back, its keys rotate, its endpoint is slow."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.load.world import World

_LONGEST_OUTAGE: Final = 20.0  # seconds; longer ones make nothing worse, and pause the attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens.

    Attributes:
        at: When, as a share of the run.
        text: What, for the report.
        happens: Makes it so.
        lasts: Until what share of the run; 0 for something that is done at once.
    """

    at: float
    text: str
    happens: Callable[[World], object]
    lasts: float = 0.0


# All in the second third: the first and the last are compared with each other.
EVENTS: Final = (
    Event(at=0.35, lasts=0.45, text="the certs endpoint answers 503", happens=lambda world: _certs(world, "down:503")),
    Event(at=0.48, text="the keys are rotated", happens=World.rotate),
    Event(at=0.53, lasts=0.63, text="the certs endpoint takes 2 s", happens=lambda world: _certs(world, "slow:2")),
)


async def unfold(world: World, seconds: float) -> None:
    """Let everything happen in its time.

    Args:
        world: To whom.
        seconds: How long the run lasts.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for event in EVENTS:
        await asyncio.sleep(began + event.at * seconds - loop.time())
        await asyncio.to_thread(event.happens, world)
        if event.lasts:
            await asyncio.sleep(min((event.lasts - event.at) * seconds, _LONGEST_OUTAGE))
            world.emulator.clear_faults()


def _certs(world: World, fault: str) -> None:
    world.emulator.fault(certs=fault)
