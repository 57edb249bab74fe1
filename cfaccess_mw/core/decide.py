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
    """The request goes to the application.

    Attributes:
        identity: Who is asking; None on paths that need nobody.
        token: The assertion that was verified, as the request gave it.
    """

    identity: Identity | None
    token: str | bytes | None = field(repr=False)


NOBODY = Pass(identity=None, token=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The request is answered here.

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
        *("passing", "proof", "snapshot", "source", "valid_from", "valid_until"),
        *("meets", "stands_until", "verdicts"),
    )

    def __init__(self, proof: Proof, token: str | bytes, source: KeySource, snapshot: KeySnapshot) -> None:
        self.proof = proof
        self.passing = Pass(identity=proof.identity, token=token)
        self.source = source
        self.snapshot = snapshot
        self.valid_from = proof.valid_from
        self.valid_until = proof.valid_until
        self.meets: Requirement | None = None  # the last one whose audience it was found to be for
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
        entry = self._recall(requirement, token, now) if is_one else None
        if entry is not None:
            if not (requirement.policies or self._asks_each_time):
                return entry.passing
            outcome = self._admit(requirement, entry, now, answers, facts)
            if isinstance(outcome, Pass) or not (requirement.access is Access.PUBLIC or requirement.may_open):
                return outcome
        return self._decide(requirement, token, entry, now, cookies, answers, facts)

    def _recall(self, requirement: Requirement, token: Given, now: float) -> _Remembered | None:
        """A token that was verified before, if everything that its signature does not prove holds still."""
        entry = self._memory.get(token)  # type: ignore[arg-type]  # a class is in no memory
        if entry is None or not entry.valid_from <= now < entry.valid_until:
            return None
        snapshot = entry.source.snapshot
        if snapshot is not entry.snapshot and not self._still_holds(entry, snapshot):
            return None
        if entry.meets is not requirement:
            audience = entry.proof.identity.audience
            for accepted in requirement.audiences:
                if accepted.isdisjoint(audience):
                    return None
            entry.meets = requirement
        return entry

    def _decide(
        self,
        requirement: Requirement,
        token: Given,
        entry: _Remembered | None,
        now: float,
        cookies: Sequence[str | bytes],
        answers: Answers,
        facts: Facts,
    ) -> Decision:
        if requirement.refusal is not None:
            return Refusal(error=requirement.refusal())
        is_open = self._admission.opens(requirement, facts)
        if token is None and not cookies:
            return NOBODY if is_open or requirement.access is Access.OPTIONAL else Refusal(error=NoToken())
        if token is None:
            outcome = self._try_each(requirement, cookies, now, answers, facts)
        elif isinstance(token, type):
            outcome = Refusal(error=token())
        else:
            outcome = self._judge(requirement, token, entry, now, answers, facts)
        if is_open and not isinstance(outcome, Pass):
            return NOBODY  # nobody is refused, and nothing is fetched for it
        return outcome

    def _try_each(
        self, requirement: Requirement, cookies: Sequence[str | bytes], now: float, answers: Answers, facts: Facts
    ) -> Decision:
        """Find the first good one of several cookies: path-scoped ones come in pairs."""
        failed: Decision = Refusal(error=NoToken())
        for token in cookies:
            outcome = self._judge(requirement, token, self._recall(requirement, token, now), now, answers, facts)
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
        found = entry or self._verify(requirement, token, now, answers)
        return self._admit(requirement, found, now, answers, facts) if isinstance(found, _Remembered) else found

    def _verify(
        self, requirement: Requirement, token: str | bytes, now: float, answers: Answers
    ) -> _Remembered | Refusal | Lacking:
        try:
            candidate = self._verifier.read(token, requirement.audiences, now)
            source = self._sources[candidate.issuer]
            snapshot = source.snapshot
            key = snapshot.keys.get(candidate.kid) if snapshot is not None else None
            if snapshot is None or key is None:
                return _without_key(LackingKey(issuer=candidate.issuer, kid=candidate.kid), answers)
            proof = self._verifier.prove(candidate, key, now)
        except InvalidToken as error:
            kind = type(error)
        else:
            return self._remember(proof, token, source, snapshot)
        # Made anew: what was raised holds the token in its frames.
        return Refusal(error=DuplicateToken() if kind in _UNREADABLE and is_joined(token) else kind())

    def _remember(self, proof: Proof, token: str | bytes, source: KeySource, snapshot: KeySnapshot) -> _Remembered:
        entry = _Remembered(proof, token, source, snapshot)
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
        identity, token = entry.proof.identity, entry.passing.token or ""
        found = self._admission.admit(requirement, identity, token, entry.verdicts, answers, facts)
        if isinstance(found, Refused):
            return Refusal(error=found, passing=entry.passing)
        return found or entry.passing

    def _stands(
        self, requirement: Requirement, entry: _Remembered, now: float, answers: Answers
    ) -> Refusal | LackingProfile | None:
        """Ask whether a session was ended; None where it stands."""
        identity, every = entry.proof.identity, self._standing.revalidate_every
        error = self._standing.objection(identity) if self._standing.objection is not None else None
        if error is not None:
            return Refusal(error=error)
        if every is None or not self._standing.is_due(identity, entry.stands_until, now):
            return None
        lacking = LackingProfile(identity=identity, token=entry.passing.token or "")
        answer = self._admission.known(lacking, answers)
        if answer is None:  # on public paths nobody is waited for
            return None if requirement.access is Access.PUBLIC else lacking
        if answer.profile is None:
            return Refusal(error=why_unknown(answer))
        entry.stands_until = answer.profile.fetched_at + every
        return None

    @staticmethod
    def _still_holds(entry: _Remembered, snapshot: KeySnapshot | None) -> bool:
        """Ask whether the key that verified a token is still published: a removed one takes its tokens along."""
        if snapshot is None:
            return False
        key: Key | None = snapshot.keys.get(entry.proof.key.kid)
        if key != entry.proof.key:
            return False
        entry.snapshot = snapshot
        return True


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
