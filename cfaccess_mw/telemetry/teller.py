"""Who is told what became of a request, and does a refusal hold?"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Unpack

from cfaccess_mw.core.decide import NOBODY, Pass, Refusal
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.telemetry.asked import Asked, told
from cfaccess_mw.telemetry.events import Listener, log_event, observes, tell_request
from cfaccess_mw.telemetry.requests import ACCEPTED, ANONYMOUS, REPORTED, named


class Teller:
    """What a protection says of requests.

    Args:
        listeners: Who is told, besides the logger.
        report_only: Whether nothing is refused anywhere.
        allow_preflight: Whether a CORS preflight passes without identity.

    Attributes:
        observed: Whether somebody wants to be told of requests that are let in; read on every request. It is looked at
            anew with each refusal and by :meth:`look`, since loggers may be configured later than doors.
    """

    def __init__(self, listeners: tuple[Listener, ...], *, report_only: bool, allow_preflight: bool) -> None:
        self._listeners = (log_event, *listeners)
        self._report_only = report_only
        self._allow_preflight = allow_preflight
        self._reported: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.look()

    def look(self) -> None:
        """See whether somebody wants to be told of requests that are let in."""
        self.observed = observes(self._listeners)

    def waive(
        self, refusal: Refusal, requirement: Requirement, *, is_preflight: Callable[[], bool], **asked: Unpack[Asked]
    ) -> Pass | None:
        """Tell of a refusal, unless it does not hold.

        Args:
            refusal: The decision.
            requirement: What was required.
            is_preflight: Whether the request is a CORS preflight.
            **asked: What is known of the request, see :class:`~cfaccess_mw.telemetry.asked.Asked`.

        Returns:
            What goes to the application nevertheless: an allowed preflight, and everything where refusals are only
            reported. None where the refusal holds.
        """
        if self._allow_preflight and refusal.is_unauthenticated and is_preflight():
            if self.observed:
                self.accept(NOBODY, requirement, **asked)
            return NOBODY
        asked["identity"], asked["token"] = refusal.passing.identity, refusal.passing.token
        if not (self._report_only or requirement.report_only):
            self.tell(refusal.error, requirement, **asked)
            return None
        with self._lock:
            self._reported[refusal.error.code] += 1
        tell_request(self._listeners, REPORTED, told("reported", refusal.error, requirement, **asked))
        return refusal.passing

    def tell(self, error: Refused, requirement: Requirement | None = None, /, **asked: Unpack[Asked]) -> None:
        """Tell of a refusal that holds: one of a door's, or of a handler's behind it.

        Args:
            error: Why.
            requirement: What was required, where that is known.
            **asked: What is known of the request, see :class:`~cfaccess_mw.telemetry.asked.Asked`.
        """
        self.look()
        name, outcome = named(error)
        tell_request(self._listeners, name, told(outcome, error, requirement, **asked))

    def accept(self, passing: Pass, requirement: Requirement, **asked: Unpack[Asked]) -> None:
        """Tell of a request that is let in; a door does so where :attr:`observed` says that somebody wants it.

        Args:
            passing: The decision.
            requirement: What was required.
            **asked: What is known of the request, see :class:`~cfaccess_mw.telemetry.asked.Asked`.
        """
        asked["identity"], asked["token"] = passing.identity, passing.token
        name, outcome = (ANONYMOUS, "anonymous") if passing.identity is None else (ACCEPTED, "accepted")
        tell_request(self._listeners, name, told(outcome, None, requirement, **asked), level=logging.DEBUG)

    @property
    def reported(self) -> Mapping[str, int]:
        """How many requests would have been refused, by code, where refusals are only reported."""
        with self._lock:
            return dict(self._reported)
