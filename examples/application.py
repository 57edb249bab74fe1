"""A small application behind Cloudflare Access; what it is told of the team, it takes from the environment.

With the emulator in front of it, in two terminals::

    cfaccess emulate --config emulator.toml
    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=... CFACCESS_TEAM_URL=http://127.0.0.1:8001 uvicorn application:app --port 8000

or both together with ``docker compose up`` (compose.yaml). In production only the variables are others.
"""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware


async def health(request: Request) -> PlainTextResponse:
    """For whoever watches over it; nobody is asked who they are."""
    return PlainTextResponse("ok\n")


async def hello(request: Request) -> PlainTextResponse:
    """Who is asking was verified before this runs."""
    return PlainTextResponse(f"Hello {request.user.display_name}, this is {request.url.path}.\n")


# The rest needs a token of the application's audience. /admin is an Access application of its own, with its own.
app = AccessMiddleware(
    Starlette(routes=[Route("/healthz", health), Route("/{path:path}", hello)]),
    rules=[Rule.public("/healthz"), Rule.token("/admin/*", audience=os.environ["ADMIN_AUDIENCE"])],
)
