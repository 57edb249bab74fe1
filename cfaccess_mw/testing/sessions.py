"""What does Cloudflare Access know about those who were signed in by a test? Answers ``get-identity``, without HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.profile import service_profile, user_profile
from cfaccess_mw.emulator.users import User

_IP = "192.0.2.1"  # for documentation (RFC 5737): from where everybody signed in
_NO_SESSION = Reply(status=400, body=b'{"err": "no app token set"}')
# About this token alone: a failing endpoint would be left alone for everybody else too.
_NO_ANSWER = Reply(status=200, body=b"[]")


class Sessions:
    """The sessions of a kit, by token.

    Args:
        issuer: Whose tokens they are.
    """

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._users: dict[str, User] = {}
        self._ended: set[str] = set()
        self._unanswered: set[str] = set()

    def start(self, token: str, user: User) -> None:
        """Remember whose a token is. One that is not remembered is its claims' and in no group."""
        self._users[token] = user

    def end(self, who: str) -> None:
        """End the session of a token, or all sessions of an e-mail address so far.

        Raises:
            ConfigurationError: Nobody was signed in with that address.
        """
        if "@" not in who:
            self._ended.add(who)
            return
        tokens = {token for token, user in self._users.items() if user.email.casefold() == who.casefold()}
        if not tokens:
            raise ConfigurationError("who: nobody with this address was signed in; mint a token first, then end it")
        self._ended |= tokens

    def answer_nothing(self, token: str) -> None:
        """Have every lookup of a token fail."""
        self._unanswered.add(token)

    @contextmanager
    def forgotten(self) -> Iterator[None]:
        """Forget at the end whatever happens meanwhile."""
        before = dict(self._users), set(self._ended), set(self._unanswered)
        try:
            yield
        finally:
            self._users, self._ended, self._unanswered = before

    def reply(self, token: str) -> Reply:
        """What ``get-identity`` answers to a token: its bearer's profile, or that there is no session."""
        if token in self._unanswered:
            return _NO_ANSWER
        claims = self._issuer.read(token)
        if claims is None or token in self._ended:
            return _NO_SESSION
        account_id = self._issuer.account_id
        if claims.get("email"):
            user = self._users.get(token) or User(email=claims["email"])
            profile = user_profile(user, {"sub": "", "iat": 0, **claims}, account_id=account_id, ip=_IP)
        else:
            profile = service_profile({"common_name": "", "iat": 0, **claims}, account_id=account_id, ip=_IP)
        return Reply(status=200, body=json.dumps(profile).encode())

    async def fetch(self, url: str, token: str) -> Reply:
        """The same as a ``profile_fetcher``."""
        return self.reply(token)
