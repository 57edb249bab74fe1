"""Who is signed in, and whose tokens has a logout or a revocation ended?

A session is known by its ``identity_nonce``. A token that was minted beside the login page has no session here and is
good none the less, until a logout with it revokes its nonce, or a revocation everything that the user had until then.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfaccess_mw.emulator.users import User

_GRANT_LIFETIME = 60.0  # seconds between the login page and /cdn-cgi/access/authorized: one redirect


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who signed in.

    Attributes:
        user: Who.
        nonce: The ``identity_nonce`` of the token.
        ip: From where.
        expires_at: In seconds since the epoch.
    """

    user: User
    nonce: str
    ip: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A login on its way back to the application's host, to be used once.

    Attributes:
        token: The application token that becomes the cookie.
        host: The host for which it was given.
        cookie_path: The ``Path`` of the cookie.
        redirect_url: Path and query where the browser wanted to go.
        expires_at: In seconds since the epoch.
    """

    token: str
    host: str
    cookie_path: str
    redirect_url: str
    expires_at: float


class Sessions:
    """The sessions of a team; any thread may revoke them."""

    def __init__(self) -> None:
        # Each table is replaced and never changed, so that a reader needs no lock and a writer loses no other's word.
        self._changing = threading.Lock()
        self._sessions: Mapping[str, Session] = {}
        self._revoked: Mapping[str, float] = {}
        self._revoked_users: Mapping[str, float] = {}
        self._grants: dict[str, Grant] = {}  # of the event loop's thread

    def start(self, session: Session, *, now: float) -> None:
        """Remember a session, and forget what is over."""
        with self._changing:
            kept = {nonce: other for nonce, other in self._sessions.items() if other.expires_at > now}
            self._sessions = {**kept, session.nonce: session}
            self._revoked = {nonce: expires_at for nonce, expires_at in self._revoked.items() if expires_at > now}
        self._grants = {code: kept for code, kept in self._grants.items() if kept.expires_at > now}

    def grant(self, *, token: str, host: str, cookie_path: str, redirect_url: str, now: float) -> str:
        """Send a token to another host by way of the browser.

        Returns:
            The code under which it can be taken, once, within a minute.
        """
        code = secrets.token_urlsafe(24)
        self._grants[code] = Grant(
            token=token, host=host, cookie_path=cookie_path, redirect_url=redirect_url, expires_at=now + _GRANT_LIFETIME
        )
        return code

    def granted(self, code: str) -> Grant | None:
        """Look at what was granted, without taking it."""
        return self._grants.get(code)

    def take(self, code: str, *, host: str, now: float) -> Grant | None:
        """Take what was granted: once, in time, and on the host it was meant for."""
        grant = self._grants.pop(code, None)
        return grant if grant and grant.host == host and now < grant.expires_at else None

    def find(self, nonce: str) -> Session | None:
        """The session of a nonce, unless it is over."""
        return self._sessions.get(nonce)

    def revoked(self, nonce: object) -> bool:
        """Whether a logout or a revocation ended the tokens of this nonce."""
        return nonce in self._revoked

    def ended(self, claims: Mapping[str, Any]) -> bool:
        """Whether a token is one that a logout or a revocation ended."""
        nonce = claims.get("identity_nonce")
        if self.revoked(nonce):
            return True
        email = claims.get("email")
        revoked_at = self._revoked_users.get(email.casefold()) if isinstance(email, str) else None
        # whoever signed in again has a session; a token's own time has whole seconds only and could not tell
        return revoked_at is not None and nonce not in self._sessions and claims.get("iat", 0) <= revoked_at

    def revoke(self, nonce: str, *, expires_at: float) -> None:
        """End a session and every other of the same user, for all applications.

        Args:
            nonce: The ``identity_nonce`` of the token that was shown.
            expires_at: Its ``exp``: until then the nonce must be remembered.
        """
        with self._changing:
            session = self._sessions.get(nonce)
            self._end({nonce: expires_at} | (self._of(session.user.email) if session else {}))

    def revoke_user(self, email: str, *, now: float) -> None:
        """End every session of a user, and every token that was made for that address until now.

        Args:
            email: Whose, compared without case.
            now: The time, in seconds since the epoch.
        """
        with self._changing:
            self._end(self._of(email))
            self._revoked_users = {**self._revoked_users, email.casefold(): now}

    def _of(self, email: str) -> dict[str, float]:
        of = email.casefold()
        return {nonce: held.expires_at for nonce, held in self._sessions.items() if held.user.email.casefold() == of}

    def _end(self, ended: Mapping[str, float]) -> None:
        self._revoked = {**self._revoked, **ended}
        self._sessions = {nonce: session for nonce, session in self._sessions.items() if nonce not in ended}
