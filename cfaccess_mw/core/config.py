"""What did the operator say? One validated value, whatever it was written in."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from inspect import iscoroutinefunction
from typing import Any, Literal, cast

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Need
from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.core.policy import Policy, needs_of
from cfaccess_mw.core.recording import Recording, read_recording
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing_options import FleetOptions, read_fleet
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.core.team import Team, read_team

_HEADER_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")  # RFC 9110 section 5.6.2, lower-cased

# Headers that carry the request itself; without them the application would read another one.
_NOT_SCRUBBED = frozenset({"host", "cookie", "content-length", "content-type", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessConfig:
    """The configuration of one protected application. Times are in seconds.

    Args:
        team: The name of the Access organisation (``acme``, or ``acme.cloudflareaccess.com``), or several during a
            rename: the ``iss`` of a token then chooses whose keys it is verified with.
        audience: The Application Audience (AUD) tag of the Access application, or several of which a token must name
            one.
        team_url: Replaces ``https://<team>.cloudflareaccess.com`` as the base of the URLs; https, or plain http to
            loopback.
        certs_url: Replaces the URL of the keys alone.
        issuer: What ``iss`` must be, where it is not the team's.
        keys: The keys outright, as a JWKS mapping or the path of a file with one; nothing is fetched then.
        fetcher: Fetches the keys instead of the default, see ``cfaccess_mw.refresh.fetchers``.
        cookie: Whether the ``CF_Authorization`` cookie counts where there is no header. A browser sends it with
            requests that other sites cause, so an application that turns it on needs protection against CSRF.
        rules: What is required of which path; for all others a valid token is.
        policies: Who may pass where no rule matches, instead of whoever has a valid token: policies of ours, or
            Cloudflare's as its API gives them.
        references: What the ids in Cloudflare's policies stand for: groups, lists, service tokens, identity providers.
        trusted_peers: Whose ``CF-Connecting-IP``, ``CF-IPCountry`` and ``cf-cert-*`` headers count: addresses,
            networks, ``loopback``, ``unix``. Nobody's by default; behind a local proxy every peer is loopback.
        certificate_headers: Whether Cloudflare adds its TLS client auth headers (``cf-cert-*``).
        report_only: Decide and tell, and refuse nothing: for rolling out.
        close_on_expiry: Whether WebSockets and streaming responses end when the token expires (ASGI).
        host_routing: States that the application serves different content by host, so that rules may open by host.
        leeway: By how much clocks may differ, 0 to 300.
        max_age: How long after it was issued a token counts at most; None for as long as it says.
        certificates: Whether tokens of client certificates without a user are accepted.
        cold_wait: How long a request may wait for keys that were never fetched yet, above 0 to 60.
        hard_ttl: How long keys count when their endpoint cannot be reached, 300 to 604,800 (the 7 days that an old
            key lives).
        revalidate_every: After how long somebody who is signed in is looked up again, to see whether Cloudflare ended
            the session, 10 to 86,400; None for never, so that a session lasts as long as its token.
        revoked: Called with the identity of every request that has one; says whether its session was ended here. It
            must answer from memory; whatever else it does than answering true or false is a 503.
        fleet: What many workers and machines share in Redis or Valkey, above all which sessions were ended: an address
            such as ``rediss://cache.example/0``, a mapping with ``url``, see
            :class:`~cfaccess_mw.core.sharing_options.FleetOptions`, or a :class:`cfaccess_mw.fleet.Fleet`.
        profile_fetcher: Asks ``get-identity`` instead of the default, see ``cfaccess_mw.refresh.lookup``.
        profile_ttl: How long what was looked up about somebody counts, 1 to 3,600.
        profile_hard_ttl: How long the last answer counts while there is no other to be had, 0 to 86,400;
            ``revalidate_every`` comes on top.
        unauthenticated_status: 401, or 403 for applications with Managed OAuth, where Cloudflare replaces a 401.
        login_redirect: Whether navigations of people who are not signed in are sent to the Access login.
        on_refusal: Called with each refused request; gives another response, or None for the usual one.
        refusal_template: The path of a file with the page that people are shown, for ``string.Template``.
        allow_preflight: Whether a true CORS preflight passes without identity; for where Access bypasses OPTIONS.
        scrub: Names of further request headers that the application must never see.
        remote_user: What ``REMOTE_USER`` is: the identity's ``id`` or ``email``.
        listeners: Callables that are told every event.
        audit: Where each access is recorded, one JSON object a line: True for standard output, a path, or a mapping of
            ``to``, ``email`` (``hashed``, ``off`` or ``plain``) and ``key``; see ``cfaccess_mw.telemetry.audit``.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """

    team: str | Iterable[str] = ()
    audience: str | Iterable[str] = ()
    team_url: str | None = None
    certs_url: str | None = None
    issuer: str | None = None
    keys: Mapping[str, Any] | str | None = field(default=None, repr=False)
    fetcher: object | None = field(default=None, repr=False)
    cookie: bool = False
    rules: Iterable[Rule | Mapping[str, Any]] = ()
    policies: object = ()
    references: Mapping[str, Any] | None = field(default=None, repr=False)
    trusted_peers: Iterable[str] = ()
    certificate_headers: bool = False
    report_only: bool = False
    close_on_expiry: bool = False
    host_routing: bool = False
    leeway: float = 30
    max_age: float | None = None
    certificates: bool = False
    cold_wait: float = 5
    hard_ttl: float = 86_400
    revalidate_every: float | None = None
    revoked: Callable[..., bool] | None = field(default=None, repr=False)
    fleet: str | Mapping[str, Any] | FleetOptions | object | None = field(default=None, repr=False)
    profile_fetcher: Callable[..., Any] | None = field(default=None, repr=False)
    profile_ttl: float = 60
    profile_hard_ttl: float = 300
    unauthenticated_status: Literal[401, 403] = 401
    login_redirect: bool = False
    on_refusal: Callable[..., Any] | None = field(default=None, repr=False)
    refusal_template: str | None = None
    allow_preflight: bool = False
    scrub: Iterable[str] = ()
    remote_user: Literal["id", "email"] = "id"
    listeners: Iterable[Callable[..., None]] = field(default=(), repr=False)
    audit: bool | str | Mapping[str, Any] | Recording | None = field(default=None, repr=False)

    # What the rest of the package reads; derived, never given.
    teams: tuple[Team, ...] = field(init=False)
    audiences: frozenset[str] = field(init=False)
    ruleset: tuple[Rule, ...] = field(init=False, repr=False)
    default_policies: tuple[Policy, ...] = field(init=False, repr=False)
    peers: TrustedPeers = field(init=False, repr=False, compare=False)
    table: RuleTable = field(init=False, repr=False, compare=False)
    recording: Recording | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Validate everything, and replace what was given by its one normal form."""
        names = _texts("team", self.team, mend="give the name of your Access organisation, such as 'acme'")
        audience = _texts("audience", self.audience, mend="give the AUD tag of the Access application")
        given = _items("rules", self.rules, mend="give a list of rules")
        ruleset = tuple(_rule(rule, self.references) for rule in given)
        policies = _policies(self.policies, self.references)
        trusted_peers = _names(
            "trusted_peers", self.trusted_peers, mend="give addresses, networks, 'loopback' or 'unix'"
        )
        self._set(
            trusted_peers=trusted_peers,
            peers=TrustedPeers(trusted_peers),
            team=names,
            teams=self._read_teams(names),
            audience=audience,
            audiences=frozenset(map(_aud_tag, audience)),
            rules=ruleset,
            ruleset=ruleset,
            policies=policies,
            default_policies=policies,
            scrub=tuple(_header_name(name) for name in _names("scrub", self.scrub, mend="give names of headers")),
            listeners=tuple(map(_listener, _items("listeners", self.listeners, mend="give a list of callables"))),
            recording=read_recording(self.audit),
            fleet=None if self.fleet is None else read_fleet(self.fleet),
        )
        self._check_keys()
        self._check_trust()
        self._check_scalars()
        self._check_callables()
        # After everything that it is made of: rules that contradict each other are a mistake of the configuration.
        table = RuleTable(ruleset, audience=self.audiences, host_routing=self.host_routing, policies=policies)
        self._set(table=table)

    def _read_teams(self, names: tuple[str, ...]) -> tuple[Team, ...]:
        if len(names) > 1 and not (self.team_url is self.certs_url is self.issuer is self.keys is None):
            raise ConfigurationError(
                "team: several go with their own addresses and keys; leave out team_url, certs_url, issuer and keys"
            )
        teams = tuple(
            read_team(name, team_url=self.team_url, certs_url=self.certs_url, issuer=self.issuer) for name in names
        )
        if len({team.issuer for team in teams}) < len(teams):
            raise ConfigurationError("team: the same team stands there twice; name each once")
        return teams

    def _check_keys(self) -> None:
        keys: object = self.keys
        if keys is not None and (not isinstance(keys, str | Mapping) or not keys):
            raise ConfigurationError(
                f"keys: is {shape(keys)}; give a JWKS as a mapping, or the path of a file with one as text"
            )
        if keys is not None and self.certs_url is not None:
            raise ConfigurationError("certs_url: stands beside keys, which are never fetched; leave one of them out")

    def _check_trust(self) -> None:
        if self.peers:
            return
        mend = "give trusted_peers, such as 'loopback', whose word about the client counts"
        if self.certificate_headers is True:
            raise ConfigurationError(f"certificate_headers: counts for nothing without trusted peers; {mend}")
        for policies in (*(rule.policies for rule in self.ruleset), self.default_policies):
            if Need.ADDRESS in needs_of(policies):
                raise ConfigurationError(f"trusted_peers: is empty, and a policy asks for the client's address; {mend}")

    def _check_scalars(self) -> None:
        for name, low, high in _RANGES:
            self._check_range(name, low, high)
        for name in _FLAGS:
            if type(getattr(self, name)) is not bool:
                raise ConfigurationError(f"{name}: is {shape(getattr(self, name))}; give true or false")
        for name, choices in _CHOICES:
            value = getattr(self, name)
            if not any(type(value) is type(choice) and value == choice for choice in choices):
                wanted = " or ".join(map(repr, choices))
                raise ConfigurationError(f"{name}: is {shape(value)}; give {wanted}")

    def _check_callables(self) -> None:
        for name in ("revoked", "profile_fetcher"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise ConfigurationError(f"{name}: is {shape(getattr(self, name))}; give a callable")
        if iscoroutinefunction(self.revoked):
            raise ConfigurationError(
                "revoked: is a coroutine function; it is asked on every request, so give one that answers at once"
            )

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if value is None and name in _MAY_BE_NONE:
            return
        if type(value) not in (int, float) or not low <= value <= high:
            raise ConfigurationError(f"{name}: is {shape(value)}; give seconds from {low:g} to {high:g}")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, source: str = "the configuration") -> "AccessConfig":
        """Read a configuration that was written as a mapping (Django's ``CFACCESS``, a parsed file).

        Args:
            mapping: The names of this class's arguments and their values.
            source: What to call the mapping in messages.

        Raises:
            ConfigurationError: As the class itself; an unknown key is one, and names the nearest known one.
        """
        if not isinstance(mapping, Mapping):
            raise ConfigurationError(f"{source}: is {shape(mapping)}; give a mapping of names to values")
        known = tuple(name.name for name in fields(cls) if name.init)
        for name in mapping:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise ConfigurationError(f"{name}: is not a key of {source}; {mend}")
        for name, what in _REQUIRED:
            if name not in mapping:
                raise ConfigurationError(f"{name}: is missing in {source}; give {what}")
        return cls(**mapping)


_REQUIRED = (
    ("team", "the name of your Access organisation, such as 'acme'"),
    ("audience", "the Application Audience (AUD) tag of the Access application"),
)
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("leeway", 0, 300),
    ("max_age", 1, 31_536_000),
    ("cold_wait", 0.001, 60),
    ("hard_ttl", 300, 604_800),
    ("revalidate_every", 10, 86_400),
    ("profile_ttl", 1, 3_600),
    ("profile_hard_ttl", 0, 86_400),
)
_MAY_BE_NONE = frozenset({"max_age", "revalidate_every"})
_FLAGS = (
    "cookie",
    "certificate_headers",
    "report_only",
    "close_on_expiry",
    "host_routing",
    "certificates",
    "login_redirect",
    "allow_preflight",
)
_CHOICES: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("unauthenticated_status", (401, 403)),
    ("remote_user", ("id", "email")),
)


def _policies(given: object, references: Mapping[str, Any] | None) -> tuple[Policy, ...]:
    if given == () and references is None:
        return ()
    from cfaccess_mw.core.policy_reading import read_policies  # noqa: PLC0415 - see core.rules

    return read_policies(given, references)


def _items(key: str, value: object, *, mend: str) -> tuple[Any, ...]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{key}: is {shape(value)}; {mend}")
    return tuple(value)


def _texts(key: str, value: object, *, mend: str) -> tuple[str, ...]:
    """One text or several, at least one, none of them empty."""
    texts = (value,) if isinstance(value, str) else _items(key, value, mend=mend)
    if not texts:
        raise ConfigurationError(f"{key}: is empty; {mend}")
    for text in texts:
        if not isinstance(text, str) or not text:
            raise ConfigurationError(f"{key}: holds {shape(text)}; {mend}")
    return tuple(dict.fromkeys(texts))


def _names(key: str, value: object, *, mend: str) -> tuple[str, ...]:
    names = value if isinstance(value, str) else _items(key, value, mend=mend)
    return () if names == () else _texts(key, names, mend=mend)


def _aud_tag(tag: str) -> str:
    if not tag.isascii() or not tag.isprintable() or " " in tag or "," in tag:
        raise ConfigurationError(f"audience: {shape(tag)} is not an AUD tag; that is 64 hexadecimal characters")
    return tag


def _listener(listener: Any) -> Callable[..., None]:
    if not callable(listener):
        raise ConfigurationError(f"listeners: {shape(listener)} cannot be called; give a list of callables")
    if iscoroutinefunction(listener):
        raise ConfigurationError("listeners: holds a coroutine function, which nobody awaits; give a plain one")
    return cast("Callable[..., None]", listener)


def _rule(value: object, references: Mapping[str, Any] | None) -> Rule:
    if isinstance(value, Rule):
        return value
    if isinstance(value, Mapping):
        return Rule.from_mapping(value, references)
    raise ConfigurationError(f"rules: holds {shape(value)}; give rules, such as Rule.public('/healthz')")


def _header_name(name: str) -> str:
    lowered = name.lower()
    if not name.isascii() or not _HEADER_NAME.issuperset(lowered):
        raise ConfigurationError(f"scrub: holds {shape(name)}; give names of headers, such as 'X-User'")
    if lowered in _NOT_SCRUBBED:
        raise ConfigurationError(f"scrub: holds {name!r}, without which the request would be another one; leave it out")
    return lowered
