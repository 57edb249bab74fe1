"""Who does what the machine decides?

One coroutine, ``Driver.tend``, in one of two places: a daemon thread with a loop of its own, or, for a fetcher that is
asynchronous, a background task of the event loop that asked. A refresher employs one driver at a time, whatever the
number of loops that ask. Requests never fetch: a request that is cancelled would take the flight of others with it.

A driver whose loop or thread has died cannot say so. It is found out when its loop does not take a call, or when it
lets something wait for longer than ``Timing.grace``; then another is employed.
"""

import asyncio
import contextvars
import importlib
import logging
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from cfaccess_mw.core.errors import AccessError, FetchError
from cfaccess_mw.refresh.fetchers import AsyncFetcher, Document
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.refresh.loops import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from cfaccess_mw.core.freshness import Flight
    from cfaccess_mw.refresh.editions import Attempt
    from cfaccess_mw.refresh.loops import Loop
    from cfaccess_mw.refresh.shared import Shared

_log = logging.getLogger("cfaccess_mw")
R = TypeVar("R")

# What is imported in the course of a thread's first flight, the fetcher's own aside.
_IMPORTED = (
    "anyio._backends._asyncio",
    "cfaccess_mw.refresh.private_loop",
    "encodings.idna",  # asking name servers
    "encodings.utf_8_sig",  # reading key sets
)


def load(fetcher: object) -> None:
    """Import what a driver's thread needs, in the thread that employs it; it takes 0.1 s, once.

    A process that is forked while another thread imports (gunicorn with ``--preload``) has half a module for ever, and
    waits for a lock that nobody gives back.
    """
    with suppress(ImportError, OSError):  # whoever flies meets it again, and says so
        for module in _IMPORTED:
            importlib.import_module(module)
        if isinstance(fetcher, HttpxFetcher):
            fetcher.prepare()


class Driver:
    """One employment: made for a refresher, it tends it until it is stopped, replaced or dies.

    Attributes:
        first: What it has to do as soon as it lives.
        flight: The flight it is on. Guarded by the refresher's lock, as is ``poked_at``.
        poked_at: When it was first poked without having answered, in monotonic seconds.
    """

    def __init__(self, refresher: "Shared[Any]") -> None:
        self.first: Attempt[Any] | None = None
        self.flight: Flight | None = None
        self.poked_at: float | None = None
        self._refresher = refresher
        self._loop: Loop | None = None
        self._scope: anyio.CancelScope | None = None
        self._poked: anyio.Event | None = None

    # From any thread

    def start(self, loop: "Loop | None") -> bool:
        """Begin to work on this loop, which must be the caller's; or, where there is none, in a thread.

        Returns:
            Whether it could; a process near its limits, or its end, gets no more threads.
        """
        try:
            if loop is not None:
                self._loop = loop
                loop.start(self.tend, self._leave)
            else:
                # An empty context: newer Pythons would let the thread inherit that of the request.
                run = contextvars.Context().run
                threading.Thread(target=run, args=(self._run,), name="cfaccess-refresh", daemon=True).start()
        except RuntimeError:
            self._leave()
            return False
        return True

    def poke(self) -> bool:
        """Have it look whether there is something to do; False where its loop has died."""
        # Without a loop, its thread is about to make one, and will look then.
        return self._loop is None or self._loop.soon(self._wake)

    def stop(self) -> None:
        """Have it end, in the middle of a fetch if need be. It must not be employed any more."""
        if self._loop is not None:
            self._loop.soon(self._cancel)

    # On its own loop

    async def tend(self) -> None:
        """Do what the machine wants when it wants it, as long as employed."""
        refresher = self._refresher
        # More than a fetcher may hang, see Threads: there is always one for the parser.
        limiter = anyio.CapacityLimiter(4)
        try:
            with anyio.CancelScope() as self._scope:
                # After the scope is there: whoever stops us before has ended our employment, and we see it here.
                self._loop = self._loop or running_loop()
                while refresher.employs(self):
                    # Before we look: a poke that comes after the look ends the rest.
                    self._poked = poked = anyio.Event()
                    attempt, self.first = self.first or refresher.begin(self), None
                    if attempt is None:
                        with anyio.move_on_after(refresher.pause(self)):
                            await poked.wait()
                    else:
                        await self._fly(attempt, limiter)
        except Exception:  # noqa: BLE001 - on trio it would end the application
            _log.exception("the driver that keeps %s fresh has failed; another will follow", refresher.name)
        finally:
            self._leave()

    async def _fly(self, attempt: "Attempt[Any]", limiter: anyio.CapacityLimiter) -> None:
        refresher = self._refresher
        try:
            with anyio.fail_after(refresher.timing.deadline):
                document = await self._fetch(attempt.etag, limiter)
                # Reading takes a while, and as long as a hostile document wants: not on the loop.
                edition = await _in_thread(limiter, partial(refresher.read, attempt, document))
        except FetchError as error:
            refresher.fail(self, attempt, error.reason, retry_after=error.retry_after)
        except AccessError as error:
            refresher.fail(self, attempt, error.code)
        except TimeoutError:
            refresher.fail(self, attempt, "timeout")
        except asyncio.CancelledError:
            # On asyncio this is how we are stopped; on trio a fetcher has let it out, and it would end the application.
            if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
                raise
            refresher.fail(self, attempt, "fetcher-failed", error="CancelledError")
        except Exception as error:  # noqa: BLE001 - whatever a fetcher or a parser raises, the attempt has failed
            refresher.fail(self, attempt, "fetcher-failed", error=type(error).__name__)
        else:
            refresher.succeed(self, attempt, edition, max_age=document.max_age)

    async def _fetch(self, etag: str | None, limiter: anyio.CapacityLimiter) -> Document:
        fetcher, threads, url = self._refresher.fetcher, self._refresher.threads, self._refresher.url
        if isinstance(fetcher, AsyncFetcher):
            return await fetcher.afetch(url, etag=etag)
        if fetcher is None:
            raise FetchError("no-fetcher")
        return await _in_thread(limiter, partial(threads.run, partial(fetcher.fetch, url, etag=etag)))

    def _wake(self) -> None:
        if self._poked is not None:
            self._poked.set()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _leave(self) -> None:
        self._refresher.leave(self)

    def _run(self) -> None:
        try:
            anyio.run(self.tend)
        except asyncio.CancelledError:  # a fetcher's own, since nobody else is on this loop
            _log.warning("the fetcher that keeps %s fresh has cancelled itself", self._refresher.name)
        except Exception as error:  # noqa: BLE001 - a loop cannot be had: no file descriptors, say
            _log.exception("the thread that keeps %s fresh has failed; another will follow", self._refresher.name)
            attempt, self.first = self.first, None
            if attempt is not None:
                # Paused for like any failure: those who wait would employ one thread after the other, without a rest.
                self._refresher.fail(self, attempt, "no-event-loop", error=type(error).__name__)
        finally:
            self._leave()


async def _in_thread(limiter: anyio.CapacityLimiter, call: "Callable[[], R]") -> R:
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
