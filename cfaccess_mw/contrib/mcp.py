"""How does an MCP server know who calls its tools? For the official SDK's and FastMCP's streamable HTTP applications.

::

    server = MCPServer("reports")
    app = McpAccess(server.streamable_http_app(), team="acme", audience="4714c1358e65fe4b408ad6d432a5f878f081…")


    @server.tool()
    async def report(ctx: Context) -> str:
        identity = await demand(ctx, Permission(groups=["finance"]))
        return f"Hello {identity.email}"

With FastMCP ``app = McpAccess(mcp.http_app(), …)``; where the MCP application is mounted in a larger one that has its
door already, ``Mount("/", app=OwnedSessions(mcp_app))``.

Against whom: somebody with a good token of the same application who has learned another's session id. He could call
tools in that session, and read what is sent to its owner. The SDK refuses that (404), but only to users whom it knows
as authenticated, so those behind the door are shown to it as such. What it does for users of OAuth holds for ours then:
sessions belong to who opened them, ``requestState`` to who was asked, and ``get_access_token()`` tells who calls.

The SDK answers 421 to every ``Host`` but this machine's unless ``streamable_http_app(transport_security=…)`` says which
are meant, or that none is asked for: behind the door no browser can be tricked into a request that counts.

The client's own ``Authorization: Bearer`` (Access with Managed OAuth may forward it) is neither read nor removed. An
application with Managed OAuth should be given ``unauthenticated_status=403``: Access takes a 401 of the application for
one that it has to answer itself.
"""

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib import door
from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.extras import needs
from cfaccess_mw.permission import Permission
from cfaccess_mw.protection import checked_application

with needs("mcp"):
    from mcp.server.auth.middleware import bearer_auth
    from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
    from mcp.server.auth.provider import AccessToken

    try:
        from mcp.server.mcpserver.exceptions import ResourceError, ToolError
    except ModuleNotFoundError:  # before 2.0
        from mcp.server.fastmcp.exceptions import ResourceError, ToolError  # type: ignore[import-not-found,no-redef]

# Only what has this function asks whose a session is.
if not hasattr(bearer_auth, "authorization_context"):
    raise ImportError(
        "cfaccess_mw needs mcp 1.27.2 or later, whose sessions have owners: pip install 'cfaccess-mw[mcp]'"
    )

_ANYBODY = Permission()


class OwnedSessions:
    """Lets only who opened an MCP session use it; between a door and an MCP application.

    Args:
        app: The MCP application, of the SDK or of FastMCP.

    Raises:
        ConfigurationError: ``app`` cannot be called.
    """

    def __init__(self, app: ASGIApp, /) -> None:
        self._app = AuthContextMiddleware(checked_application(app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the identity as the SDK's own kind of user.

        Raises:
            ConfigurationError: No door stands before it.
        """
        if scope["type"] != "lifespan":
            identity = door.identity_of(scope)
            if identity is not None:
                scope = {**scope, "user": AccessUser(identity)}
        await self._app(scope, receive, send)


class McpAccess(AccessMiddleware):
    """The door of an MCP application, with :class:`OwnedSessions` behind it.

    Args:
        app: The MCP application, of the SDK or of FastMCP.
        config: As for :class:`~cfaccess_mw.asgi.AccessMiddleware`.
        options: As for :class:`~cfaccess_mw.asgi.AccessMiddleware`.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, app: ASGIApp, /, config: Any = None, **options: Any) -> None:
        super().__init__(OwnedSessions(app), config, **options)


class AccessUser(bearer_auth.AuthenticatedUser):
    """An identity as the SDK's authenticated user: ``request.user`` of an MCP application.

    Whatever :class:`~cfaccess_mw.Identity` has, it has too. The access token that it carries for the SDK names the
    bearer and holds the claims, but no text that anybody could present as a token.

    Attributes:
        access_identity: The identity itself.
    """

    def __init__(self, identity: Identity) -> None:
        scopes = ["authenticated", identity.kind]
        super().__init__(
            _AccessToken(
                token="",
                client_id=identity.id,
                scopes=scopes,
                expires_at=int(identity.expires_at),
                subject=identity.subject or None,
                claims=dict(identity.claims),
            )
        )
        self.access_identity = identity

    @property
    def display_name(self) -> str:
        """As the identity has it."""
        return self.access_identity.display_name

    @property
    def identity(self) -> str:
        """The stable name, as ``id``."""
        return self.access_identity.id

    def __getattr__(self, name: str) -> Any:
        """Whatever else the identity has."""
        if name == "access_identity":  # not there yet, as while it is copied
            raise AttributeError(name)
        return getattr(self.access_identity, name)


class NotForThem(ToolError, ResourceError):
    """A refusal as tools, resources and prompts report what they foresaw: its public text reaches the client.

    Attributes:
        refusal: Why.
    """

    def __init__(self, refusal: Refused) -> None:
        super().__init__(f"{refusal.detail} ({refusal.code})")
        self.refusal = refusal


def identity_of(ctx: Any) -> Identity | None:
    """Who sent the message that is being handled.

    Read from the very request that brought the message. In every version of the SDK: before 2.0 a tool runs in the
    task of its session, where ``current_identity()`` is what it was when the session was opened.

    Args:
        ctx: The ``Context`` of a tool, resource or prompt (the SDK's or FastMCP's), or the request context of the
            SDK's low-level server.

    Returns:
        The identity; None where it was let in without one, or where no HTTP request brought it.

    Raises:
        ConfigurationError: No door stands before the application.
    """
    scope = _scope(ctx)
    return door.identity_of(scope) if scope else None


async def demand(ctx: Any, permission: Permission = _ANYBODY) -> Identity:
    """Let a tool go on only for those who may use it.

    Args:
        ctx: As for :func:`identity_of`.
        permission: Who may; anybody with a good token where none is given.

    Returns:
        The identity.

    Raises:
        NotForThem: They may not, or it cannot be known at the moment. The client is told why.
        ConfigurationError: No door stands before the application.
    """
    scope = _scope(ctx)
    facts = door.door_of(scope).facts(scope) if scope else NO_FACTS
    try:
        return await permission.demand(identity_of(ctx), facts)
    except Refused as refusal:
        if scope:
            door.door_of(scope).tell(refusal, scope)
        raise NotForThem(refusal) from refusal


def _scope(ctx: Any) -> Scope:
    """The ASGI scope of a message; empty where none brought it."""
    request = getattr(ctx, "request", None) or getattr(getattr(ctx, "request_context", None), "request", None)
    scope: Scope = getattr(request, "scope", {})
    return scope


class _AccessToken(AccessToken):
    """The SDK's own, which would show its claims in a ``repr``."""

    def __repr_args__(self) -> list[tuple[str, Any]]:
        return []
