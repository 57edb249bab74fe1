"""FastAPI behind Cloudflare Access.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… uvicorn app:app

On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib import fastapi as access

app = FastAPI(title="Behind Cloudflare Access")
app.add_middleware(AccessMiddleware, rules=[Rule.public("/healthz")])
access.install(app)


@app.get("/", response_class=PlainTextResponse)
def home(identity: access.CurrentIdentity) -> str:
    return f"Hello {identity.display_name}\n"


@app.get("/healthz", response_class=PlainTextResponse)
def healthz() -> str:
    return "ok\n"


@app.get("/admin", response_class=PlainTextResponse, dependencies=[access.require(groups=["admins"])])
def admin() -> str:
    return "Only the group admins comes here\n"


@app.get("/whoami")
def whoami(identity: access.CurrentIdentity) -> dict[str, str | None]:
    return {"kind": identity.kind, "id": identity.id, "email": identity.email}


@app.websocket("/ws")
async def greet(websocket: WebSocket, identity: access.CurrentIdentity) -> None:
    await websocket.accept()
    await websocket.send_text(identity.display_name)
    await websocket.close()
