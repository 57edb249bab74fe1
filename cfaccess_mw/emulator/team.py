"""What does the team know, and whom does it recognise in a request?"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import PolicyOutcome
from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.admission import Admission
from cfaccess_mw.emulator.applications import Application, Applications
from cfaccess_mw.emulator.credentials import Credentials
from cfaccess_mw.emulator.external_evaluation import ExternalEvaluator
from cfaccess_mw.emulator.faults import FaultSwitch
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer, new_nonce
from cfaccess_mw.emulator.profile import service_profile, user_profile
from cfaccess_mw.emulator.reading import peek, read
from cfaccess_mw.emulator.sessions import Grant, Session, Sessions
from cfaccess_mw.emulator.users import ServiceToken, User, is_country, is_email

Headers = Sequence[tuple[bytes, bytes]]

_LONGEST_SESSION = 31 * 86_400.0  # seconds, of Cloudflare's settings; no token is good for longer
UNKNOWN_COUNTRY = "XX"  # what Cloudflare says where it does not know (Cloudflare, "HTTP headers", CF-IPCountry)


class NotAdmitted(Exception):
    """Somebody signed in whom the application's policies do not admit; no token is made.

    Args:
        application: Which.
        email: Whose.
        reasons: The codes of the conditions that stood in the way.
    """

    def __init__(self, application: Application, email: str, reasons: tuple[str, ...]) -> None:
        super().__init__("the policies do not admit this user")
        self.application = application
        self.email = email
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whom the edge recognises.

    Attributes:
        token: The application token that the application will be shown.
        claims: What stands in it.
        new_token: Whether it was made for this very request, so that a cookie should carry it back.
    """

    token: str = field(repr=False)
    claims: dict[str, Any] = field(repr=False)
    new_token: bool = False

    @property
    def email(self) -> str | None:
        """Of a user; no other text gets into a header."""
        email = self.claims.get("email")
        return email if isinstance(email, str) and is_email(email) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """An Access organisation: its keys, its applications, its people.

    Attributes:
        issuer: The keys.
        applications: Where they are.
        users: Whom the login page offers.
        service_tokens: Which services there are.
        clock: The team's own, seconds since the epoch.
        ip: Where everybody comes from; the connection's address where it is empty.
        country: The ``CF-IPCountry`` of every request; where it is unknown, that of whoever signed in.
        strict: Whether service tokens are taken strictly (``strict_service_token_auth``).
        host: The team's own host name, if the login page is not to be on the application's.
        faults: What goes wrong.
        sessions: Who is signed in.
    """

    issuer: Issuer
    applications: Applications
    users: tuple[User, ...]
    service_tokens: tuple[ServiceToken, ...]
    clock: Callable[[], float]
    ip: str = ""
    country: str = UNKNOWN_COUNTRY
    strict: bool = False
    host: str | None = None
    faults: FaultSwitch = field(default_factory=FaultSwitch)
    sessions: Sessions = field(default_factory=Sessions)
    _binding_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def recognise(self, headers: Headers, application: Application) -> Visitor | None:
        """Find out who is asking: whoever brings a token of this application.

        Args:
            headers: ASGI headers, names in lower case.
            application: Whose audience a token must have.
        """
        # cf-access-token is how cloudflared and other programs bring an application token
        brought = [value.decode("latin-1") for name, value in headers if name == b"cf-access-token"]
        for token in (*brought, *cookie.tokens(headers)):
            claims = self.application_claims(token)
            if claims is None or application.audience not in _audiences(claims):
                continue
            if application.binding_cookie and not self._is_bound(claims, headers):
                continue
            if self.issuer.read(token, now=self.clock()) is None:
                # Of a key that is published no more. What Cloudflare does with such a cookie is not documented; here a
                # rotation signs nobody out, and the application gets a token that it can verify.
                return Visitor(token=self.issuer.sign(None, claims), claims=claims, new_token=True)
            return Visitor(token=token, claims=claims)
        return None

    def service(self, credentials: Credentials) -> ServiceToken | None:
        """The service token that these credentials are of."""
        known = (service for service in self.service_tokens if service.client_id == credentials.client_id)
        secret = credentials.client_secret.encode("latin-1", "replace")
        return next((service for service in known if service.accepts(secret)), None)

    def serve(self, service: ServiceToken, application: Application) -> Visitor:
        """Make the application token of a service."""
        token = self.issuer.service(
            service.client_id,
            audience=application.audience,
            expires_in=self._lifetime(application),
            issued_at=self.clock(),
        )
        return Visitor(token=token, claims=peek(token), new_token=True)

    def application_claims(self, token: str) -> dict[str, Any] | None:
        """The claims of an application token of this team that is good now and that nothing has ended."""
        return self._claims(token, "app")

    def organisation_claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a global session token of this team that is good now and that nothing has ended."""
        return self._claims(token, "org")

    async def evaluate(self, user: User, application: Application, *, ip: str) -> None:
        """Ask the External Evaluation endpoint of an application, if it has one, about somebody who is signing in.

        Raises:
            NotAdmitted: It did not say yes.
        """
        if application.external_evaluation is None:
            return
        claims = {"sub": self.issuer.subject(user.email), "iat": int(self.clock())}
        address = self.address(user, ip)
        profile = user_profile(user, claims, account_id=self.issuer.account_id, ip=address)
        asks = ExternalEvaluator(self.issuer, application.external_evaluation, clock=self.clock)
        evaluated = await asks.ask(profile)
        if not evaluated.success:
            raise NotAdmitted(application, user.email, (f"external-evaluation-{evaluated.reason}",))

    def sign_in(self, user: User, application: Application, *, ip: str) -> str:
        """Start a session.

        Returns:
            The application token of the user.

        Raises:
            NotAdmitted: The application's policies do not admit this user.
        """
        now, nonce = self.clock(), new_nonce()
        token = self.issuer.user(
            user.email,
            audience=application.audience,
            expires_in=self._lifetime(application),
            issued_at=now,
            identity_nonce=nonce,
            country=user.country,
            custom=dict(user.custom) or ABSENT,
        )
        claims = peek(token)
        address = self.address(user, ip)
        profile = user_profile(user, claims, account_id=self.issuer.account_id, ip=address)
        admission = replace(self.admission(claims, method="GET", address=address), profile=lambda: profile)
        verdict = admission.decide(application.policies)
        if verdict.outcome is PolicyOutcome.REFUSE:
            raise NotAdmitted(application, user.email, verdict.reasons)
        session = Session(user=user, nonce=nonce, ip=address, expires_at=now + application.session)
        self.sessions.start(session, now=now)
        return token

    def sign_out(self, tokens: Iterable[str]) -> None:
        """End the sessions of all tokens that are ours, for all applications."""
        for token in tokens:
            if (claims := self.application_claims(token)) and "identity_nonce" in claims:
                self.sessions.revoke(claims["identity_nonce"], expires_at=claims["exp"])
            elif claims := self.organisation_claims(token):
                self.sessions.revoke_user(claims["email"], now=self.clock())

    def revoke(self, *, email: str = "", nonce: str = "") -> None:
        """End the sessions of a user, and what was signed for that address until now; by any thread.

        Args:
            email: Whose.
            nonce: Or the ``identity_nonce`` of one of the user's tokens.

        Raises:
            ConfigurationError: Neither is given, or both.
        """
        if bool(email) == bool(nonce):
            raise ConfigurationError("revoke: takes 'email' or 'nonce', one of the two")
        if email:
            self.sessions.revoke_user(email, now=self.clock())
        else:
            self.sessions.revoke(nonce, expires_at=self.clock() + _LONGEST_SESSION)

    def user_of(self, claims: dict[str, Any]) -> User:
        """Who a user's token is about: whoever signed in, else whoever has that address, else just the address."""
        if session := self.sessions.find(claims.get("identity_nonce", "")):
            return session.user
        email = claims["email"]
        known = (user for user in self.users if user.email.casefold() == email.casefold())
        return next(known, None) or User(email=email, country=_country(claims))

    def cookies(self, grant: Grant) -> list[str]:
        """The ``Set-Cookie`` values with which a login ends on the application's host."""
        claims = peek(grant.token)
        application = next(filter(None, map(self.applications.by_audience, _audiences(claims))), None)
        if application is None:
            return [cookie.issued(grant.token, path=grant.cookie_path)]
        values = [self.cookie(application, grant.token)]
        if application.binding_cookie:
            # sent wherever the other is sent, for neither is any good alone
            same_site, path = application.same_site, application.cookie_path
            values.append(cookie.issued(self._binding(claims), path=path, same_site=same_site, name=cookie.BINDING))
        return values

    def cookie(self, application: Application, token: str) -> str:
        """The ``Set-Cookie`` value with a token, as the application wants it."""
        return cookie.issued(
            token, path=application.cookie_path, same_site=application.same_site, http_only=application.http_only
        )

    def address(self, user: User | None, ip: str) -> str:
        """Where a request comes from.

        Args:
            user: Who sent it, if that is known.
            ip: The connection's address.
        """
        return (user and user.ip) or self.ip or ip

    def admission(self, claims: dict[str, Any] | None, *, method: str, address: str) -> Admission:
        """What the policies may look at.

        Args:
            claims: Of whoever asks; None for nobody.
            method: The request's.
            address: Where it comes from.
        """
        return Admission(
            claims=claims,
            method=method,
            address=address,
            country=self.country,
            profile=lambda: self.profile(claims, ip=address) if claims else None,
        )

    def profile(self, claims: dict[str, Any], *, ip: str) -> dict[str, Any] | None:
        """What ``get-identity`` says of the bearer of a token, if it is about anybody.

        Args:
            claims: Of the token.
            ip: The connection's address.
        """
        account_id = self.issuer.account_id
        if "common_name" in claims:
            return service_profile(claims, account_id=account_id, ip=self.address(None, ip))
        email = claims.get("email")
        if not (isinstance(email, str) and is_email(email)) or "sub" not in claims:
            return None
        user, session = self.user_of(claims), self.sessions.find(claims.get("identity_nonce", ""))
        return user_profile(user, claims, account_id=account_id, ip=session.ip if session else self.address(user, ip))

    def _claims(self, token: str, kind: str) -> dict[str, Any] | None:
        claims = read(token, (*self.issuer.published, *self.issuer.retired), now=self.clock())
        if claims is None or claims.get("type") != kind or not isinstance(claims.get("identity_nonce", ""), str):
            return None
        return None if self.sessions.ended(claims) else claims

    def _lifetime(self, application: Application) -> float:
        limit = self.faults.now.lifetime
        return application.session if limit is None else min(limit, application.session)

    def _binding(self, claims: dict[str, Any]) -> str:
        """What the browser must bring beside a token: bound to its session, and to nothing that it could make up."""
        nonce = str(claims.get("identity_nonce", ""))
        return hmac.new(self._binding_key, nonce.encode(), hashlib.sha256).hexdigest()

    def _is_bound(self, claims: dict[str, Any], headers: Headers) -> bool:
        expected = self._binding(claims)
        brought = cookie.values(headers, cookie.BINDING)
        return any(hmac.compare_digest(value.encode("latin-1"), expected.encode()) for value in brought)


def _country(claims: dict[str, Any]) -> str:
    """Where somebody signed in, as far as it can be said; a test may have put anything at all into a token."""
    said = claims.get("country")
    return said if isinstance(said, str) and is_country(said) else "US"


def _audiences(claims: dict[str, Any]) -> list[str]:
    audience = claims.get("aud", [])
    if isinstance(audience, list):
        return audience
    return [audience] if isinstance(audience, str) else []
