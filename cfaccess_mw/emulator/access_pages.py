"""What does the edge itself answer below ``/cdn-cgi/``? Certs, login, logout, ``authorized`` and ``get-identity``."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator import cookie, pages
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.certs_switch import CertsSwitch
from cfaccess_mw.emulator.destinations import is_local_path
from cfaccess_mw.emulator.extra import emulator_extra
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.profile import service_profile, user_profile
from cfaccess_mw.emulator.team import Team
from cfaccess_mw.emulator.users import User

with emulator_extra():
    import python_multipart as _  # noqa: F401  Starlette reads forms with it, and would say so only at the first login

_NO_STORE = {"Cache-Control": "no-store"}


class AccessPages:
    """The team's own pages.

    Args:
        team: Whose.
        certs: Whether the certs are to be had.
    """

    def __init__(self, team: Team, certs: CertsSwitch) -> None:
        self._team = team
        self._certs = certs

    def routes(self) -> list[Route]:
        """The routes below ``/cdn-cgi/access``; whatever else is asked there is answered 404."""
        return [
            Route("/cdn-cgi/access/certs", self.certs),
            Route("/cdn-cgi/access/login/{host}", self.login, methods=["GET", "POST"]),
            Route("/cdn-cgi/access/authorized", self.authorized),
            Route("/cdn-cgi/access/logout", self.logout),
            Route("/cdn-cgi/access/get-identity", self.get_identity),
            Route("/cdn-cgi/access/style.css", self.style),
        ]

    async def certs(self, request: Request) -> Response:
        """The keys (Cloudflare: "Validate JWTs")."""
        return self._certs.fault() or JSONResponse(self._team.issuer.certs())

    async def style(self, request: Request) -> Response:
        """The style sheet of these pages."""
        return pages.style()

    async def login(self, request: Request) -> Response:
        """Pick who to be, then go back to where the application is."""
        host, redirect_url = request.path_params["host"].lower(), request.query_params.get("redirect_url", "/")
        if not is_local_path(redirect_url):
            return pages.refusal(HTTPStatus.BAD_REQUEST, "The redirect_url must be a path on the application's host.")
        application = self._application(host, redirect_url, request.query_params.get("kid"))
        if application is None:
            return pages.refusal(HTTPStatus.NOT_FOUND, "There is no such application at this host.")
        own_host, port = requested_host(request.scope["headers"])
        show = _LoginPage(self._team, application, host, back=f"http://{host}{port}")
        if request.method != "POST":
            return show()
        if request.headers.get("origin", f"http://{own_host}{port}") != f"http://{own_host}{port}":
            return pages.refusal(HTTPStatus.FORBIDDEN, "This form was sent from another site.")
        form = await request.form(max_files=0, max_fields=8)
        picked, other = str(form.get("email", "")), str(form.get("other", "")).strip()
        user = self._user(other or picked)
        if user is None:
            return show(error="Choose somebody, or give an e-mail address such as alice@example.com.", other=other)
        token = self._team.sign_in(user, application, ip=_client_ip(request))
        grant = self._team.sessions.grant(
            token=token,
            host=host,
            cookie_path=application.cookie_path,
            redirect_url=redirect_url,
            now=self._team.clock(),
        )
        return RedirectResponse(
            f"http://{host}{port}/cdn-cgi/access/authorized?{urlencode({'grant': grant})}", 303, headers=_NO_STORE
        )

    async def authorized(self, request: Request) -> Response:
        """On the application's host: set its cookie, and go where the browser was going."""
        host, _ = requested_host(request.scope["headers"])
        grant = self._team.sessions.take(request.query_params.get("grant", ""), host=host, now=self._team.clock())
        if grant is None:
            return pages.refusal(HTTPStatus.BAD_REQUEST, "This sign-in is used up or too old. Sign in again.")
        response = RedirectResponse(grant.redirect_url, 302, headers=_NO_STORE)
        response.headers.append("set-cookie", cookie.issued(grant.token, path=grant.cookie_path))
        return response

    async def logout(self, request: Request) -> Response:
        """End the user's sessions for all applications, and take the cookies of this host away."""
        self._team.sign_out(cookie.tokens(request.scope["headers"]))
        response = pages.message(
            "Signed out", "Your session has ended for every application.", link=("/", "Sign in again")
        )
        for path in dict.fromkeys(["/", *(application.cookie_path for application in self._team.applications.all)]):
            response.headers.append("set-cookie", cookie.cleared(path=path))
        return response

    async def get_identity(self, request: Request) -> Response:
        """Who the cookie's token is about."""
        for token in cookie.tokens(request.scope["headers"]):
            claims = self._team.application_claims(token)
            if claims is not None and (profile := self._profile(claims, ip=_client_ip(request))) is not None:
                return JSONResponse(profile, headers=_NO_STORE)
        return JSONResponse({"err": "no app token set"}, 400, headers=_NO_STORE)

    def _profile(self, claims: dict[str, Any], *, ip: str) -> dict[str, Any] | None:
        account_id = self._team.issuer.account_id
        if "common_name" in claims:
            return service_profile(claims, account_id=account_id, ip=ip)
        if "email" not in claims:
            return None
        session = self._team.sessions.find(claims.get("identity_nonce", ""))
        user = self._team.user_of(claims)
        return user_profile(user, claims, account_id=account_id, ip=session.ip if session else ip)

    def _application(self, host: str, redirect_url: str, audience: str | None) -> Application | None:
        applications = self._team.applications
        if not applications.serve(host):
            return None
        place = applications.find(host, redirect_url.partition("?")[0])
        if audience is None:
            return place.application if place else None
        named = applications.by_audience(audience)
        return named if named and named.host in {None, host} else None

    def _user(self, email: str) -> User | None:
        known = next((user for user in self._team.users if user.email.casefold() == email.casefold()), None)
        try:
            return known or User(email=email)
        except ConfigurationError:
            return None


class _LoginPage:
    """The login page of one application, once or again with a complaint."""

    def __init__(self, team: Team, application: Application, host: str, *, back: str) -> None:
        self._values = {"team": team.issuer.team, "application": application, "host": host, "users": team.users}
        self._chosen = team.users[0].email if team.users else ""
        # the form is answered with a redirect to the application's host, which may have another name than this one
        self._form_action = f"'self' {back}"

    def __call__(self, *, error: str = "", other: str = "") -> Response:
        return pages.page(
            "login.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
            form_action=self._form_action,
            error=error,
            other=other,
            chosen="" if error else self._chosen,
            **self._values,
        )


def _client_ip(request: Request) -> str:
    return request.client.host if request.client else "127.0.0.1"
