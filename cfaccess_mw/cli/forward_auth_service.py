"""May this request pass, asks a reverse proxy? The door's decision as an answer: 200 and who is asking, or a refusal.

What the proxy lets in is what this says, so it believes nobody but the proxies that it was told of, and an unknown
asker is refused whatever he asks.
"""

import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cfaccess_mw.asgi import IDENTITY_KEY, AccessMiddleware
from cfaccess_mw.cli.forwarding import CONVENTIONS, BadForwarding, Forwarded
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.wire.names import EMAIL

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

_log = logging.getLogger("cfaccess_mw")

IDENTITY_HEADERS: Final = ("remote-user", EMAIL, "x-cfaccess-kind", "x-cfaccess-id")
"""What says who is asking; the proxy hands them on in the place of what the client sent."""

REFUSED_PATH: Final = "/refused"
"""Where a proxy asks once more what it was refused, for the answer itself; nobody is let in here."""

_NO_STORE: Final = (b"cache-control", b"no-store")


class ForwardAuth:
    """An ASGI application that answers the questions of reverse proxies.

    Args:
        config: What is required.
        proxy: Which kind of proxy asks, a name of ``CONVENTIONS``.
        trusted: Whose questions are answered.
    """

    def __init__(self, config: AccessConfig, *, proxy: str, trusted: TrustedPeers) -> None:
        self._trusted = trusted
        self._forwarded = Forwarded(CONVENTIONS[proxy], (*config.scrub, *IDENTITY_HEADERS))
        self._says_nobody = CONVENTIONS[proxy].says_nobody
        self._by_email = config.remote_user == "email"
        self._door = AccessMiddleware(self._admit, config)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a question."""
        if scope["type"] == "lifespan":
            await self._door(scope, receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})
            return
        client = scope.get("client")
        if not self._trusted.trust(client[0] if client else None):
            _log.warning("somebody who is not named by --trust asks; he is refused")
            await _refuse(send, 403, "untrusted-proxy", "Only the proxies that the operator named may ask here.")
            return
        try:
            original = self._forwarded.original(scope)
        except BadForwarding as mistake:
            _log.warning("%s", mistake)
            await _refuse(send, 400, "bad-forwarding", "It is not clear which request is asked about.")
            return
        if scope["path"] == REFUSED_PATH:
            original[REFUSED_PATH] = True
        await self._door(original, receive, _whole(send))

    async def _admit(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """What the door lets in: the answer is yes."""
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        if REFUSED_PATH in scope:
            # He was refused a moment ago, and the application has not seen his request: a 200 would say that it has.
            detail = "This was refused a moment ago, and would not be now; try again."
            await _refuse(send, 503, "asked-too-late", detail, (b"retry-after", b"1"))
            return
        headers = [_NO_STORE, *self._headers(scope[IDENTITY_KEY])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _headers(self, identity: Identity | None) -> Iterator[tuple[bytes, bytes]]:
        values: tuple[str | None, ...] = (None, None, None, None)
        if identity is not None:
            user = identity.email if self._by_email and identity.email is not None else identity.id
            values = (user, identity.email, identity.kind, identity.id)
        for name, value in zip(IDENTITY_HEADERS, values, strict=True):
            if value is not None or self._says_nobody:
                yield name.encode("ascii"), (value or "").encode()


def _whole(send: "Send") -> "Send":
    """Send answers in one piece, of the length that they have: the proxy asks by GET, whatever it asks about."""
    started: list[Message] = []

    async def sending(message: "Message") -> None:
        if message["type"] == "http.response.start":
            started.append(message)
            return
        start, length = started.pop(), str(len(message["body"])).encode("ascii")
        headers = [header for header in start["headers"] if header[0] != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", length)]})
        await send(message)

    return sending


async def _refuse(send: "Send", status: int, code: str, detail: str, *more: tuple[bytes, bytes]) -> None:
    problem: dict[str, Any] = {"type": f"urn:cfaccess:refusal:{code}", "status": status, "code": code, "detail": detail}
    body = json.dumps(problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode("ascii")),
        _NO_STORE,
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
