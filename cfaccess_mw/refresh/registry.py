"""Who shares a refresher with whom?

A process has one refresher for each URL and fetcher, whatever the number of doors. They hold it by count: the last to
release it (or to rest) closes it, the next to hold it opens it again with what it had.
"""

import importlib
import os
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any, Generic, TypeVar, cast

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.shared import DEFAULT_TIMING
from cfaccess_mw.telemetry.events import Listener

T = TypeVar("T")

# Refreshers that nobody holds are kept for their snapshots; a process has few teams, a test suite many.
_MOST_IDLE = 32

_DEFAULT_FETCHER = HttpxFetcher()


class Hold(Generic[T]):
    """A share in a refresher.

    Attributes:
        refresher: The one that is shared.
        listeners: Told what happens to it.
        resting: Whether it is held for later only. Written under the registry's lock, read without.
    """

    def __init__(self, registry: "Registry", refresher: Refresher[T], listeners: tuple[Listener, ...]) -> None:
        self.refresher = refresher
        self.listeners = listeners
        self.resting = False
        self._registry = registry

    def rest(self) -> None:
        """Need it no more for the time being: where nobody else does it is closed. Its parameters stay reserved."""
        self._registry.rest(self)

    def resume(self) -> None:
        """Need it again after a rest. It never fails, and costs next to nothing where there was no rest."""
        if self.resting:
            self._registry.resume(self)

    def release(self) -> None:
        """Let go, once; doing it again does nothing. Not from a finalizer: those run while locks are held."""
        self._registry.release(self)


class _Entry:
    def __init__(self) -> None:
        # Weak: a door that is thrown away without a word holds nothing. A tuple: the driver reads it without a lock.
        self.shares: tuple[weakref.ref[Hold[Any]], ...] = ()
        self.refresher: Refresher[Any]

    def holds(self) -> list[Hold[Any]]:
        """Who holds it, those at rest included."""
        return [hold for share in self.shares if (hold := share()) is not None]

    def is_held(self) -> bool:
        """Whether anybody does; without a lock, see ``Shared``."""
        return any(share() is not None for share in self.shares)

    def keep(self, holds: list[Hold[Any]]) -> None:
        """Have these hold it and nobody else; open it, or close it, and tell their listeners, each once."""
        # Before it is opened: a driver that finds no holder closes it again.
        self.shares = tuple(weakref.ref(hold) for hold in holds)
        listeners: list[Listener] = []
        for hold in holds:
            listeners += [listener for listener in hold.listeners if listener not in listeners]
        self.refresher.listen(tuple(listeners))
        if all(hold.resting for hold in holds):
            self.refresher.close()
        else:
            self.refresher.reopen()


class Registry:
    """The refreshers of a process."""

    def __init__(self) -> None:
        self.after_fork()
        # By the fetcher's identity; the entry keeps it alive.
        self._entries: OrderedDict[tuple[str, int], _Entry] = OrderedDict()

    def hold(
        self,
        *,
        url: str,
        fetcher: AnyFetcher | None = None,
        parse: Callable[[bytes], T],
        holds: Callable[[T, str], bool],
        timing: Timing = DEFAULT_TIMING,
        listeners: tuple[Listener, ...] = (),
    ) -> Hold[T]:
        """Take a share in the refresher of ``url`` and ``fetcher``; it is made or opened again as needed.

        Args:
            url: Where it fetches.
            fetcher: Who fetches; None for the default, on httpx.
            parse: Reads a document.
            holds: Whether what was read has a key id.
            timing: The numbers.
            listeners: Told what happens for as long as this share is held.

        Raises:
            ConfigurationError: Somebody holds it with other parameters, at rest or not; or the fetcher cannot fetch.
        """
        fetcher = _DEFAULT_FETCHER if fetcher is None else fetcher
        key = (url, id(fetcher))
        with self._lock:
            entry = self._entries.get(key)
            held = [] if entry is None else entry.holds()
            differing = [] if entry is None else _differing(entry.refresher, parse=parse, timing=timing)
            if differing and held:
                raise ConfigurationError(
                    f"{', '.join(differing)}: another application of this process uses {url} with another value; "
                    "give both the same, or each a fetcher of its own"
                )
            if entry is None or differing:
                if entry is not None:
                    entry.keep([])  # those who held it may have been thrown away
                entry = _Entry()
                entry.refresher = Refresher(
                    url=url, fetcher=fetcher, parse=parse, holds=holds, timing=timing, is_held=entry.is_held
                )
                self._entries[key] = entry
            hold = Hold(self, cast("Refresher[T]", entry.refresher), tuple(listeners))
            entry.keep([*held, hold])
            self._tidy()
            return hold

    def rest(self, hold: Hold[Any]) -> None:
        """See ``Hold.rest``."""
        self._set(hold, resting=True)

    def resume(self, hold: Hold[Any]) -> None:
        """See ``Hold.resume``."""
        self._set(hold, resting=False)

    def release(self, hold: Hold[Any]) -> None:
        """Give a share back; see ``Hold.release``."""
        with self._lock:
            entry = self._entry_of(hold)
            if entry is None:
                return
            others = [other for other in entry.holds() if other is not hold]
            entry.keep(others)
            if not others:
                self._entries.move_to_end((hold.refresher.url, id(hold.refresher.fetcher)))
            self._tidy()

    def after_fork(self) -> None:
        """Go on in a child process, where a lock may be held for ever."""
        # Reentrant: to open one may tell of its state, and whoever listens may let go of another.
        self._lock = threading.RLock()

    def _set(self, hold: Hold[Any], *, resting: bool) -> None:
        with self._lock:
            entry = self._entry_of(hold)
            if entry is not None:
                hold.resting = resting
                entry.keep(entry.holds())

    def _entry_of(self, hold: Hold[Any]) -> _Entry | None:
        entry = self._entries.get((hold.refresher.url, id(hold.refresher.fetcher)))
        return entry if entry is not None and hold in entry.holds() else None

    def _tidy(self) -> None:
        """Close what those have held who were thrown away, and drop the longest idle."""
        idle = [key for key, entry in self._entries.items() if not entry.is_held()]
        for key in idle:
            self._entries[key].keep([])
        for key in idle[: max(0, len(idle) - _MOST_IDLE)]:
            del self._entries[key]


def _differing(refresher: Refresher[Any], *, parse: Callable[[bytes], Any], timing: Timing) -> list[str]:
    names = [f.name for f in fields(timing) if getattr(timing, f.name) != getattr(refresher.timing, f.name)]
    return names if refresher.parse == parse else [*names, "parse"]


def prepare(fetcher: AnyFetcher | None = None) -> None:
    """Import what fetching for an event loop needs, so that the first request does not stop the loop for it.

    To be called where the door of an event loop is made; it takes 0.1 s. Nothing depends on it: what is not imported
    here is imported later.

    Args:
        fetcher: As for ``hold``.
    """
    modules = ["cfaccess_mw.refresh.drivers", "cfaccess_mw.refresh.wakers", "anyio._backends._asyncio"]
    if "trio" in sys.modules:
        modules.append("anyio._backends._trio")
    for module in modules:
        with suppress(ImportError):  # anyio's backends are its own affair, and may be called otherwise one day
            importlib.import_module(module)
    fetcher = _DEFAULT_FETCHER if fetcher is None else fetcher
    if isinstance(fetcher, HttpxFetcher):
        fetcher.prepare()


_registry = Registry()
hold = _registry.hold

if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_registry.after_fork)
