"""What is measured, and in which order?"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.servers.lineup import SERVERS, VARIANTS, Server, missing
from benchmarks.servers.process import Running, free_port, running
from benchmarks.servers.scenes import SCENES, Stage
from benchmarks.servers.shooting import Figure, Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Variants that are measured in turn.

    Attributes:
        server: A key of ``SERVERS``.
        scene: A key of ``SCENES``.
        variants: Keys of ``VARIANTS``; where the bare one is first, the others are compared with it.
        workers: How many processes serve.
    """

    server: str
    scene: str
    variants: tuple[str, ...]
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A part with its figures, by variant."""

    part: Part
    figures: dict[str, Figure]


_ALL: Final = ("bare", "ours", "pyjwt", "pyjwkclient")
_MAIN: Final = ("bare", "ours", "pyjwt")
_FETCHING: Final = ("ours", "pyjwkclient")
_GROWING: Final = ("bare", "ours")

FULL: Final = (
    Part(server="uvicorn", scene="steady", variants=_ALL),
    Part(server="granian", scene="steady", variants=_MAIN),
    Part(server="gunicorn-sync", scene="steady", variants=_MAIN),
    Part(server="gunicorn-gthread", scene="steady", variants=_ALL),
    *(Part(server=name, scene="many", variants=_MAIN) for name in ("uvicorn", "gunicorn-gthread")),
    *(Part(server=name, scene="rotation", variants=_FETCHING) for name in ("uvicorn", "gunicorn-gthread")),
    *(Part(server=name, scene="slow", variants=_FETCHING) for name in ("uvicorn", "gunicorn-gthread")),
    # not uvicorn: 0.54 leaves Nagle's algorithm on with several workers, and all that is seen is 44 ms an answer
    *(Part(server="granian", scene="steady", variants=_GROWING, workers=count) for count in (2, 4, 8)),
    *(Part(server="gunicorn-gthread", scene="steady", variants=_GROWING, workers=count) for count in (2, 8)),
)
QUICK: Final = (
    Part(server="uvicorn", scene="steady", variants=("bare", "ours", "pyjwt")),
    Part(server="gunicorn-gthread", scene="steady", variants=("bare", "ours", "pyjwt")),
    Part(server="uvicorn", scene="slow", variants=("ours",)),
)


def measure(parts: Sequence[Part], stage: Stage, rounds: int) -> Iterator[Measured]:
    """Measure part after part; what is not installed is left out, see :func:`left_out`.

    Args:
        parts: What.
        stage: With what.
        rounds: How many of each variant.
    """
    for part in parts:
        variants = tuple(variant for variant in part.variants if not missing(part.server, variant))
        if variants:
            yield _measure(replace(part, variants=variants), stage, rounds)


def left_out(parts: Sequence[Part]) -> Iterator[str]:
    """What cannot be measured here, and why: lines for people.

    Args:
        parts: What was asked for.
    """
    pairs = dict.fromkeys((part.server, variant) for part in parts for variant in part.variants)
    for server, variant in pairs:
        if lacking := missing(server, variant):
            yield f"left out: {server}, {VARIANTS[variant]}: not installed: {lacking}"


def _measure(part: Part, stage: Stage, rounds: int) -> Measured:
    server, scene = SERVERS[part.server], SCENES[part.scene]
    results: dict[str, list[Round]] = {variant: [] for variant in part.variants}
    with ExitStack() as kept:
        up = {} if scene.afresh else {name: _start(kept, server, part, name, stage) for name in part.variants}
        for number in range(rounds):
            # each round begins with another variant: none is always the one behind the slowest
            turn = number % len(part.variants)
            for variant in (*part.variants[turn:], *part.variants[:turn]):
                with ExitStack() as own:
                    running = up.get(variant) or _start(own, server, part, variant, stage)
                    results[variant].append(scene.play(stage, running))
    bare = results.get("bare", ())
    return Measured(part=part, figures={variant: Figure.of(each, bare) for variant, each in results.items()})


def _start(stack: ExitStack, server: Server, part: Part, variant: str, stage: Stage) -> Running:
    port = free_port()
    environment = {**stage.emulator.environment(), "MEASURED_VARIANT": variant}
    return stack.enter_context(running(server.words(port, part.workers), port, environment, stage.folder))
