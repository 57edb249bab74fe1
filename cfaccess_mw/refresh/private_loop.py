"""How does blocking code run an asynchronous client?

On an event loop of its own that lives as long as the call. Whatever stops that loop stops nobody else.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from cfaccess_mw.core.errors import FetchError

R = TypeVar("R")


class _PrivateLoop(asyncio.SelectorEventLoop):
    """One that ends at once, and lets the process end, even where a name server is silent."""

    async def getaddrinfo(self, host: Any, port: Any, **options: int) -> list[Any]:
        """Ask in a thread that nobody waits for; those of an executor are, at the end of the process."""
        return await anyio.to_thread.run_sync(
            partial(socket.getaddrinfo, host, port, **options), abandon_on_cancel=True
        )

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """Wait for no thread that asks a name server: the answer is there already, or too late.

        Such a thread ends by itself, by the resolver's own timeout (``man resolv.conf``: half a minute at most).
        """


def run_privately(call: Callable[[], Awaitable[R]], *, timeout: float) -> R:
    """Run ``call`` to its end, in a thread without a running event loop.

    Args:
        call: What to run.
        timeout: Seconds, for all of it.

    Raises:
        FetchError: ``timeout``; and whatever ``call`` raises.
    """

    async def within() -> R:
        with anyio.fail_after(timeout):
            return await call()

    try:
        return anyio.run(within, backend="asyncio", backend_options={"loop_factory": _PrivateLoop})
    except TimeoutError as error:
        raise FetchError("timeout") from error
