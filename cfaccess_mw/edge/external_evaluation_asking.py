"""What does the operator's function say, and what if it says nothing clear? Then no.

It is called with a bound on its time: whoever signs in waits for it. A coroutine function runs on the loop of an ASGI
server; everything else in a thread of its own, since nothing can stop a thread that is in the way of others. One that
never returns keeps its thread; how many there are is bounded.
"""

import contextvars
import logging
import queue
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, Final, cast

from cfaccess_mw.core.errors import ConfigurationError, FetchError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.external_evaluation_request import Applicant
from cfaccess_mw.telemetry.events import Event, Listener, tell

Evaluate = Callable[[Applicant], bool] | Callable[[Applicant], Awaitable[bool]]

_MOST: Final = 32  # threads; people who are signing in at this very moment
_GRACE: Final = 1.0  # seconds by which a thread's own bound ends before nobody waits for it any more


class Asking:
    """Asks one function.

    Args:
        evaluate: It.
        timeout: Seconds for an answer.
        listeners: Told when there was none.

    Raises:
        ConfigurationError: It cannot be called, or the time is not above 0 to 60.
    """

    def __init__(self, evaluate: Evaluate, *, timeout: float, listeners: tuple[Listener, ...]) -> None:
        if not callable(evaluate):
            raise ConfigurationError(f"evaluate: is {shape(evaluate)}; give a function of an Applicant")
        if type(timeout) not in (int, float) or not 0 < timeout <= 60:
            raise ConfigurationError(f"timeout: is {shape(timeout)}; give seconds from 0.001 to 60")
        self._evaluate: Callable[[Applicant], Any] = evaluate
        self._timeout = timeout
        self._listeners = listeners
        self._slots = threading.BoundedSemaphore(_MOST)
        self._is_async = iscoroutinefunction(evaluate) or iscoroutinefunction(type(evaluate).__call__)

    async def ask(self, applicant: Applicant) -> bool:
        """Say whether somebody may in. On an event loop."""
        from anyio import CapacityLimiter, fail_after, to_thread  # noqa: PLC0415 - WSGI may never need it

        if not self._is_async:
            # Not one of the application's threads, which may all be busy; what waits there ends when time is up.
            waits = partial(to_thread.run_sync, abandon_on_cancel=True, limiter=CapacityLimiter(1))
            return await waits(partial(self.ask_blocking, applicant))
        try:
            with fail_after(self._timeout) as scope:
                answer = await cast("Awaitable[object]", self._evaluate(applicant))
        except TimeoutError as error:
            return self._nothing_clear("timeout" if scope.cancelled_caught else type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a yes
            return self._nothing_clear(type(error).__name__)
        return self._read(answer)

    def ask_blocking(self, applicant: Applicant) -> bool:
        """Do the same in a thread."""
        if not self._slots.acquire(blocking=False):
            return self._nothing_clear("busy")
        said: queue.SimpleQueue[tuple[object, str | None]] = queue.SimpleQueue()
        asks = partial(contextvars.copy_context().run, self._run, applicant, said)
        try:
            threading.Thread(target=asks, name="cfaccess-evaluation", daemon=True).start()
        except RuntimeError:  # the machine has no more threads
            self._slots.release()
            return self._nothing_clear("busy")
        try:
            answer, problem = said.get(timeout=self._timeout + (_GRACE if self._is_async else 0))
        except queue.Empty:
            return self._nothing_clear("timeout")
        return self._read(answer) if problem is None else self._nothing_clear(problem)

    def _run(self, applicant: Applicant, said: "queue.SimpleQueue[tuple[object, str | None]]") -> None:
        try:
            said.put((self._call(applicant), None))
        except FetchError as error:
            said.put((None, error.reason))
        except BaseException as error:  # noqa: BLE001 - also what would end this thread: somebody waits for an answer
            said.put((None, type(error).__name__))
        finally:
            self._slots.release()

    def _call(self, applicant: Applicant) -> object:
        if not self._is_async:
            return self._evaluate(applicant)
        from cfaccess_mw.refresh.private_loop import run_privately  # noqa: PLC0415 - imports anyio

        return run_privately(partial(self._evaluate, applicant), timeout=self._timeout)

    def _read(self, answer: object) -> bool:
        if isinstance(answer, bool):
            return answer
        if iscoroutine(answer):
            answer.close()  # a plain function that calls a coroutine function; nobody awaits it any more
        return self._nothing_clear("not-a-boolean")

    def _nothing_clear(self, problem: str) -> bool:
        tell(self._listeners, Event(name="evaluation-failed", level=logging.ERROR, facts={"error": problem}))
        return False
