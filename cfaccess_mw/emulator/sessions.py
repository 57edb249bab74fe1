"""Who is signed in, and whose tokens has a logout ended?

A session is known by its ``identity_nonce``. A token that was minted beside the login page has no session here and is
good none the less, until a logout with it revokes its nonce.
"""

import secrets
from dataclasses import dataclass

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
    """The sessions of a team. All of it belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._grants: dict[str, Grant] = {}
        self._revoked: dict[str, float] = {}

    def start(self, session: Session, *, now: float) -> None:
        """Remember a session, and forget what is over."""
        self._sessions = {nonce: kept for nonce, kept in self._sessions.items() if kept.expires_at > now}
        self._revoked = {nonce: expires_at for nonce, expires_at in self._revoked.items() if expires_at > now}
        self._grants = {code: kept for code, kept in self._grants.items() if kept.expires_at > now}
        self._sessions[session.nonce] = session

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

    def take(self, code: str, *, host: str, now: float) -> Grant | None:
        """Take what was granted: once, in time, and on the host it was meant for."""
        grant = self._grants.pop(code, None)
        return grant if grant and grant.host == host and now < grant.expires_at else None

    def find(self, nonce: str) -> Session | None:
        """The session of a nonce, unless it is over."""
        return self._sessions.get(nonce)

    def revoked(self, nonce: object) -> bool:
        """Whether a logout ended the tokens of this nonce."""
        return nonce in self._revoked

    def revoke(self, nonce: str, *, expires_at: float) -> None:
        """End a session and every other of the same user, for all applications.

        Args:
            nonce: The ``identity_nonce`` of the token that was shown.
            expires_at: Its ``exp``: until then the nonce must be remembered.
        """
        ended = {nonce: expires_at}
        if session := self._sessions.get(nonce):
            email = session.user.email.casefold()
            ended |= {
                other.nonce: other.expires_at
                for other in self._sessions.values()
                if other.user.email.casefold() == email
            }
        self._revoked |= ended
        self._sessions = {kept: session for kept, session in self._sessions.items() if kept not in ended}
