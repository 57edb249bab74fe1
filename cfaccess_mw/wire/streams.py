"""When does a connection that outlives its token end? (``close_on_expiry``)

An ordinary request that was let in gets its answer, however long that takes. What goes on without end, a WebSocket or a
response that is sent in parts, ends when the token does.
"""

import math

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


async def run_until(app: ASGIApp, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
    """Run an application, and end what it keeps open when time is up.

    Nothing is spawned: the application runs in the task of its server, in a cancel scope whose deadline is set once
    there is something that would be kept open. What the application raises is raised as it is.

    Args:
        app: The application.
        scope: Its scope.
        receive: Its messages.
        send: Where its answers go.
        seconds: For how long the token is good.
    """
    from anyio import CancelScope, current_time  # noqa: PLC0415 - only where it is turned on

    deadline = current_time() + seconds
    ending = _Ending()
    with CancelScope() as cancel:

        async def sending(message: Message) -> None:
            ending.note(message)
            await send(message)
            # what an application does after its answer, such as background tasks, is not kept open by anybody
            cancel.deadline = deadline if ending.is_open else math.inf

        async def receiving() -> Message:
            message = await receive()
            ending.note(message)
            return message

        await app(scope, receiving, sending)
    if cancel.cancelled_caught:
        for message in ending.farewell():
            await send(message)


class _Ending:
    """What has been sent, and what is still to be said when time is up."""

    def __init__(self) -> None:
        self.is_open = False
        self._websocket = False
        self._sized = False
        self._gone = False

    def note(self, message: Message) -> None:
        """Take note of a message that the application sends or receives."""
        match message["type"]:
            case "websocket.accept":
                self.is_open = self._websocket = True
            case "http.response.start":
                self._sized = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
                # an ordinary answer may be slow; a stream of events stays open from its start
                self.is_open = any(
                    name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
                    for name, value in message.get("headers", ())
                )
            case "http.response.body":
                self.is_open = bool(message.get("more_body", False))
            case "websocket.close":
                self.is_open = False
            case "websocket.disconnect" | "http.disconnect":
                self._gone = True

    def farewell(self) -> list[Message]:
        """The messages that end it; a body of announced length can only be broken off, which is the server's to do."""
        if self._gone:
            return []
        if self._websocket:
            return [{"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "Session expired"}]
        return [] if self._sized else [{"type": "http.response.body", "body": b"", "more_body": False}]
