"""What happens on the login page? Somebody is picked and is in; or types an address and then a one-time PIN.

A program needs neither the second step nor a browser: it posts ``email`` (or ``other``, for an address that is not on
the list) to the address of the login page and follows the redirect.

Nobody can be signed in from another site: the form is taken from this page only, and the code that the redirect
carries to the application's host is good once, there, for a minute. A browser shows it to no other site.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator import pages
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.destinations import is_local_path
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.pins import Pin, Pins
from cfaccess_mw.emulator.team import Team
from cfaccess_mw.emulator.users import User
from cfaccess_mw.extras import needs

with needs("emulator"):
    import python_multipart as _  # noqa: F401  Starlette reads forms with it, and would say so only at the first login

_NOBODY: Final = "Choose somebody, or give an e-mail address such as alice@example.com."
_NO_ADDRESS: Final = "Give an e-mail address such as alice@example.com."
_WRONG: Final = "That is not the PIN. It has six digits, and stands above."
_TOO_OLD: Final = "That PIN is used up or too old. Ask for another."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """Where a browser is, and where it wants to go.

    Attributes:
        application: To which it signs in.
        host: Where the application is, without port.
        redirect_url: Path and query there.
        here: The origin (scheme, host and port) of the login page.
        back: The origin of the application, by way of the edge.
    """

    application: Application
    host: str
    redirect_url: str
    here: str
    back: str

    @property
    def form_action(self) -> str:
        """The form is answered with a redirect to the application's host, which may have another name than this one."""
        return "'self'" if self.back == self.here else f"'self' {self.back}"


class Login:
    """The login page of a team.

    Args:
        team: Whose.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._pins = Pins()

    async def answer(self, request: Request) -> Response:
        """Pick who to be, then go back to where the application is."""
        host, redirect_url = request.path_params["host"].lower(), request.query_params.get("redirect_url", "/")
        if not is_local_path(redirect_url):
            return pages.refusal(HTTPStatus.BAD_REQUEST, "The redirect_url must be a path on the application's host.")
        application = self._application(host, redirect_url, request.query_params.get("kid"))
        if application is None:
            return pages.refusal(HTTPStatus.NOT_FOUND, "There is no such application at this host.")
        own_host, port = requested_host(request.scope["headers"])
        visit = _Visit(
            application=application,
            host=host,
            redirect_url=redirect_url,
            here=f"http://{own_host}{port}",
            back=f"http://{host}{port}",
        )
        if request.method != "POST":
            return self._choose(visit)
        if request.headers.get("origin", visit.here) != visit.here:
            return pages.refusal(HTTPStatus.FORBIDDEN, "This form was sent from another site.")
        form = await request.form(max_files=0, max_fields=8)
        return await self._submit(
            visit, {name: str(value).strip() for name, value in form.items()}, _client_ip(request)
        )

    async def _submit(self, visit: _Visit, given: dict[str, str], ip: str) -> Response:
        now, email = self._team.clock(), given.get("other") or given.get("email", "")
        if "challenge" in given:
            pin = self._pins.find(given["challenge"], now=now)
            if pin is None:
                return self._choose(visit, error=_TOO_OLD)
            if not pin.accepts(given.get("pin", "")):
                return self._ask_for_pin(visit, pin, error=_WRONG)
            self._pins.use_up(pin)
            email = pin.email
        user = self._user(email)
        if given.get("step") == "pin":
            if user is None:
                return self._choose(visit, error=_NO_ADDRESS, other=email)
            return self._ask_for_pin(visit, self._pins.send(user.email, now=now))
        if user is None:
            return self._choose(visit, error=_NOBODY, other=email)
        return await self._let_in(visit, user, ip, now)

    async def _let_in(self, visit: _Visit, user: User, ip: str, now: float) -> Response:
        await self._team.evaluate(user, visit.application, ip=ip)
        grant = self._team.sessions.grant(
            token=self._team.sign_in(user, visit.application, ip=ip),
            host=visit.host,
            cookie_path=visit.application.cookie_path,
            redirect_url=visit.redirect_url,
            now=now,
        )
        where = f"{visit.back}/cdn-cgi/access/authorized?{urlencode({'grant': grant})}"
        return RedirectResponse(where, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})

    def _choose(self, visit: _Visit, *, error: str = "", other: str = "") -> Response:
        users = self._team.users
        return pages.page(
            "login.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
            form_action=visit.form_action,
            application=visit.application,
            host=visit.host,
            team=self._team.issuer.team,
            users=users,
            chosen=users[0].email if users else "",
            error=error,
            other=other,
        )

    def _ask_for_pin(self, visit: _Visit, pin: Pin, *, error: str = "") -> Response:
        return pages.page(
            "pin.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
            form_action=visit.form_action,
            application=visit.application,
            pin=pin,
            error=error,
        )

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


def _client_ip(request: Request) -> str:
    return request.client.host if request.client else "127.0.0.1"
