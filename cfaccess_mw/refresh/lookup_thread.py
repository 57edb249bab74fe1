"""Who makes the lookups?

One daemon thread with an event loop of its own, whoever asks and from wherever: it outlives the requests, and the event
loops that applications make for each of them. It is started by the first question and goes when there was nothing to
do for a while.
"""

import asyncio
import contextvars
import logging
import threading
from typing import TYPE_CHECKING

import anyio

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import read_reply
from cfaccess_mw.refresh.loops import running_loop

if TYPE_CHECKING:
    from cfaccess_mw.core.lookups import Lookup
    from cfaccess_mw.refresh.lookup import Lookups
    from cfaccess_mw.refresh.loops import Loop

_log = logging.getLogger("cfaccess_mw")


class LookupThread:
    """One employment: made for ``Lookups``, it works until there is nothing to do, or until it is stopped."""

    def __init__(self, lookups: "Lookups") -> None:
        self._lookups = lookups
        # Made on our own loop: whoever makes us may run on another kind.
        self._loop: Loop | None = None
        self._scope: anyio.CancelScope | None = None
        self._poked: anyio.Event | None = None

    # From any thread

    def start(self) -> None:
        """Begin; a process near its limits, or its end, gets no more threads, and then nobody is looked up."""
        # An empty context: newer Pythons would let the thread inherit that of the request.
        run = contextvars.Context().run
        try:
            threading.Thread(target=run, args=(self._run,), name="cfaccess-lookup", daemon=True).start()
        except RuntimeError:
            self._lookups.leave(self)

    def poke(self) -> None:
        """Have it look whether there is something to do."""
        # Without a loop it is about to make one, and will look then.
        if self._loop is not None:
            self._loop.soon(self._wake)

    def stop(self) -> None:
        """Have it end, in the middle of a lookup if need be. It must not be employed any more."""
        if self._loop is not None:
            self._loop.soon(self._cancel)

    # On its own loop

    async def _work(self) -> None:
        lookups = self._lookups
        with anyio.CancelScope() as self._scope:
            # After the scope is there: whoever stops us before has ended our employment, and we see it below.
            self._loop = running_loop()
            async with anyio.create_task_group() as group:
                while lookups.employs(self):
                    # Before we look: a poke that comes after the look ends the rest.
                    self._poked = poked = anyio.Event()
                    while (lookup := lookups.begin(self)) is not None:
                        group.start_soon(self._look_up, lookup)
                    with anyio.move_on_after(lookups.linger) as rest:
                        await poked.wait()
                    if rest.cancelled_caught:
                        lookups.dismiss(self)

    async def _look_up(self, lookup: "Lookup") -> None:
        lookups = self._lookups
        try:
            with anyio.fail_after(lookups.timing.deadline):
                body = read_reply(await lookups.fetch(lookups.url, lookup.token.decode()), lookup.identity)
        except FetchError as error:
            lookups.fail(lookup, error.reason, retry_after=error.retry_after)
        except TimeoutError:
            lookups.fail(lookup, "timeout")
        # One that cancels itself as well; where we are stopped, the lookup is settled and this says nothing.
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever is raised, it has failed
            lookups.fail(lookup, "fetcher-failed", error=type(error).__name__)
        else:
            lookups.succeed(lookup, body)
        self._wake()  # there is a place for the next

    def _wake(self) -> None:
        if self._poked is not None:
            self._poked.set()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _run(self) -> None:
        try:
            anyio.run(self._work)
        except Exception as error:  # noqa: BLE001 - a loop cannot be had: no file descriptors, say
            # Its class only: tokens are keys of our dictionaries, and the text of a KeyError is its key.
            name = type(error).__name__
            _log.error("the thread that looks people up has failed (%s); another will follow", name)
        finally:
            self._lookups.leave(self)
