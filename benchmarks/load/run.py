"""How does one run go? A server, an edge before it, clients, and somebody who watches."""

import asyncio
import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.load.events import unfold
from benchmarks.load.kinds import KINDS, request
from benchmarks.load.record import Record
from benchmarks.load.talking import PATIENCE
from benchmarks.load.watching import can_watch, look
from benchmarks.load.world import World
from benchmarks.servers.lineup import SERVERS
from benchmarks.servers.process import free_port, running
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import ServiceToken
from cfaccess_mw.testing import AccessKit

_CERTS: Final = "/cdn-cgi/access/certs"
_EVERY: Final = 0.5  # seconds between two looks at the server
# With several workers uvicorn 0.54 leaves Nagle's algorithm on; every answer takes 44 ms, and nothing else is seen.
LOADED: Final[Mapping[str, int]] = {"uvicorn": 1, "gunicorn-gthread": 2}
"""Which servers are loaded, with how many workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is like.

    Attributes:
        server: A key of ``LOADED``.
        seconds: How long.
        clients: How many at a time.
        workers: How many processes serve; 0 for the server's own number in ``LOADED``.
        seed: Of the dice.
        people: How many users there are.
    """

    server: str
    seconds: float
    clients: int = 24
    workers: int = 0
    seed: int = 0
    people: int = 1_000


def play(plan: Plan, folder: Path) -> Record:
    """Make a run.

    Args:
        plan: What it is like.
        folder: Made by ``benchmarks.servers.process.stage``.
    """
    port, workers = free_port(), plan.workers or LOADED[plan.server]
    server, kit = SERVERS[plan.server], AccessKit()
    robot = ServiceToken(client_id="f2d5d1c7a9be4c41a3cd0b5d3ef9cb2e.access", client_secret="5" * 64)
    words = server.words(port, workers, f"benchmarks.load.apps.{server.interface}:application")
    with (
        _certs_counted() as fetches,
        kit.issuer.restored(),
        Emulator(upstream=f"http://127.0.0.1:{port}", issuer=kit.issuer, service_tokens=[robot]) as emulator,
        running(words, port, emulator.environment(), folder) as process,
    ):
        dice = random.Random(plan.seed)
        world = World(port=port, emulator=emulator, kit=kit, random=dice, people=plan.people)
        record = Record(server=plan.server, began=0.0, seconds=plan.seconds, workers=workers)
        asyncio.run(_load(plan, world, record, process.pid))
        record.fetches = len(fetches)
        record.tracebacks = process.log.read_text(errors="replace").count("Traceback (most recent call last)")
    return record


async def _load(plan: Plan, world: World, record: Record, pid: int) -> None:
    await _warm(world)
    record.began = time.monotonic()
    watching = asyncio.create_task(_watch(record, pid))
    happening = asyncio.create_task(unfold(world, plan.seconds))
    async with asyncio.TaskGroup() as clients:
        for _ in range(plan.clients):
            clients.create_task(_client(plan, world, record))
    watching.cancel()
    await happening
    if world.rotated_at is not None:
        record.learned = max(0.0, (world.turned_away_at or 0.0) - world.rotated_at)


async def _warm(world: World) -> None:
    """Everybody comes once, on connections of their own: each worker meets most of them before anything is measured."""
    for _, token in world.users:
        async with world.line() as line:
            await line.ask(request("Connection: close", token=token))


async def _client(plan: Plan, world: World, record: Record) -> None:
    interface = SERVERS[plan.server].interface
    kinds = [kind for kind in KINDS if interface in kind.interfaces]
    weights = [kind.weight for kind in kinds]
    until = record.began + plan.seconds
    async with world.line() as line:
        while (began := time.monotonic()) < until:
            kind = world.random.choices(kinds, weights)[0]
            try:
                outcome = await kind.play(world, line)
            except TimeoutError:
                outcome = f"no answer within {PATIENCE:.0f} s"
                line.hang_up()
            record.note(kind, outcome, began, time.monotonic())
        record.renewed += line.renewed


async def _watch(record: Record, pid: int) -> None:
    while can_watch():
        record.samples.append(look(pid, time.monotonic()))
        await asyncio.sleep(_EVERY)


@contextmanager
def _certs_counted() -> Iterator[list[str]]:
    """What the emulator's server says of each request of the certs, in the order of coming."""
    log, seen = logging.getLogger("uvicorn.access"), list[str]()

    class Counter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if _CERTS in record.getMessage():
                seen.append(record.getMessage())

    handler, level, propagated = Counter(), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield seen
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagated
