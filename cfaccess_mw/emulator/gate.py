"""Who is let through to the application, and what is everybody else told?"""

from urllib.parse import quote, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.forwarding import Headers, new_ray, to_application
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.http_relay import HttpRelay, target
from cfaccess_mw.emulator.team import Team, Visitor
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.websocket_relay import WebSocketRelay


class Gate:
    """Everything that is not below ``/cdn-cgi/``: let through with an assertion, or sent to the login page.

    Args:
        team: Whom it recognises, and where.
        http: Passes requests on.
        websocket: Passes WebSockets on.
        upstream: Where applications listen that do not name a place of their own.
        country: The ``CF-IPCountry`` of every request; a laptop has none to speak of.
    """

    def __init__(
        self, team: Team, http: HttpRelay, websocket: WebSocketRelay, *, upstream: Upstream, country: str
    ) -> None:
        self._team = team
        self._http = http
        self._websocket = websocket
        self._upstream = upstream
        self._country = country

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = scope["headers"]
        host, port = requested_host(headers)
        place = self._team.applications.find(host, scope["path"])
        upstream = (place and place.application.upstream) or self._upstream
        if place is None or place.public:
            await self._pass(upstream, scope, receive, send, None, [])
            return
        application = place.application
        visitor = self._team.recognise(headers, application)
        if visitor is not None:
            # a classic service token gets a cookie with its first answer, and may come with that alone from then on
            cookies = [cookie.issued(visitor.token, path=application.cookie_path)] if visitor.new_token else []
            await self._pass(
                upstream, scope, receive, send, visitor, [(b"set-cookie", value.encode()) for value in cookies]
            )
        elif _is_preflight(scope) and application.preflight_bypass:
            await self._pass(upstream, scope, receive, send, None, [])
        else:
            await _answer(self._refusal(scope, application, host, port), scope, receive, send)

    async def _pass(
        self, upstream: Upstream, scope: Scope, receive: Receive, send: Send, visitor: Visitor | None, extra: Headers
    ) -> None:
        ray = new_ray()
        headers = to_application(
            scope["headers"],
            token=visitor.token if visitor else None,
            email=visitor.email if visitor else None,
            ip=scope["client"][0],
            country=self._country,
            ray=ray,
        )
        extra = [*extra, (b"cf-ray", ray)]
        if scope["type"] == "websocket":
            await self._websocket(
                upstream, WebSocket(scope, receive, send), "".join(requested_host(headers)), headers, extra
            )
        else:
            await self._http(upstream, scope, receive, send, headers, extra)

    def _refusal(self, scope: Scope, application: Application, host: str, port: str) -> Response:
        """What somebody unknown is told: to sign in, or where a redirect would help nobody, no."""
        headers = {
            "Cache-Control": "no-store",
            "CF-Access-Domain": host,
            "CF-Access-Aud": application.audience,
            "WWW-Authenticate": "Cloudflare-Access resource_metadata="
            f'"https://{host}/.well-known/cloudflare-access-protected-resource{quote(scope["path"])}"',
        }
        given = dict(scope["headers"])
        if given.get(b"cf-access-metadata-request") == b"true":
            # cloudflared asks so; anybody may, and gets a token with the right audience that must open nothing
            headers["Cf-Access-Metadata"] = self._team.issuer.metadata(
                host, audience=application.audience, issued_at=self._team.clock()
            )
        if _is_preflight(scope):
            return PlainTextResponse("A preflight carries no cookie.\n", 403, headers=headers)
        if given.get(b"x-requested-with", b"").lower() == b"xmlhttprequest":
            return PlainTextResponse("Sign in first.\n", 401, headers=headers)
        query = urlencode(
            {
                "kid": application.audience,
                "meta": self._team.issuer.login_meta(audience=application.audience, issued_at=self._team.clock()),
                "redirect_url": target(scope).decode("ascii"),
            }
        )
        return RedirectResponse(f"http://{host}{port}/cdn-cgi/access/login/{host}?{query}", 302, headers=headers)


def _is_preflight(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return scope.get("method") == "OPTIONS" and {b"origin", b"access-control-request-method"} <= names


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
