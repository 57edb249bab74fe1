"""How does a FastAPI application ask who is there, and say in OpenAPI that it does?

::

    from cfaccess_mw.asgi import AccessMiddleware
    from cfaccess_mw.contrib import fastapi as access

    app = FastAPI()
    app.add_middleware(AccessMiddleware, team="acme", audience="…")
    access.install(app)

    @app.get("/")
    def home(identity: access.CurrentIdentity) -> str:
        return f"Hello {identity.display_name}"

    @app.get("/admin", dependencies=[access.require(groups=["admins"])])
    async def admin() -> str: ...

The door verifies; the dependencies only ask who came through it, and fail where there is none. In tests that go around
it, ``app.dependency_overrides[access.asking]`` says who is asking, and everything else still decides.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from cfaccess_mw.asgi import DOOR_KEY
from cfaccess_mw.contrib import starlette
from cfaccess_mw.contrib.door import door_of, identity_of
from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.policy import Policy
from cfaccess_mw.extras import needs
from cfaccess_mw.permission import NOT_GIVEN, Permission
from cfaccess_mw.wire.streams import POLICY_VIOLATION

with needs("fastapi"):
    from fastapi import Depends, FastAPI, HTTPException, Security, WebSocketException
    from fastapi.openapi.models import APIKey, APIKeyIn
    from fastapi.security.base import SecurityBase

_CONTENT = frozenset({"content-type", "content-length"})


def install(app: FastAPI) -> None:
    """Answer refusals as the door answers them, those of the dependencies too.

    Without it the dependencies' refusals have the same status and headers, and FastAPI's own body (``{"detail": …}``),
    as an application that is mounted in another one gives them unless it is installed there too.

    Args:
        app: The application.
    """
    starlette.install(app)
    app.add_exception_handler(AccessRefused, _answer)


class AccessRefused(HTTPException):
    """A refusal, as FastAPI's exception handlers understand it.

    Attributes:
        error: Why.
        response: The door's answer.
    """

    def __init__(self, error: Refused, response: Response) -> None:
        headers = {name: value for name, value in response.headers.items() if name not in _CONTENT}
        super().__init__(response.status_code, error.detail, headers)
        self.error = error
        self.response = response


async def asking(connection: HTTPConnection) -> Identity | None:
    """Who came through the door; None for nobody. Override this one in tests.

    Raises:
        ConfigurationError: No door stands before the application.
    """
    return identity_of(connection.scope)


OptionalIdentity = Annotated[Identity | None, Depends(asking)]
"""Who is asking, or None on paths that let everybody in."""


class AccessScheme(SecurityBase):
    """Somebody has to be asking; in OpenAPI, a security scheme.

    An API key in a header is what OpenAPI has for an assertion that comes with every request.
    """

    def __init__(self) -> None:
        self.model = APIKey.model_validate(
            {
                "in": APIKeyIn.header,
                "name": "Cf-Access-Jwt-Assertion",
                "description": "Set by Cloudflare Access on each request that it lets through.",
            }
        )
        self.scheme_name = "CloudflareAccess"

    async def __call__(self, connection: HTTPConnection, identity: OptionalIdentity) -> Identity:
        """Who is asking; 401 for nobody."""
        return await _demanded(_ANYBODY, connection.scope, identity)


_ANYBODY = Permission()

signed_in = AccessScheme()

CurrentIdentity = Annotated[Identity, Security(signed_in)]
"""Who is asking; 401 for nobody."""


class Permitted:
    """A dependency: who is asking, where a permission lets them.

    Args:
        permission: It.
    """

    def __init__(self, permission: Permission) -> None:
        self._permission = permission

    async def __call__(self, connection: HTTPConnection, identity: CurrentIdentity) -> Identity:
        """Who is asking; 401 for nobody, 403 for somebody else, 503 where that cannot be known at the moment."""
        return await _demanded(self._permission, connection.scope, identity)


def require(
    *policies: Policy | Mapping[str, Any], service: bool | str | Iterable[str] | None = NOT_GIVEN, **criteria: Any
) -> Any:
    """Require something of who is asking, beyond what the door's rules require of the path.

    For ``dependencies=[require(…)]`` of an application, a router or a route, and as a parameter's annotation or
    default::

        Admin = Annotated[Identity, require(groups=["admins"])]

    What is no route of that application has no dependencies either: ``/docs``, ``/openapi.json``, static files and
    whatever else is mounted. For those, write a rule.

    Args:
        policies: As for :class:`~cfaccess_mw.permission.Permission`, like the others.
        service: As there.
        criteria: As there.

    Raises:
        ConfigurationError: At start: a name or a value that is not understood.
    """
    return Security(Permitted(Permission(*policies, service=service, **criteria)))


CurrentUser = Annotated[Identity, require(everyone=True)]
"""The user who is asking; 401 for nobody, 403 for a service."""

CurrentService = Annotated[Identity, require(service=True)]
"""The service that is asking; 401 for nobody, 403 for a user."""


async def _demanded(permission: Permission, scope: Scope, identity: Identity | None) -> Identity:
    has_door = DOOR_KEY in scope  # or a test has said who is asking
    facts = door_of(scope).facts(scope) if has_door and permission.reads_request else NO_FACTS
    try:
        return await permission.demand(identity, facts)
    except Refused as refused:
        error = refused
    if not starlette.takes_response(scope):
        raise WebSocketException(POLICY_VIOLATION, error.title)
    if not has_door:
        raise AccessRefused(error, JSONResponse({"detail": error.detail}, error.status))
    raise AccessRefused(error, await starlette.response_to(error, scope))


async def _answer(connection: HTTPConnection, refused: Exception) -> Any:
    if not isinstance(refused, AccessRefused):
        raise refused
    return await starlette.answer(connection, refused.error, refused.response)
