"""Where do credentials come from, and how are they asked for? Once given, or each time from a callable."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from anyio import to_thread

from cfaccess_mw.core.errors import ConfigurationError

Give = Callable[[], object | Awaitable[object]]

_NEEDS_LOOP: Final = "is asynchronous, which a blocking client cannot wait for; give a plain function to this client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something that gives credentials.

    Attributes:
        give: Called whenever they are needed.
        name: What it is called in the configuration, for messages.
        blocks: Whether it may take a while (a file, another program): an event loop calls it in a thread.
    """

    give: Give
    name: str
    blocks: bool = False

    def ask(self) -> object:
        """Ask from a thread that may wait.

        Raises:
            ConfigurationError: It can be asked in an event loop only.
        """
        given = self.give()
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()  # or it would warn that nobody awaited it
            raise ConfigurationError(f"{self.name}: {_NEEDS_LOOP}")
        return given

    async def ask_async(self) -> object:
        """Ask from an event loop."""
        given = await to_thread.run_sync(self.give) if self.blocks else self.give()
        return await given if inspect.isawaitable(given) else given
