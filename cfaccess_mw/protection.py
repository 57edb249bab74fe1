"""What do both doors share? The configuration, the rules, the gate, and the keys of each team, held while in use."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cfaccess_mw.core.admission import NO_FACTS, NO_PROFILE, Answers, LackingKey, LackingProfile
from cfaccess_mw.core.decide import NO_ANSWERS, NOBODY, Decision, Gate, Given, Pass, Refusal
from cfaccess_mw.core.errors import (
    Ambiguous,
    ConfigurationError,
    KeysUnavailable,
    NotPermitted,
    Refused,
    RevocationsUnavailable,
    SessionRevoked,
    Unavailable,
    UnknownKey,
)
from cfaccess_mw.core.explain import Explanation
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.freshness import UNAVAILABLE, KeyAnswer
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.lookup_timing import LookupTiming
from cfaccess_mw.core.profile import ProfileAnswer
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.standing import Standing
from cfaccess_mw.core.team import Team
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.refresh.editions import Health
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.refresh.lookup import Lookups
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.registry import Hold, hold, prepare
from cfaccess_mw.refresh.static import static_refresher
from cfaccess_mw.settings import configure
from cfaccess_mw.telemetry.events import Event, log_event, tell

if TYPE_CHECKING:
    from cfaccess_mw.refresh.fetchers import AnyFetcher

T = TypeVar("T")

# What a refusal is called when it is told.
_TOLD: tuple[tuple[type[Refused], str], ...] = (
    (Ambiguous, "path-ambiguous"),
    (NotPermitted, "policy-denied"),
    (Unavailable, "keys-lacking"),
    (Refused, "token-refused"),
)
_LONGEST_PATH = 256  # characters of a path that are told, and of a method
_LONGEST_METHOD = 16

# Seconds after which to ask again, where nothing better is known.
_SHORTLY = 1.0


class Protection:
    """One protected application: what both doors ask, and what callers without a door may ask.

    Args:
        config: As for the doors.
        options: As for the doors.

    Attributes:
        config: The validated configuration.
        rules: What is required of which path.
        gate: Decides over what a door has read of a request, see :meth:`decide`.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, config: Any = None, /, **options: Any) -> None:
        settings = self.config = configure(config, **options)
        self.rules = settings.table
        self._listeners = (log_event, *settings.listeners)
        self._reported: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._holds: list[Hold[KeySnapshot]] = []
        self._keys: dict[str, Refresher[KeySnapshot]] = {}
        self._closed = False
        self.open()
        self._lookups = {team.issuer: self._look_up(team) for team in settings.teams}
        verifier = Verifier(
            self._keys,
            leeway=settings.leeway,
            max_age=settings.max_age,
            certificates=settings.certificates,
            lookups=self._lookups,
        )
        objection = None if settings.revoked is None else self._why_revoked
        standing = Standing(objection=objection, revalidate_every=settings.revalidate_every)
        self.gate = Gate(verifier, self._keys, _AtHand(self._lookups), standing)
        # Callers bring text or bytes, a door always the same of the two; they do not share a memory. Nobody is looked
        # up for them.
        self._callers = Gate(verifier, self._keys, standing=Standing(objection=objection))
        reporting = [ascii(rule.pattern) for rule in settings.ruleset if rule.report_only]
        if settings.report_only or reporting:
            facts = {"paths": "every path" if settings.report_only else ", ".join(reporting)}
            tell(self._listeners, Event(name="report-only", level=logging.WARNING, facts=facts))

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
        facts: Facts = NO_FACTS,
    ) -> Decision:
        """Decide over one request now; the arguments are those of :meth:`Gate.decide`."""
        return self.gate.decide(requirement, token, time.time(), cookies, answers, facts)

    async def obtain(self, lacking: LackingKey | LackingProfile, until: float) -> KeyAnswer | ProfileAnswer:
        """Find out what becomes of something that a decision lacks.

        Args:
            lacking: What the decision named.
            until: Monotonic seconds after which the request is not kept waiting, see :meth:`patience_ends`.
        """
        patience = max(0.0, until - time.monotonic())
        if self._closed:
            return NO_PROFILE if isinstance(lacking, LackingProfile) else UNAVAILABLE
        if isinstance(lacking, LackingProfile):
            lookups = self._lookups[lacking.identity.issuer]
            return await lookups.obtain(lacking.token, lacking.identity, patience=patience)
        self.open()
        return await self._keys[lacking.issuer].obtain(lacking.kid, patience=patience)

    def obtain_blocking(self, lacking: LackingKey | LackingProfile, until: float) -> KeyAnswer | ProfileAnswer:
        """Do the same in a thread."""
        patience = max(0.0, until - time.monotonic())
        if self._closed:
            return NO_PROFILE if isinstance(lacking, LackingProfile) else UNAVAILABLE
        if isinstance(lacking, LackingProfile):
            lookups = self._lookups[lacking.identity.issuer]
            return lookups.obtain_blocking(lacking.token, lacking.identity, patience=patience)
        self.open()
        return self._keys[lacking.issuer].obtain_blocking(lacking.kid, patience=patience)

    def patience_ends(self) -> float:
        """Until when a request that begins to wait now may be kept waiting for all that it lacks: monotonic seconds."""
        return time.monotonic() + self.config.cold_wait

    def waive(
        self, refusal: Refusal, requirement: Requirement, *, method: str, path: str, is_preflight: Callable[[], bool]
    ) -> Pass | None:
        """Tell of a refusal, unless it does not hold.

        Args:
            refusal: The decision.
            requirement: What was required.
            method: As sent.
            path: As the server gives it. What is told of both is escaped and cut.
            is_preflight: Whether the request is a CORS preflight.

        Returns:
            What goes to the application nevertheless: an allowed preflight, and everything where refusals are only
            reported. None where the refusal holds.
        """
        if self.config.allow_preflight and refusal.is_unauthenticated and is_preflight():
            return NOBODY
        if not (self.config.report_only or requirement.report_only):
            self.tell(refusal.error, method=method, path=path)
            return None
        with self._lock:
            self._reported[refusal.error.code] += 1
        tell(self._listeners, Event(name="only-reported", facts=_facts_of(refusal.error, method, path)))
        return refusal.passing

    def tell(self, error: Refused, *, method: str, path: str) -> None:
        """Tell of a refusal that holds: one of a door's, or of a handler's behind it.

        Args:
            error: Why.
            method: As sent.
            path: As the server gives it.
        """
        name = next(name for kind, name in _TOLD if isinstance(error, kind))
        tell(self._listeners, Event(name=name, facts=_facts_of(error, method, path)))

    @property
    def reported(self) -> Mapping[str, int]:
        """How many requests would have been refused, by code, where refusals are only reported."""
        with self._lock:
            return dict(self._reported)

    # What a caller without a door may ask

    def verify(self, token: str | bytes, *, audience: str | None = None) -> Identity:
        """Verify a token with the keys at hand; nothing is fetched. Call :meth:`hydrate` first.

        Args:
            token: The assertion.
            audience: The AUD tag for which it must be; one of the configured ones by default.

        Raises:
            InvalidToken: Its subclass says which check failed.
            KeysUnavailable: The key that it names is not at hand; where ``keys`` are given, it is UnknownKey.
        """
        audiences = self.config.audiences if audience is None else frozenset({audience})
        requirement = Requirement(access=Access.TOKEN, audiences=(audiences,))
        given = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
        decision = self._callers.decide(requirement, given, time.time())
        if isinstance(decision, Refusal):
            raise decision.error
        if not isinstance(decision, Pass) or decision.identity is None:
            # keys that were given are all that there are
            raise KeysUnavailable if self.config.keys is None else UnknownKey
        return decision.identity

    def explain(
        self,
        method: str,
        path: str,
        identity: Identity | None = None,
        *,
        facts: Facts | None = None,
        raw_path: bytes | None = None,
        root_path: str = "",
        host: str | None = None,
    ) -> Explanation:
        """Say what is required of a request, and why, and what becomes of it.

        Args:
            method: As for :meth:`RuleTable.find`, like the others that are not named here.
            path: As there.
            identity: Who would be asking; None for nobody.
            facts: What else policies would look at: address, country, certificate, profile.
            raw_path: As there.
            root_path: As there.
            host: As there.
        """
        known = replace(facts or NO_FACTS, identity=identity, method=method)
        return self.rules.explain(method, path, raw_path, root_path, host, known)

    # The keys, from start to end

    def open(self) -> None:
        """Take hold of the keys; a door does that itself. After :meth:`close` it opens the doors again."""
        self._closed = False
        for share in self._holds:
            share.resume()
        if self._holds or (self._keys and self.config.keys is not None):
            return
        for team in self.config.teams:
            self._keys[team.issuer] = self._hold(team)

    def prepare(self) -> None:
        """Import what the keys need on an event loop, before there are requests; for the ASGI door."""
        if self.config.keys is None:
            prepare(cast("AnyFetcher | None", self.config.fetcher))

    def _look_up(self, team: Team) -> Lookups:
        settings, every = self.config, self.config.revalidate_every
        timing = LookupTiming(
            lifetime=settings.profile_ttl if every is None else min(settings.profile_ttl, every),
            last_for=settings.profile_hard_ttl + (every or 0),
        )
        fetch = settings.profile_fetcher or HttpxFetcher().alook_up
        return Lookups(team.base_url, fetch, timing=timing, leeway=settings.leeway, listeners=self._listeners)

    def _why_revoked(self, identity: Identity) -> Refused | None:
        """Ask whoever knows which sessions were ended; what is no clear answer counts against the request."""
        if self.config.revoked is None:
            return None
        try:
            answer: object = self.config.revoked(identity)
        except RevocationsUnavailable as unavailable:
            return RevocationsUnavailable(retry_after=unavailable.retry_after)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer could not be had
            answer = type(error)
        if answer is False:
            return None
        if answer is True:
            return SessionRevoked()
        facts = {"error": answer.__name__ if isinstance(answer, type) else type(answer).__name__}
        tell(self._listeners, Event(name="revocations-lacking", level=logging.ERROR, facts=facts))
        return RevocationsUnavailable(retry_after=_SHORTLY)

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
        """Need the keys no more until a request does again: the application was shut down."""
        for share in self._holds:
            share.rest()

    def close(self) -> None:
        """Let go of the keys for good; every request that needs a token is refused until :meth:`open`."""
        self._closed = True
        for share in self._holds:
            share.release()
        self._holds.clear()
        for lookups in self._lookups.values():
            lookups.close()


def _facts_of(error: Refused, method: str, path: str) -> dict[str, object]:
    return {"code": error.code, "method": ascii(method[:_LONGEST_METHOD]), "path": ascii(path[:_LONGEST_PATH])}


def _holds(snapshot: KeySnapshot, kid: str) -> bool:
    return kid in snapshot.keys


class _AtHand:
    """What is known of somebody at the team that signed his token, without asking it."""

    def __init__(self, lookups: Mapping[str, Lookups]) -> None:
        self._lookups = lookups

    def peek(self, token: str | bytes, identity: Identity) -> ProfileAnswer | None:
        """What is at hand, or None where somebody would have to be asked."""
        return self._lookups[identity.issuer].peek(token, identity)


def checked_application(application: T) -> T:
    """An application as it is.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if not callable(application):
        raise ConfigurationError(f"app: is {shape(application)}; give the application that is to be protected")
    return application
