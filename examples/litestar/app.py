"""Litestar behind Cloudflare Access.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… uvicorn app:app

``litestar run`` works as well. On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from typing import Any

from litestar import Litestar, MediaType, WebSocket, get, websocket

from cfaccess_mw import Rule
from cfaccess_mw.contrib.litestar import AccessPlugin, CurrentIdentity, protect, requires


@get("/", media_type=MediaType.TEXT)
async def home(identity: CurrentIdentity) -> str:
    return f"Hello {identity.display_name}\n"


@get("/healthz", media_type=MediaType.TEXT)
async def healthz() -> str:
    return "ok\n"


@get("/admin", media_type=MediaType.TEXT, guards=[requires(groups=["admins"])])
async def admin() -> str:
    return "Only the group admins comes here\n"


@get("/whoami")
async def whoami(identity: CurrentIdentity) -> dict[str, str | None]:
    return {"kind": identity.kind, "id": identity.id, "email": identity.email}


@websocket("/ws")
async def greet(socket: WebSocket[Any, Any, Any], identity: CurrentIdentity) -> None:
    await socket.accept()
    await socket.send_text(identity.display_name)
    await socket.close()


app = protect(
    Litestar([home, healthz, admin, whoami, greet], plugins=[AccessPlugin()]), rules=[Rule.public("/healthz")]
)
