"""How does a request come into a Flask application? Through the WSGI door, which here may be asked twice.

First for every request, before Flask: by the rules, or, where decorators decide, with everything open. Once more where
a handler demands somebody: then what a rule opens is closed, and keys are fetched that an open path would not wait for.
Both times the same door decides, with one memory and one set of keys.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cfaccess_mw.contrib.flask.asking import ASKING, Asking
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.decide import Pass, Refusal
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.policy import PolicyDecision
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.wire.current import current
from cfaccess_mw.wsgi import AccessMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DEMANDED: Final = "cfaccess.demanded"
_REMEMBERED: Final = 1_024  # combinations of rules, of which an application meets few


class Entrance(AccessMiddleware):
    """The door of one Flask application.

    Args:
        app: Its ``wsgi_app``.
        config: The configuration.
        protect_all: Whether the rules decide over every request; otherwise each is let in until somebody is demanded.

    Attributes:
        protects_all: As given.
    """

    def __init__(self, app: "WSGIApplication", config: AccessConfig, *, protect_all: bool) -> None:
        super().__init__(_Served(app), config)
        self.protects_all = protect_all

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Decide, then pass on or answer; what the request brought along is kept for whoever demands somebody."""
        asking = Asking(self, environ, entered=True)
        return super().__call__({**asking.brought, ASKING: asking}, start_response)

    def demand(self, environ: "WSGIEnvironment") -> Pass | Refusal:
        """Decide over a request of which a handler demands that somebody makes it.

        Args:
            environ: As the server gave it.
        """
        return self.decide({**environ, DEMANDED: True})

    def objects(self, error: Refused, environ: "WSGIEnvironment", passing: Pass) -> bool:
        """Tell that a handler refuses somebody whose token is good; say whether that holds.

        Args:
            error: Why.
            environ: As the server gave it.
            passing: What was decided before.
        """
        waived = self.protection.waive(
            Refusal(error=error, passing=passing),
            self._requirement(environ),
            is_preflight=lambda: False,  # those have no identity that could be refused
            **self._asked(environ),
        )
        return waived is None

    def _requirement(self, environ: "WSGIEnvironment") -> Requirement:
        found = super()._requirement(environ)
        if DEMANDED in environ:
            return closed(found)
        return found if self.protects_all else opened(found)


@lru_cache(maxsize=_REMEMBERED)
def opened(found: Requirement) -> Requirement:
    """What is left of a requirement where nobody is refused; paths that cannot be read still are."""
    if found.refusal is not None:
        return found
    return replace(found, access=Access.PUBLIC, policies=(), may_open=True)


@lru_cache(maxsize=_REMEMBERED)
def closed(found: Requirement) -> Requirement:
    """A requirement with somebody in the place of anybody: a valid token even where the rules would ask for none."""
    if found.refusal is not None or not (found.may_open or found.access is Access.OPTIONAL):
        return found
    without = (tuple(one for one in listed if one.decision is not PolicyDecision.BYPASS) for listed in found.policies)
    policies = tuple(filter(None, without))
    access = Access.POLICIES if policies else Access.TOKEN
    return replace(found, access=access, policies=policies, may_open=False)


class _Served:
    """Runs the application; while a body is still being made, it knows who was found out about in the meantime."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass on."""
        body = self._app(environ, start_response)
        late = environ[ASKING].came_late
        return body if late is None else _Body(body, late)


class _Body:
    """A body whose door did not know yet who is asking when it began."""

    def __init__(self, body: Iterable[bytes], identity: Identity) -> None:
        self._parts: Iterator[bytes] = iter(body)
        self._close: Callable[[], Any] | None = getattr(body, "close", None)
        self._identity = identity

    def __iter__(self) -> Iterator[bytes]:
        """Itself: servers iterate a body once."""
        return self

    def __next__(self) -> bytes:
        """The next part; the door sets and resets who is asking around it."""
        current.set(self._identity)
        return next(self._parts)

    def close(self) -> None:
        """Close the application's body."""
        current.set(self._identity)
        if self._close is not None:
            self._close()
