"""How is a protected application, for whoever has to decide where requests are sent?

:func:`report` says it to the operator's own code; :class:`Health` is an endpoint for probes::

    from cfaccess_mw.health import Health

    health = Health()
    app = Starlette(routes=[Route("/livez", health.asgi), Route("/readyz", health.asgi)])
    app = AccessMiddleware(app, …, rules=[Rule.public("/livez"), Rule.public("/readyz")])

Behind a door it finds the door by itself; elsewhere, before it or at a port of its own, it is given one:
``Health(door.protection)``. A path that ends with ``live`` or ``livez`` asks whether the process answers, every other
whether requests should be sent to it. Strangers read the states and ages of the keys: no URL, no team, no reason.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.protection import Protection
from cfaccess_mw.refresh.editions import Health as KeyHealth
from cfaccess_mw.telemetry.vitals import FleetVitals, fleet_of
from cfaccess_mw.wire.response import NO_STORE, Response, for_method

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from starlette.types import Receive, Scope, Send

_DOOR: Final = "cfaccess.door"  # where doors of both kinds say who they are
_LIVE: Final = frozenset({"live", "livez"})
_METHODS: Final = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a protected application is.

    Attributes:
        ready: Whether requests with a good token are answered, and not with a 503.
        degraded: Whether they are answered with keys, or revocations, that could not be renewed in time.
        keys: How the keys of each team are, by issuer.
        fleet: How the fleet is; None where there is none.
    """

    ready: bool
    degraded: bool
    keys: Mapping[str, KeyHealth]
    fleet: FleetVitals | None


def report(protection: Protection) -> Report:
    """Say how a protected application is; cheap enough for every probe.

    Args:
        protection: ``door.protection``.
    """
    keys, fleet = protection.health(), fleet_of(protection)
    return Report(
        ready=protection.ready(),
        degraded=any(each.degraded for each in keys.values()) or (fleet is not None and fleet.degraded),
        keys=keys,
        fleet=fleet,
    )


class Health:
    """Answers probes: 200 or, to one that asks for readiness where there is none, 503.

    Args:
        protection: ``door.protection``; by default the one of the door that a request came through.

    Attributes:
        asgi: The ASGI application, to be mounted or routed to.
        wsgi: The WSGI application, likewise.
    """

    def __init__(self, protection: Protection | None = None) -> None:
        self.asgi = _ASGI(protection)
        self.wsgi = _WSGI(protection)


class _ASGI:
    """An object that is called, not a bound method: frameworks look at what they are given to tell ASGI from WSGI."""

    def __init__(self, protection: Protection | None) -> None:
        self._protection = protection

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"the health endpoint answers http, not {scope['type']!r}")
        protection = self._protection or _behind(scope)
        protection.attend()  # a probe may be the first that needs keys
        response = _answer(protection, scope["method"], scope["path"])
        headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})


class _WSGI:
    def __init__(self, protection: Protection | None) -> None:
        self._protection = protection

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        protection = self._protection or _behind(environ)
        protection.attend_blocking()
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        response = _answer(protection, environ["REQUEST_METHOD"], path)
        start_response(f"{response.status} {response.phrase}", list(response.headers))
        return [response.body]


def _behind(request: Mapping[str, Any]) -> Protection:
    """The protection of the door that a request came through.

    Raises:
        ConfigurationError: It came through none.
    """
    if _DOOR not in request:
        raise ConfigurationError("protection: is None, and no door stands before this endpoint; give door.protection")
    protection: Protection = request[_DOOR].protection
    return protection


def _answer(protection: Protection, method: str, path: str) -> Response:
    if method not in _METHODS:
        return _response(405, {"status": "method not allowed"}, ("Allow", ", ".join(_METHODS)))
    if path.rstrip("/").rpartition("/")[2] in _LIVE:
        found = _response(200, {"status": "alive"})
    else:
        now = report(protection)
        status = "degraded" if now.ready and now.degraded else "ready" if now.ready else "not ready"
        found = _response(200 if now.ready else 503, {"status": status, **_shown(now)})
    return for_method(found, method)


def _shown(now: Report) -> dict[str, object]:
    """What strangers may know."""
    keys = [{"state": each.state.value, "age": _seconds(each.age)} for each in now.keys.values()]
    if now.fleet is None:
        return {"keys": keys}
    return {"keys": keys, "fleet": {"state": now.fleet.state, "heard_ago": _seconds(now.fleet.heard_ago)}}


def _seconds(exactly: float | None) -> int | None:
    return None if exactly is None else int(exactly)


def _response(status: int, said: Mapping[str, object], *headers: tuple[str, str]) -> Response:
    body = json.dumps(said).encode("ascii")
    return Response(
        status=status,
        headers=(("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers, *NO_STORE),
        body=body,
    )
