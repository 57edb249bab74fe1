"""How does a Litestar application know who is asking?

::

    @get("/")
    async def home(identity: CurrentIdentity) -> str:
        return f"Hello {identity.email}"


    @get("/admin", guards=[requires(groups=["admins"])])
    async def admin(request: Request[Identity, Any, Any]) -> str:
        return f"{request.user.email} may do this"


    app = protect(
        Litestar([home, admin], plugins=[AccessPlugin()]), team="acme", audience="4714c1358e65fe4b408ad6d432a5f878f081…"
    )

``AccessMiddleware(Litestar(…), …)`` protects as well; with ``protect`` the application remains a ``Litestar``, as its
command line and its test client want it. The door does not belong into Litestar's own ``middleware=``: that runs when a
route has been chosen, so unknown paths would answer everybody, and each route would have a door of its own, which sees
the path as Litestar rewrote it. Nor around an application that Litestar mounts: the path is rewritten there without a
trace, and the door refuses whatever comes (400). For whoever forgets the door altogether the plugin has every handler
answer 500.
"""

from typing import Any, TypeAlias
from urllib.parse import unquote

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib.door import door_of, identity_of
from cfaccess_mw.core.errors import ConfigurationError, NoToken, Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.extras import needs
from cfaccess_mw.permission import Permission
from cfaccess_mw.wire.streams import POLICY_VIOLATION

with needs("litestar"):
    from litestar import Litestar, Request, Response
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.di import NamedDependency, Provide
    from litestar.enums import ScopeType
    from litestar.handlers.base import BaseRouteHandler
    from litestar.params import SkipValidation
    from litestar.plugins import InitPlugin
    from litestar.types import ASGIApp, Guard, Message, Receive, Scope, Send

CurrentIdentity: TypeAlias = NamedDependency[SkipValidation[Identity]]
"""Of a parameter named ``identity``: who is asking; the request is refused where nobody is known to be."""

OptionalIdentity: TypeAlias = NamedDependency[SkipValidation[Identity | None]]
"""Of a parameter named ``optional_identity``: who is asking, or None."""

_REFUSAL_KEY = "cfaccess.refusal"


class AccessPlugin(InitPlugin):
    """Teaches a Litestar application what a refusal is, and provides ``identity`` and ``optional_identity``.

    A :class:`~cfaccess_mw.Refused` that is raised in a handler, a guard or a dependency becomes the door's own answer;
    on a WebSocket, for whose errors Litestar has no handlers, a close with 1008.
    """

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add what we have to what the application is made of."""
        app_config.guards.insert(0, _has_door)
        app_config.exception_handlers.setdefault(Refused, _refuse)
        app_config.dependencies.setdefault("identity", Provide(_identity, sync_to_thread=False))
        app_config.dependencies.setdefault("optional_identity", Provide(_optional_identity, sync_to_thread=False))
        app_config.after_exception.append(_remember_refusal)
        app_config.before_send.append(_close_properly)
        return app_config


def protect(app: Litestar, config: Any = None, /, **options: Any) -> Litestar:
    """Put the door before an application, in place.

    Args:
        app: The application, with an :class:`AccessPlugin` among its plugins.
        config: As for :class:`~cfaccess_mw.asgi.AccessMiddleware`.
        options: As for :class:`~cfaccess_mw.asgi.AccessMiddleware`.

    Returns:
        The same application.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """
    if not any(isinstance(plugin, AccessPlugin) for plugin in app.plugins):
        raise ConfigurationError("app: has no AccessPlugin; give it one with plugins=[AccessPlugin()]")
    door = AccessMiddleware(app.asgi_handler, config, **options)  # type: ignore[arg-type]  # their scopes are typed dicts
    app.asgi_handler = door  # type: ignore[assignment]
    # lifespan events do not come through the handler
    app.on_startup.extend((door.protection.open, door.protection.attend))
    app.on_shutdown.append(door.protection.rest)
    return app


def requires(*policies: Any, **criteria: Any) -> Guard:
    """A guard that lets only some go on: ``@get("/admin", guards=[requires(groups=["admins"])])``.

    Args:
        policies: As for :class:`~cfaccess_mw.permission.Permission`.
        criteria: As for :class:`~cfaccess_mw.permission.Permission`; none at all means anybody with a good token.

    Raises:
        ConfigurationError: A name or a value that is not understood.
    """
    permission = Permission(*policies, **criteria)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        scope: Any = connection.scope
        await permission.demand(identity_of(scope), door_of(scope).facts(scope))

    return guard


def _has_door(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    scope: Any = connection.scope
    door_of(scope)


def _identity(scope: Scope) -> Identity:
    identity = _optional_identity(scope)
    if identity is None:
        raise NoToken
    return identity


def _optional_identity(scope: Scope) -> Identity | None:
    whole: Any = scope
    return identity_of(whole)


class _Refusal(Response[None]):
    """The door's answer, which has to be awaited where Litestar's exception handlers cannot."""

    def __init__(self, error: Refused) -> None:
        super().__init__(None, status_code=error.status)
        self._error = error

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]  # all that is asked of it
        return self._answer

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        # Litestar has cut its root_path, or the path of a mount, off the path
        raw_path = scope.get("raw_path") or b""
        asked = {**scope, "path": unquote(raw_path.decode("latin-1"))} if raw_path else scope
        door = door_of(scope)
        door.tell(self._error, asked)
        response = await door.response(self._error, asked)
        headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": False})


def _refuse(_: Request[Any, Any, Any], error: Refused) -> Response[None]:
    return _Refusal(error)


async def _remember_refusal(error: Exception, scope: Any) -> None:
    if isinstance(error, Refused) and scope["type"] == ScopeType.WEBSOCKET:
        door_of(scope).tell(error, scope)
        scope["state"][_REFUSAL_KEY] = error


async def _close_properly(message: Message, scope: Scope) -> None:
    error = scope["state"].get(_REFUSAL_KEY)
    if error is not None and message["type"] == "websocket.close":
        message["code"], message["reason"] = POLICY_VIOLATION, error.title
