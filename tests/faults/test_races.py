"""Races, provoked: the interpreter changes threads as often as it can, and all begin at once."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import anyio
import pytest

from cfaccess_mw.emulator.signing_key import SigningKey
from tests.doors.conftest import Request, ask_asgi
from tests.faults.stage import Stage
from tests.faults.world import PASSED
from tests.refresh.parts import PATIENT

Outcomes = Counter[tuple[int, str]]

GOOD = (200, PASSED)
UNAVAILABLE = (503, "keys-unavailable")
UNKNOWN = (401, "unknown-key")


@pytest.fixture(autouse=True)
def _restless() -> Iterator[None]:
    """Threads take turns after a microsecond instead of five thousand."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Together:
    """Threads that begin at once."""

    def __init__(self, *work: Callable[[], object]) -> None:
        self._barrier = threading.Barrier(len(work))
        self._pool = ThreadPoolExecutor(len(work))
        self._done: list[Future[object]] = [self._pool.submit(self._run, one) for one in work]

    def _run(self, work: Callable[[], object]) -> object:
        self._barrier.wait(PATIENT)
        return work()

    def join(self) -> None:
        """Wait for all; what one raises is raised."""
        with self._pool:
            for done in self._done:
                done.result(PATIENT)


def test_rotations_while_everybody_asks(stage: Stage, spare: SigningKey, stranger: SigningKey) -> None:
    """Whoever has seen the new key work sees the one that was withdrawn fail, remembered or not."""
    world = stage.world
    first, second, third = world.team.previous, world.team.current, spare
    foreign = world.unknown()
    for withdrawn, kept, new in ((first, second, third), (second, third, first), (third, first, second)):
        old, same = world.token(key=withdrawn), world.token(key=kept)
        assert world.ask_wsgi(old) == world.ask_wsgi(same) == GOOD
        world.team.rotate(new)
        world.clocks.pass_by(60)  # two flights for unknown keys are allowed again
        fresh = world.token(key=new)

        def judge(old: str = old, same: str = same, fresh: str = fresh) -> None:
            for _ in range(5):
                assert world.ask_wsgi(same) == GOOD, "nobody with a published key is refused"
                assert world.ask_wsgi(old) in {GOOD, UNAVAILABLE, UNKNOWN}
                assert world.ask_wsgi(foreign) in {UNAVAILABLE, UNKNOWN}
                if world.ask_wsgi(fresh) == GOOD:
                    assert world.ask_wsgi(old) in {UNAVAILABLE, UNKNOWN}

        Together(*[judge] * 8).join()
        assert world.ask_wsgi(fresh) == GOOD


def test_two_event_loops_and_threads_on_one_door(stage: Stage) -> None:
    """Cold, all of them; one flight answers those of both kinds of loops, and of both doors."""
    world, endpoint = stage.world, stage.endpoint
    token, foreign = world.token(), world.forged()
    statuses: list[int] = []  # appending is one step, counting is two
    endpoint.gate.clear()

    async def requests() -> None:
        async def one(which: str) -> None:
            statuses.append((await ask_asgi(world.asgi, Request.with_token(which))).status)

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(one, token)
                group.start_soon(one, foreign)
            await anyio.to_thread.run_sync(endpoint.await_arrival_once)
            endpoint.gate.set()

    def threads() -> None:
        statuses.append(world.ask_wsgi(token)[0])
        statuses.append(world.ask_wsgi(foreign)[0])

    loops = [partial(anyio.run, requests, backend=backend) for backend in ("asyncio", "trio")]
    Together(*loops, *[threads] * 10).join()
    assert Counter(statuses) == {200: 70, 401: 70}
    assert len(endpoint.connections) == 1


def test_closing_and_opening_in_the_middle_of_flights(stage: Stage) -> None:
    """Who asks meanwhile is let in or told to come again; who must not come in never does."""
    world = stage.world
    token, foreign = world.token(), world.forged()

    def ask() -> None:
        for _ in range(30):
            assert world.ask_wsgi(token) in {GOOD, UNAVAILABLE}
            assert world.ask_wsgi(foreign) in {(401, "bad-signature"), UNAVAILABLE}

    def rest() -> None:
        for _ in range(60):
            world.wsgi.protection.rest()
            world.asgi.protection.rest()
            world.wsgi.protection.open()

    Together(*[ask] * 6, *[rest] * 3).join()
    world.wsgi.protection.open()
    assert world.ask(token) == {GOOD}
    assert world.ask(foreign) == {(401, "bad-signature")}


def test_closing_for_good_in_the_middle_of_requests(stage: Stage) -> None:
    """From then on nobody comes in, remembered or not."""
    world = stage.world
    token = world.token()
    assert world.ask(token) == {GOOD}
    closed = threading.Event()

    def ask() -> None:
        for _ in range(40):
            after = closed.is_set()
            found = world.ask_wsgi(token)
            assert found == UNAVAILABLE or (found == GOOD and not after)

    def close() -> None:
        world.asgi.protection.close()
        world.wsgi.protection.close()
        closed.set()

    Together(*[ask] * 6, close).join()
    assert world.ask(token) == {UNAVAILABLE}
