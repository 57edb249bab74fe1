"""Which door did an ASGI request come through, and who came?

None is a mistake of the operator's, and never a pass: what is asked here decides who may do what.
"""

from typing import Any, cast

from starlette.types import Scope

from cfaccess_mw.asgi import DOOR_KEY, IDENTITY_KEY, Door
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.identity import Identity


def door_of(scope: Scope) -> Door:
    """The door that a request came through.

    Args:
        scope: The request's.

    Raises:
        ConfigurationError: There is none before the application.
    """
    door: Any = scope.get(DOOR_KEY)
    if not isinstance(door, Door):
        raise ConfigurationError(
            "app: no door stands before it, so nobody knows who is asking; wrap the whole application,"
            " app = AccessMiddleware(app, team=…, audience=…), or app.add_middleware(AccessMiddleware, …) after every"
            " other middleware; it is in cfaccess_mw.asgi"
        )
    return door


def identity_of(scope: Scope) -> Identity | None:
    """Who came through the door; None for nobody, on paths that let everybody in.

    Args:
        scope: The request's.

    Raises:
        ConfigurationError: No door stands before the application.
    """
    door_of(scope)
    return cast("Identity | None", scope.get(IDENTITY_KEY))
