"""What do both doors share? The configuration, the rules, the gate, and the keys of each team, held while in use."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cfaccess_mw.core.admission import NO_FACTS, NO_PROFILE, Answers, LackingKey, LackingProfile
from cfaccess_mw.core.decide import NO_ANSWERS, Decision, Gate, Given, Pass, Refusal
from cfaccess_mw.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    UnknownKey,
)
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.freshness import UNAVAILABLE, KeyAnswer
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.lookup_timing import LookupTiming
from cfaccess_mw.core.profile import ProfileAnswer
from cfaccess_mw.core.recording import Recording
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.standing import Standing
from cfaccess_mw.core.team import Team
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.ended import objection_of
from cfaccess_mw.refresh.editions import Health
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.refresh.lookup import Lookups
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.registry import Hold, hold, prepare
from cfaccess_mw.refresh.static import static_refresher
from cfaccess_mw.settings import configure
from cfaccess_mw.telemetry.events import Event, Listener, tell
from cfaccess_mw.telemetry.teller import Teller
from cfaccess_mw.telemetry.vitals import fleet_of, introduce

if TYPE_CHECKING:
    from cfaccess_mw.core.explain import Explanation
    from cfaccess_mw.fleet.fleet import Fleet
    from cfaccess_mw.fleet.member import Member
    from cfaccess_mw.refresh.fetchers import AnyFetcher

T = TypeVar("T")


class Protection(Teller):
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
        super().__init__(
            (*settings.listeners, *_audit(settings.recording)),
            report_only=settings.report_only,
            allow_preflight=settings.allow_preflight,
        )
        self._holds: list[Hold[KeySnapshot]] = []
        self._keys: dict[str, Refresher[KeySnapshot]] = {}
        self._closed = False
        self._member: Member | None = None
        self.open()
        self._member = self._join()
        self._lookups = {team.issuer: self._look_up(team) for team in settings.teams}
        verifier = Verifier(
            self._keys,
            leeway=settings.leeway,
            max_age=settings.max_age,
            certificates=settings.certificates,
            lookups=self._lookups,
        )
        among = None if self._member is None else self._member.objection
        objection = objection_of(settings.revoked, among, self._listeners)
        every = settings.revalidate_every
        # What others were told counts from when they asked.
        standing = Standing(objection=objection, revalidate_every=None if every is None else every - self._shared_for)
        self.gate = Gate(verifier, self._keys, _AtHand(self._lookups), standing)
        # Callers bring text or bytes, a door always the same of the two; they do not share a memory. Nobody is looked
        # up for them.
        self._callers = Gate(verifier, self._keys, standing=Standing(objection=objection))
        reporting = [ascii(rule.pattern) for rule in settings.ruleset if rule.report_only]
        if settings.report_only or reporting:
            facts = {"paths": "every path" if settings.report_only else ", ".join(reporting)}
            tell(self._listeners, Event(name="report-only", level=logging.WARNING, facts=facts))
        introduce(self, settings.listeners)

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
    ) -> "Explanation":
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
        self.look()
        if self._member is not None:
            self._member.resume()
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
        shared_for = self._shared_for
        timing = LookupTiming(
            lifetime=self._looked_up_for - shared_for,
            last_for=max(0, settings.profile_hard_ttl + (every or 0) - shared_for),
        )
        fetch = settings.profile_fetcher or HttpxFetcher().alook_up
        if self._member is not None:
            fetch = self._member.lookups(fetch, lasts=shared_for)
        return Lookups(team.base_url, fetch, timing=timing, leeway=settings.leeway, listeners=self._listeners)

    @property
    def _looked_up_for(self) -> float:
        """For how many seconds an answer counts, wherever it came from."""
        every = self.config.revalidate_every
        return self.config.profile_ttl if every is None else min(self.config.profile_ttl, every)

    @property
    def _shared_for(self) -> float:
        """For how many of these it is shared; then this process counts it for the rest, and not from the beginning."""
        return 0 if self._member is None else self._looked_up_for / 2

    @property
    def fleet(self) -> "Fleet | None":
        """What is shared with other workers and machines; None where nothing is."""
        return None if self._member is None else self._member.fleet

    def _join(self) -> "Member | None":
        """Take part in the fleet, if there is one; without one nothing of it is imported."""
        if self.config.fleet is None:
            return None
        from cfaccess_mw.fleet.meant import fleet_for  # noqa: PLC0415 - as said, and an extra

        return fleet_for(self.config.fleet).join(self._keys.values, self._listeners)

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
        fleet = fleet_of(self)
        return all(health.ready for health in self.health().values()) and (fleet is None or fleet.ready)

    @property
    def remembered(self) -> int:
        """How many verified tokens are remembered."""
        return len(self.gate._memory)

    def rest(self) -> None:
        """Need the keys no more until a request does again: the application was shut down."""
        if self._member is not None:
            self._member.rest()
        for share in self._holds:
            share.rest()

    def close(self) -> None:
        """Let go of the keys for good; every request that needs a token is refused until :meth:`open`."""
        self._closed = True
        for share in self._holds:
            share.release()
        self._holds.clear()
        if self._member is not None:
            self._member.leave()
        for lookups in self._lookups.values():
            lookups.close()


def _holds(snapshot: KeySnapshot, kid: str) -> bool:
    return kid in snapshot.keys


class _AtHand:
    """What is known of somebody at the team that signed his token, without asking it."""

    def __init__(self, lookups: Mapping[str, Lookups]) -> None:
        self._lookups = lookups

    def peek(self, token: str | bytes, identity: Identity) -> ProfileAnswer | None:
        """What is at hand, or None where somebody would have to be asked."""
        return self._lookups[identity.issuer].peek(token, identity)


def _audit(recording: Recording | None) -> tuple[Listener, ...]:
    if recording is None:
        return ()
    from cfaccess_mw.telemetry.audit import Audit  # noqa: PLC0415 - most applications record nothing

    return (Audit(recording),)


def checked_application(application: T) -> T:
    """An application as it is.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if not callable(application):
        raise ConfigurationError(f"app: is {shape(application)}; give the application that is to be protected")
    return application
