"""When a connection that outlives its token ends. Time is the loop's own: asyncio's and trio's clocks jump ahead."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio.testing

from cfaccess_mw.wire.streams import run_until

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

START = {"type": "http.response.start", "status": 200, "headers": []}
SIZED = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"9")]}
EVENTS = {**START, "headers": [(b"Content-Type", b"text/event-stream; charset=utf-8")]}
PART = {"type": "http.response.body", "body": b"part", "more_body": True}
LAST = {"type": "http.response.body", "body": b"last"}
FAREWELL = {"type": "http.response.body", "body": b"", "more_body": False}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close", "code": 1000}
EXPIRED = {"type": "websocket.close", "code": 1008, "reason": "Session expired"}


class JumpingLoop(asyncio.SelectorEventLoop):
    """Has no patience: where nothing else is to be done, the time of the next timer is now."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def hasty(timeout: float | None) -> Any:
            events = select(0)
            if not events and timeout:
                self._ahead += timeout
            return events

        self._selector.select = hasty  # type: ignore[attr-defined]

    def time(self) -> float:
        return super().time() + self._ahead


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops, with clocks that tests need not wait for."""
    if request.param == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": JumpingLoop}


pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)]


def steps(*what: Any) -> App:
    """An application that sends messages, sleeps for seconds, or receives where it says None."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in what:
            if step is None:
                await receive()
            elif isinstance(step, dict):
                await send(step)
            else:
                await anyio.sleep(step)

    return app


async def sent_by(app: App, *, seconds: float = 60, incoming: Message | None = None) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming or {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await run_until(app, {"type": "http"}, receive, send, seconds)
    return sent


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param(steps(START, LAST), [START, LAST], id="ordinary"),
        pytest.param(steps(100, START, LAST), [START, LAST], id="ordinary-and-slow"),
        pytest.param(steps(START, 100, LAST), [START, LAST], id="started-and-slow"),
        pytest.param(steps(EVENTS, 100, PART, LAST), [EVENTS, FAREWELL], id="events-that-are-long-in-coming"),
        pytest.param(steps(START, LAST, 100), [START, LAST], id="background-work-goes-on"),
        pytest.param(steps(START, PART, 50, PART, LAST), [START, PART, PART, LAST], id="stream-ends-in-time"),
        pytest.param(steps(START, PART, 100, PART), [START, PART, FAREWELL], id="stream-is-ended"),
        pytest.param(steps(100, START, PART, 1, PART), [START, PART, FAREWELL], id="stream-begun-too-late"),
        pytest.param(steps(SIZED, PART, 100, PART), [SIZED, PART], id="stream-of-announced-length-is-broken-off"),
        pytest.param(steps(START, PART, LAST, 100), [START, PART, LAST], id="stream-ended-then-background-work"),
        pytest.param(steps(ACCEPT, 100), [ACCEPT, EXPIRED], id="websocket-is-closed"),
        pytest.param(steps(ACCEPT, 50, CLOSE, 100), [ACCEPT, CLOSE], id="websocket-closes-itself"),
        pytest.param(steps(CLOSE, 100), [CLOSE], id="websocket-refused-by-the-application"),
    ],
)
async def test_what_is_kept_open_ends(app: App, expected: list[Message]) -> None:
    assert await sent_by(app) == expected


async def test_a_client_that_is_gone_is_not_told() -> None:
    gone = {"type": "websocket.disconnect", "code": 1006}
    assert await sent_by(steps(ACCEPT, None, 100), incoming=gone) == [ACCEPT]


async def test_a_token_that_has_just_expired_ends_at_once() -> None:
    assert await sent_by(steps(ACCEPT, 1, CLOSE), seconds=-5) == [ACCEPT, EXPIRED]


async def test_what_the_application_raises_is_raised_as_it_is() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await sent_by(broken)


async def test_an_application_that_cleans_up_is_waited_for() -> None:
    cleaned: list[str] = []

    async def careful(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)
            cleaned.append("up")

    assert await sent_by(careful) == [ACCEPT, EXPIRED]
    assert cleaned == ["up"]
