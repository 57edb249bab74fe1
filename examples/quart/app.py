"""Quart behind Cloudflare Access.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… hypercorn app:app

On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from quart import Quart, websocket

from cfaccess_mw import Rule
from cfaccess_mw.contrib.quart import QuartAccess, current_identity

app = Quart(__name__)
access = QuartAccess(app, rules=[Rule.public("/healthz")])


@app.get("/")
async def home() -> str:
    return f"Hello {current_identity.display_name}\n"


@app.get("/healthz")
async def healthz() -> str:
    return "ok\n"


@app.get("/admin")
@access.require(groups=["admins"])
async def admin() -> str:
    return "Only the group admins comes here\n"


@app.get("/whoami")
async def whoami() -> dict[str, str | None]:
    return {"kind": current_identity.kind, "id": current_identity.id, "email": current_identity.email}


@app.websocket("/ws")
async def greet() -> None:
    await websocket.send(current_identity.display_name)
