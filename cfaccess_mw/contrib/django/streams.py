"""Who is asking while a response is made, and while it is sent?

Django's streaming responses run after the middleware has returned. Each part is made as its own request: it sees
``current_identity()``, and nobody sees it in between.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from django.http import HttpResponse

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.current import current


@contextmanager
def showing(identity: Identity | None) -> Iterator[None]:
    """Let ``current_identity()`` say who is asking, for as long as the block lasts."""
    before = current.set(identity)
    try:
        yield
    finally:
        try:
            current.reset(before)
        except ValueError:  # a request that is collected after its loop has ended is in another context
            current.set(None)


def streamed(response: HttpResponse, identity: Identity | None, config: AccessConfig) -> HttpResponse:
    """The same response; where it is streamed, its parts know who is asking.

    With ``close_on_expiry`` an asynchronous stream ends when the token does.

    Args:
        response: What the application answers.
        identity: Who is asking.
        config: The configuration.
    """
    if not response.streaming or getattr(response, "file_to_stream", None) is not None:
        return response  # a file runs nothing of the application's, and servers send it themselves
    parts = response.streaming_content
    if not response.is_async:
        response.streaming_content = _parts(parts, identity)
        return response
    ends_at = None
    if config.close_on_expiry and identity is not None:
        ends_at = identity.expires_at + config.leeway
    response.streaming_content = _aparts(parts, identity, ends_at)
    return response


def _parts(parts: Iterator[bytes], identity: Identity | None) -> Iterator[bytes]:
    while True:
        with showing(identity):
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part


async def _aparts(
    parts: AsyncIterator[bytes], identity: Identity | None, ends_at: float | None
) -> AsyncIterator[bytes]:
    while True:
        with showing(identity):
            try:
                part = await _until(ends_at, parts)
            except StopAsyncIteration:
                return
        yield part


async def _until(ends_at: float | None, parts: AsyncIterator[bytes]) -> bytes:
    """The next part; none any more once time is up, even if the application is still waiting for it."""
    seconds = None if ends_at is None else ends_at - time.time()
    try:
        async with asyncio.timeout(seconds) as limit:
            return await anext(parts)
    except TimeoutError:
        if limit.expired():
            raise StopAsyncIteration from None
        raise
