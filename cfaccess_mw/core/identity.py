"""Who is asking? The immutable result of a verified token."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, Protocol

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import IdentityUnavailable, SessionEnded
from cfaccess_mw.core.profile import Outcome, Profile, ProfileAnswer

Kind = Literal["user", "service", "certificate"]


class ProfileLookup(Protocol):
    """Looks people up at the team that signed their tokens."""

    async def obtain(self, token: str | bytes, identity: "Identity") -> ProfileAnswer:
        """Look somebody up, unless that was done a moment ago."""

    def obtain_blocking(self, token: str | bytes, identity: "Identity") -> ProfileAnswer:
        """Do the same in a thread."""


class Draft:
    """An identity while it is being made of a token.

    A frozen dataclass sets each of its fields the long way round. This is set like any object and then sealed, which
    takes a fraction of the time, for each token that is verified.
    """

    # The last three are no fields of an identity: whoever turns identities into dictionaries shows fields.
    __slots__ = (
        *("kind", "id", "email", "subject", "common_name", "country", "issuer", "audience"),
        *("issued_at", "expires_at", "nonce", "key_thumbprint"),
        *("_text", "_assertion", "_team"),
    )

    kind: Kind
    id: str
    email: str | None
    subject: str
    common_name: str | None
    country: str | None
    issuer: str
    audience: tuple[str, ...]
    issued_at: float
    expires_at: float
    nonce: str | None
    key_thumbprint: str

    _text: bytes
    _assertion: str | bytes
    _team: ProfileLookup | None

    def sealed(self) -> "Identity":
        """The identity; nothing of it can be set any more."""
        self.__class__ = Identity
        return self  # type: ignore[return-value]  # it has just become one


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Identity(Draft):
    """A person or a machine that Cloudflare Access let through (Cloudflare, "Application token").

    Attributes:
        kind: ``"user"`` or ``"service"``; ``"certificate"`` only where ``certificates`` is configured.
        id: The stable name: ``sub`` of a user, the Client ID of a service token. Note that Cloudflare gives a person
            who is removed and added again another ``sub``.
        email: The verified e-mail address of a user, as the identity provider writes it; None for a service.
        subject: ``sub``; the empty string for a service.
        common_name: The Client ID of a service token, the name in a client certificate, or None.
        country: Where the person signed in, ISO 3166-1 alpha-2; None for a service. It is of the time of login.
        issuer: The team that signed, ``https://<team>.cloudflareaccess.com``.
        audience: The AUD tags for which the token was issued.
        issued_at: Seconds since the epoch.
        expires_at: Seconds since the epoch.
        nonce: ``identity_nonce``, by which Cloudflare keeps the session; None for a service.
        key_thumbprint: The RFC 7638 thumbprint of the key that verified the token.
    """

    kind: Kind
    id: str
    email: str | None
    subject: str
    common_name: str | None
    country: str | None
    issuer: str
    audience: tuple[str, ...]
    issued_at: float
    expires_at: float
    nonce: str | None
    key_thumbprint: str
    _payload: InitVar[bytes]
    _token: InitVar[str | bytes] = ""
    _lookup: InitVar[ProfileLookup | None] = None

    def __post_init__(self, _payload: bytes, _token: str | bytes, _lookup: ProfileLookup | None) -> None:
        """Keep what the identity was made of."""
        object.__setattr__(self, "_text", _payload)
        object.__setattr__(self, "_assertion", _token)
        object.__setattr__(self, "_team", _lookup)

    def __eq__(self, other: object) -> bool:
        """Whether the same was verified, down to the claims that have no attribute."""
        return isinstance(other, Identity) and self._values() == other._values()

    def __hash__(self) -> int:
        """As equality has it."""
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return (*(getattr(self, one.name) for one in fields(self)), self._text)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the token says, without the token and the way to look its bearer up."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return _rebuild, (type(self), {**values, "_payload": self._text})

    def __copy__(self) -> "Identity":
        """Itself: nothing in it can change."""
        return self

    def __deepcopy__(self, memo: object) -> "Identity":
        """Itself: nothing in it can change."""
        return self

    def __repr__(self) -> str:
        """Nothing personal: a ``repr`` ends in logs."""
        return f"<Identity {self.kind}>"

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims of the token, read afresh from the verified bytes at each access: keep them while you need them.

        Ten thousand remembered tokens would be several times as large with them. What one reader does to a nested value
        no other reader sees.
        """
        return MappingProxyType(decode_json_object(self._text))

    @property
    def custom(self) -> Mapping[str, Any]:
        """SAML attributes and OIDC claims that the identity provider adds; empty where there are none."""
        custom = self.claims.get("custom")
        return MappingProxyType(custom if type(custom) is dict else {})

    async def profile(self) -> Profile:
        """What Cloudflare knows beyond the token: groups, identity provider, device posture (``get-identity``).

        Fetched when it is asked for, one request at a time for each token, and remembered for ``profile_ttl`` seconds.

        Raises:
            SessionEnded: There is no such session any more.
            IdentityUnavailable: It cannot be had at the moment.
        """
        if self._team is None:
            raise IdentityUnavailable
        return _found(await self._team.obtain(self._assertion, self))

    def profile_blocking(self) -> Profile:
        """Do the same in a thread."""
        if self._team is None:
            raise IdentityUnavailable
        return _found(self._team.obtain_blocking(self._assertion, self))

    # What Starlette and everything built on it expects of ``request.user``.

    @property
    def is_authenticated(self) -> bool:
        """True: whoever has an identity was verified."""
        return True

    @property
    def display_name(self) -> str:
        """The e-mail address of a user, the common name of a service or certificate."""
        return self.email or self.common_name or self.id

    @property
    def identity(self) -> str:
        """The stable name, as ``id``."""
        return self.id


def assertion_of(identity: Identity) -> str:
    """The token that an identity was made of, to be passed on; empty for one that came out of a pickle."""
    token = identity._assertion
    return token.decode("ascii") if isinstance(token, bytes) else token


def _found(answer: ProfileAnswer) -> Profile:
    if answer.profile is not None:
        return answer.profile
    if answer.outcome is Outcome.ENDED:
        raise SessionEnded
    raise IdentityUnavailable(retry_after=answer.retry_after)


def _rebuild(cls: type[Identity], values: dict[str, Any]) -> Identity:
    return cls(**values)
