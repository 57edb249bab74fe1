"""Who signed in through Access for SaaS (OIDC)? A verifier of its own, for applications that are clients of Access.

::

    from cfaccess_mw.edge.saas import SaasVerifier

    verifier = SaasVerifier(team="acme", client_id="9f86d081884c7d65…")
    identity = verifier.verify(id_token, nonce=session["nonce"])
    identity = await verifier.averify(access_token)

Its tokens and those of the doors have the same form, maybe the same keys, and must never pass for each other. Here the
issuer is ``https://<team>.cloudflareaccess.com/cdn-cgi/access/sso/oidc/<client-id>``, there it is the team; here the
result is a :class:`SaasIdentity`, there an ``Identity``. The conversation with the token endpoint is not made here: any
OpenID Connect client does that.

Nothing that Cloudflare documents tells an ID token from an access token. For a sign-in always give ``nonce``, which
only the ID token of that sign-in has. An access token that is no JWT, as has been seen, cannot be verified without
asking Cloudflare (``<issuer>/userinfo``), and is refused as malformed.

Against whom: somebody with a token of another application, client or team, of another sign-in (``nonce``), or stolen
from another pair (``access_token``). Not against a token that was issued to this client and stolen from it.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.team import read_team
from cfaccess_mw.edge.saas_identity import SaasIdentity
from cfaccess_mw.edge.saas_token import (
    LEFT_OUT,
    Companion,
    Companions,
    Expectation,
    WrongCompanion,
    WrongNonce,
    prove,
    read,
)
from cfaccess_mw.edge.team_keys import TeamKeys
from cfaccess_mw.refresh.editions import Health
from cfaccess_mw.telemetry.events import Listener, log_event

__all__ = ["SaasIdentity", "SaasVerifier", "WrongCompanion", "WrongNonce"]

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,128}")  # 64 hexadecimal characters, today; it stands in URLs
_PATH: Final = "/cdn-cgi/access/sso/oidc/"


class SaasVerifier:
    """Verifies the ID and access tokens of one Access for SaaS application.

    Args:
        team: As for the doors.
        client_id: The Client ID of the application, as the dashboard shows it; it stands in the issuer.
        audience: Whom ``aud`` may name; the Client ID by default, as OpenID Connect demands of ID tokens. Access tokens
            have been seen that name a redirect URL instead: then give it, or several, together with the Client ID if ID
            tokens are verified too.
        max_age: Seconds after it was issued for which a token counts at most; None for as long as it says.
        team_url: As for the doors.
        keys: As there; instead of ``<issuer>/jwks``.
        fetcher: As there.
        leeway: As there.
        cold_wait: As there.
        hard_ttl: As there.
        listeners: Told what happens to the keys.
        clock: Tells the time in seconds since the epoch.

    Attributes:
        issuer: What ``iss`` has to be.

    Raises:
        ConfigurationError: At start, naming the argument, the shape of its value and the mend.
    """

    def __init__(
        self,
        *,
        team: str,
        client_id: str,
        audience: str | Iterable[str] | None = None,
        max_age: float | None = None,
        team_url: str | None = None,
        keys: Mapping[str, Any] | str | None = None,
        fetcher: object | None = None,
        leeway: float = 30,
        cold_wait: float = 5,
        hard_ttl: float = 86_400,
        listeners: Iterable[Listener] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check_client_id(client_id)
        whose = read_team(team, team_url=team_url, certs_url=None, issuer=None)
        self.issuer = f"{whose.issuer}{_PATH}{client_id}"
        self._expected = Expectation(
            issuer=self.issuer,
            client_id=client_id,
            audience=frozenset((client_id,) if audience is None else _texts(audience)),
            leeway=_seconds("leeway", leeway, 0, 300),
            max_age=None if max_age is None else _seconds("max_age", max_age, 1, 31_536_000),
        )
        self._clock = clock
        self._keys = TeamKeys(
            f"{whose.base_url}{_PATH}{client_id}/jwks",
            keys=keys,
            fetcher=fetcher,
            cold_wait=cold_wait,
            hard_ttl=hard_ttl,
            listeners=(log_event, *listeners),
        )

    def verify(
        self,
        token: str | bytes,
        *,
        nonce: Companion = LEFT_OUT,
        access_token: Companion = LEFT_OUT,
        code: Companion = LEFT_OUT,
    ) -> SaasIdentity:
        """Verify a token, fetching keys if need be. In a thread.

        What is given besides has to fit. A token that does not have what it would be compared with is refused, and so
        is every token where None is given: that is a session which has lost its nonce.

        Args:
            token: An ID token, or an access token that is a JWT.
            nonce: What was sent with the authorization request: an ID token without it may be of another sign-in.
            access_token: What came with an ID token; compared with ``at_hash``. For the implicit and hybrid flows.
            code: Likewise, compared with ``c_hash``. For the hybrid flow.

        Raises:
            InvalidToken: Its subclass says which check failed.
            KeysUnavailable: The keys cannot be had at the moment.
        """
        candidate = read(token, self._expected, self._clock())
        key = self._keys.find(candidate.kid)
        companions = Companions(nonce=nonce, access_token=access_token, code=code)
        return prove(candidate, key, self._expected, companions, self._clock())

    async def averify(
        self,
        token: str | bytes,
        *,
        nonce: Companion = LEFT_OUT,
        access_token: Companion = LEFT_OUT,
        code: Companion = LEFT_OUT,
    ) -> SaasIdentity:
        """Do the same on an event loop."""
        candidate = read(token, self._expected, self._clock())
        key = await self._keys.afind(candidate.kid)
        companions = Companions(nonce=nonce, access_token=access_token, code=code)
        return prove(candidate, key, self._expected, companions, self._clock())

    def hydrate(self) -> None:
        """Fetch the keys before the first token.

        Raises:
            KeysUnavailable: They cannot be had at the moment.
        """
        self._keys.hydrate()

    async def ahydrate(self) -> None:
        """Do the same on an event loop."""
        await self._keys.ahydrate()

    def health(self) -> Health:
        """How the keys are."""
        return self._keys.health()

    def close(self) -> None:
        """Let go of the keys for good; every further token is refused with KeysUnavailable."""
        self._keys.close()


def _check_client_id(value: object) -> None:
    if not isinstance(value, str) or not _CLIENT_ID.fullmatch(value):
        raise ConfigurationError(
            f"client_id: is {shape(value)}; give the Client ID of the SaaS application, 64 hexadecimal characters"
        )


def _texts(value: object) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else ()
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ConfigurationError(f"audience: is {shape(value)}; give what aud may name, or leave it out")
    return texts


def _seconds(name: str, value: object, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigurationError(f"{name}: is {shape(value)}; give seconds from {low:g} to {high:g}")
    return value
