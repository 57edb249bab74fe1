"""How does blocking code run an asynchronous client?

On an event loop of its own that lives as long as the call. Whatever stops that loop stops nobody else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from cfaccess_mw.core.errors import FetchError

R = TypeVar("R")


class _PrivateLoop(asyncio.SelectorEventLoop):
    """One that ends at once, even where a name server is silent."""

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
