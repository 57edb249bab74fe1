"""FastAPI behind the door, added as its own middleware, with an application mounted within."""

from fastapi import FastAPI

from cfaccess_mw.asgi import AccessMiddleware
from tests.servers.apps import behind
from tests.servers.apps.starlette_app import METHODS, admin, echo, release, static, stream

mounted = FastAPI()
mounted.add_route("/admin", admin, methods=METHODS)

app = FastAPI()
for pattern in ("/admin", "/admin/{rest:path}", "/open/admin"):
    app.add_route(pattern, admin, methods=METHODS)
app.add_route("/whoami", admin)
app.add_route("/stream", stream)
app.add_api_websocket_route("/ws", echo)
app.add_route("/static/release", release)
for pattern in ("/static/{rest:path}", "/open/{rest:path}", "/healthz", "/maybe"):
    app.add_route(pattern, static)
app.mount("/api", mounted)
if not behind.NAKED:
    app.add_middleware(AccessMiddleware, rules=behind.RULES)
