"""Who makes this request, if a handler demands to know? What the request brought along, out of the handlers' sight."""

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import g, has_request_context, request

from cfaccess_mw.core.decide import NOBODY, Pass, Refusal
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.environ import ASSERTION_KEY, EMAIL_KEY
from cfaccess_mw.wire.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from cfaccess_mw.contrib.flask.entrance import Entrance

Environ = dict[str, Any]

ASKING: Final = "cfaccess.asking"
IDENTITY: Final = "cfaccess.identity"

# What says who is asking: in what a client sends, and in what an application is shown.
_BROUGHT: Final = (ASSERTION_KEY, "HTTP_COOKIE")
_SHOWN: Final = (IDENTITY, ASSERTION_KEY, EMAIL_KEY, "REMOTE_USER", "AUTH_TYPE")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What a decorator asks for, each decoration being its own.

    Attributes:
        name: As it is written above a view.
        check: Refuses somebody whose token is good by raising ``Refused``; None where a valid token is all.
    """

    name: str
    check: "Callable[[Identity, Asking], object] | None" = None


LOGIN: Final = Demand(name="login_required")


class Asking:
    """One request, as it can be asked about.

    Args:
        door: The application's.
        environ: As the application's door gets it. Inside another application of this kind, which hides what it did not
            verify itself, what the client sent to that one is put back.
        entered: Whether it came through the door, which then says who is asking, and forgets it again.

    Attributes:
        door: As given.
        brought: The environ on which decisions are made.
        came_late: Who was found out about only when a handler asked.
    """

    __slots__ = ("_decision", "_entered", "_met", "brought", "came_late", "door")

    def __init__(self, door: "Entrance", environ: Environ, *, entered: bool = False) -> None:
        self.door = door
        outer: Asking | None = environ.get(ASKING)
        self.brought: Environ = environ if outer is None else {**environ, **outer._said()}
        self.came_late: Identity | None = None
        self._entered = entered
        self._decision: Pass | Refusal | None = None
        self._met: set[Demand] = set()

    def demand(self, token: str | None = None) -> Identity | None:
        """Say who makes this request.

        Args:
            token: An assertion that came another way; whoever it names makes this request from now on.

        Returns:
            The identity; None where a refusal does not hold (only reported, or a preflight).

        Raises:
            Refused: Nobody does, or somebody who may not, or it cannot be known.
        """
        decision = self._decision if token is None else None
        if decision is None:
            brought = self._as_served()
            decision = self.door.demand(brought if token is None else {**brought, ASSERTION_KEY: token})
            if token is None or isinstance(decision, Pass):
                self._decision = decision
        if isinstance(decision, Refusal):
            raise copy(decision.error)  # each with its own traceback
        self._show(decision)
        return decision.identity

    def meet(self, demand: Demand) -> None:
        """Go on only where a demand is met; each is checked once in a request.

        Raises:
            Refused: It is not.
        """
        if demand in self._met:
            return
        identity = self.demand()
        if identity is not None and demand.check is not None:
            try:
                demand.check(identity, self)
            except Refused as error:
                if self.door.objects(error, self.brought, Pass(identity=identity, token=None)):
                    raise
        self._met.add(demand)

    def facts(self) -> Facts:
        """What the request says of its client; its method is the one that the view is going to serve."""
        return self.door.facts(self._as_served())

    def check_method(self) -> None:
        """Ask the rules again where a middleware behind the door made another method of the one that was sent.

        Raises:
            Refused: That one is not for them.
        """
        if request.method == self.brought.get("REQUEST_METHOD"):
            return
        decision = self.door.decide(self._as_served())
        if isinstance(decision, Refusal):
            raise decision.error

    def response(self, error: Refused) -> Response:
        """The answer of the door to this request, where it is refused."""
        return self.door.response(error, self.brought)

    def _as_served(self) -> Environ:
        return {**self.brought, "REQUEST_METHOD": request.method} if has_request_context() else self.brought

    def _said(self) -> Environ:
        return {key: self.brought[key] for key in _BROUGHT if key in self.brought}

    def _show(self, passing: Pass) -> None:
        """Let the handlers see who was found out about."""
        identity = passing.identity
        if identity is None or not has_request_context() or identity is request.environ.get(IDENTITY):
            return
        cleaned = self.door.clean(self.brought, passing)
        for key in _SHOWN:
            request.environ.pop(key, None)  # another person's, where a handler gave a token
            if key in cleaned:
                request.environ[key] = cleaned[key]
        self.came_late = g.cfaccess_identity = identity
        if self._entered:
            current.set(identity)


def asking_of(door: "Entrance") -> Asking:
    """The request at hand, as it can be asked about.

    One that did not come through the door, as in ``app.test_request_context()``, is cleaned here. Outside of a request
    there is one to ``/`` that brings nothing along.
    """
    if not has_request_context():
        return Asking(door, {"REQUEST_METHOD": "GET", "PATH_INFO": "/"})
    environ: Environ = request.environ
    asking: Asking | None = environ.get(ASKING)
    if asking is None or asking.door is not door:
        asking = Asking(door, environ.copy())
        cleaned = door.clean(asking.brought, NOBODY)
        environ.clear()
        environ.update(cleaned)
        environ[ASKING] = asking
    return asking
