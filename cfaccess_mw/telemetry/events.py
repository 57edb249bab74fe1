"""What happened? One record an event, told to every listener; a broken listener never breaks a request."""

import logging
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cfaccess_mw.telemetry.catalogue import checked_names
from cfaccess_mw.telemetry.requests import ACCEPTED, RequestFacts, ToldRequest
from cfaccess_mw.telemetry.seldom import Seldom

_log = logging.getLogger("cfaccess_mw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        name: A stable kebab-case name, such as ``keys-failed``; all of them stand in :data:`catalogue.EVENTS`.
        level: The level of the standard ``logging`` module at which this is worth telling.
        facts: What is known about it. Never a token, a claim's value or a key.
        request: The request that was decided over, for events about one; it says who asked.
        seconds: How long an attempt took, for events that end one.
    """

    name: str
    level: int = logging.INFO
    facts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    request: ToldRequest | None = None
    seconds: float | None = None


Listener = Callable[[Event], None]

# What may happen with every request is said once in so many seconds: a broken listener, and what is worse than usual.
_EVERY = 10.0
_failures = Seldom(every=_EVERY)
_warnings = Seldom(every=_EVERY)
_EACH_REQUEST = frozenset({"revocations-lacking"})


def tell(listeners: Iterable[Listener], event: Event) -> None:
    """Hand ``event`` to each listener; one that raises is logged, at most once in 10 s, and passed over.

    Args:
        listeners: Callables that take an event. They are called in the thread or task where the event happened,
            so they must not block.
        event: What happened.
    """
    for listener in listeners:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - whatever a listener does, the request goes on
            held_back = _failures.due((_named(listener), event.name))
            if held_back is not None:
                _log.exception("a listener failed on %s%s", event.name, _more(held_back))


def _named(listener: Listener) -> Hashable:
    """Something to know a listener by that does not keep it alive: ids are used again."""
    try:
        reference = weakref.ref(listener)
        hash(reference)
    except TypeError:  # it cannot be referred to like that, or hashed
        return id(listener)
    return reference


def tell_request(listeners: Iterable[Listener], name: str, request: ToldRequest, *, level: int = logging.INFO) -> None:
    """Hand a decision over a request to each listener, as :func:`tell` does."""
    tell(listeners, Event(name=name, level=level, facts=RequestFacts(request), request=request))


def log_event(event: Event) -> None:
    """The listener that everyone has: a record of the logger ``cfaccess_mw``, with the facts in ``extra``."""
    if not _log.isEnabledFor(event.level):
        return
    held_back = _warnings.due(event.name) if event.name in _EACH_REQUEST else 0
    if held_back is None:
        return
    told = " ".join(f"{name}={value}" for name, value in event.facts.items())
    extra = {f"cfaccess_{name}": value for name, value in event.facts.items()}
    extra["cfaccess_event"] = event.name
    _log.log(event.level, "%s %s%s", event.name, told, _more(held_back), extra=extra)


def _more(held_back: int) -> str:
    return f" ({held_back} more held back)" if held_back else ""


class Only:
    """A listener for some events alone: ``listeners=[Only(page_somebody, "keys-failed", "keys-expired")]``.

    A door tells of requests that it lets in only where somebody listens, so it saves them that too.

    Args:
        listener: Who is told.
        names: Of which events.

    Attributes:
        names: The same.

    Raises:
        ConfigurationError: There is no such event.
    """

    def __init__(self, listener: Listener, *names: str) -> None:
        self._listener = listener
        self.names = checked_names(names)

    def __call__(self, event: Event) -> None:
        """Pass one of them on."""
        if event.name in self.names:
            self._listener(event)


def observes(listeners: Iterable[Listener]) -> bool:
    """Say whether anybody wants to be told of requests that are let in; for the logger, now.

    Args:
        listeners: Callables; one that has ``names`` wants only those.
    """
    return any(_wants(listener) for listener in listeners)


def _wants(listener: Listener) -> bool:
    if listener is log_event:
        return _log.isEnabledFor(logging.DEBUG)
    return ACCEPTED in getattr(listener, "names", (ACCEPTED,))
