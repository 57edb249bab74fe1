"""How does a Starlette application find who is asking, and refuse as the door does?

Behind the door nothing more is needed: ``request.user`` is the :class:`~cfaccess_mw.Identity`, ``request.auth`` has the
scopes ``authenticated`` and ``user`` or ``service``, and ``@requires`` asks for them. This module adds

- :func:`install`, so that a refusal that a handler raises (``await permission.demand(…)``, ``await
  identity.profile()``) looks like one of the door's;
- :class:`AccessBackend`, for applications that are built on Starlette's ``AuthenticationMiddleware``.
"""

from typing import Any, cast

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketState

from cfaccess_mw.asgi import Door
from cfaccess_mw.contrib.door import door_of, identity_of
from cfaccess_mw.core.decide import Pass, Refusal
from cfaccess_mw.core.errors import ConfigurationError, Refused
from cfaccess_mw.core.shape import shape
from cfaccess_mw.wire import response as wire
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.streams import POLICY_VIOLATION

_DENIAL = "websocket.http.response"


def install(app: Starlette) -> None:
    """Answer what is raised as :class:`~cfaccess_mw.Refused` as the door answers it.

    An application that is mounted in another one handles its own exceptions: install it there too.

    Args:
        app: A Starlette application, or one of a framework that is built on it.
    """
    app.add_exception_handler(Refused, answer_refusal)


async def answer_refusal(connection: HTTPConnection, error: Exception) -> Any:
    """Answer a refusal; for ``Starlette(exception_handlers={Refused: answer_refusal})``.

    Args:
        connection: The request, or the WebSocket: before it was accepted it gets the same answer where the server can
            send one, and is closed for a violated policy otherwise.
        error: The refusal.

    Returns:
        The response to a request; nothing for a WebSocket, which has its answer then.
    """
    if not isinstance(error, Refused):
        raise error
    return await answer(connection, error, await response_to(error, connection.scope))


async def response_to(error: Refused, scope: Scope) -> Response:
    """The door's answer to a refusal of a handler's, which its listeners are told.

    Args:
        error: Why.
        scope: The request's.

    Raises:
        ConfigurationError: No door stands before the application.
    """
    door = door_of(scope)
    door.tell(error, scope)
    return _as_starlette(await door.response(error, scope))


async def answer(connection: HTTPConnection, error: Refused, response: Response) -> Any:
    """Refuse a request with a response, or a WebSocket, accepted or not, in the way that is left.

    Args:
        connection: Which.
        error: Why.
        response: The answer.

    Returns:
        As :func:`answer_refusal`.
    """
    if not isinstance(connection, WebSocket):
        return response
    if WebSocketState.DISCONNECTED in (connection.client_state, connection.application_state):
        return None  # nobody is there any more
    if connection.application_state is WebSocketState.CONNECTING and takes_response(connection.scope):
        await connection.send_denial_response(response)
    else:
        await connection.close(POLICY_VIOLATION, error.title)
    return None


def takes_response(scope: Scope) -> bool:
    """Whether the server can answer this request with a response: not each can so refuse a WebSocket."""
    return scope["type"] == "http" or _DENIAL in (scope.get("extensions") or ())


class AccessDenied(AuthenticationError):
    """What ``AuthenticationMiddleware`` is told of a request that is refused.

    Attributes:
        error: Why.
        response: The door's answer.
    """

    def __init__(self, error: Refused, response: Response) -> None:
        super().__init__(error.code)
        self.error = error
        self.response = response


class AccessBackend(AuthenticationBackend):
    """Tells Starlette's ``AuthenticationMiddleware`` who is asking.

    Behind the door it says who came through, and is a place to make an application's own user of that::

        class Users(AccessBackend):
            async def authenticate(self, conn):
                found = await super().authenticate(conn)
                return found and (found[0], await Account.by_subject(found[1].identity))

    With a door of its own it decides over the requests itself, for applications that cannot be wrapped::

        backend = AccessBackend(Door(team="acme", audience="…"))
        Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)

    Then it is up to the middleware how a WebSocket is refused: Starlette's closes it before it is accepted.

    Args:
        door: What decides; without one, ``AccessMiddleware`` has to stand before the application.

    Raises:
        ConfigurationError: The door is none.
    """

    def __init__(self, door: Door | None = None) -> None:
        given: object = door
        if given is not None and not isinstance(given, Door):
            raise ConfigurationError(f"door: is {shape(given)}; give Door(team=…, audience=…) of cfaccess_mw.asgi")
        self._door = door

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Say who is asking, or None for nobody, on paths that let everybody in.

        Args:
            conn: The request or the WebSocket.

        Raises:
            AccessDenied: The door of its own refuses the request.
            ConfigurationError: There is neither a door of its own nor one before the application.
        """
        if self._door is not None:
            await self._pass(self._door, conn.scope)
        identity = identity_of(conn.scope)
        if identity is None:
            return None
        # an identity has what Starlette asks of a user, without being of its class
        return AuthCredentials(["authenticated", identity.kind]), cast("BaseUser", identity)

    @staticmethod
    def on_error(conn: HTTPConnection, error: Exception) -> Response:
        """Answer as the door does; for ``AuthenticationMiddleware(…, on_error=…)``.

        Args:
            conn: The request.
            error: Why; another backend's gets Starlette's own answer.
        """
        if isinstance(error, AccessDenied):
            return error.response
        return AuthenticationMiddleware.default_on_error(conn, error)

    @staticmethod
    async def _pass(door: Door, scope: Scope) -> None:
        decision = await door.decide(scope)
        current.set(decision.identity if isinstance(decision, Pass) else None)  # whoever this task was before
        if isinstance(decision, Refusal):
            raise AccessDenied(decision.error, _as_starlette(await door.response(decision.error, scope)))
        # The middleware hands on the scope that it was given, so that the application sees what is changed here.
        scope.update(door.clean(scope, decision))


def _as_starlette(given: wire.Response) -> Response:
    response = Response(given.body, given.status)
    response.raw_headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in given.headers]
    return response
