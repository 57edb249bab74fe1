"""What happened? One record an event, told to every listener; a broken listener never breaks a request."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_log = logging.getLogger("cfaccess_mw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        name: A stable kebab-case name, such as ``keys-failed``.
        level: The level of the standard ``logging`` module at which this is worth telling.
        facts: What is known about it. Never a token, a claim's value or a key.
    """

    name: str
    level: int = logging.INFO
    facts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


Listener = Callable[[Event], None]


def tell(listeners: Iterable[Listener], event: Event) -> None:
    """Hand ``event`` to each listener; one that raises is logged and passed over.

    Args:
        listeners: Callables that take an event. They are called in the thread or task where the event happened,
            so they must not block.
        event: What happened.
    """
    for listener in listeners:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - whatever a listener does, the request goes on
            _log.exception("a listener failed on %s", event.name)


def log_event(event: Event) -> None:
    """The listener that everyone has: a record of the logger ``cfaccess_mw``, with the facts in ``extra``."""
    if _log.isEnabledFor(event.level):
        told = " ".join(f"{name}={value}" for name, value in event.facts.items())
        extra = {f"cfaccess_{name}": value for name, value in event.facts.items()}
        _log.log(event.level, "%s %s", event.name, told, extra={"cfaccess_event": event.name, **extra})
