"""How requests come by profiles: on both event loops, in threads, after forks, and whoever goes away meanwhile."""

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.core.profile import ENDED, Outcome, ProfileAnswer
from cfaccess_mw.refresh.lookup import Lookups
from tests.refresh.lookup_parts import (
    BASE,
    GONE,
    GOOD,
    TOKEN,
    USER,
    WALL,
    Endpoint,
    groups,
    identity,
    in_thread,
    lookups_of,
    profile_of,
)
from tests.refresh.parts import PATIENT

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.mark.anyio
class TestOneLoop:
    async def test_it_is_looked_up_once_and_then_known(self) -> None:
        endpoint = Endpoint()
        with lookups_of(endpoint) as (lookups, told, clock):
            assert lookups.peek(TOKEN, USER) is None
            assert endpoint.count == 0
            found = await lookups.obtain(TOKEN, USER, patience=PATIENT)
            assert groups(found) == ["staff"]
            assert found.profile is not None
            assert found.profile.fetched_at == WALL
            assert await lookups.obtain(TOKEN.encode(), USER, patience=0) == found, "bytes and text are one token"
            assert lookups.peek(TOKEN, USER) == lookups.peek(TOKEN.encode(), USER) == found
            clock.turn(61)
            await lookups.obtain(TOKEN, USER, patience=PATIENT)
            await in_thread(told.wait_for, "profile-fetched", 2)
        assert endpoint.tokens == [TOKEN, TOKEN]

    async def test_500_who_ask_the_same_cause_one_lookup(self) -> None:
        endpoint = Endpoint(gate_open=False)
        answers: list[ProfileAnswer] = []
        with lookups_of(endpoint) as (lookups, _, _):

            async def request() -> None:
                answers.append(await lookups.obtain(TOKEN, USER, patience=PATIENT))

            async with anyio.create_task_group() as group:
                for _ in range(500):
                    group.start_soon(request)
                await in_thread(endpoint.await_arrival)
                await anyio.wait_all_tasks_blocked()
                endpoint.gate.set()
        assert endpoint.count == 1
        assert len(answers) == 500
        assert {groups(answer)[0] for answer in answers} == {"staff"}  # type: ignore[index]

    async def test_many_people_at_once_are_looked_up_a_few_at_a_time(self) -> None:
        endpoint = Endpoint(gate_open=False)
        answers: list[ProfileAnswer] = []
        with lookups_of(endpoint, flying=4) as (lookups, _, _):

            async def request(number: int) -> None:
                answers.append(await lookups.obtain(f"t{number}", USER, patience=PATIENT))

            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(request, number)
                for _ in range(4):
                    await in_thread(endpoint.await_arrival)
                await anyio.wait_all_tasks_blocked()
                assert endpoint.count == 4
                endpoint.gate.set()
        assert len(set(endpoint.tokens)) == endpoint.count == 40
        assert endpoint.most == 4
        assert {answer.outcome for answer in answers} == {Outcome.FOUND}

    async def test_more_than_may_wait_are_answered_at_once(self) -> None:
        endpoint = Endpoint(gate_open=False)
        with lookups_of(endpoint, waiting=2) as (lookups, _, _):
            async with anyio.create_task_group() as group:
                for number in range(2):
                    group.start_soon(partial(lookups.obtain, f"t{number}", USER, patience=PATIENT))
                await in_thread(endpoint.await_arrival)
                await in_thread(endpoint.await_arrival)
                answer = await lookups.obtain("t0", USER, patience=PATIENT)
                assert (answer.outcome, answer.retry_after) == (Outcome.UNAVAILABLE, 1)
                endpoint.gate.set()
            assert (await lookups.obtain("t3", USER, patience=PATIENT)).outcome is Outcome.FOUND, "they have left"

    async def test_patience_is_a_bound_and_the_lookup_goes_on(self) -> None:
        endpoint = Endpoint(gate_open=False)
        with lookups_of(endpoint) as (lookups, told, clock):
            # The first is withdrawn if it has not begun by then, and goes on if it has.
            answer = await lookups.obtain(TOKEN, USER, patience=0)
            assert (answer.outcome, answer.retry_after) == (Outcome.UNAVAILABLE, 1)
            async with anyio.create_task_group() as group:
                group.start_soon(partial(lookups.obtain, TOKEN, USER, patience=PATIENT))
                await in_thread(endpoint.await_arrival)
                group.cancel_scope.cancel()
            assert (await lookups.obtain(TOKEN, USER, patience=0.01)).outcome is Outcome.UNAVAILABLE
            endpoint.gate.set()
            await in_thread(told.wait_for, "profile-fetched")
            assert groups(lookups.peek(TOKEN, USER)) == ["staff"]
            clock.turn(61)
            endpoint.gate.clear()
            assert groups(await lookups.obtain(TOKEN, USER, patience=0.01)) == ["staff"], "the last one, if it is late"

    async def test_a_cancelled_request_leaves_the_lookup_to_others(self) -> None:
        endpoint = Endpoint(gate_open=False)
        answers: list[ProfileAnswer] = []
        with lookups_of(endpoint) as (lookups, _, _):

            async def request() -> None:
                answers.append(await lookups.obtain(TOKEN, USER, patience=PATIENT))

            async with anyio.create_task_group() as group:
                with anyio.CancelScope() as first:
                    async with anyio.create_task_group() as cancelled:
                        cancelled.start_soon(request)
                        await in_thread(endpoint.await_arrival)
                        group.start_soon(request)
                        await anyio.wait_all_tasks_blocked()
                        first.cancel()
                endpoint.gate.set()
            assert (lookups._waiting, lookups._waiters) == ({}, 0)
        assert [groups(answer) for answer in answers] == [["staff"]]
        assert endpoint.count == 1

    async def test_people_nobody_waits_for_are_not_looked_up(self) -> None:
        endpoint = Endpoint(gate_open=False)
        with lookups_of(endpoint, flying=1) as (lookups, _, _):
            async with anyio.create_task_group() as group:
                group.start_soon(partial(lookups.obtain, "first", USER, patience=PATIENT))
                await in_thread(endpoint.await_arrival)
                async with anyio.create_task_group() as cancelled:
                    for number in range(20):
                        cancelled.start_soon(partial(lookups.obtain, f"t{number}", USER, patience=PATIENT))
                    await anyio.wait_all_tasks_blocked()
                    cancelled.cancel_scope.cancel()
                endpoint.gate.set()
                assert (await lookups.obtain("last", USER, patience=PATIENT)).outcome is Outcome.FOUND
        assert endpoint.tokens == ["first", "last"]

    async def test_the_loop_is_not_stopped(self) -> None:
        """Neither by a lookup, nor by an endpoint that stops its own."""
        hung, freed = threading.Event(), []

        async def stops_its_loop(url: str, token: str) -> Reply:
            freed.append(hung.wait(PATIENT))
            return GOOD

        with lookups_of(stops_its_loop) as (lookups, _, _):
            async with anyio.create_task_group() as group:
                group.start_soon(partial(lookups.obtain, TOKEN, USER, patience=PATIENT))
                await anyio.wait_all_tasks_blocked()
                hung.set()
        assert freed == [True], "by us, whose loop went on, and not by the end of its patience"

    async def test_an_outage_and_its_end(self) -> None:
        endpoint = Endpoint(GOOD, FetchError("status-503", retry_after=77), GOOD)
        with lookups_of(endpoint) as (lookups, told, clock):
            known = await lookups.obtain(TOKEN, USER, patience=PATIENT)
            clock.turn(61)
            assert await lookups.obtain(TOKEN, USER, patience=PATIENT) == known
            answer = await lookups.obtain("another", USER, patience=PATIENT)
            assert (answer.outcome, answer.retry_after) == (Outcome.UNAVAILABLE, 77)
            assert endpoint.count == 2, "one probe, and nobody else"
            event = await in_thread(told.wait_for, "profile-failed")
            assert (event.facts, event.level) == ({"reason": "status-503", "failures": 1}, logging.WARNING)
            clock.turn(78)
            assert (await lookups.obtain("another", USER, patience=PATIENT)).outcome is Outcome.FOUND

    async def test_a_session_that_has_ended(self) -> None:
        endpoint = Endpoint(GOOD, GONE, FetchError("timeout"))
        with lookups_of(endpoint) as (lookups, told, clock):
            await lookups.obtain(TOKEN, USER, patience=PATIENT)
            clock.turn(61)
            assert await lookups.obtain(TOKEN, USER, patience=PATIENT) == ENDED
            assert lookups.peek(TOKEN, USER) == ENDED
            assert await lookups.obtain(TOKEN, USER, patience=0) == ENDED
            assert (await in_thread(told.wait_for, "session-ended")).facts == {}
            clock.turn(11)
            assert (await lookups.obtain(TOKEN, USER, patience=PATIENT)).outcome is Outcome.UNAVAILABLE
        assert endpoint.count == 3

    @pytest.mark.parametrize(
        ("after", "outcome", "count"),
        [
            pytest.param(29, Outcome.FOUND, 1, id="within-the-leeway"),
            pytest.param(31, Outcome.ENDED, 0, id="past-it"),
        ],
    )
    async def test_a_token_past_its_end(self, after: float, outcome: Outcome, count: int) -> None:
        endpoint = Endpoint()
        expired = identity(expires_at=WALL - after)
        with lookups_of(endpoint) as (lookups, _, _):
            assert (await lookups.obtain(TOKEN, expired, patience=PATIENT)).outcome is outcome
        assert endpoint.count == count

    @pytest.mark.parametrize(
        ("bad", "reason", "error"),
        [
            pytest.param(FetchError("not-json"), "not-json", None, id="as-agreed"),
            pytest.param(
                Reply(status=200, body=profile_of(email="other@example.com")), "another-person", None, id="mix"
            ),
            pytest.param(Reply(status=200, body=b"[]"), "not-an-object", None, id="garbage"),
            pytest.param(Reply(status=302), "status-302", None, id="redirect"),
            pytest.param(ValueError("token"), "fetcher-failed", "ValueError", id="something-else"),
            pytest.param(asyncio.CancelledError(), "fetcher-failed", "CancelledError", id="cancels-itself"),
            pytest.param(b"bytes", "fetcher-failed", "AttributeError", id="not-a-reply"),
        ],
    )
    async def test_a_fetcher_that_fails(self, bad: Any, reason: str, error: str | None) -> None:
        endpoint = Endpoint(bad, GOOD)
        with lookups_of(endpoint) as (lookups, told, clock):
            answer = await lookups.obtain(TOKEN, USER, patience=PATIENT)
            assert answer.outcome is Outcome.UNAVAILABLE
            facts = (await in_thread(told.wait_for, "profile-failed")).facts
            assert (facts["reason"], facts.get("error")) == (reason, error)
            clock.turn(2)
            assert (await lookups.obtain(TOKEN, USER, patience=PATIENT)).outcome is Outcome.FOUND

    @pytest.mark.parametrize(
        "token",
        [
            pytest.param("", id="empty"),
            pytest.param("a.b.c\r\nx: y", id="another-header"),
            pytest.param("a.b.c; other=1", id="another-cookie"),
            pytest.param("a.b.c\n", id="newline"),
            pytest.param("a.b.ç", id="not-ascii"),
            pytest.param("a.b.\ud800", id="surrogate"),
            pytest.param(b"a.b.\xff", id="bytes"),
        ],
    )
    async def test_what_cannot_have_been_verified_is_not_sent(self, token: str | bytes) -> None:
        endpoint = Endpoint()
        with lookups_of(endpoint) as (lookups, _, _):
            with pytest.raises(ValueError, match=r"^token: not one that was verified$") as refused:
                await lookups.obtain(token, USER, patience=PATIENT)
            assert refused.value.__context__ is None, "which could show it"
            with pytest.raises(ValueError, match="token"):
                await in_thread(partial(lookups.obtain_blocking, token, USER, patience=PATIENT))
            with pytest.raises(ValueError, match="token"):
                lookups.peek(token, USER)
        assert endpoint.count == 0

    async def test_closing_answers_who_waits_and_forgets_everybody(self) -> None:
        endpoint = Endpoint(gate_open=False)
        answers: list[ProfileAnswer] = []
        with lookups_of(endpoint, linger=3600) as (lookups, told, _):

            async def request() -> None:
                answers.append(await lookups.obtain(TOKEN, USER, patience=PATIENT))

            async with anyio.create_task_group() as group:
                group.start_soon(request)
                await in_thread(endpoint.await_arrival)
                lookups.close()
            assert answers[0].outcome is Outcome.UNAVAILABLE
            (thread,) = endpoint.threads
            await in_thread(thread.join, PATIENT / 2)
            assert not thread.is_alive()
            assert told.events == [], "it was stopped, and has not failed"
            endpoint.gate.set()
            assert (await lookups.obtain(TOKEN, USER, patience=PATIENT)).outcome is Outcome.FOUND
            assert endpoint.threads[1] is not thread
            lookups.close()
            assert lookups.peek(TOKEN, USER) is None

    async def test_nothing_tells_a_token(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        endpoint = Endpoint(GOOD, GONE, KeyError(TOKEN), RuntimeError(TOKEN))
        with lookups_of(endpoint) as (lookups, told, clock):
            for _ in range(4):
                answer = await lookups.obtain(TOKEN, USER, patience=PATIENT)
                assert TOKEN not in repr((answer, lookups, lookups._profiles, lookups._profiles._known))
                clock.turn(61)
            await in_thread(told.wait_for, "profile-failed", 2)
        assert TOKEN not in repr(told.events) + caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_request_that_asyncio_cancels_leaves_the_lookup_to_others() -> None:
    endpoint = Endpoint(gate_open=False)
    with lookups_of(endpoint) as (lookups, _, _):
        first = asyncio.create_task(lookups.obtain(TOKEN, USER, patience=PATIENT))
        second = asyncio.create_task(lookups.obtain(TOKEN, USER, patience=PATIENT))
        await in_thread(endpoint.await_arrival)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        endpoint.gate.set()
        assert groups(await second) == ["staff"]
    assert endpoint.count == 1


@backends
def test_a_loop_for_each_request(backend: str) -> None:
    """As in Flask's and Django's asynchronous views under WSGI, and in test clients."""
    endpoint = Endpoint(gate_open=False)
    with lookups_of(endpoint) as (lookups, told, _):

        async def goes_away() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(partial(lookups.obtain, TOKEN, USER, patience=PATIENT))
                await in_thread(endpoint.await_arrival)
                group.cancel_scope.cancel()

        anyio.run(goes_away, backend=backend)
        endpoint.gate.set()
        told.wait_for("profile-fetched")
        found = anyio.run(partial(lookups.obtain, TOKEN, USER, patience=PATIENT), backend=backend)
        assert groups(found) == ["staff"]
    assert endpoint.count == 1


def test_a_loop_that_was_closed_under_one_who_waits() -> None:
    endpoint = Endpoint(gate_open=False)
    loop = asyncio.new_event_loop()
    with lookups_of(endpoint) as (lookups, told, _):
        task = loop.create_task(lookups.obtain(TOKEN, USER, patience=PATIENT))
        loop.run_until_complete(loop.run_in_executor(None, endpoint.await_arrival))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        endpoint.gate.set()
        told.wait_for("profile-fetched")
        assert groups(lookups.obtain_blocking(TOKEN, USER, patience=0)) == ["staff"]
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # that is for whoever closes loops so
        del task


class TestThreads:
    def test_200_threads_cause_one_lookup(self) -> None:
        endpoint = Endpoint(gate_open=False)
        together = threading.Barrier(201)
        with lookups_of(endpoint) as (lookups, _, _), ThreadPoolExecutor(200) as pool:

            def request() -> ProfileAnswer:
                together.wait(PATIENT)
                return lookups.obtain_blocking(TOKEN, USER, patience=PATIENT)

            requests = [pool.submit(request) for _ in range(200)]
            together.wait(PATIENT)
            endpoint.await_arrival()
            endpoint.gate.set()
            assert {request.result(PATIENT).outcome for request in requests} == {Outcome.FOUND}
        assert endpoint.count == 1

    def test_two_loops_and_threads_share_one_lookup(self) -> None:
        endpoint = Endpoint(gate_open=False)
        together = threading.Barrier(13)
        with lookups_of(endpoint) as (lookups, _, _), ThreadPoolExecutor(12) as pool:

            async def requests() -> list[ProfileAnswer]:
                answers: list[ProfileAnswer] = []

                async def request() -> None:
                    answers.append(await lookups.obtain(TOKEN, USER, patience=PATIENT))

                async with anyio.create_task_group() as group:
                    for _ in range(100):
                        group.start_soon(request)
                    await anyio.wait_all_tasks_blocked()
                    await in_thread(together.wait, PATIENT)
                return answers

            def thread() -> list[ProfileAnswer]:
                together.wait(PATIENT)
                return [lookups.obtain_blocking(TOKEN, USER, patience=PATIENT)]

            work = [pool.submit(partial(anyio.run, requests, backend=backend)) for backend in ("asyncio", "trio")]
            work += [pool.submit(thread) for _ in range(10)]
            together.wait(PATIENT)
            endpoint.await_arrival()
            endpoint.gate.set()
            answers = [answer for done in work for answer in done.result(PATIENT)]
        assert len(answers) == 210
        assert {answer.outcome for answer in answers} == {Outcome.FOUND}
        assert endpoint.count == 1

    def test_patience_is_a_bound(self) -> None:
        endpoint = Endpoint(gate_open=False)
        with lookups_of(endpoint) as (lookups, _, _):
            answer = lookups.obtain_blocking(TOKEN, USER, patience=0.01)
            assert (answer.outcome, answer.retry_after) == (Outcome.UNAVAILABLE, 1)
            assert (lookups._waiting, lookups._waiters) == ({}, 0)

    def test_our_thread_goes_when_there_is_nothing_to_do_and_comes_again(self) -> None:
        endpoint = Endpoint()
        with lookups_of(endpoint, linger=0.01) as (lookups, _, clock):
            for number in range(3):
                assert lookups.obtain_blocking(TOKEN, USER, patience=PATIENT).outcome is Outcome.FOUND
                endpoint.threads[number].join(PATIENT)
                assert not endpoint.threads[number].is_alive()
                assert lookups._thread is None
                clock.turn(61)

    def test_our_thread_stays_while_it_lingers_or_works(self) -> None:
        endpoint = Endpoint()
        with lookups_of(endpoint) as (lookups, _, _):
            for number in range(3):
                lookups.obtain_blocking(f"t{number}", USER, patience=PATIENT)
        assert len(set(endpoint.threads)) == 1

    def test_our_thread_does_not_go_while_somebody_is_looked_up(self) -> None:
        endpoint = Endpoint(gate_open=False)
        rested = threading.Semaphore(0)

        class Watched(Lookups):
            def dismiss(self, thread: Any) -> None:
                super().dismiss(thread)
                rested.release()

        lookups = Watched(BASE, endpoint, linger=0.001)
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(lookups.obtain_blocking, TOKEN, identity(expires_at=2**40), patience=PATIENT)
            endpoint.await_arrival()
            for _ in range(3):
                assert rested.acquire(timeout=PATIENT)
            endpoint.gate.set()
            assert request.result(PATIENT).outcome is Outcome.FOUND
        assert len(set(endpoint.threads)) == 1
        lookups.close()

    def test_a_process_that_gets_no_more_threads(self, alone: Path) -> None:
        """At its limits, or its end."""
        script = """
import threading
threading.Thread.start = lambda thread: (_ for _ in ()).throw(RuntimeError("can't start new thread"))
from cfaccess_mw.core.profile import Outcome
from tests.refresh.lookup_parts import BASE, TOKEN, USER, Endpoint, lookups_of
with lookups_of(Endpoint()) as (lookups, _, _):
    for _ in range(2):
        assert lookups.obtain_blocking(TOKEN, USER, patience=20).outcome is Outcome.UNAVAILABLE
    assert lookups._thread is None
"""
        run(alone, script)

    def test_a_thread_that_fails_itself_is_followed_by_another(self, caplog: pytest.LogCaptureFixture) -> None:
        failing = iter([KeyError(TOKEN)])

        class Broken(Lookups):
            def begin(self, thread: Any) -> Any:
                for error in failing:
                    raise error
                return super().begin(thread)

        lookups = Broken(BASE, Endpoint())
        forever = identity(expires_at=2**40)
        assert lookups.obtain_blocking(TOKEN, forever, patience=PATIENT).outcome is Outcome.UNAVAILABLE
        assert lookups.obtain_blocking(TOKEN, forever, patience=PATIENT).outcome is Outcome.FOUND
        assert "has failed (" in caplog.text
        assert TOKEN not in caplog.text
        lookups.close()

    def test_one_that_was_stopped_before_it_began(self) -> None:
        endpoint = Endpoint()
        with lookups_of(endpoint) as (lookups, _, _):
            for number in range(20):
                with ThreadPoolExecutor(1) as pool:
                    request = pool.submit(lookups.obtain_blocking, f"t{number}", USER, patience=PATIENT)
                    lookups.close()
                    request.result(PATIENT)
        ours = [thread for thread in threading.enumerate() if thread.name == "cfaccess-lookup"]
        for thread in ours:
            thread.join(PATIENT)
        assert not any(thread.is_alive() for thread in ours)

    def test_one_that_was_replaced_begins_nothing_any_more(self) -> None:
        """It is about to be stopped, and what it had begun would look like a failure."""
        with lookups_of(Endpoint()) as (lookups, _, clock):
            replaced, employed = lookups._employ(), lookups._employ()
            lookups._profiles.ask(TOKEN.encode(), USER, clock(), ends_at=clock() + 1)
            assert lookups.begin(replaced) is None
            lookups.leave(replaced)
            assert lookups.begin(employed) is not None

    def test_a_lookup_past_its_deadline_does_not_hold_its_place(self) -> None:
        hang = threading.Event()

        async def deaf(url: str, token: str) -> Reply:
            if token == "deaf":
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(hang.wait, PATIENT)
            return GOOD

        with lookups_of(deaf, flying=1) as (lookups, _, clock):
            assert lookups.obtain_blocking("deaf", USER, patience=0.1).outcome is Outcome.UNAVAILABLE
            clock.turn(6)
            assert lookups.obtain_blocking("other", USER, patience=PATIENT).outcome is Outcome.UNAVAILABLE
            clock.turn(2)
            assert lookups.obtain_blocking("other", USER, patience=PATIENT).outcome is Outcome.FOUND
            hang.set()


def run(alone: Path, script: str) -> None:
    """Run a script in a process of its own, which finds the tests in ``alone``."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=alone,
        env={**os.environ, "PYTHONPATH": str(alone)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("gate_open", [True, False], ids=["known", "under-way"])
def test_a_child_goes_on_by_itself(alone: Path, gate_open: bool) -> None:
    run(
        alone,
        textwrap.dedent(f"""
        import os, sys, threading, warnings
        from cfaccess_mw.core.profile import Outcome
        from tests.refresh.lookup_parts import TOKEN, USER, Endpoint, lookups_of

        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads, rightly
        endpoint = Endpoint(gate_open={gate_open})
        with lookups_of(endpoint) as (lookups, _, _):
            if {gate_open}:
                assert lookups.obtain_blocking(TOKEN, USER, patience=20).outcome is Outcome.FOUND
            else:
                request = threading.Thread(target=lookups.obtain_blocking, args=(TOKEN, USER), kwargs=dict(patience=20))
                request.start()
                endpoint.await_arrival()
            lookups._lock.acquire()
            child = os.fork()
            if child == 0:
                try:
                    assert lookups._thread is None
                    endpoint.gate.set()
                    assert lookups.obtain_blocking(TOKEN, USER, patience=20).outcome is Outcome.FOUND
                    assert endpoint.count == 2, endpoint.count
                    assert lookups._waiters == 0
                except BaseException as error:
                    print(repr(error), file=sys.stderr, flush=True)
                    os._exit(1)
                os._exit(0)
            lookups._lock.release()
            _, status = os.waitpid(child, 0)
            endpoint.gate.set()
            assert lookups.obtain_blocking(TOKEN, USER, patience=20).outcome is Outcome.FOUND
            assert endpoint.count == 1
        sys.exit(os.waitstatus_to_exitcode(status))
        """),
    )


def test_what_is_not_needed_is_not_imported(alone: Path) -> None:
    run(
        alone,
        """
import sys
import cfaccess_mw.refresh.lookup
found = [name for name in ("anyio", "asyncio", "httpx", "ssl", "starlette", "trio") if name in sys.modules]
assert not found, found
""",
    )


NO_FILES = """
import os, resource, sys
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.refresh.lookup import Lookups

who = Identity(kind="user", id="s", email="u@example.com", subject="s", common_name=None, country=None, issuer="i",
               audience=("a",), issued_at=1, expires_at=9e9, nonce=None, key_thumbprint="t", _payload=b"{}")

async def fetch(url, token):
    return Reply(status=200, body=b'{"user_uuid": "s", "email": "u@example.com"}')

lookups = Lookups("https://acme.cloudflareaccess.com", fetch)
most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (4, most[1]))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
said = [lookups.obtain_blocking("a.b.c", who).outcome.name for _ in range(40)]
coroutine = lookups.obtain("a.b.c", who)
try:
    coroutine.send(None)
except StopIteration as done:
    said.append(done.value.outcome.name)
assert "anyio" not in sys.modules
for file in held:
    os.close(file)
resource.setrlimit(resource.RLIMIT_NOFILE, most)
print(*sorted(set(said)), lookups.obtain_blocking("a.b.c", who).outcome.name)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_process_without_file_descriptors_knows_nobody_and_recovers(alone: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_FILES], cwd=alone, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "UNAVAILABLE FOUND\n", done.stderr
