"""How does an ASGI server put Access's question?

An object that is called, not a bound method: servers look at what they are given to tell ASGI from WSGI.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.types import Receive, Scope, Send

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.edge.external_evaluation_asking import Asking
from cfaccess_mw.edge.external_evaluation_exchange import Exchange, Page
from cfaccess_mw.edge.external_evaluation_request import MOST_BYTES, NotAQuestion, QuestionTooLarge
from cfaccess_mw.edge.team_keys import TeamKeys
from cfaccess_mw.wire.response import Response
from cfaccess_mw.wire.streams import POLICY_VIOLATION

T = TypeVar("T")

_HEAD: Final = (b"content-type", b"content-encoding", b"content-length")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationASGI:
    """The ASGI application; it may be mounted in another.

    Args:
        exchange: What is said.
        asking: Who decides.
        keys: Access's.
    """

    exchange: Exchange
    asking: Asking
    keys: TeamKeys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            response = await self._respond(scope, receive)
            if response is not None:
                headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in response.headers]
                await send({"type": "http.response.start", "status": response.status, "headers": headers})
                await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        exchange = self.exchange
        found = exchange.find(scope["method"], _below_mount(scope))
        if isinstance(found, Response):
            return found
        if found is Page.KEYS:
            return await _in_thread(lambda: exchange.keys(scope["method"]))
        try:
            exchange.check_head(*(_header(scope, name) for name in _HEAD))
            body = await _read(receive)
            if body is None:
                return None
            question = exchange.read(body)
            key = await self.keys.afind(question.kid)
            applicant = await _in_thread(lambda: exchange.prove(question, key))
        except Refused as error:
            return exchange.refusal(error)
        success = await self.asking.ask(applicant)
        return await _in_thread(lambda: exchange.answer(question, success=success))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.keys.open()
                await send({"type": "lifespan.startup.complete"})
            else:
                self.keys.rest()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _below_mount(scope: Scope) -> str:
    """The path without the mount, which servers and routers leave in front of it (ASGI, "HTTP connection scope")."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if f"{path}/".startswith(f"{root}/") else path


def _header(scope: Scope, name: bytes) -> str | None:
    """A header that may stand there once.

    Raises:
        NotAQuestion: It stands there twice.
    """
    values = [value for given, value in scope["headers"] if given.lower() == name]
    if len(values) > 1:
        raise NotAQuestion
    return values[0].decode("latin-1") if values else None


async def _read(receive: Receive) -> bytes | None:
    """The body, or None where the client is gone.

    Raises:
        QuestionTooLarge: It is longer than 128 KiB; what is left is the server's affair.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise QuestionTooLarge
        if not message.get("more_body", False):
            return bytes(body)


async def _in_thread(call: Callable[[], T]) -> T:
    """Do what may touch a file, a store or a big number, without stopping the loop."""
    from anyio import CapacityLimiter, to_thread  # noqa: PLC0415 - WSGI never needs it

    waits: Awaitable[T] = to_thread.run_sync(call, limiter=CapacityLimiter(1))
    return await waits
