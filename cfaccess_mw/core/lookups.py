"""Who is looked up, who waits for that, and how long does an answer count?

The rules of the memory of ``get-identity``. Everything that changes the state lives here, and nothing here does
anything: the caller holds a lock, passes ``now`` (monotonic seconds) and obeys.

Two things can go wrong, and they are kept apart. *The endpoint is down*: it does not answer, answers 5xx, or asks to
be left alone; then one lookup after each pause finds out whether it is back, and nobody else waits. *An answer is odd*:
that concerns its token alone, or one user whose answer is odd would close the lookups for all.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.lookup_timing import LookupTiming
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.profile import ENDED, Outcome, Profile, ProfileAnswer, found

# What an entry weighs beside its token and its document, in bytes: tracemalloc says 400.
_ENTRY_WEIGHT = 512

# Why a lookup failed that says nothing about the endpoint. 408, 425 and 429 ask to come back later.
_ABOUT_THE_TOKEN = re.compile(
    r"status-(?!408|425|429)[234][0-9]{2}|too-large|encoded|not-json|not-an-object|another-person"
)

# Said where nothing better is known.
_SHORTLY = 1.0


@dataclass(slots=True, eq=False, repr=False)
class Lookup:
    """One question to the endpoint; everybody who asks the same meanwhile shares it.

    Attributes:
        token: Whose profile is asked for.
        identity: Who that is.
        number: In the order of beginning, from 1; 0 while it waits for its turn.
        began: Monotonic seconds.
        answer: What became of it; None as long as it is not known.
    """

    token: bytes
    identity: Identity
    number: int = 0
    began: float = 0.0
    answer: ProfileAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is remembered of one token."""

    profile: Profile | None = None  # the last one
    counts_from: float = -math.inf  # when the lookup began that brought it
    ended: bool = False  # after that, Access said that there is no session
    failures: int = 0  # after that, in a row
    paused_until: float = -math.inf  # it is not asked about before


_NOTHING = _Known()


class Profiles:
    """The people that were looked up, and the lookups under way.

    Args:
        timing: The numbers.
        random: Numbers of [0, 1), for jitter.

    Attributes:
        failures: Times in a row that the endpoint was found to be down.
        retry_at: Before then it is left alone, whoever asks.
    """

    def __init__(self, *, timing: LookupTiming, random: Callable[[], float]) -> None:
        self.timing = timing
        self._random = random
        self._versions = 0
        self._begun = 0
        self._lookups: dict[bytes, Lookup] = {}  # that are not settled, by token: the next two together
        self._queue: dict[bytes, Lookup] = {}
        self._flying: dict[bytes, Lookup] = {}  # in the order of beginning
        self._settled: list[Lookup] = []
        self._known = self._nobody()
        self.failures = 0
        self.retry_at = -math.inf
        self._probe: Lookup | None = None  # the one that finds out whether the endpoint is back
        self._struck = 0  # the number of the last lookup that had begun when the endpoint was found to be down

    # What a reader asks

    def ask(
        self, token: bytes, identity: Identity, now: float, *, ends_at: float, waiting: int = 0
    ) -> ProfileAnswer | Lookup:
        """Answer one who needs a profile.

        Args:
            token: His token, verified.
            identity: Who he is.
            now: Monotonic seconds.
            ends_at: Monotonic seconds at which the token ends counting; nothing is said about him from then on.
            waiting: How many wait for a lookup already.

        Returns:
            The answer, or the lookup to wait for: a new one, or one under way.
        """
        self._give_lost_ones_up(now)
        known = self._known.get(token) or _NOTHING
        answer = self._at_hand(known, now, ends_at)
        if answer is not None:
            return answer
        if waiting >= self.timing.waiting:
            return self._last(known, now, _SHORTLY)
        lookup = self._lookups.get(token)
        if lookup is not None:
            return lookup
        free_at = max(known.paused_until, self.retry_at)
        if free_at > now or self._probe is not None:
            return self._last(known, now, max(free_at - now, _SHORTLY))
        lookup = self._lookups[token] = self._queue[token] = Lookup(token, identity)
        if self.failures:
            self._probe = lookup
        return lookup

    def peek(self, token: bytes, now: float, *, ends_at: float) -> ProfileAnswer | None:
        """Answer without looking anybody up; None where that would be needed."""
        return self._at_hand(self._known.get(token) or _NOTHING, now, ends_at)

    def leave(self, lookup: Lookup, now: float) -> ProfileAnswer:
        """Say something to one who cannot wait any longer."""
        return lookup.answer or self._last(self._known.get(lookup.token) or _NOTHING, now, _SHORTLY)

    def withdraw(self, lookup: Lookup) -> None:
        """Note that nobody waits for a lookup any more: one that has not begun is not made."""
        if self._queue.get(lookup.token) is lookup:
            del self._queue[lookup.token]
            self._drop(lookup)

    # What a driver asks and says

    def begin(self, now: float) -> Lookup | None:
        """Begin the next lookup, or None where none is wanted, or allowed yet."""
        if not self._queue or len(self._flying) >= self.timing.flying:
            return None
        lookup = self._queue.pop(next(iter(self._queue)))
        self._begun += 1
        lookup.number, lookup.began = self._begun, now
        self._flying[lookup.token] = lookup
        return lookup

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._lookups

    def drain(self) -> list[Lookup]:
        """Return the lookups that were settled since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def succeed(self, lookup: Lookup, body: bytes | None, now: float, *, wall_now: float) -> bool:
        """Take what a lookup brought.

        Args:
            lookup: Which one.
            body: The document, or None: there is no session. That counts, whatever was known before.
            now: Monotonic seconds.
            wall_now: Seconds since the epoch.

        Returns:
            Whether it was taken; the answer of a lookup that was given up is not.
        """
        if not self._lands(lookup):
            return False
        self._recover()
        if body is None:
            self._remember(lookup, _Known(ended=True, paused_until=now + self.timing.ended_for))
            self._settle(lookup, ENDED)
            return True
        before = (self._known.get(lookup.token) or _NOTHING).profile
        if before is not None and before.says(body):
            version = before.version
        else:
            version = self._versions = self._versions + 1
        # Its age counts from the question: what changed while the answer was on its way is not in it.
        fetched_at = wall_now - (now - lookup.began)
        profile = Profile(fetched_at=fetched_at, version=version, _body=body)
        self._remember(lookup, _Known(profile=profile, counts_from=lookup.began), len(body))
        self._settle(lookup, found(profile))
        return True

    def fail(self, lookup: Lookup, reason: str, now: float, *, retry_after: float | None = None) -> bool:
        """Note that a lookup brought nothing; the pause counts from now.

        Args:
            lookup: Which one.
            reason: A ``FetchError``'s.
            now: Monotonic seconds.
            retry_after: Seconds for which the endpoint asks to be left alone, or None.

        Returns:
            Whether it counts; the failure of a lookup that was given up does not.
        """
        if not self._lands(lookup):
            return False
        known = self._known.get(lookup.token) or _NOTHING
        failures = known.failures + 1
        pause = self._pause(failures, retry_after)
        if _ABOUT_THE_TOKEN.fullmatch(reason):
            self._recover()  # it answered
        elif lookup.number > self._struck:  # those that had begun before are the same outage, not the next
            self.failures += 1
            self.retry_at = now + self._pause(self.failures, retry_after)
            self._struck = self._begun
        paused = _Known(
            profile=known.profile, counts_from=known.counts_from, failures=failures, paused_until=now + pause
        )
        self._remember(lookup, paused, 0 if known.profile is None else known.profile.size)
        self._settle(lookup, self._last(known, now, max(self.retry_at - now, pause)))
        if self.failures:  # whoever waits for his turn would wait for the same
            self._settle_all(self._queue, now)
        return True

    def abandon(self, now: float) -> None:
        """Settle what is under way with what is known: its driver has died, which says nothing about the endpoint."""
        self._settle_all(self._lookups, now)

    def void(self, now: float) -> None:
        """Settle what is under way, and forget everybody, and what was in the middle of changing (a fork)."""
        self._known = self._nobody()
        self._recover()
        self.abandon(now)
        self._lookups, self._queue, self._flying = {}, {}, {}

    # The machine

    def _at_hand(self, known: _Known, now: float, ends_at: float) -> ProfileAnswer | None:
        if now >= ends_at or (known.ended and now < known.paused_until):
            return ENDED
        if known.profile is not None and now < known.counts_from + self.timing.lifetime:
            return found(known.profile)
        return None

    def _last(self, known: _Known, now: float, retry_after: float) -> ProfileAnswer:
        if known.profile is not None and now < known.counts_from + self.timing.last_for:
            return found(known.profile)
        return ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=retry_after)

    def _remember(self, lookup: Lookup, known: _Known, size: int = 0) -> None:
        self._known.put(lookup.token, known, len(lookup.token) + size + _ENTRY_WEIGHT)

    def _lands(self, lookup: Lookup) -> bool:
        return self._flying.get(lookup.token) is lookup

    def _drop(self, lookup: Lookup) -> None:
        del self._lookups[lookup.token]
        self._flying.pop(lookup.token, None)
        if self._probe is lookup:
            self._probe = None

    def _settle(self, lookup: Lookup, answer: ProfileAnswer) -> None:
        self._drop(lookup)
        lookup.answer = answer
        self._settled.append(lookup)

    def _settle_all(self, lookups: dict[bytes, Lookup], now: float) -> None:
        for token, lookup in list(lookups.items()):
            self._queue.pop(token, None)
            known = self._known.get(token) or _NOTHING
            self._settle(lookup, self._last(known, now, max(self.retry_at - now, _SHORTLY)))

    def _give_lost_ones_up(self, now: float) -> None:
        for lookup in list(self._flying.values()):
            if now < lookup.began + self.timing.deadline + self.timing.grace:
                return
            self.fail(lookup, "lost", now)

    def _recover(self) -> None:
        self.failures = 0
        self.retry_at = -math.inf
        self._probe = None

    def _nobody(self) -> Memory[bytes, _Known]:
        return Memory(count=self.timing.count, weight=self.timing.weight)

    def _pause(self, times: int, retry_after: float | None) -> float:
        """Between half and all of a ceiling that doubles: 1 to 2 s, 2 to 4 s, … 30 to 60 s."""
        ceiling = min(self.timing.backoff_first * 2.0 ** min(times, 64), self.timing.backoff_most)
        pause = ceiling * (1 + self._random()) / 2
        return pause if retry_after is None else max(pause, min(retry_after, self.timing.retry_after_most))
