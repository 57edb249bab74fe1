"""What does the edge itself answer below ``/cdn-cgi/``? Certs, login and what follows from it, and the app launcher.

At Cloudflare the launcher is the root of the team's domain. So it is here where the team was given a host of its own;
the root of any other host is an application's, and so the launcher is at a path, too, that no application can have.
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from cfaccess_mw.emulator import cookie, pages
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.launcher import launcher
from cfaccess_mw.emulator.login import Login
from cfaccess_mw.emulator.team import Team

_NO_STORE = {"Cache-Control": "no-store"}


class AccessPages:
    """The team's own pages.

    Args:
        team: Whose.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._login = Login(team)

    def routes(self) -> list[Route]:
        """The routes below ``/cdn-cgi/access``, and the root of the team's own host; anything else there is a 404."""
        return [
            Route("/", self.launcher),
            Route("/cdn-cgi/access/certs", self.certs),
            Route("/cdn-cgi/access/login/{host}", self._login.answer, methods=["GET", "POST"]),
            Route("/cdn-cgi/access/authorized", self.authorized),
            Route(pages.LOGOUT_PATH, self.logout),
            Route(pages.LAUNCHER_PATH, self.launcher),
            Route("/cdn-cgi/access/get-identity", self.get_identity),
            Route(pages.STYLE_PATH, self.style),
        ]

    async def certs(self, request: Request) -> Response:
        """The keys (Cloudflare: "Validate JWTs")."""
        return JSONResponse(self._team.issuer.certs())

    async def style(self, request: Request) -> Response:
        """The style sheet of these pages."""
        return pages.style()

    async def authorized(self, request: Request) -> Response:
        """On the application's host: set its cookie, and go where the browser was going."""
        host, _ = requested_host(request.scope["headers"])
        grant = self._team.sessions.take(request.query_params.get("grant", ""), host=host, now=self._team.clock())
        if grant is None:
            text = "This sign-in is used up or too old. Open the application once more."
            return pages.refusal(HTTPStatus.BAD_REQUEST, text, title="Sign in again")
        response = RedirectResponse(grant.redirect_url, 302, headers=_NO_STORE)
        for value in self._team.cookies(grant):
            response.headers.append("set-cookie", value)
        return response

    async def logout(self, request: Request) -> Response:
        """End the user's sessions for all applications, and take the cookies of this host away.

        It is a link, as at Cloudflare. Another site's picture of it ends nothing while the cookie is ``SameSite=Lax``.
        """
        if "prefetch" in request.headers.get("sec-purpose", ""):
            return pages.refusal(HTTPStatus.FORBIDDEN, "Nobody has followed this link yet.")
        self._team.sign_out(cookie.tokens(request.scope["headers"]))
        host, port = requested_host(request.scope["headers"])
        response = launcher(
            self._team,
            host=host,
            port=port,
            title="Signed out",
            text="Your session has ended for every application. Open one to sign in again:",
        )
        for path in dict.fromkeys(["/", *(application.cookie_path for application in self._team.applications.all)]):
            response.headers.append("set-cookie", cookie.cleared(path=path))
        return response

    async def launcher(self, request: Request) -> Response:
        """Every application, and who is signed in."""
        host, port = requested_host(request.scope["headers"])
        return launcher(self._team, host=host, port=port, title="Applications", signed_in_as=self._visitor(request))

    async def get_identity(self, request: Request) -> Response:
        """Who the cookie's token is about."""
        for token in cookie.tokens(request.scope["headers"]):
            claims = self._team.application_claims(token)
            if claims is not None and (profile := self._team.profile(claims, ip=_client_ip(request))) is not None:
                return JSONResponse(profile, headers=_NO_STORE)
        return JSONResponse({"err": "no app token set"}, 400, headers=_NO_STORE)

    def _visitor(self, request: Request) -> str:
        """Who is signed in on this host, or an empty text."""
        for token in cookie.tokens(request.scope["headers"]):
            claims = self._team.application_claims(token) or self._team.organisation_claims(token) or {}
            if name := claims.get("email") or claims.get("common_name"):
                return str(name)
        return ""


def _client_ip(request: Request) -> str:
    return request.client.host if request.client else "127.0.0.1"
