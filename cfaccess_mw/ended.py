"""Was this session ended here? What the operator's own callable says, and what the fleet knows, as one objection."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from cfaccess_mw.core.errors import Refused, RevocationsUnavailable, SessionRevoked
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.standing import Objection
from cfaccess_mw.telemetry.events import Event, Listener, tell

# Seconds after which to ask again, where nothing better is known.
_SHORTLY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Both:
    """The fleet is asked first, since it answers at once."""

    fleet: Objection | None
    revoked: Callable[..., bool]
    listeners: tuple[Listener, ...]

    def __call__(self, identity: Identity) -> Refused | None:
        """Ask whoever knows which sessions were ended; what is no clear answer counts against the request."""
        error = None if self.fleet is None else self.fleet(identity)
        if error is not None:
            return error
        try:
            answer: object = self.revoked(identity)
        except RevocationsUnavailable as unavailable:
            return RevocationsUnavailable(retry_after=unavailable.retry_after)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer could not be had
            answer = type(error)
        if answer is False:
            return None
        if answer is True:
            return SessionRevoked()
        facts = {"error": answer.__name__ if isinstance(answer, type) else type(answer).__name__}
        tell(self.listeners, Event(name="revocations-lacking", level=logging.ERROR, facts=facts))
        return RevocationsUnavailable(retry_after=_SHORTLY)


def objection_of(
    revoked: Callable[..., bool] | None, fleet: Objection | None, listeners: tuple[Listener, ...]
) -> Objection | None:
    """Say who is asked about every session; None where nobody ends any.

    Args:
        revoked: The operator's callable.
        fleet: The fleet's.
        listeners: Told where the callable gives no clear answer.
    """
    return fleet if revoked is None else _Both(fleet=fleet, revoked=revoked, listeners=listeners)
