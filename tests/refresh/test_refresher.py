"""How requests on event loops come by what is kept fresh; each test on asyncio and on trio."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import ClassVar

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from cfaccess_mw.core.errors import FetchError, KeySetError, KeysUnavailable
from cfaccess_mw.core.freshness import ABSENT, PRESENT, UNAVAILABLE, Availability, KeyAnswer
from cfaccess_mw.core.states import State
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.fetchers import MOST_BYTES, Document
from tests.refresh.parts import PATIENT, Answers, AsyncAnswers, BlockingAnswers, Clock, document, refresher_of

pytestmark = pytest.mark.anyio

both_kinds = pytest.mark.parametrize("kind", [AsyncAnswers, BlockingAnswers], ids=["afetch", "fetch"])
Kind = Callable[..., AsyncAnswers | BlockingAnswers]


async def arrival(endpoint: Answers) -> None:
    await anyio.to_thread.run_sync(endpoint.await_arrival)


@both_kinds
async def test_500_cold_requests_cause_one_fetch(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    answers: list[KeyAnswer] = []
    with refresher_of(endpoint) as (refresher, _):

        async def request() -> None:
            answers.append(await refresher.obtain("known", patience=PATIENT))

        async with anyio.create_task_group() as requests:
            for _ in range(500):
                requests.start_soon(request)
            await anyio.wait_all_tasks_blocked()
            endpoint.gate.set()
    assert answers == [PRESENT] * 500
    assert endpoint.count == 1


@both_kinds
async def test_the_event_loop_goes_on_while_a_fetch_is_under_way(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    with refresher_of(endpoint) as (refresher, _):
        async with anyio.create_task_group() as requests:
            requests.start_soon(lambda: refresher.obtain("known", patience=PATIENT))
            await arrival(endpoint)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            assert refresher.snapshot is None
            # Were the loop blocked by the fetch, nobody would open the gate.
            endpoint.gate.set()
    assert endpoint.count == 1


async def test_a_document_is_read_in_a_worker_thread() -> None:
    threads: list[int] = []

    def slow_parse(_: bytes) -> frozenset[str]:
        threads.append(threading.get_ident())
        return frozenset({"known"})

    with refresher_of(AsyncAnswers(), parse=slow_parse) as (refresher, _):
        await refresher.ahydrate()
    assert threads != [threading.get_ident()]


async def test_a_known_kid_never_waits() -> None:
    clock = Clock()
    endpoint = AsyncAnswers()
    with refresher_of(endpoint, clock=clock) as (refresher, _):
        await refresher.ahydrate()
        endpoint.gate.clear()
        clock.turn(500)
        assert clock() >= refresher.attention_at
        refresher.attend()
        assert refresher.snapshot == frozenset({"known"})
        assert clock() < refresher.attention_at
        await arrival(endpoint)
        await arrival(endpoint)
        assert await refresher.obtain("known", patience=0) == PRESENT
        assert endpoint.count == 2


async def test_an_unknown_kid_is_absent_only_when_a_fetch_has_shown_it() -> None:
    endpoint = AsyncAnswers(document("known"), document("known"), document("known", "new"))
    with refresher_of(endpoint) as (refresher, _):
        await refresher.ahydrate()
        assert await refresher.obtain("never", patience=PATIENT) == ABSENT
        assert await refresher.obtain("new", patience=PATIENT) == PRESENT
        assert refresher.snapshot == frozenset({"known", "new"})
        answer = await refresher.obtain("other", patience=PATIENT)
        assert answer.availability is Availability.UNAVAILABLE
        assert 0 < answer.retry_after <= 30
    assert endpoint.count == 3


async def test_an_empty_bucket_still_has_the_rotation_found_without_anybody_asking_again() -> None:
    endpoint = AsyncAnswers(*[document("known")] * 3, document("known", "new"))
    with refresher_of(endpoint, timing=Timing(bucket_period=0.05, lifetime=3600)) as (refresher, told):
        await refresher.ahydrate()
        for kid in ("a", "b"):
            await refresher.obtain(kid, patience=PATIENT)
        answer = await refresher.obtain("new", patience=0)
        assert answer.availability is Availability.UNAVAILABLE
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 4)
        assert await refresher.obtain("new", patience=0) == PRESENT


async def test_it_is_fetched_again_without_anybody_asking() -> None:
    endpoint = AsyncAnswers()
    with refresher_of(endpoint, timing=Timing(lifetime=0.05, shortest=0.01)) as (refresher, told):
        await refresher.ahydrate()
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 3)
        assert refresher.snapshot == frozenset({"known"})


async def test_64_unknown_kids_wait_and_one_more_is_refused_at_once() -> None:
    endpoint = AsyncAnswers()
    answers: list[KeyAnswer] = []
    with refresher_of(endpoint) as (refresher, _):
        await refresher.ahydrate()
        endpoint.gate.clear()

        async def request(kid: str) -> None:
            answers.append(await refresher.obtain(kid, patience=PATIENT))

        async with anyio.create_task_group() as requests:
            for number in range(64):
                requests.start_soon(request, f"random-{number}")
            await anyio.wait_all_tasks_blocked()
            assert await refresher.obtain("one-more", patience=PATIENT) == UNAVAILABLE
            endpoint.gate.set()
    assert answers == [ABSENT] * 64
    assert endpoint.count == 2


async def test_patience_is_a_bound_and_the_flight_goes_on() -> None:
    endpoint = AsyncAnswers(gate_open=False)
    with refresher_of(endpoint) as (refresher, told):
        assert await refresher.obtain("known", patience=0.01) == UNAVAILABLE
        await arrival(endpoint)
        endpoint.gate.set()
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched")
        assert await refresher.obtain("known", patience=0) == PRESENT
    assert endpoint.count == 1


async def test_a_cancelled_request_leaves_the_flight_to_the_others() -> None:
    endpoint = AsyncAnswers(gate_open=False)
    answers: list[KeyAnswer] = []
    with refresher_of(endpoint) as (refresher, _):

        async def request() -> None:
            answers.append(await refresher.obtain("known", patience=PATIENT))

        async with anyio.create_task_group() as others:
            async with anyio.create_task_group() as first:
                first.start_soon(request)
                await arrival(endpoint)
                others.start_soon(request)
                await anyio.wait_all_tasks_blocked()
                first.cancel_scope.cancel()
            endpoint.gate.set()
        assert refresher._waiting == (set(), set())
    assert answers == [PRESENT]
    assert endpoint.count == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_cancelled_by_asyncio_itself_leaves_the_flight_to_the_others() -> None:
    endpoint = AsyncAnswers(gate_open=False)
    with refresher_of(endpoint) as (refresher, _):
        first = asyncio.create_task(refresher.obtain("known", patience=PATIENT))
        await arrival(endpoint)
        second = asyncio.create_task(refresher.obtain("known", patience=PATIENT))
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        endpoint.gate.set()
        assert await second == PRESENT
    assert endpoint.count == 1


FAILURES = [
    pytest.param(FetchError("status-500"), "status-500", None, id="fetch-error"),
    pytest.param(KeySetError("x"), "no-usable-key", None, id="key-set-error"),
    pytest.param(ValueError("x"), "fetcher-failed", "ValueError", id="foreign-error"),
    pytest.param(TimeoutError(), "timeout", None, id="timeout"),
    pytest.param(ExceptionGroup("x", [OSError()]), "fetcher-failed", "ExceptionGroup", id="group"),
    pytest.param(Document(body=None), "not-modified", None, id="not-modified-without-etag"),
    pytest.param(Document(body=b"[]"), "no-usable-key", None, id="no-key"),
    pytest.param(Document(body=b"{"), "fetcher-failed", "JSONDecodeError", id="not-json"),
    pytest.param("text", "fetcher-failed", "AttributeError", id="not-a-document"),
]


@both_kinds
@pytest.mark.parametrize(("answer", "reason", "error"), FAILURES)
async def test_whatever_goes_wrong_is_a_failed_attempt(
    kind: Kind, answer: Document | Exception, reason: str, error: str | None
) -> None:
    clock = Clock()
    endpoint = kind(answer)
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        with pytest.raises(KeysUnavailable) as refused:
            await refresher.ahydrate()
        assert refused.value.retry_after == pytest.approx(1.5)
        await anyio.to_thread.run_sync(told.wait_for, "keys-failed")
        facts = {"reason": reason, "failures": 1, "retry_in": 1.5}
        assert told.events[-1].facts == facts | ({} if error is None else {"error": error})
        assert told.names == ["keys-failed"]
        assert refresher.health().reason == reason
        # nobody gets round the pause
        assert (await refresher.obtain("known", patience=PATIENT)).availability is Availability.UNAVAILABLE
        assert endpoint.count == 1
        # and the driver lives
        endpoint.answers = [document("known")]
        clock.turn(2)
        assert await refresher.obtain("known", patience=PATIENT) == PRESENT
        assert refresher.health().reason is None


async def test_retry_after_is_honoured() -> None:
    endpoint = AsyncAnswers(FetchError("status-503", retry_after=120))
    with refresher_of(endpoint) as (refresher, _), pytest.raises(KeysUnavailable) as refused:
        await refresher.ahydrate()
    assert refused.value.retry_after == pytest.approx(120, abs=5)


@both_kinds
async def test_a_fetch_that_never_ends_is_ended_at_the_deadline(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    with refresher_of(endpoint, timing=Timing(deadline=0.05)) as (refresher, told):
        answer = await refresher.obtain("known", patience=PATIENT)
        assert answer.availability is Availability.UNAVAILABLE
        assert refresher.health().reason == "timeout"
        assert (await anyio.to_thread.run_sync(told.wait_for, "keys-failed")).facts["reason"] == "timeout"


async def test_a_document_that_takes_for_ever_to_read_is_given_up_at_the_deadline() -> None:
    gate = threading.Event()

    def stuck(_: bytes) -> frozenset[str]:
        gate.wait(PATIENT)
        return frozenset({"known"})

    with refresher_of(AsyncAnswers(), timing=Timing(deadline=0.05), parse=stuck) as (refresher, told):
        await refresher.obtain("known", patience=PATIENT)
        gate.set()
        assert told.events[0].facts["reason"] == "timeout"
        assert refresher.snapshot is None


async def test_a_blocking_fetcher_that_hangs_costs_two_threads_and_no_more() -> None:
    clock = Clock()
    endpoint = BlockingAnswers(gate_open=False)
    reasons = []
    with refresher_of(endpoint, clock=clock, timing=Timing(deadline=0.05)) as (refresher, _):
        for _ in range(4):
            await refresher.obtain("known", patience=PATIENT)
            reasons.append(refresher.health().reason)
            clock.turn(60)
        assert reasons == ["timeout", "timeout", "fetcher-hangs", "fetcher-hangs"]
        assert endpoint.count == 2


@pytest.mark.parametrize(
    ("second", "same"),
    [
        pytest.param(Document(body=None, max_age=900), True, id="304"),
        pytest.param(document("known"), True, id="same-bytes"),
        pytest.param(document("known", "new"), False, id="other-bytes"),
    ],
)
async def test_content_that_did_not_change_stays_the_same_object(second: Document, same: bool) -> None:
    clock = Clock()
    endpoint = AsyncAnswers(document("known", etag='"1"'), second)
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        await refresher.ahydrate()
        before = refresher.snapshot
        clock.turn(490)
        refresher.attend()
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 2)
        assert (refresher.snapshot is before) is same
        assert endpoint.etags == [None, '"1"']
        assert refresher.health().state is State.FRESH
        if second.body is None:
            clock.turn(490)
            assert refresher.health().state is State.FRESH, "the lifetime is the new one"
            clock.turn(300)
            refresher.attend()
            await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 3)
            assert endpoint.etags[-1] == '"1"', "the validator of what we hold stays"


async def test_an_expired_document_is_not_asked_for_by_its_etag() -> None:
    clock = Clock()
    endpoint = AsyncAnswers(document("known", etag='"1"'), FetchError("down"), document("known"))
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        await refresher.ahydrate()
        clock.turn(700)
        refresher.attend()
        await anyio.to_thread.run_sync(told.wait_for, "keys-failed")
        assert refresher.health().state is State.STALE
        assert refresher.health().degraded
        clock.turn(86_400)
        refresher.attend()
        assert refresher.snapshot is None
        assert await refresher.obtain("known", patience=PATIENT) == PRESENT
        assert endpoint.etags == [None, '"1"', None]
        assert told.names == ["keys-fetched", "keys-stale", "keys-failed", "keys-expired", "keys-fetched"]


@both_kinds
async def test_closing_answers_who_waits_and_keeps_what_the_flight_brings(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    answers: list[KeyAnswer] = []
    with refresher_of(endpoint) as (refresher, told):

        async def request() -> None:
            answers.append(await refresher.obtain("known", patience=PATIENT))

        async with anyio.create_task_group() as requests:
            requests.start_soon(request)
            await arrival(endpoint)
            refresher.close()
        assert answers == [UNAVAILABLE]
        assert refresher.health().state is State.CLOSED
        assert not refresher.health().ready
        driver = refresher._driver
        assert driver is not None, "it is on its flight"
        endpoint.gate.set()
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched")
        assert not refresher.employs(driver), "and goes after it"
        assert not refresher.health().ready
        refresher.reopen()
        assert refresher.snapshot == frozenset({"known"})
        assert await refresher.obtain("known", patience=0) == PRESENT
        assert endpoint.count == 1


@both_kinds
async def test_a_flight_that_was_in_the_air_when_it_closed_is_joined_when_it_opens_again(kind: Kind) -> None:
    endpoint = kind(gate_open=False)
    with refresher_of(endpoint) as (refresher, _):
        refresher.attend()
        await arrival(endpoint)
        refresher.close()
        refresher.reopen()
        async with anyio.create_task_group() as requests:
            requests.start_soon(lambda: refresher.obtain("known", patience=PATIENT))
            await anyio.wait_all_tasks_blocked()
            endpoint.gate.set()
        assert refresher.snapshot == frozenset({"known"})
        assert endpoint.count == 1


@both_kinds
async def test_lives_too_short_for_a_driver_to_wake_up_in_have_their_flights_all_the_same(kind: Kind) -> None:
    """As in AWS Lambda, where each invocation has a lifespan of its own."""
    clock = Clock()
    endpoint = kind(document("known"), document("known", "new"))
    with refresher_of(endpoint, clock=clock) as (refresher, told):
        await refresher.ahydrate()
        clock.turn(700)
        for _ in range(60):
            refresher.close()
            refresher.reopen()
            refresher.attend()
            assert refresher.snapshot is not None
        refresher.close()
        await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 2)
        refresher.reopen()
        assert refresher.snapshot == frozenset({"known", "new"})
        assert refresher.health().age == 0
        assert endpoint.count == 2


@both_kinds
async def test_a_flight_that_fails_after_closing_is_paused_for(kind: Kind) -> None:
    endpoint = kind(FetchError("status-500"), gate_open=False)
    with refresher_of(endpoint) as (refresher, told):
        refresher.attend()
        await arrival(endpoint)
        refresher.close()
        endpoint.gate.set()
        await anyio.to_thread.run_sync(told.wait_for, "keys-failed")
        assert refresher._driver is None
        refresher.reopen()
        answer = await refresher.obtain("known", patience=PATIENT)
        assert (answer.availability, endpoint.count) == (Availability.UNAVAILABLE, 1)


async def test_a_closed_one_employs_nobody() -> None:
    endpoint = AsyncAnswers()
    with refresher_of(endpoint) as (refresher, _):
        refresher.close()
        refresher.attend()
        # who found work to do just before it was closed
        assert refresher._employ(None, blocking=True)
        assert refresher._driver is None
        assert endpoint.count == 0


async def test_asking_how_things_are_does_not_put_off_who_would_mend_them() -> None:
    clock = Clock()
    with refresher_of(AsyncAnswers(), clock=clock) as (refresher, _):
        await refresher.ahydrate()
        clock.turn(500)
        before = refresher.attention_at
        assert refresher.health().state is State.DUE
        assert refresher.attention_at == before <= clock()


async def test_who_blocks_the_loop_that_the_driver_lives_on_is_answered_by_a_thread() -> None:
    endpoint = AsyncAnswers()
    with refresher_of(endpoint, timing=Timing(grace=0.01)) as (refresher, _):
        refresher.attend()
        refresher.hydrate(patience=PATIENT)
    assert endpoint.count == 1


async def test_what_a_success_tells() -> None:
    class KeySet(frozenset[str]):
        keys: ClassVar = {"known": object()}
        skipped: ClassVar = {"private": 2}

    with refresher_of(AsyncAnswers(), parse=lambda _: KeySet({"known"})) as (refresher, told):
        await refresher.ahydrate()
    assert told.events[0].facts == {"keys": 1, "skipped": {"private": 2}}


async def test_a_driver_has_nothing_of_the_request_that_started_it() -> None:
    secret: contextvars.ContextVar[str] = contextvars.ContextVar("secret", default="nobody's")
    seen: list[str] = []

    class Curious:
        async def afetch(self, url: str, *, etag: str | None) -> Document:
            seen.append(secret.get())
            return document("known")

    secret.set("somebody's")
    with refresher_of(Curious()) as (refresher, _):
        await refresher.ahydrate()
    assert seen == ["nobody's"]


async def test_a_listener_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    with refresher_of(AsyncAnswers()) as (refresher, told):
        refresher.listen((broken, told))
        await refresher.ahydrate()
        assert told.names == ["keys-fetched"]
    assert "a listener failed" in caplog.text


def test_a_document_is_bounded() -> None:
    Document(body=b"x" * MOST_BYTES)
    with pytest.raises(FetchError, match="too-large"):
        Document(body=b"x" * (MOST_BYTES + 1))
