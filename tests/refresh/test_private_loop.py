"""An asynchronous call made by a thread, on a loop that nobody else is on."""

import asyncio
import threading

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.refresh.private_loop import run_privately
from tests.refresh.parts import PATIENT


async def answer() -> int:
    await anyio.lowlevel.checkpoint()
    return threading.get_ident()


def test_it_runs_in_the_thread_that_calls() -> None:
    assert run_privately(answer, timeout=PATIENT) == threading.get_ident()


@pytest.mark.anyio
async def test_it_runs_in_a_worker_thread_of_any_loop() -> None:
    where = await anyio.to_thread.run_sync(lambda: run_privately(answer, timeout=PATIENT))
    assert where != threading.get_ident()


def test_what_it_raises_is_raised() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_privately(fail, timeout=PATIENT)


def test_it_ends_in_time() -> None:
    with pytest.raises(FetchError, match="timeout"):
        run_privately(anyio.sleep_forever, timeout=0.01)


@pytest.mark.parametrize("timeout", [0.01, PATIENT], ids=["too-late", "answered-otherwise"])
def test_a_name_server_that_is_silent_delays_nothing(timeout: float) -> None:
    """asyncio asks name servers in threads, and waits for them at its end."""
    gate, ended = threading.Event(), threading.Event()

    def ask() -> None:
        gate.wait(PATIENT)
        ended.set()

    async def call() -> None:
        asked = asyncio.get_running_loop().run_in_executor(None, ask)
        with anyio.move_on_after(0.01 if timeout == PATIENT else PATIENT):
            await asked

    try:
        if timeout == PATIENT:
            run_privately(call, timeout=timeout)
        else:
            with pytest.raises(FetchError, match="timeout"):
                run_privately(call, timeout=timeout)
        assert not ended.is_set()
    finally:
        gate.set()
    assert ended.wait(PATIENT)
