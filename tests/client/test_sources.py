"""Who waits for what gives credentials: a thread, an event loop, or a thread for the event loop?"""

import threading

import pytest

from cfaccess_mw.client.sources import Source
from cfaccess_mw.core.errors import ConfigurationError


@pytest.mark.anyio
@pytest.mark.parametrize("blocks", [False, True])
async def test_what_may_take_a_while_does_not_hold_up_the_event_loop(blocks: bool) -> None:
    source = Source(give=threading.get_ident, name="token", blocks=blocks)
    assert (await source.ask_async() != threading.get_ident()) is blocks
    assert source.ask() == threading.get_ident()


@pytest.mark.anyio
async def test_an_event_loop_waits_for_what_is_asynchronous() -> None:
    async def give() -> str:
        return "given"

    assert await Source(give=give, name="token").ask_async() == "given"


def test_a_thread_does_not() -> None:
    class Later:
        def __await__(self) -> None:
            """Nobody gets here."""

    with pytest.raises(ConfigurationError, match="token: is asynchronous"):
        Source(give=Later, name="token").ask()
