"""What do all applications under test share? The door's rules, by variant.

Whoever reaches a protected handler gets an answer that begins with ``SECRET``; all others begin with ``PUBLIC``
(``tests/conformance/applications/telling.py``).
"""

import os
from typing import Any, Final

from cfaccess_mw import Identity, current_identity
from tests.conformance.configurations import narrow, wide

MOUNT: Final = os.environ.get("SERVERS_MOUNT", "")
"""Where the server says that the application is mounted; patterns are written as the client sees the path."""

PATIENCE: Final = 10.0  # seconds until a handler that waits for another request gives up

VARIANTS: Final = {"narrow": {"rules": narrow(MOUNT)}, "wide": {"rules": wide(MOUNT)}, "naked": None}
"""The options of the door; without it, a test shows which tricks would reach a handler."""


def behind(door: Any, application: Any, variant: str) -> Any:
    """An application, behind the door or, as ``naked``, without it; the environment says which team's it is.

    Args:
        door: The door's class.
        application: The application.
        variant: One of ``VARIANTS``.
    """
    options = VARIANTS[variant]
    return application if options is None else door(application, **options)


def who() -> str:
    """Who is asking, for parts of a body."""
    identity: Identity | None = current_identity()
    return "none" if identity is None else identity.email or identity.id
