"""How is a refusal of this room told and shown? As those of the doors are, but that nobody is sent to sign in."""

import logging
from collections.abc import Iterable
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError, Refused
from cfaccess_mw.core.shape import shape
from cfaccess_mw.telemetry.events import Event, Listener, log_event, tell
from cfaccess_mw.wire.refusals import Refusals
from cfaccess_mw.wire.refused import OnRefusal

_LONGEST_PATH: Final = 256  # characters of a path that are told, and of a method
_LONGEST_METHOD: Final = 16


class Answers:
    """Tells of refusals, and makes their responses.

    Args:
        event: What such a refusal is called when it is told.
        on_refusal: As for the doors.
        template: The path of a page, as ``refusal_template`` of the doors.
        listeners: Callables that are told every refusal.
        blocking: Whether ``on_refusal`` cannot be awaited.

    Attributes:
        responses: Makes the responses.

    Raises:
        ConfigurationError: One of them cannot be used.
    """

    def __init__(
        self,
        event: str,
        *,
        on_refusal: OnRefusal | None,
        template: str | None,
        listeners: Iterable[Listener],
        blocking: bool = False,
    ) -> None:
        self._event = event
        self.listeners = (log_event, *listeners)
        for listener in self.listeners:
            if not callable(listener):
                raise ConfigurationError(f"listeners: {shape(listener)} cannot be called; give a list of callables")
        self.responses = Refusals(
            realm="", unauthenticated_status=403, on_refusal=on_refusal, template=template, blocking=blocking
        )

    def tell(self, error: Refused, *, method: str, path: str) -> None:
        """Tell of a refusal; the method and the path are the client's, so they are escaped and cut."""
        facts = {"code": error.code, "method": ascii(method[:_LONGEST_METHOD]), "path": ascii(path[:_LONGEST_PATH])}
        tell(self.listeners, Event(name=self._event, level=logging.INFO, facts=facts))
