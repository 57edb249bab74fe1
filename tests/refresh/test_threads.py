"""How threads come by what is kept fresh, alone and together with event loops."""

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import pytest

from cfaccess_mw.core.errors import FetchError, KeysUnavailable
from cfaccess_mw.core.freshness import ABSENT, PRESENT, UNAVAILABLE, Availability, KeyAnswer
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.wakers import Waker
from tests.refresh.parts import (
    PATIENT,
    URL,
    AsyncAnswers,
    BlockingAnswers,
    Clock,
    document,
    holds,
    parse,
    refresher_of,
)

both_kinds = pytest.mark.parametrize("kind", [AsyncAnswers, BlockingAnswers], ids=["afetch", "fetch"])
Kind = Callable[..., AsyncAnswers | BlockingAnswers]


@both_kinds
def test_200_cold_threads_cause_one_fetch(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    together = threading.Barrier(201)
    with refresher_of(endpoint) as (refresher, _), ThreadPoolExecutor(200) as pool:

        def request() -> KeyAnswer:
            together.wait(PATIENT)
            return refresher.obtain_blocking("known", patience=PATIENT)

        requests = [pool.submit(request) for _ in range(200)]
        together.wait(PATIENT)
        endpoint.await_arrival()
        endpoint.gate.set()
        assert [request.result(PATIENT) for request in requests] == [PRESENT] * 200
    assert endpoint.count == 1


@both_kinds
def test_two_loops_and_threads_share_one_flight(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    with refresher_of(endpoint) as (refresher, _), ThreadPoolExecutor(12) as pool:
        together = threading.Barrier(13)

        async def requests() -> list[KeyAnswer]:
            answers: list[KeyAnswer] = []

            async def request() -> None:
                answers.append(await refresher.obtain("known", patience=PATIENT))

            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(request)
                await anyio.wait_all_tasks_blocked()
                await anyio.to_thread.run_sync(together.wait, PATIENT)
            # Stay until all have ended: the driver may live on this loop, and is to have no reason to move.
            return answers

        def thread() -> list[KeyAnswer]:
            together.wait(PATIENT)
            return [refresher.obtain_blocking("known", patience=PATIENT)]

        work = [pool.submit(partial(anyio.run, requests, backend=backend)) for backend in ("asyncio", "trio")]
        work += [pool.submit(thread) for _ in range(10)]
        together.wait(PATIENT)
        endpoint.await_arrival()
        endpoint.gate.set()
        answers = [answer for done in work for answer in done.result(PATIENT)]
    assert answers == [PRESENT] * 210
    assert endpoint.count == 1


def test_4_threads_wait_for_an_unknown_kid_and_a_fifth_is_refused_at_once() -> None:
    endpoint = BlockingAnswers()
    with refresher_of(endpoint) as (refresher, _), ThreadPoolExecutor(4) as pool:
        refresher.hydrate()
        endpoint.gate.clear()
        waiting = threading.Semaphore(0)

        class Counted(set[Waker]):  # tells when somebody begins to wait
            def add(self, waker: Waker) -> None:
                super().add(waker)
                waiting.release()

        refresher._waiting = (set(), Counted())
        requests = [pool.submit(refresher.obtain_blocking, f"random-{number}", patience=PATIENT) for number in range(4)]
        for _ in range(4):
            assert waiting.acquire(timeout=PATIENT)
        assert refresher.obtain_blocking("one-more", patience=PATIENT) == UNAVAILABLE
        endpoint.gate.set()
        assert [request.result(PATIENT) for request in requests] == [ABSENT] * 4


def test_patience_is_a_bound_for_threads_too() -> None:
    endpoint = BlockingAnswers(gate_open=False)
    with refresher_of(endpoint) as (refresher, told):
        assert refresher.obtain_blocking("known", patience=0.01) == UNAVAILABLE
        assert refresher._waiting == (set(), set())
        endpoint.gate.set()
        told.wait_for("keys-fetched")
        assert refresher.obtain_blocking("known", patience=0) == PRESENT


def test_hydrate_says_what_cannot_be_had() -> None:
    endpoint = BlockingAnswers(FetchError("connect-failed"))
    with refresher_of(endpoint) as (refresher, told):
        with pytest.raises(KeysUnavailable) as refused:
            refresher.hydrate()
        assert refused.value.retry_after == pytest.approx(1.5, abs=1)
        assert told.events[0].facts["reason"] == "connect-failed"


def test_a_thread_refreshes_in_the_background() -> None:
    with refresher_of(BlockingAnswers(), timing=Timing(lifetime=0.05, shortest=0.01)) as (refresher, told):
        refresher.attend_blocking()
        told.wait_for("keys-fetched", 3)
        assert refresher.snapshot is not None


def test_an_attended_refresher_that_wants_nothing_starts_nothing() -> None:
    clock = Clock()
    with refresher_of(BlockingAnswers(), clock=clock) as (refresher, told):
        refresher.hydrate()
        driver = refresher._driver
        refresher.attend_blocking()
        assert refresher._driver is driver
        assert told.names == ["keys-fetched"]


def test_where_no_thread_is_to_be_had_the_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    endpoint = BlockingAnswers()
    with refresher_of(endpoint) as (refresher, _):
        with monkeypatch.context() as limits:
            limits.setattr(threading.Thread, "start", no_more)
            assert refresher.obtain_blocking("known", patience=PATIENT) == UNAVAILABLE
            refresher.attend_blocking()
        assert refresher._driver is None
        assert refresher.obtain_blocking("known", patience=PATIENT) == PRESENT


def test_where_no_loop_is_to_be_had_the_answer_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_more() -> None:
        raise OSError("too many open files")

    clock = Clock()
    with refresher_of(BlockingAnswers(), clock=clock) as (refresher, told):
        with monkeypatch.context() as limits:
            limits.setattr(asyncio.events, "new_event_loop", no_more)
            answer = refresher.obtain_blocking("known", patience=PATIENT)
        assert answer.availability is Availability.UNAVAILABLE
        assert caplog.text.count("another will follow") == 1, "it is paused for, like any failure"
        told.wait_for("keys-failed")
        assert told.events[0].facts["reason"] == "no-event-loop"
        clock.turn(2)
        assert refresher.obtain_blocking("known", patience=PATIENT) == PRESENT


def test_threads_that_read_while_it_changes_see_one_set_or_the_other() -> None:
    endpoint = BlockingAnswers(*[document(f"{n}", f"{n}") for n in range(500)])
    stop = threading.Event()
    with refresher_of(endpoint, timing=Timing(lifetime=0.004, shortest=0.001)) as (refresher, told):

        def read() -> bool:
            good = True
            while not stop.is_set():
                snapshot = refresher.snapshot
                good = good and (snapshot is None or len(snapshot) == 1)
                refresher.attend_blocking()
            return good

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(4)]
            told.wait_for("keys-fetched", 20)
            stop.set()
            assert all(reader.result(PATIENT) for reader in readers)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_goes_on_when_the_loop_that_fetches_for_it_ends(backend: str) -> None:
    """The driver lives on a loop, a thread waits for its flight, and the loop ends in the middle of it."""
    endpoint = AsyncAnswers(gate_open=False)
    with refresher_of(endpoint) as (refresher, _), ThreadPoolExecutor(1) as pool:

        async def short_life() -> object:
            with anyio.move_on_after(0):
                await refresher.obtain("known", patience=PATIENT)
            await anyio.to_thread.run_sync(endpoint.await_arrival)
            return pool.submit(partial(refresher.obtain_blocking, "known", patience=PATIENT))

        request = anyio.run(short_life, backend=backend)
        endpoint.gate.set()
        assert request.result(PATIENT) == PRESENT  # type: ignore[attr-defined]
    assert endpoint.count == 2, "one that ended with its loop, and one of a thread's"


def test_an_application_that_seeds_its_numbers_has_no_workers_in_step() -> None:
    """Neither are its numbers used up in a thread that it knows nothing of."""
    pauses = set()
    for _ in range(3):
        random.seed(1)
        before = random.getstate()
        fetcher = BlockingAnswers(FetchError("http-500"))
        refresher = Refresher(url=URL, fetcher=fetcher, parse=parse, holds=holds, timing=Timing())
        try:
            answer = refresher.obtain_blocking("known", patience=PATIENT)
        finally:
            refresher.close()
        pauses.add(answer.retry_after)
        assert random.getstate() == before
    assert len(pauses) > 1
