"""Loops that end, stop or hang: whoever did the work, somebody else goes on with it."""

import asyncio
import gc
import threading
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from cfaccess_mw.core.freshness import ABSENT, PRESENT, UNAVAILABLE, Availability
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.drivers import Driver
from cfaccess_mw.refresh.editions import Edition
from cfaccess_mw.refresh.fetchers import Document
from cfaccess_mw.refresh.loops import running_loop
from tests.refresh.parts import PATIENT, AsyncAnswers, BlockingAnswers, Clock, document, refresher_of

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@backends
def test_a_loop_for_each_request(backend: str) -> None:
    """As in Flask's and Django's asynchronous views under WSGI, and in test clients."""
    clock = Clock()
    endpoint = AsyncAnswers()
    with refresher_of(endpoint, clock=clock) as (refresher, told):

        async def request() -> None:
            if clock() >= refresher.attention_at:
                refresher.attend()
            if refresher.snapshot is None:
                assert await refresher.obtain("known", patience=PATIENT) == PRESENT
            clock.turn(1)

        for _ in range(3):
            anyio.run(request, backend=backend)
        clock.turn(500)
        anyio.run(request, backend=backend)  # it ends before any fetch could
        told.wait_for("keys-fetched", 2)
        assert endpoint.count == 2
        assert refresher._driver is not None, "a thread has taken over"


@backends
def test_loops_that_end_at_once_do_not_fetch_with_each_request(backend: str) -> None:
    clock = Clock()
    endpoint = AsyncAnswers(gate_open=False)
    with refresher_of(endpoint, clock=clock) as (refresher, _):

        async def request() -> None:
            refresher.attend()
            await anyio.lowlevel.checkpoint()

        for _ in range(20):
            anyio.run(request, backend=backend)
            clock.turn(0.1)
        endpoint.await_arrival()
        assert endpoint.count <= 2


@backends
def test_a_blocking_fetch_outlives_the_loop_that_asked_for_it(backend: str) -> None:
    endpoint = BlockingAnswers(gate_open=False)
    with refresher_of(endpoint) as (refresher, told):

        async def request() -> None:
            refresher.attend()
            await anyio.to_thread.run_sync(endpoint.await_arrival)

        anyio.run(request, backend=backend)
        endpoint.gate.set()
        told.wait_for("keys-fetched")
        assert refresher.snapshot == frozenset({"known"})
        assert endpoint.count == 1


def test_a_loop_that_was_stopped_and_not_closed() -> None:
    endpoint = AsyncAnswers()
    loop = asyncio.new_event_loop()
    try:
        with refresher_of(endpoint) as (refresher, _):
            loop.run_until_complete(refresher.ahydrate())
            stopped = refresher._driver
            assert stopped is not None
            assert not stopped.poke()
            assert refresher.obtain_blocking("new", patience=PATIENT) == ABSENT
            assert refresher._driver is not stopped

            async def until_it_has_noticed() -> None:
                old = [task for task in asyncio.all_tasks() if task.get_name() == "cfaccess-refresh"]
                await asyncio.wait(old, timeout=PATIENT)
                assert all(task.done() for task in old)

            # Running again, the old driver finds that it is not employed any more.
            loop.run_until_complete(until_it_has_noticed())
            assert refresher._driver is not None
    finally:
        loop.close()


def test_a_loop_that_was_closed_under_its_driver(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = AsyncAnswers()
    loop = asyncio.new_event_loop()
    with refresher_of(endpoint) as (refresher, _):
        loop.run_until_complete(refresher.ahydrate())
        tasks = asyncio.all_tasks(loop)
        loop.close()
        assert refresher.obtain_blocking("new", patience=PATIENT) == ABSENT
    del tasks
    gc.collect()
    # asyncio complains about the task, in the log; that is for whoever closes loops with tasks in them.
    assert all(record.name == "asyncio" for record in caplog.records)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_driver_cancelled_before_its_first_step() -> None:
    endpoint = AsyncAnswers()
    with refresher_of(endpoint) as (refresher, _):
        refresher.attend()
        (driver,) = [task for task in asyncio.all_tasks() if task.get_name() == "cfaccess-refresh"]
        driver.cancel()
        assert await refresher.obtain("known", patience=PATIENT) == PRESENT
    assert endpoint.count == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_driver_cancelled_in_mid_flight() -> None:
    endpoint = AsyncAnswers(gate_open=False)
    with refresher_of(endpoint) as (refresher, _):
        request = asyncio.create_task(refresher.obtain("known", patience=PATIENT))
        await anyio.to_thread.run_sync(endpoint.await_arrival)
        (driver,) = [task for task in asyncio.all_tasks() if task.get_name() == "cfaccess-refresh"]
        driver.cancel()
        await anyio.to_thread.run_sync(endpoint.await_arrival)
        endpoint.gate.set()
        assert await request == PRESENT
    assert endpoint.count == 2


@pytest.mark.anyio
async def test_a_fetcher_that_cancels_itself_is_paused_for(anyio_backend: str) -> None:
    class Confused:
        count = 0

        async def afetch(self, url: str, *, etag: str | None) -> Document:
            self.count += 1
            raise asyncio.CancelledError

    endpoint = Confused()
    others = set(threading.enumerate())
    with refresher_of(endpoint) as (refresher, _):
        answer = await refresher.obtain("known", patience=PATIENT)
        assert answer.availability is Availability.UNAVAILABLE
        # On asyncio it takes its driver with it, twice; on trio it is a failure like others.
        assert endpoint.count == (2 if anyio_backend == "asyncio" else 1)
    for thread in set(threading.enumerate()) - others:  # it says so in the log, and not in that of another test
        if thread.name == "cfaccess-refresh":
            thread.join(PATIENT)


@pytest.mark.anyio
async def test_a_driver_that_lets_things_wait_is_replaced() -> None:
    clock = Clock()
    endpoint = AsyncAnswers()
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        await refresher.ahydrate()
        driver = refresher._driver
        assert driver is not None
        driver._wake = lambda: None  # type: ignore[method-assign]  # it hears, and does nothing
        clock.turn(500)
        refresher.attend()
        assert refresher._driver is driver
        clock.turn(1)
        refresher.attend()
        assert refresher._driver is not driver
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 2)


@pytest.mark.anyio
async def test_a_flight_that_is_lost_is_flown_again_and_its_late_answer_is_ignored() -> None:
    clock = Clock()
    endpoint = AsyncAnswers(document("new"), document("old"), gate_open=False)
    with refresher_of(endpoint, clock=clock, timing=Timing(deadline=3600, lifetime=3600)) as (refresher, told):
        assert await refresher.obtain("x", patience=0) == UNAVAILABLE
        await anyio.to_thread.run_sync(endpoint.await_arrival)
        clock.turn(3610)
        refresher.attend()
        await anyio.to_thread.run_sync(endpoint.await_arrival)
        endpoint.gate.set()
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched")
        assert refresher.snapshot == frozenset({"new"})


def test_what_a_replaced_driver_brings_late_changes_and_tells_nothing() -> None:
    clock = Clock()
    with refresher_of(AsyncAnswers(), clock=clock) as (refresher, told):
        old, new = Driver(refresher), Driver(refresher)
        refresher._driver = old
        late, later = refresher.begin(old), None
        clock.turn(10)
        refresher._driver = new
        assert refresher.begin(old) is None
        later = refresher.begin(new)
        assert late is not None
        assert later is not None
        refresher.fail(old, late, "late")
        assert refresher.health().reason is None
        refresher.succeed(new, later, Edition(content=frozenset({"new"})), max_age=None)
        refresher.succeed(old, late, Edition(content=frozenset({"old"})), max_age=None)
        assert refresher.snapshot == frozenset({"new"})
        assert told.names == ["keys-fetched"]


@pytest.mark.anyio
async def test_a_driver_that_fails_itself_is_followed_by_another(caplog: pytest.LogCaptureFixture) -> None:
    readings = iter([ZeroDivisionError()])

    class Broken(Clock):
        def __call__(self) -> float:
            if threading.current_thread() is not main and (error := next(readings, None)):
                raise error
            return super().__call__()

    main = threading.current_thread()
    with refresher_of(AsyncAnswers(), clock=Broken()) as (refresher, _):
        refresher._loops_end = True
        assert await refresher.obtain("known", patience=PATIENT) == PRESENT
    assert "has failed; another will follow" in caplog.text


class TestLoops:
    def test_outside_of_one(self) -> None:
        assert running_loop() is None

    @backends
    def test_one_that_has_ended_takes_no_calls(self, backend: str) -> None:
        async def inside() -> object:
            return running_loop()

        loop: Any = anyio.run(inside, backend=backend)
        assert not loop.soon(lambda: None)

    def test_one_that_is_stopped_keeps_the_call(self) -> None:
        async def inside() -> object:
            return running_loop()

        with asyncio.Runner() as runner:
            loop: Any = runner.run(inside())
            called: list[bool] = []
            assert not loop.soon(lambda: called.append(True))
            runner.run(asyncio.sleep(0))
            assert called == [True]

    @backends
    def test_it_is_called_from_another_thread(self, backend: str) -> None:
        async def inside() -> int:
            loop = running_loop()
            assert loop is not None
            called = anyio.Event()
            where: list[int] = []

            def call() -> None:
                where.append(threading.get_ident())
                called.set()

            assert await anyio.to_thread.run_sync(loop.soon, call)
            with anyio.fail_after(PATIENT):
                await called.wait()
            assert where == [threading.get_ident()]
            return where[0]

        assert anyio.run(inside, backend=backend)
