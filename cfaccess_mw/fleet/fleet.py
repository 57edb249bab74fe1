"""What do many workers and machines share? Which sessions were ended, the keys of the teams, and who was looked up.

A fleet is what a process knows of the others; :mod:`cfaccess_mw.fleet.worker` keeps it up to date through Redis or
Valkey. Requests read what is known and wait for nothing. Against whom: somebody whose session was ended, and who asks
another worker; and, with a secret, somebody who can write to Redis.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from random import SystemRandom
from typing import Any, TypeVar

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing import SUBJECTS, KeepsKeys, Revocation, Revocations, read_value
from cfaccess_mw.fleet.client import TROUBLE
from cfaccess_mw.fleet.connections import connections_of
from cfaccess_mw.fleet.errors import FleetError
from cfaccess_mw.fleet.keys import Keys
from cfaccess_mw.fleet.ledger import TOO_MANY, Ledger, Undone
from cfaccess_mw.fleet.lookups import PATIENCE, Fetch, SharedLookups
from cfaccess_mw.fleet.marks import Confirmation, Marks, name_of
from cfaccess_mw.fleet.member import Member
from cfaccess_mw.fleet.orders import LASTS, Orders, read_subject
from cfaccess_mw.fleet.sealing import Refused, Seal
from cfaccess_mw.fleet.state import FleetHealth, State
from cfaccess_mw.fleet.store import Store
from cfaccess_mw.fleet.worker import Worker
from cfaccess_mw.telemetry.events import Event, Listener, log_event, tell

T = TypeVar("T")
_alive: "weakref.WeakSet[Fleet]" = weakref.WeakSet()

# Seconds for which the same complaint about values in Redis is made once: whoever writes there must not fill our logs.
_QUIET = 60.0


class Fleet:
    """What a process knows of all others that have the same address and namespace.

    Args:
        url: An address as :class:`FleetOptions` takes it; or a client of the library ``redis`` that was made ready
            (``redis.Redis``, ``RedisCluster``, ``Sentinel(...).master_for(...)``), with a ``socket_timeout``.
        options: The other names of :class:`FleetOptions`.

    Attributes:
        options: All of them.
        connections: The ways to Redis.
        marks: What its workers leave there for each other.
        state: What is known at the moment.
        worker: Who keeps it up to date; None where nobody needs it.
        namespace: What its names in Redis begin with.
        stream: The name of its revocations there.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """

    def __init__(self, url: Any, /, **options: Any) -> None:
        self.connections = connections_of(url, options)
        self.options = self.connections.options
        self.namespace = self.options.namespace
        self.state = State(self.options)
        self.worker: Worker | None = None
        self.random: Callable[[], float] = SystemRandom().random
        self._sealing = self.seal("revocations")
        self.stream = f"{self.namespace}:revocations"
        self._ledger = Ledger(self._sealing, self.stream)
        self._keys = Keys(self.seal("keys"), self.namespace, refuse=lambda reason: self.refuse("keys", reason))
        self.marks = Marks(self.seal("mark"), differ=self._differ, refuse=lambda reason: self.refuse("mark", reason))
        self._members: weakref.WeakSet[Member] = weakref.WeakSet()
        self._complained: dict[tuple[str, str], float] = {}
        self._given_up = self._was_heard = False
        self._start_over()
        _alive.add(self)

    def __repr__(self) -> str:
        """Without the address, which may have a password."""
        return f"<Fleet {self.namespace!r}>"

    # What an operator says and asks

    def revoke(
        self,
        *,
        user: str | None = None,
        email: str | None = None,
        service: str | None = None,
        nonce: str | None = None,
        everybody: bool | str = False,
        lasts: float = LASTS,
        block: bool = False,
        issued_before: float | None = None,
    ) -> Revocation:
        """End sessions everywhere; it holds in every worker as soon as Redis has passed it on, here at once.

        It waits for Redis. Give one of the first five.

        Args:
            user: The ``sub`` of a user.
            email: The address of a user, without regard to case.
            service: The Client ID of a service token. It is shut out until the revocation ends.
            nonce: The ``identity_nonce`` of one session.
            everybody: True for every team, or the issuer of one.
            lasts: For how many seconds. Who still has a token from before is let in again then, so not for less than
                the longest session of the application; by default a month.
            block: Whether sessions that begin later count for nothing either, until the revocation ends.
            issued_before: When sessions that still count must have begun, in seconds since the epoch. By default half a
                minute from now, since Cloudflare's clock may be ahead of ours.

        Raises:
            ConfigurationError: Names what cannot be used.
            FleetError: Redis did not do it, as far as is known.
        """
        named = {"user": user, "email": email, "service": service, "nonce": nonce, "everybody": everybody}
        subject, value = read_subject(named)
        order: dict[str, Any] = {"lasts": lasts, "block": block, "issued_before": issued_before}
        made, written = self._order(lambda orders: orders.revoke(subject, value, **order))
        self._note([written])
        return made

    def undo(
        self, *, subject: str | None = None, value: str | None = None, revocation: str | None = None
    ) -> list[Revocation]:
        """Take revocations back, everywhere.

        Args:
            subject: By what they name whom: ``user``, ``email``, ``service``, ``nonce`` or ``all``; None for any.
            value: Whom they name; None for anybody.
            revocation: The ``id`` of one; None for any.

        Returns:
            What was taken back.

        Raises:
            ConfigurationError: The value names nobody.
            FleetError: Redis did not do it, as far as is known.
        """
        if subject is not None and subject not in SUBJECTS:
            raise ConfigurationError(f"subject: is {shape(subject)}; give one of {', '.join(SUBJECTS)}")
        wanted = value if subject is None or value is None else read_value(subject, value)
        undone, written = self._order(lambda orders: orders.undo(subject, wanted, revocation))
        self._note(written)
        return undone

    def revocations(self) -> tuple[Revocation, ...]:
        """Those that hold, as Redis has them.

        Raises:
            FleetError: It does not answer.
        """
        return self._order(lambda orders: orders.revocations())

    def confirm(self, made: Revocation, *, undone: bool = False, within: float = 3) -> Confirmation:
        """Wait until a worker of another process has taken a revocation, or the word that one was undone.

        What was said by this object holds in its own process in any case, whoever else obeys: that does not count.

        Args:
            made: The revocation; of several, the last.
            undone: Whether it was undone, not made.
            within: For how many seconds at most. A worker that is connected takes a fraction of one.

        Returns:
            ``confirmed``: one has. ``another-secret``: none has, and those that work here have another secret.
            ``unconfirmed``: none has, as far as is known; none runs, say, or none knows the secret that signs here.
        """
        name = name_of(Undone(id=made.id, until=made.until) if undone else made)
        with suppress(FleetError):
            return self.ask(lambda store: self.marks.wait(store, name, within))
        return "unconfirmed"

    def health(self) -> FleetHealth:
        """How this process and its fleet are; cheap enough for a health check."""
        if self.worker is None:  # after a fork, say: who is not ready is sent nothing but probes
            self._employ()
        return self.state.health()

    def ready(self) -> bool:
        """Whether requests with a token are answered, as far as the fleet is concerned."""
        return self.health().ready

    # What an application does

    def join(self, keepers: Callable[[], Iterable[KeepsKeys]], listeners: tuple[Listener, ...]) -> Member:
        """Take part; it waits a little for Redis to answer for the first time.

        Args:
            keepers: Give those who keep the keys of the application's teams, at the moment.
            listeners: Told what happens.
        """
        member = Member(self, keepers, listeners)
        self.engage(member)
        worker = self.worker
        if not self._was_heard and worker is not None:
            worker.heard.wait(self.options.start_wait)
        return member

    def engage(self, member: Member) -> None:
        """Have somebody keep it up to date for an application. It never waits."""
        with self._lock:
            self._members.add(member)
        self._employ()

    def _employ(self) -> None:
        with self._lock:
            if self.worker is not None or not self._is_needed():
                return
            self.worker = worker = Worker(self)
        if not worker.start():
            self.leave(worker)

    def relax(self) -> None:
        """Have nobody do so where no application needs it."""
        with self._lock:
            worker = None if self._is_needed() else self.worker
            if worker is not None:
                self.worker = None
        if worker is not None:
            worker.stop()

    def share_lookups(self, fetch: Fetch, *, lasts: float) -> Fetch:
        """See :meth:`Member.lookups`."""
        return SharedLookups(
            fetch,
            store=lambda: self.connections.store(PATIENCE),
            seal=self.seal("who"),
            namespace=self.namespace,
            lasts=lasts,
            refuse=lambda reason: self.refuse("lookups", reason),
        )

    # What its worker does

    def employs(self, worker: Worker) -> bool:
        """Whether it is the one, and needed; one that is not learns it here."""
        with self._lock:
            if self.worker is worker and not self._is_needed():  # whoever needed it was thrown away
                self.worker = None
            return self.worker is worker

    def leave(self, worker: Worker) -> None:
        """Note that a worker does nothing any more, however it ended."""
        with self._lock:
            if self.worker is worker:
                self.worker = None

    def take(self, entries: Iterable[bytes]) -> list[str]:
        """Take entries as they are found in Redis, and forget what has ended.

        Returns:
            The names of those that are new here.

        Raises:
            Refused: There are more than can be known.
        """
        refused, taken = list[str](), list[str]()
        with self._ledger_lock:
            now = time.time()
            changed = self._ledger.forget_ended(now)
            for written in entries:
                try:
                    if self._ledger.take(written, now):
                        taken.append(name_of(self._ledger.entries[written]))
                except Refused as reason:
                    refused.append(reason.reason)
            if changed or taken:
                self.state.revoked = Revocations.of(self._ledger.standing())
            count = self.state.revoked.count
        if changed or taken:
            self.tell("revocations-changed", logging.INFO, {"revocations": count})
        for name in dict.fromkeys(refused):
            self.refuse("revocations", name)
        if TOO_MANY in refused:  # of those that are left out, one may be the one that matters
            raise Refused(TOO_MANY)
        return taken

    def known(self) -> frozenset[bytes]:
        """The entries that are known here; all of them were written before."""
        with self._ledger_lock:
            return frozenset(self._ledger.entries)

    def missing(self, known: Iterable[bytes], seen: set[bytes]) -> list[bytes]:
        """What was known before Redis was read, and does not stand there; what loses revocations may lose keys too."""
        self._keys.look_again()
        with self._ledger_lock:
            return [written for written in known if written not in seen and written in self._ledger.entries]

    def exchange_keys(self, store: Store) -> None:
        """Give the keys that are held here, and take those that are not."""
        keepers = {keeper.url: keeper for member in self._active() for keeper in tuple(member.keepers())}
        self._keys.exchange(store, keepers.values())

    def hear(self, asked_at: float) -> None:
        """Note that Redis has answered."""
        reason, is_first = self.state.reason, not self._was_heard
        self.state.hear(asked_at)
        self._was_heard, self._given_up = True, False
        if is_first:
            is_sealed = bool(self.options.secrets)  # otherwise whoever can write to Redis decides who is let in
            facts = {"revocations": self.state.revoked.count, "authenticated": is_sealed}
            self.tell("fleet-joined", logging.INFO if is_sealed else logging.WARNING, facts)
        elif reason is not None:
            self.tell("fleet-back", logging.INFO, {"revocations": self.state.revoked.count})

    def lose(self, reason: str) -> None:
        """Note that it has not."""
        is_news, self.state.reason = self.state.reason is None, reason
        left = self.state.refuses_in
        facts: dict[str, object] = {"reason": reason}
        if is_news:
            when = {"when_lost": self.options.when_lost, "refuses_in": round(left, 1)}
            self.tell("fleet-lost", logging.WARNING, facts | (when if self._is_strict else {"when_lost": "pass"}))
        if self._is_strict and left <= 0 and not self._given_up:
            self._given_up = True
            self.tell("fleet-refuses", logging.ERROR, facts)

    def refuse(self, what: str, reason: str) -> None:
        """Tell of values that are not taken, not of each."""
        now = time.monotonic()
        if now >= self._complained.get((what, reason), -_QUIET) + _QUIET:
            self._complained[what, reason] = now
            self.tell("fleet-value-refused", logging.WARNING, {"what": what, "reason": reason})

    def tell(self, name: str, level: int, facts: Mapping[str, object]) -> None:
        """Tell every application that takes part."""
        listeners: dict[Listener, None] = {}
        for member in self._active():
            listeners |= dict.fromkeys(member.listeners)
        tell(listeners or (log_event,), Event(name=name, level=level, facts=facts))

    # Within

    @property
    def _is_strict(self) -> bool:
        return self.options.when_lost == "refuse"

    def _active(self) -> list[Member]:
        with self._lock:
            return [member for member in self._members if not member.is_resting]

    def _is_needed(self) -> bool:
        return any(not member.is_resting for member in self._members)  # under the lock

    def _differ(self, reason: str) -> None:
        self.state.differ()
        self.refuse("secret", reason)

    def seal(self, purpose: str) -> Seal:
        """What signs and checks the values of one purpose."""
        return Seal(self.options.secrets, purpose=purpose, namespace=self.namespace)

    def _note(self, written: Iterable[bytes]) -> None:
        """Know at once what was written here; where there is no room for it, the worker finds that out too."""
        with suppress(Refused):
            self.take(written)

    def _order(self, say: Callable[[Orders], T]) -> T:
        return self.ask(lambda store: say(Orders(store, self._sealing, say=self.marks.leave_out)))

    def ask(self, say: Callable[[Store], T]) -> T:
        """Ask Redis, each question for ``timeout`` at most.

        Raises:
            FleetError: It did not answer, or not as it should.
        """
        try:
            return say(self.connections.store(self.options.timeout))
        except TROUBLE as error:
            reason = type(error).__name__
        except Refused as refused:
            reason = refused.reason
        raise FleetError(reason)

    def _start_over(self) -> None:
        self._lock = threading.RLock()  # whoever listens may come back
        self._ledger_lock = threading.Lock()
        self.connections.start_over()
        self.worker = None

    def after_fork(self) -> None:
        """Go on in a child process, which has no thread but this; what the parent knew is known."""
        self._start_over()
        self.state.revoked = Revocations.of(self._ledger.standing())


def _after_fork() -> None:
    for fleet in list(_alive):
        fleet.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)
