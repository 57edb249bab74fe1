"""Who is signed in to the team itself, so that the next application needs no login page?

At Cloudflare the team has a host of its own, whose cookie carries the global session token (``type`` ``org``). That
takes a second host name, so it is so only where the team was given one; the cookie never gets to an application's host.
"""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.hosts import requested_host
from cfaccess_mw.emulator.issuer import new_nonce
from cfaccess_mw.emulator.reading import peek
from cfaccess_mw.emulator.sessions import Session
from cfaccess_mw.emulator.team import Team

_LOGIN = "/cdn-cgi/access/login/"
_SESSION = 86_400.0  # seconds, Cloudflare's default for the global session


class OrganisationPages:
    """The team's pages, and on the team's own host its session.

    Args:
        pages: The pages.
        team: Whose.
    """

    def __init__(self, pages: ASGIApp, team: Team) -> None:
        self._pages = pages
        self._team = team

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, _ = requested_host(scope["headers"])
        if host != self._team.host or not scope["path"].startswith(_LOGIN):
            await self._pages(scope, receive, send)
        elif scope["method"] == "POST":
            await self._pages(scope, receive, self._remembering(send))
        elif email := self._signed_in(scope):
            # the answer that the page would get from whoever chose the same person again
            await self._pages(*_form(scope, email), send)
        else:
            await self._pages(scope, receive, send)

    def _signed_in(self, scope: Scope) -> str:
        """Whose session the team's own cookie carries."""
        for token in cookie.tokens(scope["headers"]):
            if claims := self._team.organisation_claims(token):
                return str(claims["email"])
        return ""

    def _remembering(self, send: Send) -> Send:
        """Send the session along with a login that succeeded."""

        async def remembering(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                [code] = parse_qs(urlsplit(headers.get("location", "")).query).get("grant", [""])
                if grant := self._team.sessions.granted(code):
                    headers.append("set-cookie", cookie.issued(self._session(peek(grant.token)), path="/"))
            await send(message)

        return remembering

    def _session(self, claims: dict[str, Any]) -> str:
        """Start the team's own session beside an application's: whatever ends one of the two ends both."""
        team, now, nonce = self._team, self._team.clock(), new_nonce()
        user = team.user_of(claims)
        team.sessions.start(Session(user=user, nonce=nonce, ip=team.ip, expires_at=now + _SESSION), now=now)
        return team.issuer.organisation(
            user.email,
            audience=team.issuer.organisation_audience,
            expires_in=_SESSION,
            issued_at=now,
            identity_nonce=nonce,
        )


def _form(scope: Scope, email: str) -> tuple[Scope, Receive]:
    """Return a request as if the login form had been sent with it."""
    body = urlencode({"other": email}).encode("ascii")
    kept = [header for header in scope["headers"] if header[0] not in {b"content-type", b"content-length", b"origin"}]
    headers = [
        *kept,
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(len(body)).encode("ascii")),
    ]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "method": "POST", "headers": headers}, receive
