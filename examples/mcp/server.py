"""An MCP server behind Cloudflare Access (``client.py`` is a client of it).

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… uvicorn server:app

Refusals have the status 403: with Managed OAuth, Access takes a 401 of the application for one that it has to answer
itself. On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

from cfaccess_mw import Rule
from cfaccess_mw.contrib.mcp import McpAccess, demand
from cfaccess_mw.permission import Permission

ADMINS = Permission(groups=["admins"])

server = MCPServer("example")


@server.tool()
async def whoami(ctx: Context) -> str:
    """Say who calls."""
    return (await demand(ctx)).display_name


@server.tool()
async def restart(ctx: Context) -> str:
    """Restart everything; for administrators."""
    identity = await demand(ctx, ADMINS)
    return f"Restarted for {identity.display_name}"


@server.custom_route("/", methods=["GET"])
async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Hello {request.user.display_name}\n")


@server.custom_route("/healthz", methods=["GET"])
async def healthz(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


@server.custom_route("/whoami", methods=["GET"])
async def whoami_page(request: Request) -> JSONResponse:
    return JSONResponse({"kind": request.user.kind, "id": request.user.id, "email": request.user.email})


@server.custom_route("/admin", methods=["GET"])
async def admin(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Only the group admins comes here\n")


# The SDK guards servers that any browser on the same machine can reach against forged Host headers. Behind the door no
# request counts without an assertion, which no browser can be made to send.
unguarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)

app = McpAccess(
    server.streamable_http_app(transport_security=unguarded),
    unauthenticated_status=403,
    rules=[Rule.public("/healthz"), Rule.allow("/admin/*", groups=["admins"])],
)
