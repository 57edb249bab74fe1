"""The edge as an ASGI application: the team's pages below ``/cdn-cgi/``, and a gate in front of everything else."""

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from cfaccess_mw.emulator.access_pages import AccessPages
from cfaccess_mw.emulator.control import Control
from cfaccess_mw.emulator.faulty import FaultyPages
from cfaccess_mw.emulator.gate import Gate
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.http_relay import HttpRelay
from cfaccess_mw.emulator.organisation import OrganisationPages
from cfaccess_mw.emulator.refusals import not_admitted
from cfaccess_mw.emulator.team import NotAdmitted, Team
from cfaccess_mw.emulator.upstream import Conversations, Upstream
from cfaccess_mw.emulator.websocket_relay import WebSocketRelay

_OWN = "/cdn-cgi/"  # Cloudflare answers all of it and never asks the application


class Edge:
    """Cloudflare's edge in front of one application server.

    Dispatches by hand and not by a router: a path that a router cannot match, say with a line break in it, must still
    arrive at the application as it was sent.

    Args:
        team: The keys, the applications and the people.
        upstream: Where applications listen that do not name a place of their own.
    """

    def __init__(self, team: Team, upstream: Upstream) -> None:
        self._team = team
        self._conversations = Conversations()
        relays = HttpRelay(self._conversations), WebSocketRelay(self._conversations)
        self._gate = Gate(team, *relays, upstream=upstream)
        self._routes = Starlette(
            routes=[*AccessPages(team).routes(), *Control(team).routes()],
            exception_handlers={NotAdmitted: not_admitted},
        )
        self._routes.router.redirect_slashes = False
        self._pages = FaultyPages(
            OrganisationPages(self._routes, team), team.faults, self._conversations, clock=team.clock
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._routes(scope, receive, send)
        elif (objection := self._objection(scope)) is not None:
            response = PlainTextResponse(f"{objection[1]}\n", objection[0])
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(response)
            else:
                await response(scope, receive, send)
        else:
            await (self._pages if self._is_own(scope) else self._gate)(scope, receive, send)

    def hang_up(self) -> None:
        """End every conversation with the application that is under way; called in the event loop's thread."""
        self._conversations.hang_up()

    def _is_own(self, scope: Scope) -> bool:
        """Whether no application is asked: below a path of the edge's, and everywhere on the team's own host."""
        return scope["path"].startswith(_OWN) or requested_host(scope["headers"])[0] == self._team.host

    def _objection(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        host, _ = requested_host(scope["headers"])
        if not self._team.applications.serve(host) and host != self._team.host:
            # a name of a stranger's that was made to point here would otherwise read everything (DNS rebinding)
            return HTTPStatus.MISDIRECTED_REQUEST, "No application has this host: name it with Application(host=...)."
        if not scope["raw_path"].startswith(b"/"):
            return HTTPStatus.BAD_REQUEST, "The request target must be a path."
        if scope["type"] == "websocket" and self._is_own(scope):
            return HTTPStatus.NOT_FOUND, "There is no WebSocket here."
        return None
