"""What do both doors share? The configuration, the rules, the gate, and the keys of each team, held while in use."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cfaccess_mw.core.decide import NO_ANSWERS, Answers, Decision, Gate, Given, Lacking, Refusal
from cfaccess_mw.core.errors import Ambiguous, KeysUnavailable, NotPermitted, Refused, Unavailable
from cfaccess_mw.core.explain import Explanation
from cfaccess_mw.core.freshness import UNAVAILABLE, KeyAnswer
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.core.team import Team
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.refresh.editions import Health
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.registry import Hold, hold
from cfaccess_mw.refresh.static import static_refresher
from cfaccess_mw.settings import configure
from cfaccess_mw.telemetry.events import Event, log_event, tell

if TYPE_CHECKING:
    from cfaccess_mw.refresh.fetchers import AnyFetcher

# What a refusal is called when it is told.
_TOLD: tuple[tuple[type[Refused], str], ...] = (
    (Ambiguous, "path-ambiguous"),
    (NotPermitted, "policy-denied"),
    (Unavailable, "keys-lacking"),
    (Refused, "token-refused"),
)
_LONGEST_PATH = 256  # characters of a path that are told


class Protection:
    """One protected application: what both doors ask, and what callers without a door may ask.

    Args:
        config: As for the doors.
        options: As for the doors.

    Attributes:
        config: The validated configuration.
        rules: What is required of which path.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, config: Any = None, /, **options: Any) -> None:
        settings = self.config = configure(config, **options)
        self.rules = RuleTable(settings.ruleset, audience=settings.audiences, host_routing=settings.host_routing)
        self._listeners = (log_event, *settings.listeners)
        self._holds: list[Hold[KeySnapshot]] = []
        self._keys: dict[str, Refresher[KeySnapshot]] = {}
        self._closed = False
        self.open()
        self._gate = Gate(
            Verifier(
                self._keys,
                leeway=self.config.leeway,
                max_age=self.config.max_age,
                certificates=self.config.certificates,
            ),
            self._keys,
        )

    # What a door asks for each request

    def attend(self) -> None:
        """See to the keys if it is time; it never waits. On an event loop."""
        now = time.monotonic()
        for keys in self._keys.values():
            if now >= keys.attention_at:
                keys.attend()

    def attend_blocking(self) -> None:
        """See to the keys if it is time; it never waits. In a thread."""
        now = time.monotonic()
        for keys in self._keys.values():
            if now >= keys.attention_at:
                keys.attend_blocking()

    def decide(
        self,
        requirement: Requirement,
        token: Given,
        cookies: Sequence[str | bytes] = (),
        answers: Answers = NO_ANSWERS,
    ) -> Decision:
        """Decide over one request now; the arguments are those of :meth:`Gate.decide`."""
        return self._gate.decide(requirement, token, time.time(), cookies, answers)

    async def obtain(self, lacking: Lacking) -> KeyAnswer:
        """Find out what becomes of a key that a decision lacks, waiting ``cold_wait`` seconds at most."""
        if self._closed:
            return UNAVAILABLE
        self.open()
        return await self._keys[lacking.issuer].obtain(lacking.kid, patience=self.config.cold_wait)

    def obtain_blocking(self, lacking: Lacking) -> KeyAnswer:
        """Do the same in a thread."""
        if self._closed:
            return UNAVAILABLE
        self.open()
        return self._keys[lacking.issuer].obtain_blocking(lacking.kid, patience=self.config.cold_wait)

    def tell_refused(self, error: Refused, *, method: str, path: str) -> None:
        """Tell the listeners of a refusal; what comes from the request is escaped and cut."""
        name = next(name for kind, name in _TOLD if isinstance(error, kind))
        facts = {"code": error.code, "method": ascii(method[:16]), "path": ascii(path[:_LONGEST_PATH])}
        tell(self._listeners, Event(name=name, facts=facts))

    # What a caller without a door may ask

    def verify(self, token: str | bytes, *, audience: str | None = None) -> Identity:
        """Verify a token with the keys at hand; nothing is fetched. Call :meth:`hydrate` first.

        Args:
            token: The assertion.
            audience: The AUD tag for which it must be; one of the configured ones by default.

        Raises:
            InvalidToken: Its subclass says which check failed.
            KeysUnavailable: The key that it names is not at hand.
        """
        audiences = self.config.audiences if audience is None else frozenset({audience})
        decision = self.decide(Requirement(access=Access.TOKEN, audiences=(audiences,)), token)
        if isinstance(decision, Refusal):
            raise decision.error
        if isinstance(decision, Lacking) or decision.identity is None:
            raise KeysUnavailable
        return decision.identity

    def explain(
        self, method: str, path: str, *, raw_path: bytes | None = None, root_path: str = "", host: str | None = None
    ) -> Explanation:
        """Say what is required of a request, and why; the arguments are those of :meth:`RuleTable.find`."""
        return self.rules.explain(method, path, raw_path, root_path, host)

    # The keys, from start to end

    def open(self) -> None:
        """Take hold of the keys; a door does that itself. After :meth:`close` it opens the doors again."""
        self._closed = False
        if self._holds or (self._keys and self.config.keys is not None):
            return
        for team in self.config.teams:
            self._keys[team.issuer] = self._hold(team)

    def _hold(self, team: Team) -> Refresher[KeySnapshot]:
        if self.config.keys is not None:
            return static_refresher(self.config.keys, parse=parse_jwks, holds=_holds)
        share = hold(
            url=team.certs_url,
            fetcher=cast("AnyFetcher | None", self.config.fetcher),  # hold() checks it
            parse=parse_jwks,
            holds=_holds,
            timing=Timing(hard_ttl=self.config.hard_ttl),
            listeners=self._listeners,
        )
        self._holds.append(share)
        return share.refresher

    def hydrate(self) -> None:
        """Fetch the keys before the first request.

        Raises:
            KeysUnavailable: They cannot be had at the moment.
        """
        for keys in self._keys.values():
            keys.hydrate()

    async def ahydrate(self) -> None:
        """Do the same on an event loop."""
        for keys in self._keys.values():
            await keys.ahydrate()

    def export_keys(self) -> dict[str, bytes]:
        """The keys at hand by issuer, for :meth:`adopt_keys` of a later process."""
        exported = {issuer: keys.export(time.time()) for issuer, keys in self._keys.items()}
        return {issuer: data for issuer, data in exported.items() if data is not None}

    def adopt_keys(self, exported: Mapping[str, bytes]) -> bool:
        """Start with keys of an earlier process: for the same URL only, and no older than ``hard_ttl``.

        Whoever can write what is handed in decides who is let in: keep it like a password.

        Returns:
            Whether all were taken.
        """
        now = time.time()
        taken = [issuer in self._keys and self._keys[issuer].adopt(data, now) for issuer, data in exported.items()]
        return all(taken)

    def health(self) -> dict[str, Health]:
        """How the keys of each team are, by issuer."""
        return {issuer: keys.health() for issuer, keys in self._keys.items()}

    def ready(self) -> bool:
        """Whether requests with known keys would be answered."""
        return all(health.ready for health in self.health().values())

    def rest(self) -> None:
        """Let go of the keys until a request needs them again: the application was shut down."""
        for share in self._holds:
            share.release()
        self._holds.clear()

    def close(self) -> None:
        """Let go of the keys for good; every request that needs a token is refused until :meth:`open`."""
        self._closed = True
        self.rest()


def _holds(snapshot: KeySnapshot, kid: str) -> bool:
    return kid in snapshot.keys
