"""When is what we hold fetched again, who waits for that, and what may be said meanwhile?

Everything that changes the state lives here, and nothing here does anything: no clock, no lock, no socket. The caller
holds a lock, passes ``now`` (monotonic seconds) and obeys. The machine is generic in what it keeps: key sets today,
IP ranges as well.

Two rules carry the rest. *Nobody who needs a known key waits*: ``snapshot`` and ``attention_at`` are plain attributes
that a request reads without lock or call. *A negative answer needs proof*: ``ABSENT`` is only said after a successful
flight that began after the asker had asked, or from the short memory of one; whoever signed in just after a rotation
must not be told that the token is bad. "After" is counted in flights, not in seconds: clocks tick too coarsely.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from cachetools import TTLCache

from cfaccess_mw.core.states import TRANSITIONS, State, Turn
from cfaccess_mw.core.timing import Timing

T = TypeVar("T")
_NEVER = math.inf
_ALWAYS = -math.inf
_AT_REST = (State.STATIC, State.CLOSED)


class Availability(Enum):
    """Whether a key can be had."""

    PRESENT = "present"  # it is in the snapshot: look again
    ABSENT = "absent"  # proved: the endpoint does not publish it
    UNAVAILABLE = "unavailable"  # we cannot know at the moment


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAnswer:
    """What may be said to one who lacks a key.

    Attributes:
        availability: Whether it can be had.
        retry_after: Seconds after which asking again may help; 0 unless unavailable.
    """

    availability: Availability
    retry_after: float = 0.0


PRESENT = KeyAnswer(availability=Availability.PRESENT)
ABSENT = KeyAnswer(availability=Availability.ABSENT)
# Said where nothing better is known: closed, too many waiting, out of patience.
UNAVAILABLE = KeyAnswer(availability=Availability.UNAVAILABLE, retry_after=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One attempt to fetch; times are monotonic seconds."""

    number: int  # in the order of beginning, from 1
    began: float
    lost_at: float  # from then on its driver is taken for dead, and another flight may begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many are waiting already, not counting the one who asks; and what the one who asks is."""

    coroutines: int = 0
    threads: int = 0
    blocking: bool = False


_NOBODY = Waiting()


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    """What is held and when it ages: one object, so that a forked child never sees half of it."""

    snapshot: T
    born: float
    ahead_at: float
    outlived_at: float
    dropped_at: float


class Freshness(Generic[T]):
    """Keeps one thing fresh: decides, and leaves the doing to a driver.

    Args:
        holds: Whether a snapshot has the thing that was asked for.
        random: Numbers of [0, 1), for jitter.
        timing: The numbers.

    Attributes:
        snapshot: What is held and good, or None. Read it without a lock.
        attention_at: From this monotonic time on a reader should have the machine attended to. It lies a little
            behind ``wake_at``, so that a live driver has always been there first, and never behind the end of
            ``hard_ttl``: dropping what is too old does not depend on a driver. Read it without a lock.
        wake_at: When a driver must act next: -inf at once, inf never.
        state: The state at the last call.
        failures: Failed attempts in a row.
        flights: How many flights have begun; an asker notes it as ``since``.
        retry_at: Before then no flight begins, whoever asks.
    """

    def __init__(self, *, holds: Callable[[T, str], bool], random: Callable[[], float], timing: Timing) -> None:
        self.timing = timing
        self.snapshot: T | None = None
        self.attention_at = _ALWAYS
        self.wake_at = _ALWAYS
        self.state = State.COLD
        self.failures = 0
        self.flights = 0
        self.retry_at = _ALWAYS
        self._holds = holds
        self._random = random
        self._now = _ALWAYS
        self._held: _Held[T] | None = None
        self._flight: Flight | None = None
        self._proved = 0  # the number of the last flight that succeeded
        self._void = 0  # answers of flights up to this number come from another process
        self._abandoned = 0  # in a row
        self._cut_short = False  # a flight ended without a word since the last that succeeded or failed
        self._requested_at = _NEVER  # when an asker's flight may begin
        self._bucket_full_at = _ALWAYS
        self._attended_at = _ALWAYS
        self._missing = self._nothing_missing()

    # What a driver asks and says

    def begin(self, now: float) -> Flight | None:
        """Begin a flight, or None where none is wanted, or allowed yet."""
        self.pass_time(now)
        if now < self.wake_at:
            return None
        if self._routine_at > now:  # an asker's flight: it costs a token, the routine ones are free
            self._bucket_full_at = max(self._bucket_full_at, now) + self.timing.bucket_period
        self._cut_short = self._cut_short or self._flight is not None  # that one is lost
        self._requested_at = _NEVER
        self.flights += 1
        lost_at = now + self.timing.deadline + self.timing.grace
        self._flight = Flight(number=self.flights, began=now, lost_at=lost_at)
        self._settle()
        return self._flight

    def succeed(self, flight: Flight, snapshot: T, now: float, *, max_age: float | None = None) -> bool:
        """Take what a flight brought, the same snapshot again where nothing had changed.

        Args:
            flight: Which one.
            snapshot: What it brought. It replaces what is held, and its age counts from the flight's beginning.
            now: Monotonic seconds.
            max_age: For how many seconds the endpoint calls it fresh, or None.

        Returns:
            Whether it was taken; the answer of an older flight than the last one taken is not.
        """
        if flight.number <= max(self._proved, self._void):
            return False
        timing = self.timing
        lifetime = min(max(timing.lifetime if max_age is None else max_age, timing.shortest), timing.longest)
        lifetime = min(lifetime, timing.hard_ttl)
        ahead = timing.ahead + timing.spread * (2 * self._random() - 1)
        began = flight.began
        self._proved = flight.number
        self._end(flight)
        self._hold(
            Turn.SUCCEEDED,
            _Held(snapshot, began, began + lifetime * ahead, began + lifetime, began + timing.hard_ttl),
        )
        self.pass_time(now)
        return True

    def fail(self, flight: Flight, now: float, *, retry_after: float | None = None) -> bool:
        """Note a failure; the pause counts from now, the end of the attempt.

        Args:
            flight: Which one.
            now: Monotonic seconds.
            retry_after: Seconds for which the endpoint asks to be left alone, or None.

        Returns:
            Whether it counts; the failure of a flight that was given up for lost does not.
        """
        if flight is not self._flight:
            return False
        self._end(flight, failures=self.failures + 1)
        pause = self._backoff(self.failures)
        if retry_after is not None and retry_after > pause:
            pause = min(retry_after, max(pause, self.timing.retry_after_most))
        self.retry_at = now + pause
        self.pass_time(now)
        return True

    def abandon(self, flight: Flight, now: float) -> None:
        """Note that a flight's driver was cancelled, which says nothing about the endpoint: one is free.

        Nor does it say that what we hold is still good: it grows stale like after a failure.

        Several in a row are paused for like failures. Otherwise an application that makes an event loop for each
        request, and ends it with the request, would begin a fetch with each.
        """
        if flight is not self._flight:
            return
        abandoned = self._abandoned + 1
        self._end(flight, failures=self.failures)
        self._abandoned = abandoned
        self._cut_short = True
        if abandoned > 1:
            self.retry_at = now + self._backoff(abandoned - 1)
        self.pass_time(now)

    def withdraw(self, flight: Flight, now: float) -> None:
        """Take back a flight whose driver never came to life, as if it had not begun; its token is given back."""
        if flight is not self._flight:
            return
        self._flight = None
        if self._routine_at > flight.began:
            self._bucket_full_at -= self.timing.bucket_period
            self._requested_at = flight.began
        self.pass_time(now)

    # What a reader asks

    def ask(self, wanted: str | None, *, since: int, now: float, waiting: Waiting = _NOBODY) -> KeyAnswer | None:
        """Answer one who lacks something.

        Args:
            wanted: What is lacked; None for one who would be content with any snapshot.
            since: ``flights`` at the time when the asker asked first.
            now: Monotonic seconds.
            waiting: Who waits already.

        Returns:
            The answer, or None: wait for the end of the flight, and ask again.
        """
        self.pass_time(now)
        if self.state is State.CLOSED:
            return UNAVAILABLE
        if self.snapshot is not None:
            if wanted is None or self._holds(self.snapshot, wanted):
                return PRESENT
            if self.state is State.STATIC or self._missing.get(wanted):
                return ABSENT
            if self._proved > since:
                self._missing[wanted] = True
                return ABSENT
        if self._flight is None:
            tokens_from = self._bucket_full_at - (self.timing.bucket_size - 1) * self.timing.bucket_period
            if max(tokens_from, now) < self._requested_at:
                self._requested_at = max(tokens_from, now)
                self._settle()
            if self.wake_at > now:
                return KeyAnswer(availability=Availability.UNAVAILABLE, retry_after=self.wake_at - now)
        return None if self._has_room(waiting) else UNAVAILABLE

    def attend(self, now: float) -> bool:
        """Look after the machine in passing; ``attention_at`` moves on.

        Returns:
            Whether a driver has to act now.
        """
        self._attended_at = now
        self.pass_time(now)
        return self.wake_at <= now

    def pass_time(self, now: float) -> None:
        """Make the turns that time alone makes."""
        self._now = max(self._now, now)
        held = self._held
        if held is not None:
            for turn, happened in (
                (Turn.AGED, now >= held.ahead_at),
                (Turn.OUTLIVED, now >= held.outlived_at and (self.failures > 0 or self._cut_short)),
                (Turn.RAN_OUT, now >= held.dropped_at),
            ):
                if happened and turn in TRANSITIONS[self.state]:
                    self._turn(turn)
            if self.state is State.EXPIRED:
                self._held = self.snapshot = None
        self._settle()

    def age(self, now: float) -> float | None:
        """Seconds since the flight began that brought what is held, also while closed; None where nothing is."""
        return None if self._held is None or self._given else max(0.0, now - self._held.born)

    # What a holder does

    def adopt(self, snapshot: T, age: float, now: float) -> bool:
        """Take a snapshot of an earlier process, to be fetched again at once.

        Args:
            snapshot: What it held.
            age: How many seconds ago it was fetched.
            now: Monotonic seconds.

        Returns:
            Whether it was taken: not when we hold something, and not when it is older than ``hard_ttl``.
        """
        self.pass_time(now)
        if Turn.ADOPTED not in TRANSITIONS[self.state] or not 0 <= age < self.timing.hard_ttl:
            return False
        born, timing = now - age, self.timing
        self._hold(Turn.ADOPTED, _Held(snapshot, born, _ALWAYS, born + timing.lifetime, born + timing.hard_ttl))
        self.pass_time(now)
        return True

    def give(self, snapshot: T) -> None:
        """Hold this and never fetch."""
        self._hold(Turn.GIVEN, _Held(snapshot, _ALWAYS, _NEVER, _NEVER, _NEVER))
        self._settle()

    def close(self) -> None:
        """Let go: nothing is answered, no flight begins, and what is held is kept aside.

        The pause after failures stays. So does a flight in the air, and what it brings is kept aside as well: where
        each request opens and closes us (AWS Lambda), no flight would ever come to its end otherwise.
        """
        if self.state is not State.CLOSED:
            self._turn(Turn.CLOSED)
            self.snapshot = None
            self._forget_askers()

    def reopen(self, now: float) -> None:
        """Go on with what was kept aside, as old as it is by now."""
        if self.state is State.CLOSED:
            held = self._held
            kept = Turn.REOPENED_GIVEN if self._given else Turn.REOPENED
            self._turn(Turn.REOPENED_EMPTY if held is None else kept)
            self.snapshot = None if held is None else held.snapshot
            self.pass_time(now)

    def void(self) -> None:
        """Forget the flight in the air, whoever asked for one, and what was in the middle of changing (a fork)."""
        self._flight = None
        self._void = self.flights
        self._forget_askers()

    # The machine

    @property
    def _given(self) -> bool:
        return self._held is not None and self._held.born == _ALWAYS

    @property
    def _routine_at(self) -> float:
        return _ALWAYS if self._held is None else self._held.ahead_at

    def _turn(self, turn: Turn) -> None:
        self.state = TRANSITIONS[self.state][turn]

    def _hold(self, turn: Turn, held: _Held[T]) -> None:
        self._turn(turn)
        self._held = held
        self._missing = self._nothing_missing()
        self.snapshot = None if self.state is State.CLOSED else held.snapshot

    def _forget_askers(self) -> None:
        self._requested_at = _NEVER
        self._missing = self._nothing_missing()
        self._settle()

    def _end(self, flight: Flight, *, failures: int = 0) -> None:
        if self._flight is not None and self._flight.number <= flight.number:
            self._flight = None
        self.failures = failures
        self._abandoned = 0
        self._cut_short = False
        self.retry_at = _ALWAYS

    def _settle(self) -> None:
        """Work out when somebody has to act next; every change ends here."""
        if self.state in _AT_REST:
            self.wake_at = self.attention_at = _NEVER
            return
        if self._flight is not None:
            self.wake_at = self._flight.lost_at
        else:
            self.wake_at = max(min(self._routine_at, self._requested_at), self.retry_at)
        dropped_at = _NEVER if self._held is None else self._held.dropped_at
        self.attention_at = min(max(self.wake_at, self._attended_at) + self.timing.grace, dropped_at)

    def _backoff(self, times: int) -> float:
        """Between half and all of a ceiling that doubles: 1 to 2 s, 2 to 4 s, … 30 to 60 s."""
        ceiling = min(self.timing.backoff_first * 2.0 ** min(times, 64), self.timing.backoff_most)
        return ceiling * (1 + self._random()) / 2

    def _has_room(self, waiting: Waiting) -> bool:
        if self.snapshot is None:
            return waiting.coroutines + waiting.threads < self.timing.waiting_cold
        if waiting.blocking:
            return waiting.threads < self.timing.waiting_threads
        return waiting.coroutines < self.timing.waiting_coroutines

    def _nothing_missing(self) -> TTLCache[str, bool]:
        return TTLCache(self.timing.missing_most, self.timing.missing_for, timer=lambda: self._now)
