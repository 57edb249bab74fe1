"""May this request pass? The one decision that every door asks for, as a value.

``Gate.decide`` answers at once, or says what it lacks; then the door fetches that in its own way and asks again. So
everything but the waiting is the same for blocking and asynchronous servers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cfaccess_mw.core.admission import (
    NO_FACTS,
    Admission,
    Answers,
    Lacking,
    LackingKey,
    LackingProfile,
    Verdicts,
)
from cfaccess_mw.core.errors import (
    BadEncoding,
    DuplicateToken,
    InvalidToken,
    KeysUnavailable,
    MalformedToken,
    NoToken,
    OversizedToken,
    Refused,
    Unauthenticated,
    Unavailable,
    UnknownKey,
)
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.freshness import Availability, KeyAnswer
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import Key, KeySnapshot
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.standing import ALWAYS, ProfileSource, Standing, why_unknown
from cfaccess_mw.core.token import MAX_TOKEN, is_joined
from cfaccess_mw.core.verifier import KeySource, Proof, Verifier

MEMORY_COUNT = 10_000
MEMORY_WEIGHT = 64 * 1024 * 1024  # bytes

# What an entry weighs beside its token and its payload: the objects of an identity, measured with tracemalloc.
_ENTRY_WEIGHT = 1_024

# How a token is refused that a server may have made of two.
_UNREADABLE = frozenset({OversizedToken, MalformedToken, BadEncoding})

Given = str | bytes | type[InvalidToken] | None
"""The assertion of a request, why it cannot be one, or None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The request goes to the application. No tuple: whoever writes one as JSON, or formats it, writes its token too.

    Attributes:
        identity: Who is asking; None on paths that need nobody.
        token: The assertion that was verified, as the request gave it.
    """

    identity: Identity | None
    token: str | bytes | None = field(repr=False)


NOBODY = Pass(identity=None, token=None)


@dataclass(slots=True, kw_only=True, eq=False)
class Refusal:
    """The request is answered here. Not frozen: one is made for each such request, and that is faster.

    Attributes:
        error: Why, with status, code and public text.
        passing: What goes to the application where refusals are only reported.
    """

    error: Refused
    passing: Pass = NOBODY

    @property
    def is_unauthenticated(self) -> bool:
        """Whether it is about who is asking, and not about what is asked for."""
        return isinstance(self.error, Unauthenticated)


Decision = Pass | Refusal | Lacking

NO_ANSWERS: Answers = MappingProxyType({})


class _Remembered:
    """A verified token: what its signature proved, and what policies said of it for as long as that holds."""

    __slots__ = (
        *("identity", "key", "passing", "snapshot", "source", "token", "valid_from", "valid_until"),
        *("stands_until", "suffices_for", "verdicts"),
    )

    def __init__(
        self,
        token: str | bytes,
        proof: Proof,
        key: Key,
        source: KeySource,
        snapshot: KeySnapshot,
    ) -> None:
        self.token = token
        self.identity, self.valid_from, self.valid_until = proof
        self.passing = Pass(identity=self.identity, token=token)
        self.key = key
        self.source = source
        self.snapshot = snapshot
        self.suffices_for: Requirement | None = None  # the last one that asks no more than such a token
        self.stands_until = -math.inf  # when its bearer is due to be looked up again, seconds since the epoch
        self.verdicts: Verdicts | None = None  # most tokens are never asked about by a policy


class Gate:
    """Decides over requests of one protected application.

    Args:
        verifier: The checks of a token.
        sources: Where the keys of each accepted issuer are found; it may change under way.
        profiles: What is known of people by their tokens, for policies that ask for it, and for ``standing``.
        standing: What is asked about every session.
    """

    def __init__(
        self,
        verifier: Verifier,
        sources: Mapping[str, KeySource],
        profiles: ProfileSource | None = None,
        standing: Standing = ALWAYS,
    ) -> None:
        self._verifier = verifier
        self._sources = sources
        self._admission = Admission(profiles)
        self._standing = standing
        self._asks_each_time = standing.is_asked
        self._memory: Memory[str | bytes, _Remembered] = Memory(count=MEMORY_COUNT, weight=MEMORY_WEIGHT)

    def decide(
        self,
        requirement: Requirement,
        token: Given,
        now: float,
        cookies: Sequence[str | bytes] = (),
        answers: Answers = NO_ANSWERS,
        facts: Facts = NO_FACTS,
    ) -> Decision:
        """Decide over one request.

        Args:
            requirement: What the rules require of its path.
            token: What the assertion header gave.
            now: Seconds since the epoch.
            cookies: The values of the ``CF_Authorization`` cookies, where they count and there is no header.
            answers: What became of what earlier answers to this request lacked.
            facts: What the request says, where a policy of the requirement looks at it.
        """
        # The usual request: a token that was verified before, asked again for everything that may have changed since.
        # What is too long to be one is not even looked up: that alone would take as long as a refusal.
        is_one = token is not None and (isinstance(token, type) or len(token) <= MAX_TOKEN)
        entry = self._memory.get(token) if is_one else None  # type: ignore[arg-type]  # a class is in no memory
        if (
            entry is not None
            and entry.suffices_for is requirement
            and entry.snapshot is entry.source.snapshot
            and entry.valid_from <= now < entry.valid_until
        ):
            return entry.passing
        if requirement.refusal is not None:
            return Refusal(error=requirement.refusal())
        if token is None:
            outcome = self._try_each(requirement, cookies, now, answers, facts) if cookies else None
        elif isinstance(token, type):
            outcome = Refusal(error=token())
        else:
            outcome = self._judge(requirement, token, entry, now, answers, facts)
        if isinstance(outcome, Pass):
            return outcome
        if requirement.may_open and self._admission.opens(requirement, facts):
            return NOBODY  # nobody is refused, and nothing is fetched for it
        if outcome is None:
            return NOBODY if requirement.access is Access.OPTIONAL else Refusal(error=NoToken())
        return outcome

    def _try_each(
        self, requirement: Requirement, cookies: Sequence[str | bytes], now: float, answers: Answers, facts: Facts
    ) -> Decision:
        """Find the first good one of several cookies: path-scoped ones come in pairs."""
        failed: Decision = Refusal(error=NoToken())
        for token in cookies:
            outcome = self._judge(requirement, token, self._memory.get(token), now, answers, facts)
            if isinstance(outcome, Pass):
                return outcome
            if _rank(outcome) > _rank(failed):
                failed = outcome
        return failed

    def _judge(
        self,
        requirement: Requirement,
        token: str | bytes,
        entry: _Remembered | None,
        now: float,
        answers: Answers,
        facts: Facts,
    ) -> Decision:
        """Decide over somebody who brought one token."""
        if entry is None or not self._holds(entry, requirement, now):
            found = self._verify(requirement, token, now, answers)
            if not isinstance(found, _Remembered):
                return found
            entry = found
        if requirement.policies or self._asks_each_time:
            return self._admit(requirement, entry, now, answers, facts)
        entry.suffices_for = requirement
        return entry.passing

    @staticmethod
    def _holds(entry: _Remembered, requirement: Requirement, now: float) -> bool:
        """Ask everything again that may have changed since a token was verified."""
        if not entry.valid_from <= now < entry.valid_until:
            return False
        snapshot = entry.source.snapshot
        if snapshot is None:
            return False
        if snapshot is not entry.snapshot:
            if snapshot.keys.get(entry.key.kid) != entry.key:  # a key that is removed takes its tokens along
                return False
            entry.snapshot = snapshot
        audience = entry.identity.audience
        return not any(accepted.isdisjoint(audience) for accepted in requirement.audiences)

    def _verify(
        self, requirement: Requirement, token: str | bytes, now: float, answers: Answers
    ) -> _Remembered | Refusal | Lacking:
        candidate = self._verifier.read(token, requirement.audiences, now)
        if isinstance(candidate, type):
            is_double = candidate in _UNREADABLE and is_joined(token)
            return Refusal(error=DuplicateToken() if is_double else candidate())
        source = self._sources[candidate.issuer]
        snapshot = source.snapshot
        key = snapshot.keys.get(candidate.kid) if snapshot is not None else None
        if snapshot is None or key is None:
            return _without_key(LackingKey(candidate.issuer, candidate.kid), answers)
        proof = self._verifier.prove(candidate, key, now)
        if isinstance(proof, type):
            return Refusal(error=proof())
        entry = _Remembered(token, proof, key, source, snapshot)
        self._memory.put(token, entry, 2 * len(token) + _ENTRY_WEIGHT)
        return entry

    def _admit(
        self, requirement: Requirement, entry: _Remembered, now: float, answers: Answers, facts: Facts
    ) -> Decision:
        """Ask about somebody whose token is good: whether the session stands, and what the policies say."""
        if self._asks_each_time:
            standing = self._stands(requirement, entry, now, answers)
            if standing is not None:
                return standing
        if not requirement.policies:
            return entry.passing
        if entry.verdicts is None:
            entry.verdicts = {}
        found = self._admission.admit(requirement, entry.identity, entry.token, entry.verdicts, answers, facts)
        if isinstance(found, Refused):
            return Refusal(error=found, passing=entry.passing)
        return found or entry.passing

    def _stands(
        self, requirement: Requirement, entry: _Remembered, now: float, answers: Answers
    ) -> Refusal | LackingProfile | None:
        """Ask whether a session was ended; None where it stands."""
        identity, every = entry.identity, self._standing.revalidate_every
        error = self._standing.objection(identity) if self._standing.objection is not None else None
        if error is not None:
            return Refusal(error=error)
        if every is None or not self._standing.is_due(identity, entry.stands_until, now):
            return None
        lacking = LackingProfile(identity=identity, token=entry.token)
        answer = self._admission.known(lacking, answers)
        if answer is None:  # on public paths nobody is waited for
            return None if requirement.access is Access.PUBLIC else lacking
        if answer.profile is None:
            return Refusal(error=why_unknown(answer))
        entry.stands_until = answer.profile.fetched_at + every
        return None


def _without_key(lacking: LackingKey, answers: Answers) -> Refusal | LackingKey:
    if lacking not in answers:
        return lacking
    answer = answers[lacking]
    if isinstance(answer, KeyAnswer) and answer.availability is Availability.ABSENT:
        return Refusal(error=UnknownKey())
    return Refusal(error=KeysUnavailable(retry_after=answer.retry_after))


def _rank(outcome: Decision) -> int:
    """Which of several failures is the answer: one that may still become good, one that we cannot know, the first."""
    match outcome:
        case LackingKey() | LackingProfile():
            return 3
        case Refusal(error=Unavailable()):
            return 2
        case Refusal(error=NoToken()):
            return 0
        case _:
            return 1
