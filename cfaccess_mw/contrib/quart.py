"""How does a Quart application know who is asking?

::

    app = Quart(__name__)
    access = QuartAccess(app, team="acme", audience="4714c1358e65fe4b408ad6d432a5f878f081…")


    @app.get("/")
    async def home() -> str:
        return f"Hello {current_identity.email}"


    @app.get("/admin")
    @access.require(groups=["admins"])
    async def admin() -> str:
        return f"{current_identity.email} may do this"

Everything is protected, as ``rules`` say; what a view requires comes on top of that. Whatever wraps ``app.asgi_app``
afterwards stands before the door.
"""

from collections.abc import Callable
from functools import partial, wraps
from types import MethodType
from typing import Any, TypeVar, cast

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib.door import door_of, identity_of
from cfaccess_mw.core.errors import ConfigurationError, Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.extras import needs
from cfaccess_mw.permission import Permission
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.streams import POLICY_VIOLATION

with needs("quart"):
    from quart import Quart, Response, current_app, has_websocket_context, request, websocket
    from werkzeug.local import LocalProxy

View = TypeVar("View", bound=Callable[..., Any])

current_identity: Identity = cast("Any", LocalProxy(current.get))
"""Who is asking, in the manner of ``request`` and ``g``; false where nobody is known to be."""

_EXTENSION = "cfaccess"
_REQUIRED = "_cfaccess_required"
_DEEPEST = 64  # decorators of one view; some objects have any attribute that they are asked for
_ACCEPTED = "cfaccess.accepted"
_DENIAL = "websocket.http.response"


class QuartAccess:
    """Protects Quart applications.

    Args:
        app: The application; without one, call :meth:`init_app` later.
        config: As for :class:`~cfaccess_mw.asgi.AccessMiddleware`.
        options: As for :class:`~cfaccess_mw.asgi.AccessMiddleware`. Where there are none, ``app.config["CFACCESS"]`` is
            asked, a mapping of the same names, and then the environment.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, app: Quart | None = None, config: Any = None, /, **options: Any) -> None:
        self._config = config
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Quart) -> None:
        """Put the door before an application, and teach it what a refusal is.

        Args:
            app: The application.

        Raises:
            ConfigurationError: As above; or the application has a door already.
        """
        if _EXTENSION in app.extensions:
            raise ConfigurationError("app: has a QuartAccess already; keep one of them")
        config = self._config
        if config is None and not self._options:
            config = app.config.get("CFACCESS")
        inner: Any = app.asgi_app
        door = AccessMiddleware(_noting_acceptance(inner), config, **self._options)
        app.asgi_app = door  # type: ignore[method-assign,assignment]  # as Quart documents it
        app.extensions[_EXTENSION] = door
        if Refused not in app.error_handler_spec[None][None]:
            app.register_error_handler(Refused, _refuse)
        app.before_request(_demand_required)
        app.before_websocket(_demand_required)

    def require(self, *policies: Any, **criteria: Any) -> Callable[[View], View]:
        """A decorator of views that only some may use, HTTP and WebSocket, above or below ``@app.route``.

        Args:
            policies: As for :class:`~cfaccess_mw.permission.Permission`.
            criteria: As for :class:`~cfaccess_mw.permission.Permission`; none at all means anybody with a good token.

        Raises:
            ConfigurationError: A name or a value that is not understood.
        """
        permission = Permission(*policies, **criteria)

        def decorate(view: View) -> View:
            @wraps(view)
            async def permitted(*args: Any, **kwargs: Any) -> Any:
                await _demand(permission)
                return await current_app.ensure_async(view)(*args, **kwargs)

            vars(permitted).pop(_REQUIRED, None)  # wraps has copied what is required of the view itself
            _mark(view, permission)
            return cast("View", permitted)

        return decorate


def _mark(view: Any, permission: Permission) -> None:
    """Write down what is required, with the view and all that it wraps: one of them may have been routed before."""
    for _ in range(_DEEPEST):
        target = view.__func__ if isinstance(view, MethodType) else view
        if hasattr(target, "__dict__") and not isinstance(target, type):
            setattr(target, _REQUIRED, (*vars(target).get(_REQUIRED, ()), permission))
        view = view.func if isinstance(view, partial) else getattr(view, "__wrapped__", None)
        if view is None:
            return


async def _demand_required() -> None:
    asked = websocket if has_websocket_context() else request
    view = current_app.view_functions.get(asked.endpoint or "")
    for permission in getattr(view, _REQUIRED, ()):
        await _demand(permission)


async def _demand(permission: Permission) -> None:
    scope: Any = (websocket if has_websocket_context() else request).scope
    await permission.demand(identity_of(scope), door_of(scope).facts(scope))


async def _refuse(error: Refused) -> Response:
    in_websocket = has_websocket_context()
    scope: Any = (websocket if in_websocket else request).scope
    if in_websocket and (_ACCEPTED in scope or _DENIAL not in (scope.get("extensions") or ())):
        await websocket.close(POLICY_VIOLATION, error.title)
    door = door_of(scope)
    door.tell(error, scope)
    response = await door.response(error, scope)
    return Response(response.body, response.status, dict(response.headers))


def _noting_acceptance(app: Any) -> Any:
    """An application in whose scopes of WebSockets it is written whether they were accepted: Quart tells nobody."""

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "websocket.accept":
                scope[_ACCEPTED] = True
            await send(message)

        await app(scope, receive, sending if scope["type"] == "websocket" else send)

    return noting
