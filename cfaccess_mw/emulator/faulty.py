"""How do the team's endpoints fail, when they are told to?

Stands before the team's pages, so that what comes late or in drops is their own answer. It dates them as well: what
compares clocks reads ``Date``, and that is the team's.
"""

from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Final

import anyio
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cfaccess_mw.emulator.faults import Fault, FaultKind, FaultSwitch
from cfaccess_mw.emulator.upstream import Conversations

_CERTS: Final = "/cdn-cgi/access/certs"
_IDENTITY: Final = "/cdn-cgi/access/get-identity"

# What is in an answer in which there is nothing.
_EMPTY: Final[Mapping[str, Mapping[str, object]]] = {
    _CERTS: {"keys": [], "public_cert": {"kid": "", "cert": ""}, "public_certs": []},
    _IDENTITY: {},
}
_PROMISED: Final = b"1024"  # bytes, more than is sent, so that a client notices the end


class FaultyPages:
    """The team's pages, as well as they can.

    Args:
        pages: Answer everything that does not fail.
        faults: What fails at the moment.
        conversations: Where an answer is counted that takes its time.
        clock: The team's.
    """

    def __init__(
        self, pages: ASGIApp, faults: FaultSwitch, conversations: Conversations, clock: Callable[[], float]
    ) -> None:
        self._pages = pages
        self._faults = faults
        self._conversations = conversations
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._clock(), usegmt=True).encode("ascii")
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        faults = self._faults.now
        fault = {_CERTS: faults.certs, _IDENTITY: faults.identity}.get(scope["path"])
        if fault is None:
            await self._pages(scope, receive, dated)
            return
        with self._conversations.join() as conversation:
            await _FAILURES[fault.kind](self._pages, fault, scope, receive, dated)
        if conversation.cancelled_caught and fault.kind is FaultKind.SLOW:
            await _down(self._pages, Fault(kind=FaultKind.DOWN, number=503), scope, receive, dated)


async def _down(_: ASGIApp, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("This is down.\n", int(fault.number))(scope, receive, send)


async def _broken(_: ASGIApp, __: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", _PROMISED)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"keys": [', "more_body": True})


async def _slow(pages: ASGIApp, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await anyio.sleep(fault.number)
    await pages(scope, receive, send)


async def _drip(pages: ASGIApp, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    async def drop_by_drop(message: Message) -> None:
        body = message.get("body", b"")
        for drop in (body[at : at + 1] for at in range(len(body))):
            await send({"type": "http.response.body", "body": drop, "more_body": True})
            await anyio.sleep(fault.number)
        await send({**message, "body": b""} if body else message)

    await pages(scope, receive, drop_by_drop)


async def _garbage(_: ASGIApp, __: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse('{"keys": [{"kid": ', media_type="application/json")(scope, receive, send)


async def _empty(_: ASGIApp, __: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(_EMPTY[scope["path"]])(scope, receive, send)


async def _redirect(_: ASGIApp, __: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    # to a name that nobody can own (RFC 6761): whoever follows is seen to
    await RedirectResponse(f"http://elsewhere.invalid{scope['path']}", 302)(scope, receive, send)


_Failure = Callable[[ASGIApp, Fault, Scope, Receive, Send], Awaitable[None]]
_FAILURES: Final[Mapping[FaultKind, _Failure]] = {
    FaultKind.DOWN: _down,
    FaultKind.BROKEN: _broken,
    FaultKind.SLOW: _slow,
    FaultKind.DRIP: _drip,
    FaultKind.GARBAGE: _garbage,
    FaultKind.EMPTY: _empty,
    FaultKind.REDIRECT: _redirect,
}
