"""What is somebody told who does not get to the application? The way to the login page, or no."""

import secrets
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Scope

from cfaccess_mw.emulator import cookie, pages
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.entrance import Turn, TurnedAway
from cfaccess_mw.emulator.http_relay import target
from cfaccess_mw.emulator.team import Team
from cfaccess_mw.wire.prefers import is_for_a_person

_NOT_PERMITTED = "You do not have permission to view this application."


class Refusals:
    """The edge's own answers in place of an application's.

    Args:
        team: Whose login page it is.
    """

    def __init__(self, team: Team) -> None:
        self._team = team

    def answer(
        self, scope: Scope, application: Application, away: TurnedAway, *, host: str, port: str, ray: str
    ) -> Response:
        """Answer a request that does not get to its application.

        Args:
            scope: The request.
            application: To which it was meant to go.
            away: Why it does not.
            host: What the client calls it, without port.
            port: With its colon, or empty.
            ray: The ``Cf-Ray`` of this request.
        """
        headers = self._headers(scope, application, host)
        if is_preflight(scope):
            response: Response = PlainTextResponse("A preflight carries no cookie.\n", 403)
        elif away.turn is Turn.FORBIDDEN:
            response = forbidden(scope, application, away.who, away.reasons, ray)
        elif away.turn is Turn.UNAUTHENTICATED:
            response = PlainTextResponse("Service authentication failed.\n", 401)
        elif dict(scope["headers"]).get(b"x-requested-with", b"").lower() == b"xmlhttprequest":
            response = PlainTextResponse("Sign in first.\n", 401)
        else:
            response = RedirectResponse(self._login(scope, application, host, port), 302)
            response.headers.append("set-cookie", cookie.app_session(secrets.token_hex(16)))
        response.headers.update(headers)
        return response

    def _headers(self, scope: Scope, application: Application, host: str) -> dict[str, str]:
        headers = {
            "Cache-Control": "no-store",
            "CF-Access-Domain": host,
            "CF-Access-Aud": application.audience,
            "WWW-Authenticate": "Cloudflare-Access resource_metadata="
            f'"https://{host}/.well-known/cloudflare-access-protected-resource{quote(scope["path"])}"',
        }
        if dict(scope["headers"]).get(b"cf-access-metadata-request") == b"true":
            # cloudflared asks so; anybody may, and gets a token with the right audience that must open nothing
            headers["Cf-Access-Metadata"] = self._team.issuer.metadata(
                host, audience=application.audience, issued_at=self._team.clock()
            )
        return headers

    def _login(self, scope: Scope, application: Application, host: str, port: str) -> str:
        query = urlencode(
            {
                "kid": application.audience,
                "meta": self._team.issuer.login_meta(audience=application.audience, issued_at=self._team.clock()),
                "redirect_url": target(scope).decode("ascii"),
            }
        )
        return f"http://{self._team.host or host}{port}/cdn-cgi/access/login/{host}?{query}"


def forbidden(scope: Scope, application: Application, who: str, reasons: tuple[str, ...], ray: str = "") -> Response:
    """Tell somebody who is known that the policies do not admit them: a page for people, JSON for programs.

    Cloudflare says nothing about why. Here it is a developer who reads it, and the codes are no secret.
    """
    given = dict(scope["headers"])
    mode, accept = (given.get(name, b"").decode("latin-1") for name in (b"sec-fetch-mode", b"accept"))
    if is_for_a_person(mode, accept):
        details = [("Application", application.name), ("Not met", ", ".join(reasons)), ("Ray", ray)]
        response: Response = pages.refusal(
            HTTPStatus.FORBIDDEN,
            _NOT_PERMITTED,
            signed_in_as=who,
            details=[(name, value) for name, value in details if value],
        )
    else:
        response = JSONResponse(
            {
                "message": f"Forbidden. {_NOT_PERMITTED}",
                "status_code": int(HTTPStatus.FORBIDDEN),
                "aud": application.audience,
                "ray_id": ray,
                "reasons": list(reasons),
            },
            HTTPStatus.FORBIDDEN,
        )
    # Cloudflare documents the header ("Authenticate coding agents"), not what stands in it
    response.headers["Cf-Access-Error"] = "forbidden"
    return response


async def not_admitted(request: Request, refusal: Any) -> Response:
    """Answer a login of somebody whom the policies do not admit.

    Args:
        request: The login.
        refusal: A ``NotAdmitted``; Starlette hands it to its handler as an ``Exception``.
    """
    response = forbidden(request.scope, refusal.application, refusal.email, refusal.reasons)
    response.headers["Cache-Control"] = "no-store"
    return response


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks, before a request of another site's script, if it may send it (Fetch standard)."""
    names = {name for name, _ in scope["headers"]}
    return scope.get("method") == "OPTIONS" and {b"origin", b"access-control-request-method"} <= names
