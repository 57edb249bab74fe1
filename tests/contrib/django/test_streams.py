"""Who is asking while a stream is made, and when does it end?"""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from django.http import StreamingHttpResponse

from cfaccess_mw import AccessConfig, current_identity
from cfaccess_mw.contrib.django.streams import showing, streamed
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD, verify

CONFIG = AccessConfig(team="acme", audience=AUD, leeway=0)
CLOSING = replace(CONFIG, close_on_expiry=True)


Until = Callable[[float], Identity]


@pytest.fixture
def until(issuer: Issuer, snapshot: KeySnapshot) -> Until:
    """Somebody whose token is good for so many more seconds."""

    def somebody(seconds: float) -> Identity:
        begun = time.time() - 100
        token = issuer.user(audience=AUD, issued_at=begun, expires_in=100 + seconds)
        return verify(token, snapshot, now=begun).identity

    return somebody


async def forever() -> AsyncIterator[str]:
    """Says one thing, and then nothing more."""
    yield "first"
    await asyncio.Event().wait()
    yield "never"


async def said(response: Any) -> list[bytes]:
    """What the server sends."""
    async with aclosing(aiter(response)) as parts:
        return [part async for part in parts]


def test_nobody_is_seen_between_two_parts(until: Until) -> None:
    identity, seen = until(60), list[Identity | None]()

    def parts() -> Iterator[str]:
        for _ in range(2):
            seen.append(current_identity())
            yield "x"

    for _ in streamed(StreamingHttpResponse(parts()), identity, CONFIG):
        assert current_identity() is None
    assert seen == [identity, identity]


def test_a_stream_ends_with_its_token(until: Until) -> None:
    response = streamed(StreamingHttpResponse(forever()), until(0.05), CLOSING)
    assert asyncio.run(said(response)) == [b"first"]


@pytest.mark.parametrize(
    ("config", "seconds", "known"),
    [
        pytest.param(CONFIG, -1, True, id="not-configured"),
        pytest.param(CLOSING, 60, True, id="good-for-a-while"),
        pytest.param(CLOSING, -1, False, id="nobody"),
    ],
)
def test_other_streams_end_by_themselves(until: Until, config: Any, seconds: float, known: bool) -> None:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(0)
        yield "second"

    somebody = until(seconds) if known else None
    response = streamed(StreamingHttpResponse(parts()), somebody, config)
    assert asyncio.run(said(response)) == [b"first", b"second"]


def test_a_timeout_of_the_applications_is_its_own(until: Until) -> None:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        raise TimeoutError("the application's")

    response = streamed(StreamingHttpResponse(parts()), until(60), CLOSING)
    with pytest.raises(TimeoutError, match="application's"):
        asyncio.run(said(response))


def test_a_context_that_is_gone_shows_nobody(until: Until) -> None:
    block = showing(until(60))
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert current_identity() is None
