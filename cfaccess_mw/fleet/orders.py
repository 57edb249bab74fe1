"""How does an operator end sessions, see which were ended, and take that back?"""

import math
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing import SUBJECTS, Revocation, Subject
from cfaccess_mw.fleet.client import TROUBLE
from cfaccess_mw.fleet.ledger import LONGEST, MOST, Ledger, Undone, read, standing
from cfaccess_mw.fleet.sealing import Refused, Seal
from cfaccess_mw.fleet.store import MARK_BYTES, Entry, Store

LASTS: Final = 31 * 86_400  # seconds: no session of Cloudflare Access is longer than a month
LONGEST_LASTS: Final = 400 * 86_400
_SKEW: Final = 300  # seconds by which the clocks of machines may differ, as for keys
LEEWAY: Final = 30  # seconds by which Cloudflare's clock may be ahead of ours, as for tokens

# What ends a session whenever it began: a service signs in anew with every request, and a nonce is one session.
_ENDS_ALL: Final = frozenset({"service", "nonce"})


class Orders:
    """What an operator says to a fleet.

    Args:
        store: What is asked of Redis.
        seal: Of the entries.
        say: Told of each entry before it is written.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        seal: Seal,
        *,
        say: Callable[[Revocation | Undone], None] = lambda _: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._seal = seal
        self._say = say
        self._wall = wall
        self._is_obeyed = True
        self._refused: list[Entry] = []

    def revoke(
        self, subject: str, value: str, *, lasts: float, block: bool, issued_before: float | None
    ) -> tuple[Revocation, bytes]:
        """Write a revocation.

        Args:
            subject: See :class:`Revocation`, like the value.
            value: Of whom.
            lasts: For how many seconds it holds.
            block: Whether sessions count for nothing that begin later.
            issued_before: When sessions that still count must have begun, in seconds since the epoch; now by default.

        Returns:
            The revocation, and how it was written.

        Raises:
            ConfigurationError: Names what cannot be used, or there are too many already.
        """
        if type(lasts) not in (int, float) or not 1 <= lasts <= LONGEST_LASTS:
            raise ConfigurationError(f"lasts: is {shape(lasts)}; give seconds from 1 to {LONGEST_LASTS}")
        if block and issued_before is not None:
            raise ConfigurationError("issued_before: stands beside block, which knows no moment; leave one of them")
        ours, theirs = self._wall(), self._store.time()
        if abs(ours - theirs) > _SKEW:
            raise ConfigurationError(
                f"fleet: the clocks of this machine and of Redis are {abs(ours - theirs):.0f} seconds apart; set them"
            )
        # Of two clocks the one that is ahead: a session too much is ended rather than one too few.
        now = max(ours, theirs)
        if block or (subject in _ENDS_ALL and issued_before is None):
            before = None
        else:
            before = math.ceil(now) + LEEWAY if issued_before is None else issued_before
        revocation = Revocation(
            subject=cast("Subject", subject),
            value=value,
            issued_before=before,
            until=now + lasts,
            made_at=now,
            id=secrets.token_hex(8),
        )
        known = self._clean(min(ours, theirs))
        # Those that were undone, too: that they were is another entry each.
        is_full = sum(isinstance(entry, Revocation) for entry in known) >= MOST
        if is_full if subject != "all" else len(known) >= 2 * MOST:  # which is left to whom the rest is too much
            raise ConfigurationError(
                f"fleet: holds {MOST:,} revocations, undone ones too; wait until some end, or give another namespace"
            )
        written = self._written(revocation)
        self._store.add([written])
        return revocation, written

    def undo(self, subject: str | None, value: str | None, name: str | None) -> tuple[list[Revocation], list[bytes]]:
        """Take back what matches, whoever wrote it.

        Args:
            subject: By what revocations name whom; None for any.
            value: Whom; None for anybody.
            name: Of one revocation; None for any.

        Returns:
            What was undone, and how that was written.
        """
        matching = [
            one
            for one in self.revocations()
            if subject in (None, one.subject) and value in (None, one.value) and name in (None, one.id)
        ]
        written = [self._written(Undone(id=one.id, until=one.until)) for one in matching]
        self._store.add(written)
        return matching, written

    def revocations(self) -> tuple[Revocation, ...]:
        """Those that hold, as they stand in Redis."""
        now = self._wall()
        known = [entry for _, entry in self._entries()]
        return tuple(one for one in standing(known) if one.until > now)

    def count(self) -> tuple[int, int]:
        """How many revocations hold, and how many entries are not taken."""
        now, known, refused = self._wall(), list[Revocation | Undone](), 0
        for written in [written for _, written in self._store.all_entries()]:
            try:
                known.append(self._opened(written))
            except Refused:
                refused += not _has_ended(written, now)
        return sum(one.until > now for one in standing(known)), refused

    def _clean(self, now: float) -> list[Revocation | Undone]:
        """Take away what has ended, and what stands there twice; return the rest."""
        seen: dict[Revocation | Undone, None] = {}
        useless = []
        for (place, _), entry in self._entries():
            if entry.until <= now or entry in seen:
                useless.append(place)
            else:
                seen[entry] = None
        # What others wrote, and say themselves that it has ended, is of use to nobody: with a secret of before, say.
        useless += [place for place, written in self._refused if _has_ended(written, now)]
        self._store.delete(useless)
        return list(seen)

    def _entries(self) -> list[tuple[Any, Revocation | Undone]]:
        found: list[tuple[Entry, Revocation | Undone]] = []
        self._refused = []
        with suppress(Refused, *TROUBLE):  # at another node of a cluster, say: it keeps nobody from saying anything
            self._is_obeyed = not self._seal.is_out_of_reach(self._store.get(self._store.mark, MARK_BYTES) or b"")
        for place, written in self._store.all_entries():
            self._is_obeyed = self._is_obeyed and not self._seal.is_out_of_reach(written)
            try:
                found.append(((place, written), self._opened(written)))
            except Refused:  # the workers tell of it
                self._refused.append((place, written))
        return [((place, written), entry) for (place, written), entry in found]

    def _opened(self, written: bytes) -> Revocation | Undone:
        if len(written) > LONGEST:
            raise Refused("too-large")
        return read(self._seal.open(self._store.revocations, written))

    def _written(self, entry: Revocation | Undone) -> bytes:
        """Return an entry as it is written, once it was seen whether others would take it."""
        if not self._is_obeyed:
            raise ConfigurationError("fleet: secret: is missing; others here have one, and would not obey: give theirs")
        self._say(entry)
        return Ledger(self._seal, self._store.revocations).close(entry)


def _has_ended(written: bytes, now: float) -> bool:
    """Whether an entry says of itself that it has ended, whoever wrote it."""
    if len(written) > LONGEST:
        return False
    try:
        return read(written.partition(b"\n")[2]).until <= now
    except Refused:
        return False


def read_subject(named: Mapping[str, object]) -> tuple[str, str]:
    """Say which one of several was named, ``everybody`` being ``all``: True, or the issuer of a team.

    Raises:
        ConfigurationError: None, or more than one.
    """
    given = {name: value for name, value in named.items() if value is not None and value is not False}
    if len(given) != 1:
        raise ConfigurationError(f"revoke: names {len(given)}; give one of {', '.join(named)}")
    name, value = next(iter(given.items()))
    subject = "all" if name == "everybody" else name
    if subject == "all" and value is True:
        return subject, ""
    if not isinstance(value, str) or not value or subject not in SUBJECTS:
        raise ConfigurationError(f"{name}: is {shape(value)}; give a text")
    return subject, value
