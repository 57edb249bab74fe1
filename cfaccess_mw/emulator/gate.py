"""What becomes of a request that is not below ``/cdn-cgi/``? It goes on to the application, or is answered here."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.entrance import Admitted, Entrance
from cfaccess_mw.emulator.forwarding import Headers, new_ray, to_application
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.http_relay import HttpRelay
from cfaccess_mw.emulator.refusals import Refusals, is_preflight
from cfaccess_mw.emulator.team import Team
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.websocket_relay import WebSocketRelay


class Gate:
    """Everything that is not below ``/cdn-cgi/``: let through with an assertion, or refused.

    Args:
        team: Whom it recognises, and where.
        http: Passes requests on.
        websocket: Passes WebSockets on.
        upstream: Where applications listen that do not name a place of their own.
    """

    def __init__(self, team: Team, http: HttpRelay, websocket: WebSocketRelay, *, upstream: Upstream) -> None:
        self._applications = team.applications
        self._cookie = team.cookie
        self._entrance = Entrance(team)
        self._refusals = Refusals(team)
        self._http = http
        self._websocket = websocket
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = scope["headers"]
        host, port = requested_host(headers)
        ray = new_ray()
        ip = scope["client"][0]
        place = self._applications.find(host, scope["path"])
        application = place.application if place else None
        if place is None or place.public or application is None:
            await self._pass(self._entrance.open(ip), application, ray, scope, receive, send)
            return
        outcome = self._entrance.judge(headers, scope.get("method", "GET"), ip, application)
        if isinstance(outcome, Admitted):
            await self._pass(outcome, application, ray, scope, receive, send)
        elif is_preflight(scope) and application.preflight_bypass:
            await self._pass(self._entrance.open(ip), application, ray, scope, receive, send)
        else:
            refusal = self._refusals.answer(scope, application, outcome, host=host, port=port, ray=ray.decode("ascii"))
            refusal.headers["cf-ray"] = ray.decode("ascii")
            await _answer(refusal, scope, receive, send)

    async def _pass(
        self,
        admitted: Admitted,
        application: Application | None,
        ray: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        visitor = admitted.visitor
        headers = to_application(
            cookie.without_binding(scope["headers"]),
            token=visitor.token if visitor else None,
            email=visitor.email if visitor else None,
            ip=admitted.address,
            country=admitted.country,
            ray=ray,
            single_header=application.service_token_header if application else "",
        )
        extra = [(b"cf-ray", ray)]
        if visitor and visitor.new_token and application:
            # a classic service token gets a cookie with its first answer, and may come with that alone from then on
            extra.append((b"set-cookie", self._cookie(application, visitor.token).encode("latin-1")))
        upstream = (application and application.upstream) or self._upstream
        if scope["type"] == "websocket":
            await self._websocket(
                upstream, WebSocket(scope, receive, send), "".join(requested_host(headers)), headers, extra
            )
        else:
            await self._http(upstream, scope, receive, send, headers, extra)


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
