"""What does the team know, and whom does it recognise in a request?"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.applications import Application, Applications
from cfaccess_mw.emulator.issuer import ABSENT, Issuer, new_nonce
from cfaccess_mw.emulator.sessions import Session, Sessions
from cfaccess_mw.emulator.users import ServiceToken, User

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whom the edge lets through.

    Attributes:
        token: The application token that the application will be shown.
        email: Of a user.
        new_token: Whether it was made for this very request, so that a cookie should carry it back.
    """

    token: str = field(repr=False)
    email: str | None = None
    new_token: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """An Access organisation: its keys, its applications, its people.

    Every user and every service may go to every application: policies are not part of this version.
    """

    issuer: Issuer
    applications: Applications
    users: tuple[User, ...]
    service_tokens: tuple[ServiceToken, ...]
    clock: Callable[[], float]
    sessions: Sessions = field(default_factory=Sessions)

    def recognise(self, headers: Headers, application: Application) -> Visitor | None:
        """Find out who is asking: a service by its two headers, else whoever brings a token of this application.

        Args:
            headers: ASGI headers, names in lower case.
            application: Whose audience a token must have.
        """
        if service := self._service(headers):
            token = self.issuer.service(
                service.client_id,
                audience=application.audience,
                expires_in=application.session,
                issued_at=self.clock(),
            )
            return Visitor(token=token, new_token=True)
        # cf-access-token is how cloudflared and other programs bring an application token
        brought = [value.decode("latin-1") for name, value in headers if name == b"cf-access-token"]
        for token in (*brought, *cookie.tokens(headers)):
            claims = self.application_claims(token)
            if claims is not None and application.audience in _audiences(claims):
                return Visitor(token=token, email=claims.get("email"))
        return None

    def application_claims(self, token: str) -> dict[str, Any] | None:
        """The claims of an application token of this team that is good now and that no logout has ended."""
        claims = self.issuer.read(token, now=self.clock())
        if claims is None or claims.get("type") != "app" or self.sessions.revoked(claims.get("identity_nonce")):
            return None
        return claims

    def sign_in(self, user: User, application: Application, *, ip: str) -> str:
        """Start a session.

        Returns:
            The application token of the user.
        """
        now, nonce = self.clock(), new_nonce()
        session = Session(user=user, nonce=nonce, ip=ip, expires_at=now + application.session)
        self.sessions.start(session, now=now)
        return self.issuer.user(
            user.email,
            audience=application.audience,
            expires_in=application.session,
            issued_at=now,
            identity_nonce=nonce,
            country=user.country,
            custom=dict(user.custom) or ABSENT,
        )

    def sign_out(self, tokens: Iterable[str]) -> None:
        """End the sessions of all tokens that are ours, for all applications."""
        for token in tokens:
            claims = self.application_claims(token)
            if claims is not None and "identity_nonce" in claims:
                self.sessions.revoke(claims["identity_nonce"], expires_at=claims["exp"])

    def user_of(self, claims: dict[str, Any]) -> User:
        """Who a user's token is about: whoever signed in, else whoever has that address, else just the address."""
        if session := self.sessions.find(claims.get("identity_nonce", "")):
            return session.user
        email = claims["email"]
        known = (user for user in self.users if user.email.casefold() == email.casefold())
        return next(known, None) or User(email=email, country=claims.get("country", "US"))

    def _service(self, headers: Headers) -> ServiceToken | None:
        ids = [value for name, value in headers if name == b"cf-access-client-id"]
        secrets = [value for name, value in headers if name == b"cf-access-client-secret"]
        if len(ids) != 1 or len(secrets) != 1:
            return None
        known = (service for service in self.service_tokens if service.client_id.encode() == ids[0])
        return next((service for service in known if service.accepts(secrets[0])), None)


def _audiences(claims: dict[str, Any]) -> list[str]:
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else list(audience)
