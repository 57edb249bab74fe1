"""FastAPI behind the door, added as its own middleware, with an application mounted within."""

from typing import Any

from starlette.routing import Route

from cfaccess_mw.asgi import AccessMiddleware
from tests.conformance.applications.fastapi import application
from tests.servers.apps.behind import VARIANTS
from tests.servers.apps.starlette_app import release, stream


def make(variant: str) -> Any:
    """The application."""
    app = application()
    app.router.routes[:0] = [Route("/stream", stream), Route("/static/release", release)]
    options = VARIANTS[variant]
    if options is not None:
        app.add_middleware(AccessMiddleware, **options)
    return app
