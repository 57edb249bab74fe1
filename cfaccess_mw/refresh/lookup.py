"""How does a request come by what Cloudflare Access knows about somebody, beyond the token?

``Lookups`` is the machine of ``core.lookups`` behind a lock, for any number of event loops and threads. Lookups are
made in one thread of our own (``lookup_thread``), never by a request: a request that is cancelled, or an event loop
that ends, would take the lookup of others with it. Under the lock nothing waits, and nothing of a user's is called.
"""

import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.core.lookup_timing import LookupTiming
from cfaccess_mw.core.lookups import Lookup, Profiles
from cfaccess_mw.core.profile import Outcome, ProfileAnswer
from cfaccess_mw.refresh.shared import wake
from cfaccess_mw.telemetry.events import Event, Listener, tell

if TYPE_CHECKING:
    from cfaccess_mw.refresh.lookup_thread import LookupThread
    from cfaccess_mw.refresh.wakers import TaskWaker, ThreadWaker, Waker

W = TypeVar("W", bound="Waker")

IDENTITY_PATH = "/cdn-cgi/access/get-identity"

Fetch: TypeAlias = Callable[[str, str], Awaitable[Reply]]
"""Shows a token to a URL: ``HttpxFetcher().alook_up``, or your own. It must not block, and its whole call is bounded by
``LookupTiming.deadline``. Failures are ``FetchError``; whatever else it raises counts as one."""

# What a verified token consists of. Nothing else may get into a header.
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")

_DEFAULT_TIMING = LookupTiming()

# Not the module's own numbers, which applications seed: their workers would fetch in step.
_by_chance = SystemRandom().random

# What is known of somebody while this process cannot even ask.
_NOT_NOW = ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=1.0)


class Lookups:
    """Looks people up at one team, at most once at a time for each token, and remembers for a while.

    Args:
        base_url: The team's, ``Team.base_url``.
        fetch: Who asks the endpoint.
        timing: The numbers.
        leeway: Seconds for which a token counts after its expiry.
        listeners: Told what happens.
        linger: Seconds for which our thread stays when there is nothing to do.
        clock: Monotonic seconds.
        wall: Seconds since the epoch.
        random: Numbers of [0, 1).
    """

    def __init__(
        self,
        base_url: str,
        fetch: Fetch,
        *,
        timing: LookupTiming = _DEFAULT_TIMING,
        leeway: float = 30.0,
        listeners: tuple[Listener, ...] = (),
        linger: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] = _by_chance,
    ) -> None:
        self.url = base_url + IDENTITY_PATH
        self.fetch = fetch
        self.timing = timing
        self.linger = linger
        self._leeway = leeway
        self._listeners = listeners
        self._clock = clock
        self._wall = wall
        self._profiles = Profiles(timing=timing, random=random)
        self._thread: LookupThread | None = None
        self._start_over()
        _alive.add(self)

    # What a request does

    def peek(self, token: str | bytes, identity: Identity) -> ProfileAnswer | None:
        """Return what is at hand, without waiting or asking; None where ``obtain`` is needed."""
        key = _key(token)
        with self._machine() as profiles:
            now = self._clock()
            return profiles.peek(key, now, ends_at=self._ends_at(identity, now))

    async def obtain(
        self, token: str | bytes, identity: Identity, *, patience: float = _DEFAULT_TIMING.deadline
    ) -> ProfileAnswer:
        """Look somebody up, unless that was done a moment ago.

        Args:
            token: The token that was verified.
            identity: What it was verified to say.
            patience: Seconds to wait at most.

        Returns:
            FOUND, with the profile. ENDED: Access says that there is no session. UNAVAILABLE: cannot be known now.

        Raises:
            ValueError: Not a token that can have been verified.
        """
        try:
            from cfaccess_mw.refresh import lookup_thread  # noqa: F401, PLC0415 - imports anyio, which few rules need
            from cfaccess_mw.refresh.wakers import TaskWaker  # noqa: PLC0415
        except OSError:  # no file descriptors
            return _NOT_NOW
        found = self._ask(token, identity, TaskWaker)
        if isinstance(found, ProfileAnswer):
            return found
        lookup, waker = found
        try:
            await waker.wait(patience)
        finally:
            answer = self._leave(lookup, waker)
        return answer

    def obtain_blocking(
        self, token: str | bytes, identity: Identity, *, patience: float = _DEFAULT_TIMING.deadline
    ) -> ProfileAnswer:
        """Do the same as ``obtain`` from a thread."""
        try:
            from cfaccess_mw.refresh import lookup_thread  # noqa: F401, PLC0415 - as above
            from cfaccess_mw.refresh.drivers import load  # noqa: PLC0415
            from cfaccess_mw.refresh.wakers import ThreadWaker  # noqa: PLC0415
        except OSError:
            return _NOT_NOW
        load(None)  # here, and not in a thread beside which the process may be forked
        found = self._ask(token, identity, ThreadWaker)
        if isinstance(found, ProfileAnswer):
            return found
        lookup, waker = found
        try:
            waker.wait(patience)
        finally:
            answer = self._leave(lookup, waker)
        return answer

    def close(self) -> None:
        """Stop what is under way and forget everybody. Whoever asks after that begins anew."""
        with self._machine() as profiles:
            thread, self._thread = self._thread, None
            profiles.void(self._clock())
        if thread is not None:
            thread.stop()

    # What our thread does

    def begin(self, thread: "LookupThread") -> Lookup | None:
        """Begin the next lookup, if one is to be made now."""
        with self._machine() as profiles:
            return profiles.begin(self._clock()) if self._thread is thread else None

    def succeed(self, lookup: Lookup, body: bytes | None) -> None:
        """Take what a lookup brought; None: there is no session."""
        with self._machine() as profiles:
            now = self._clock()
            taken = profiles.succeed(lookup, body, now, wall_now=self._wall())
        if taken and body is None:
            self._tell("session-ended", logging.INFO, {}, now - lookup.began)
        elif taken:
            self._tell("profile-fetched", logging.DEBUG, {}, now - lookup.began)

    def fail(self, lookup: Lookup, reason: str, *, retry_after: float | None = None, error: str | None = None) -> None:
        """Note that a lookup brought nothing; ``error`` names a class that we did not expect."""
        with self._machine() as profiles:
            now = self._clock()
            counted = profiles.fail(lookup, reason, now, retry_after=retry_after)
            facts: dict[str, object] = {"reason": reason, "failures": profiles.failures}
        if counted:
            facts = facts if error is None else {**facts, "error": error}
            self._tell("profile-failed", logging.WARNING, facts, now - lookup.began)

    def employs(self, thread: "LookupThread") -> bool:
        """Whether ``thread`` is the one; one that was replaced learns it here."""
        return self._thread is thread

    def dismiss(self, thread: "LookupThread") -> None:
        """Let ``thread`` go if there is nothing to do; the next question starts another."""
        with self._machine() as profiles:
            if self._thread is thread and profiles.idle:
                self._thread = None

    def leave(self, thread: "LookupThread") -> None:
        """Note that ``thread`` does nothing any more, however it ended."""
        with self._machine() as profiles:
            if self._thread is thread:
                self._thread = None
                profiles.abandon(self._clock())

    # Within

    def _start_over(self) -> None:
        self._lock = threading.Lock()
        self._thread = None
        self._waiting: dict[Lookup, set[Waker]] = {}
        self._waiters = 0

    def after_fork(self) -> None:
        """Go on in a child process, which has no thread but the one that forked, and perhaps a lock that is held."""
        self._start_over()
        with self._machine() as profiles:
            profiles.void(self._clock())

    @contextmanager
    def _machine(self) -> Iterator[Profiles]:
        """Hold the lock, and wake afterwards those whose lookups were settled."""
        woken: list[Waker] = []
        with self._lock:
            try:
                yield self._profiles
            finally:
                for lookup in self._profiles.drain():
                    woken += self._waiting.pop(lookup, ())
        wake(woken)

    def _ask(self, token: str | bytes, identity: Identity, waker: type[W]) -> "ProfileAnswer | tuple[Lookup, W]":
        key = _key(token)
        with self._machine() as profiles:
            now = self._clock()
            found = profiles.ask(key, identity, now, ends_at=self._ends_at(identity, now), waiting=self._waiters)
            if isinstance(found, ProfileAnswer):
                return found
            waits = waker()
            self._waiting.setdefault(found, set()).add(waits)
            self._waiters += 1
            working = self._thread
            thread = working or self._employ()
        # Not under the lock: a thread that cannot be had comes to take it.
        if working is None:
            thread.start()
        else:
            thread.poke()
        return found, waits

    def _employ(self) -> "LookupThread":
        from cfaccess_mw.refresh.lookup_thread import LookupThread  # noqa: PLC0415 - imports anyio

        self._thread = thread = LookupThread(self)
        return thread

    def _leave(self, lookup: Lookup, waker: "TaskWaker | ThreadWaker") -> ProfileAnswer:
        with self._machine() as profiles:
            self._waiters -= 1
            others = self._waiting.get(lookup)  # None where it was settled
            if others is not None:
                others.discard(waker)
                if not others:
                    del self._waiting[lookup]
                    profiles.withdraw(lookup)
            return profiles.leave(lookup, self._clock())

    def _ends_at(self, identity: Identity, now: float) -> float:
        return now + identity.expires_at + self._leeway - self._wall()

    def _tell(self, name: str, level: int, facts: Mapping[str, object], seconds: float) -> None:
        tell(self._listeners, Event(name=name, level=level, facts=facts, seconds=seconds))


def _key(token: str | bytes) -> bytes:
    text = token.decode("latin-1") if isinstance(token, bytes) else token
    if not _TOKEN.fullmatch(text):
        raise ValueError("token: not one that was verified")
    return text.encode()


_alive: "weakref.WeakSet[Lookups]" = weakref.WeakSet()


def _after_fork() -> None:
    for lookups in list(_alive):
        lookups.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)
