"""Are the certs to be had? A switch, so that an application can be seen living through an outage."""

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

_PROMISED = b"1024"  # more than is sent, so that a client notices the end


class _BreaksOff(Response):
    """Begins an answer and closes the connection in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", _PROMISED)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"keys": [', "more_body": True})


class CertsSwitch:
    """Turned by any thread, read by the edge's; up at first."""

    def __init__(self) -> None:
        self._up = True
        self._status: int | None = None

    def up(self) -> None:
        """Serve the certs again."""
        self._up = True

    def down(self, status: int | None = 503) -> None:
        """Serve no certs.

        Args:
            status: Of the answer instead; None begins an answer and breaks off.
        """
        self._status = status
        self._up = False

    def fault(self) -> Response | None:
        """The answer instead of the certs, or None where they are up."""
        if self._up:
            return None
        return _BreaksOff() if self._status is None else PlainTextResponse("The certs are down.\n", self._status)
