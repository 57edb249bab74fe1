"""How does a WebSocket get to the application? The one importer of the WebSocket client.

The application is asked first: what it refuses is refused with its own answer, and what it accepts is accepted with
the subprotocol it chose. Then messages pass both ways until one side closes, and the other is told the same code.
"""

from contextlib import AsyncExitStack, suppress

import anyio
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from cfaccess_mw.emulator.forwarding import Headers, end_to_end
from cfaccess_mw.emulator.http_relay import target
from cfaccess_mw.emulator.upstream import Conversations, Upstream
from cfaccess_mw.extras import needs

with needs("emulator"):
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
    from websockets.frames import CloseCode
    from websockets.typing import Subprotocol

_CONNECT = 5.0  # seconds
_CLOSE = 1.0  # seconds for the application to say goodbye too
# 1005 and 1006 mean that no code was received; they may not be sent (RFC 6455 section 7.4.1)
_SENT_INSTEAD: dict[int, int] = {
    CloseCode.NO_STATUS_RCVD: CloseCode.NORMAL_CLOSURE,
    CloseCode.ABNORMAL_CLOSURE: CloseCode.INTERNAL_ERROR,
}
_OF_THE_HANDSHAKE = b"sec-websocket-"


class _Handshake(connect):
    """A handshake whose every answer is the browser's to read: a redirect is passed back, not followed."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebSocketRelay:
    """Passes WebSockets to the application.

    Args:
        conversations: Where a socket is counted while it is open.
    """

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def __call__(
        self, upstream: Upstream, client: WebSocket, host: str, headers: Headers, extra: Headers
    ) -> None:
        """Pass one WebSocket on.

        Args:
            upstream: Where the application listens.
            client: The client's side, not yet accepted.
            host: What the client calls the application, with its port.
            headers: What the application is sent.
            extra: What the answer to the handshake gets beside the application's own headers.
        """
        with self._conversations.join():
            async with AsyncExitStack() as stack:
                try:
                    application = await stack.enter_async_context(
                        self._handshake(upstream, client.scope, host, headers)
                    )
                except InvalidStatus as refusal:
                    await _deny(client, refusal, extra)
                except (OSError, WebSocketException):
                    await client.send_denial_response(PlainTextResponse("The application did not answer.\n", 502))
                else:
                    await client.accept(subprotocol=application.subprotocol, headers=_own(application) + extra)
                    await _join(client, application)

    @staticmethod
    def _handshake(upstream: Upstream, scope: Scope, host: str, headers: Headers) -> connect:
        kept = [
            (name.decode("ascii"), value.decode("latin-1"))
            for name, value in headers
            if name != b"host" and not name.startswith(_OF_THE_HANDSHAKE)
        ]
        return _Handshake(
            f"ws://{host}{target(scope).decode('ascii')}",
            host=upstream.host,
            port=upstream.port,
            subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
            additional_headers=kept,
            user_agent_header=None,
            compression=None,  # between two programs on one machine
            proxy=None,
            open_timeout=_CONNECT,
            close_timeout=_CLOSE,
            ping_interval=None,  # the application's own pings are its affair
            max_size=None,
        )


async def _join(client: WebSocket, application: ClientConnection) -> None:
    message: Message = {}
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_to_client, client, application, tasks.cancel_scope)
            with suppress(ConnectionClosed):  # the other direction learns of it too, and tells the client
                while (message := await client.receive())["type"] == "websocket.receive":
                    text = message.get("text")
                    await application.send(message["bytes"] if text is None else text)
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await application.close(_sendable(message.get("code")), message.get("reason") or "")


async def _to_client(client: WebSocket, application: ClientConnection, both: anyio.CancelScope) -> None:
    with suppress(WebSocketDisconnect):  # the other direction learns of it too, and tells the application
        with suppress(ConnectionClosed):  # with a code of its own, which is passed on
            async for data in application:
                await (client.send_text(data) if isinstance(data, str) else client.send_bytes(data))
        await client.close(_sendable(application.close_code), application.close_reason or "")
        both.cancel()


async def _deny(client: WebSocket, refusal: InvalidStatus, extra: Headers) -> None:
    answer = refusal.response
    response = Response(bytes(answer.body), answer.status_code)
    body_headers = [header for header in response.raw_headers if header[0] == b"content-length"]
    own = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in answer.headers.raw_items()]
    dropped = {b"connection", b"content-length", b"transfer-encoding"}
    response.raw_headers = [header for header in own if header[0] not in dropped] + body_headers + extra
    await client.send_denial_response(response)


def _own(application: ClientConnection) -> Headers:
    """What the application says beside the handshake, such as a cookie."""
    said = application.response.headers.raw_items() if application.response else ()
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in said]
    return [header for header in end_to_end(headers) if not header[0].startswith(_OF_THE_HANDSHAKE)]


def _sendable(code: int | None) -> int:
    given = CloseCode.NO_STATUS_RCVD if code is None else code
    return _SENT_INSTEAD.get(given, given)
