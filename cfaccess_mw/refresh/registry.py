"""Who shares a refresher with whom?

A process has one refresher for each URL and fetcher, whatever the number of doors. They hold it by count: the last to
release it closes it, the next to hold it opens it again with what it had.
"""

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar, cast

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.telemetry.events import Listener

T = TypeVar("T")

# Refreshers that nobody holds are kept for their snapshots; a process has few teams, a test suite many.
_MOST_IDLE = 32

_DEFAULT_TIMING = Timing()
_DEFAULT_FETCHER = HttpxFetcher()


@dataclass(slots=True, eq=False)
class _Entry:
    refresher: Refresher[Any]
    # Weak: a door that is thrown away without a word holds nothing.
    holds: "list[weakref.ref[Hold[Any]]]" = field(default_factory=list)

    def held_by(self) -> "list[Hold[Any]]":
        """Return who holds it; where all have been thrown away, close it."""
        held = [hold for reference in self.holds if (hold := reference()) is not None]
        if self.holds and not held:
            self.refresher.close()
        self.holds = [weakref.ref(hold) for hold in held]
        return held


class Hold(Generic[T]):
    """A share in a refresher.

    Attributes:
        refresher: The one that is shared.
    """

    def __init__(self, registry: "Registry", refresher: Refresher[T], listeners: tuple[Listener, ...]) -> None:
        self.refresher = refresher
        self.listeners = listeners
        self._registry = registry

    def release(self) -> None:
        """Let go, once; doing it again does nothing. Not from a finalizer: those run while locks are held."""
        self._registry.release(self)


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
        timing: Timing = _DEFAULT_TIMING,
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
            ConfigurationError: Somebody holds it with other parameters; or the fetcher cannot fetch.
        """
        fetcher = _DEFAULT_FETCHER if fetcher is None else fetcher
        key = (url, id(fetcher))
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                held = entry.held_by()
                differing = _differing(entry.refresher, parse=parse, timing=timing)
                if differing and held:
                    raise ConfigurationError(
                        f"{', '.join(differing)}: another application of this process uses {url} with another value; "
                        "give both the same, or each a fetcher of its own"
                    )
                if differing:
                    entry = None
            if entry is None:
                entry = _Entry(Refresher(url=url, fetcher=fetcher, parse=parse, holds=holds, timing=timing))
                self._entries[key] = entry
            elif not entry.holds:
                entry.refresher.reopen()
            hold = Hold(self, cast("Refresher[T]", entry.refresher), tuple(listeners))
            entry.holds.append(weakref.ref(hold))
            self._shared(entry)
            self._drop_idle()
            return hold

    def release(self, hold: Hold[Any]) -> None:
        """Give a share back; see ``Hold.release``."""
        with self._lock:
            key = (hold.refresher.url, id(hold.refresher.fetcher))
            entry = self._entries.get(key)
            if entry is None or hold not in entry.held_by():
                return
            entry.holds.remove(weakref.ref(hold))
            if not entry.holds:
                entry.refresher.close()
                self._entries.move_to_end(key)
            self._shared(entry)
            self._drop_idle()

    def after_fork(self) -> None:
        """Go on in a child process, where a lock may be held for ever."""
        self._lock = threading.Lock()

    def _shared(self, entry: _Entry) -> None:
        """Tell every listener once, however many doors brought it."""
        listeners: list[Listener] = []
        for hold in entry.held_by():
            listeners += [listener for listener in hold.listeners if listener not in listeners]
        entry.refresher.listen(tuple(listeners))

    def _drop_idle(self) -> None:
        idle = [key for key, entry in self._entries.items() if not entry.held_by()]
        for key in idle[: max(0, len(idle) - _MOST_IDLE)]:
            del self._entries[key]


def _differing(refresher: Refresher[Any], *, parse: Callable[[bytes], Any], timing: Timing) -> list[str]:
    names = [f.name for f in fields(timing) if getattr(timing, f.name) != getattr(refresher.timing, f.name)]
    return names if refresher.parse == parse else [*names, "parse"]


_registry = Registry()
hold = _registry.hold

if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_registry.after_fork)
