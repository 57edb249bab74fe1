"""How is a request refused in ASGI, before any application has seen it?"""

from starlette.types import Receive, Scope, Send

from cfaccess_mw.wire.response import Response
from cfaccess_mw.wire.streams import POLICY_VIOLATION

_DENIAL = "websocket.http.response"


async def answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a refusal; before a WebSocket is accepted as an HTTP answer where the server can, else by closing it."""
    prefix = "http.response"
    if scope["type"] == "websocket":
        if (await receive())["type"] != "websocket.connect":  # gone before it was answered
            return
        if _DENIAL not in (scope.get("extensions") or ()):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": response.phrase})
            return
        prefix = _DENIAL
    headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in response.headers]
    await send({"type": f"{prefix}.start", "status": response.status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": response.body})
