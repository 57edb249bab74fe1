"""What does a test need of a team? Its keys for the application, its tokens for the client, by name."""

import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer, WhichKey
from cfaccess_mw.emulator.users import User
from cfaccess_mw.testing import clients
from cfaccess_mw.testing.environment import set_for_now, variables
from cfaccess_mw.testing.flaws import FLAWS, Draft
from cfaccess_mw.testing.keyring import process_key
from cfaccess_mw.testing.sessions import Sessions

if TYPE_CHECKING:
    from cfaccess_mw.emulator.server import Emulator

C = TypeVar("C")

_DAY = 86_400.0  # as Access applications have it by default
_USER = "user@example.com"
_CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
_SERVICE = ".access"  # in every Client ID
_DOMAIN = ".cloudflareaccess.com"
_FEDRAMP = ".fed"
_BEGINNING = "eyJ"  # of every token: '{"' in base64url


class AccessKit:
    """A team for tests, with keys of this process; see :mod:`cfaccess_mw.testing`.

    Within ``with AccessKit() as kit:`` the environment configures applications for it; :meth:`close` is then called at
    the end. A kit whose environment nobody asked for holds nothing and needs no closing.

    Args:
        team: The team's name, as the application is configured.
        audience: Its AUD tag, or several; the first is what tokens are minted for.
        clock: Tells the time of minting, in seconds since the epoch; that of the application by default.

    Attributes:
        issuer: The keys, and everything that can be forged with them.
        sessions: Who is signed in; what lookups answer.
        audience: What tokens are minted for.

    Raises:
        ConfigurationError: ``team`` or ``audience`` is none that an application could be configured with.
    """

    refusals = tuple(FLAWS)
    """The codes that :meth:`refused` takes."""

    default_user = _USER
    default_service = _CLIENT_ID

    def __init__(
        self,
        team: str = "acme",
        audience: str | Iterable[str] = DEFAULT_AUDIENCE,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not isinstance(team, str):
            raise ConfigurationError(f"team: is {shape(team)}; give one, and make a kit for each team")
        self._config = AccessConfig(team=team, audience=audience)
        name = self._config.teams[0].domain.removesuffix(_DOMAIN)
        # time.time is looked up at each call: some libraries that stop the clock put another in its place
        self._clock = clock or (lambda: time.time())  # noqa: PLW0108 - on purpose
        self.issuer = Issuer(
            name.removesuffix(_FEDRAMP),
            clock=self._clock,
            current=process_key("current"),
            previous=process_key("previous"),
            fedramp=name.endswith(_FEDRAMP),
        )
        self.audience = next(iter(self._config.audience))
        self.sessions = Sessions(self.issuer)
        self._held = ExitStack()
        self._variables: dict[str, str] | None = None
        weakref.finalize(self, _close_in, os.getpid(), self._held)

    # Configuring the application

    def options(self, **options: Any) -> dict[str, Any]:
        """Keywords for a door, or a mapping for whatever takes one.

        Args:
            **options: Further names of :class:`~cfaccess_mw.AccessConfig`, which win.
        """
        return {
            "team": self._config.teams[0].domain,
            "audience": self._config.audience,
            "keys": self.issuer.certs(),
            "profile_fetcher": self.sessions.fetch,
            **options,
        }

    def config(self, **options: Any) -> AccessConfig:
        """The same as a configuration.

        Raises:
            ConfigurationError: As :class:`~cfaccess_mw.AccessConfig`.
        """
        return AccessConfig.from_mapping(self.options(**options))

    def environment(self) -> dict[str, str]:
        """The same as variables; the keys are in a file, and lookups are answered on loopback, until :meth:`close`."""
        if self._variables is None:
            self._variables = variables(self._config, self.issuer.certs(), self.sessions, self._held)
        return dict(self._variables)

    def in_environment(self) -> AbstractContextManager[None]:
        """Set these variables, and put back at the end those that were there before."""
        return set_for_now(self.environment())

    def close(self) -> None:
        """Let go of what :meth:`environment` took, and put back its variables. May be called twice."""
        self._variables = None
        self._held.close()

    def __enter__(self) -> Self:
        self._held.enter_context(self.in_environment())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Tokens

    def user(
        self,
        email: str = _USER,
        /,
        *,
        groups: Iterable[str | Mapping[str, str]] = (),
        name: str = "",
        country: str = "US",
        custom: Mapping[str, object] | None = None,
        profile: Mapping[str, object] | None = None,
        audience: str | Iterable[str] | None = None,
        expires_in: float = _DAY,
        age: float = 0.0,
        key: WhichKey = "current",
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """The token of somebody who signed in.

        Args:
            email: Who.
            groups: Of the identity provider: names, or objects with ``id``, ``name`` and ``email``. They are not in the
                token; whoever needs them looks them up.
            name: As it is looked up.
            country: Two letters, of the login.
            custom: What the identity provider adds to the token, under ``custom``.
            profile: More of what is looked up, or other: ``idp``, ``amr``, ``devicePosture``, …
            audience: The AUD tag, or several; the kit's by default.
            expires_in: Seconds from now to ``exp``; may be negative.
            age: Seconds since it was issued; may be negative.
            key: ``"current"``, ``"previous"``, or any.
            claims: Claims that win over all of this; ``ABSENT`` takes one away.

        Raises:
            ConfigurationError: ``email`` is no address, or ``groups`` is one text.
        """
        if isinstance(groups, str):
            raise ConfigurationError(f"groups: is {shape(groups)}; give a list, such as ['admins']")
        user = User(
            email=email,
            name=name,
            groups=tuple(groups),
            country=country,
            custom=custom or {},
            profile=profile or {},
        )
        token = self.issuer.user(
            email,
            audience=self.audience if audience is None else audience,
            expires_in=expires_in + age,
            issued_at=self._clock() - age,
            key=key,
            **{"country": country, "custom": dict(user.custom) or ABSENT, **(claims or {})},
        )
        self.sessions.start(token, user)
        return token

    def service(
        self,
        client_id: str = _CLIENT_ID,
        /,
        *,
        audience: str | Iterable[str] | None = None,
        expires_in: float = _DAY,
        age: float = 0.0,
        key: WhichKey = "current",
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """The token of a service; the arguments are those of :meth:`user`.

        Args:
            client_id: The Client ID of the service token. Any other name is a client certificate's.
            audience: As there.
            expires_in: As there.
            age: As there.
            key: As there.
            claims: As there.
        """
        return self.issuer.service(
            client_id,
            audience=self.audience if audience is None else audience,
            expires_in=expires_in + age,
            issued_at=self._clock() - age,
            key=key,
            **(claims or {}),
        )

    def token(self, who: str = _USER, /, **details: Any) -> str:
        """A token, whoever it is.

        Args:
            who: An e-mail address, a Client ID, or a token, which is returned as it is.
            **details: As for :meth:`user` or :meth:`service`.

        Raises:
            ConfigurationError: ``who`` is nothing of this, or a detail is wrong.
        """
        if who.startswith(_BEGINNING):
            if details:
                raise ConfigurationError(f"{next(iter(details))}: stands beside a token, which is minted already")
            return who
        if "@" in who:
            return self.user(who, **details)
        if _SERVICE in who:
            return self.service(who, **details)
        raise ConfigurationError(f"who: is {shape(who)}; give an e-mail address, a Client ID or a token")

    def headers(self, who: str = _USER, /, **details: Any) -> dict[str, str]:
        """The header that the edge would send; the arguments are those of :meth:`token`."""
        return {clients.ASSERTION: self.token(who, **details)}

    def refused(self, code: str, who: str = _USER, /, **details: Any) -> str:
        """A token that is refused for one reason.

        Args:
            code: One of ``refusals``; see :data:`cfaccess_mw.testing.flaws.FLAWS`.
            who: As for :meth:`token`, as the other arguments.

        Raises:
            ConfigurationError: No token is refused with this code.
        """
        flaw = FLAWS.get(code)
        if flaw is None:
            raise ConfigurationError(f"code: is {shape(code)} that no token causes; known are {', '.join(FLAWS)}")
        return flaw(Draft(kit=self, who=who, details=details))

    def rotated(self, who: str = _USER, /, **details: Any) -> str:
        """Signed before the last rotation, with a key that is still published: as good as any other."""
        return self.token(who, key="previous", **details)

    def unknown_key(self, who: str = _USER, /, **details: Any) -> str:
        """Signed with a key that is not, or no longer, published."""
        return self.refused("unknown-key", who, **details)

    def expired(self, who: str = _USER, /, **details: Any) -> str:
        """An hour past its time."""
        return self.refused("expired", who, **details)

    def not_yet_valid(self, who: str = _USER, /, **details: Any) -> str:
        """An hour ahead of its time."""
        return self.refused("not-yet-valid", who, **details)

    def wrong_audience(self, who: str = _USER, /, **details: Any) -> str:
        """For another application of the team."""
        return self.refused("wrong-audience", who, **details)

    def wrong_issuer(self, who: str = _USER, /, **details: Any) -> str:
        """By another team."""
        return self.refused("wrong-issuer", who, **details)

    def bad_signature(self, who: str = _USER, /, **details: Any) -> str:
        """Signed by somebody else in the name of a published key."""
        return self.refused("bad-signature", who, **details)

    def unsigned(self, who: str = _USER, /, **details: Any) -> str:
        """Not signed at all (``alg`` is ``none``)."""
        return self.refused("algorithm-not-allowed", who, **details)

    def organisation_token(self, email: str = _USER, /) -> str:
        """The token of the global session, signed with the same keys."""
        return self.issuer.organisation(email, audience=self.audience)

    def metadata_token(self, hostname: str = "app.example.com", /) -> str:
        """What anybody is told about the application who asks, signed with the same keys; here it even has an issuer
        and an expiry."""
        claims: dict[str, Any] = {"iss": self.issuer.iss, "exp": int(self._clock() + _DAY)}
        return self.issuer.metadata(hostname, audience=self.audience, **claims)

    # Sessions

    def end_session(self, who: str) -> None:
        """Sign somebody out at Cloudflare: whoever looks him up from now on finds no session.

        Args:
            who: A token, or an e-mail address for all that were minted for it so far.

        Raises:
            ConfigurationError: Nothing was minted for this address.
        """
        self.sessions.end(who)

    @contextmanager
    def isolated(self) -> Iterator[Self]:
        """Forget at the end whose tokens were minted, which sessions were ended, and which keys came, since the
        beginning."""
        with self.sessions.forgotten(), self.issuer.restored():
            yield self

    # Clients

    def sign_in(self, client: C, who: str = _USER, /, **details: Any) -> C:
        """Have a client send the token with every request.

        Args:
            client: One of the kinds that :mod:`cfaccess_mw.testing` names.
            who: As for :meth:`token`, as the other arguments.

        Returns:
            The client.

        Raises:
            ConfigurationError: Not such a client.
        """
        return clients.sign_in(client, self.token(who, **details))

    def sign_out(self, client: C) -> C:
        """Have a client send no token."""
        return clients.sign_out(client)

    def signed_in(self, client: C, who: str = _USER, /, **details: Any) -> AbstractContextManager[C]:
        """Sign a client in for the length of a block, and restore what was before."""
        return clients.signed_in(client, self.token(who, **details))

    # The edge

    def emulator(self, upstream: str, **settings: Any) -> "Emulator":
        """An :class:`~cfaccess_mw.emulator.server.Emulator` with the keys of this kit, to be started with ``with``.

        An application with :meth:`options` believes its tokens; ``team_url=emulator.url, profile_fetcher=None`` beside
        them have it look up those who sign in there. With ``team_url`` and without ``keys`` it fetches the keys, too.

        Args:
            upstream: Where the application listens.
            **settings: As there.

        Raises:
            ImportError: The extra ``emulator`` is not installed.
        """
        from cfaccess_mw.emulator.applications import Application  # noqa: PLC0415 - with the extra
        from cfaccess_mw.emulator.server import Emulator  # noqa: PLC0415 - needs the extra

        ours = {"issuer": self.issuer, "applications": (Application(audience=self.audience),), "clock": self._clock}
        return Emulator(upstream=upstream, **{**ours, **settings})


def _close_in(process: int, held: ExitStack) -> None:
    """Close at the end of the process that took it; one that was forked has no thread to wait for."""
    if os.getpid() == process:
        held.close()
