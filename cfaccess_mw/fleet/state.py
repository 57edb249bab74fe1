"""What does a process know of its fleet at the moment? Written by one thread, read by every request without a lock."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from cfaccess_mw.core.errors import Refused, RevocationsUnavailable, SessionRevoked
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.sharing import NONE_REVOKED, Revocations
from cfaccess_mw.core.sharing_options import FleetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetHealth:
    """How a process and its fleet are.

    Attributes:
        state: ``connected``; ``lost``: Redis does not answer, and what was last known counts for a while; ``never``:
            it has not answered yet.
        ready: Whether requests with a token are answered. False where Redis was lost for longer than ``lost_after``, or
            has never answered, and ``when_lost`` is ``refuse``.
        degraded: Whether Redis does not answer, or somebody with another secret works here; whatever follows from that.
        heard_ago: Seconds since Redis last answered; None where it never did.
        revocations: How many are known.
        reason: The class of the last trouble with Redis; None while there is none.
        same_secret: False where, within the last minutes, something stood in Redis in the place of the mark that all
            workers leave which was not written with a secret of this process: the others do not take what is revoked
            here, or somebody tampers with Redis.
    """

    state: Literal["connected", "lost", "never"]
    ready: bool
    degraded: bool
    heard_ago: float | None
    revocations: int
    reason: str | None
    same_secret: bool = True


_DIFFERS: Final = 300.0  # seconds; twice as long as any worker waits before it looks again


class State:
    """What is known, and until when that counts.

    Args:
        options: The numbers.
        clock: Monotonic seconds.

    Attributes:
        revoked: Which sessions were ended.
        counts_until: Monotonic seconds; from then on nobody knows which sessions were ended. It is asked by whoever
            reads, so that a thread that has died, or hangs, cannot keep up that all is well.
        heard_at: When Redis was last asked something that it then answered; -inf for never.
        reason: The class of the last trouble; None while there is none.
    """

    def __init__(self, options: FleetOptions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lost_after = options.lost_after
        self._is_strict = options.when_lost == "refuse"
        # What a live thread never exceeds between two answers.
        self._usual = options.poll_every + 2 * options.timeout
        self._clock = clock
        self.revoked: Revocations = NONE_REVOKED
        self.counts_until = -math.inf if self._is_strict else math.inf
        self.heard_at = -math.inf
        self.reason: str | None = None
        self._differs_until = -math.inf

    def differ(self) -> None:
        """Note that somebody else seems to have another secret."""
        self._differs_until = self._clock() + _DIFFERS

    def hear(self, asked_at: float) -> None:
        """Note an answer, by when it was asked for: it may have waited for us."""
        self.heard_at = asked_at
        self.reason = None
        if self._is_strict:
            self.counts_until = asked_at + self._lost_after

    def object(self, identity: Identity) -> Refused | None:
        """Say why a session counts no more, or None: what every request asks."""
        if self._clock() >= self.counts_until:
            return RevocationsUnavailable(retry_after=self._usual)
        revoked = self.revoked
        return SessionRevoked() if revoked.count and revoked.cover(identity) else None

    @property
    def refuses_in(self) -> float:
        """After how many seconds requests with a token are refused, if Redis stays away; inf for never."""
        return max(0.0, self.counts_until - self._clock())

    def health(self) -> FleetHealth:
        """How things are."""
        now = self._clock()
        heard_ago = None if self.heard_at == -math.inf else max(0.0, now - self.heard_at)
        is_well = heard_ago is not None and self.reason is None and heard_ago <= self._usual
        is_same = now >= self._differs_until
        return FleetHealth(
            state="connected" if is_well else "never" if heard_ago is None else "lost",
            ready=now < self.counts_until,
            degraded=not (is_well and is_same),
            heard_ago=heard_ago,
            revocations=self.revoked.count,
            reason=self.reason,
            same_secret=is_same,
        )
