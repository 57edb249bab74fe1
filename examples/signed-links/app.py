"""Reports for people who are signed in, and links to single reports that can be given to anybody for an hour.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… LINK_SECRET=$(openssl rand -hex 32) uvicorn app:app

``POST /links/reports/q3.pdf`` gives whoever is signed in a link, and ``/reports/…`` is open to its holder. Cloudflare
needs to let ``/reports/*`` through: an Access application for that path with a bypass policy, and, if you like, a WAF
rule that checks the same links at the edge; ``LINKS.expression()`` is its text.
"""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.edge.signed_urls import SignedURLs
from cfaccess_mw.edge.signed_urls_asgi import SignedLinks

LINKS = SignedURLs(secrets=os.environ["LINK_SECRET"].split(","), ttl=3_600)  # "new,old" while they are rotated


async def report(request: Request) -> PlainTextResponse:
    link = request.scope["cfaccess.link"]
    reader = request.user.display_name if link is None else "the holder of a link"
    return PlainTextResponse(f"{request.path_params['name']}, for {reader}\n")


async def make_link(request: Request) -> JSONResponse:
    return JSONResponse({"link": LINKS.sign(f"/reports/{request.path_params['name']}")})


site = Starlette(
    routes=[
        Route("/reports/{name}", report),
        Route("/links/reports/{name:str}", make_link, methods=["POST"]),
    ]
)

# Public to the door, and then for holders of a link and people who are signed in.
app = AccessMiddleware(
    SignedLinks(site, LINKS, paths="/reports/*", or_identity=True), rules=[Rule.public("/reports/*")]
)
