"""What happens while a server is loaded? Nothing; ten thousand people; a rotation; a certs endpoint that is slow."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import sleep
from typing import Final

from benchmarks.servers.process import Running, status_of
from benchmarks.servers.requests import alternating, armed, mint, request
from benchmarks.servers.shooting import Generator, Round
from cfaccess_mw.emulator.server import Emulator

_FEW: Final = 16  # people: as many as there are connections
_NEWCOMER_AFTER: Final = 0.2  # seconds into a round: the load is under way
_SLOW: Final = "slow:1"
_TO_THE_END: Final = 2.0  # seconds of a round that is to see the end of the fetch


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that a scene needs.

    Attributes:
        emulator: The team.
        folder: For files.
        generator: Makes the load.
        seconds: Of one round.
        people: How many distinct tokens the scene of many has.
    """

    emulator: Emulator
    folder: Path
    generator: Generator
    seconds: float
    people: int
    _tokens: dict[int, list[str]] = field(default_factory=dict)
    _armed: list[str] = field(default_factory=list)
    _met: set[int] = field(default_factory=set)

    def tokens(self, count: int) -> list[str]:
        """Those of a number of people; signed once, since that takes a while."""
        if count not in self._tokens:
            self._tokens[count] = mint(self.emulator.issuer, self.emulator.audience, count)
        return self._tokens[count]

    def shoot(self, server: Running, tokens: list[str], seconds: float | None = None) -> Round:
        """Load a server with requests of these, in no order."""
        if self._armed != tokens:
            armed(self._file, tokens)
            self._armed = tokens
        return self.generator.shoot(server.port, self._file, seconds or self.seconds)

    @property
    def _file(self) -> Path:
        return self.folder / "requests"

    def meets_first(self, server: Running) -> bool:
        """Whether a server has not been seen before; from now on it has."""
        before = len(self._met)
        self._met.add(server.port)
        return len(self._met) > before


def few(stage: Stage, server: Running) -> Round:
    """Sixteen people, known by now."""
    tokens = stage.tokens(_FEW)
    if stage.meets_first(server):
        _greet(server, tokens)
    return stage.shoot(server, tokens)


def many(stage: Stage, server: Running) -> Round:
    """As many people as are remembered at most; most of them have been there before."""
    tokens = stage.tokens(stage.people)
    if stage.meets_first(server):
        stage.shoot(server, tokens)
    return stage.shoot(server, tokens)


def rotating(stage: Stage, server: Running) -> Round:
    """The team rotates its keys as the round begins: half of the tokens are of the new key, which nobody knows yet."""
    issuer, audience = stage.emulator.issuer, stage.emulator.audience
    with issuer.restored():
        old = mint(issuer, audience, _FEW)
        _greet(server, old)
        issuer.rotate()
        return stage.shoot(server, list(alternating(old, mint(issuer, audience, _FEW))))


def slow(stage: Stage, server: Running) -> Round:
    """Everybody's key is known; one newcomer's is not, and the endpoint takes a second to say it.

    Nobody else should notice: look at the longest answer. The newcomer counts among the refused if he is.
    """
    issuer, audience = stage.emulator.issuer, stage.emulator.audience
    with issuer.restored(), ThreadPoolExecutor(1) as beside:
        old = mint(issuer, audience, _FEW)
        _greet(server, old)
        issuer.rotate()
        newcomer = request(mint(issuer, audience, 1)[0], "Connection: close")
        stage.emulator.fault(certs=_SLOW)
        try:
            status = beside.submit(_later, server.port, newcomer)
            played = stage.shoot(server, old, max(_TO_THE_END, stage.seconds))
            return replace(played, refused=played.refused + (status.result() != 200))
        finally:
            stage.emulator.clear_faults()


def _greet(server: Running, tokens: list[str]) -> None:
    for token in tokens:
        status_of(server.port, request(token, "Connection: close"))


def _later(port: int, newcomer: bytes) -> int:
    sleep(_NEWCOMER_AFTER)
    return status_of(port, newcomer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What happens in a round.

    Attributes:
        title: Over its table.
        play: One round.
        afresh: Whether each round needs a server of its own: the number of fetches in half a minute is bounded, and
            keys that were learned stay.
    """

    title: str
    play: Callable[[Stage, Running], Round]
    afresh: bool = False


SCENES: Final[Mapping[str, Scene]] = {
    "steady": Scene(title="known people", play=few),
    "many": Scene(title="many distinct tokens", play=many),
    "rotation": Scene(title="the keys rotate as the round begins", play=rotating, afresh=True),
    "slow": Scene(title="a newcomer's key is fetched from an endpoint that takes 1 s", play=slow, afresh=True),
}
