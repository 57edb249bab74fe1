"""What do the tests of faults stand in? A team, its endpoint, both doors, and clocks that are set under way."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cfaccess_mw import Rule, current_identity
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.telemetry.events import Listener
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.doors.conftest import Request, asgi_application, ask_asgi
from tests.refresh.parts import Told
from tests.tokens import AUD, ISSUER, OTHER_AUD

PASSED = "alice@example.com"
NOBODY = "nobody"


@dataclass
class Clocks:
    """The module ``time`` of a machine whose clocks are set: real ones, and how far they were moved."""

    wall: float = 0.0
    steady: float = 0.0

    def time(self) -> float:
        return time.time() + self.wall

    def monotonic(self) -> float:
        return time.monotonic() + self.steady

    def __getattr__(self, name: str) -> Any:
        """What is measured, and not lived by, is left as it is."""
        return getattr(time, name)

    def pass_by(self, seconds: float) -> None:
        """Let time pass, for both."""
        self.wall += seconds
        self.steady += seconds


def wsgi_application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    identity = current_identity()
    start_response("200 OK", [])
    return [(NOBODY if identity is None else str(identity.email)).encode()]


@dataclass
class World:
    """Both doors of one application; they share their keys."""

    team: Issuer
    stranger: SigningKey
    clocks: Clocks
    told: Told
    asgi: AsgiDoor
    wsgi: WsgiDoor
    keys: Refresher[KeySnapshot]
    _count: int = field(default=0)

    def token(self, **more: Any) -> str:
        """A token of Alice's that nobody has seen before."""
        self._count += 1
        fields = {"audience": AUD, "issued_at": self.clocks.time(), "identity_nonce": f"{self._count:016}", **more}
        return self.team.user(PASSED, **fields)

    def forged(self) -> str:
        """Hers but for the signature: a key id that the team publishes, and another key."""
        kid = self.team.current.kid
        return self.token(key=SigningKey(private_key=self.stranger.private_key, kid=kid, certificate=""))

    def unknown(self) -> str:
        """Hers, by a key that the team does not publish, and perhaps will."""
        return self.token(key=self.stranger)

    def ask(self, token: str | None, path: str = "/") -> set[tuple[int, str]]:
        """What both doors answer: the status with the code of the refusal, or with whom the application saw."""
        return {self.ask_wsgi(token, path), self.ask_asgi(token, path)}

    def ask_asgi(self, token: str | None, path: str = "/") -> tuple[int, str]:
        request = Request(path=path) if token is None else Request.with_token(token, path)
        answer = asyncio.run(ask_asgi(self.asgi, request))
        if answer.seen is None:
            return answer.status, _code(answer.status, answer.headers, answer.body)
        return answer.status, NOBODY if answer.seen.identity is None else str(answer.seen.identity.email)

    def ask_wsgi(self, token: str | None, path: str = "/") -> tuple[int, str]:
        started: list[tuple[int, dict[str, str]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
            started.append((int(status[:3]), {name.lower(): value for name, value in headers}))

        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        if token is not None:
            environ["HTTP_CF_ACCESS_JWT_ASSERTION"] = token
        body = b"".join(self.wsgi(environ, start_response))
        ((status, headers),) = started
        return status, body.decode() if status == 200 else _code(status, headers, body)


def _code(status: int, headers: dict[str, str], body: bytes) -> str:
    assert status != 503 or int(headers["retry-after"]) >= 1, "whoever is told to wait is told for how long"
    return str(json.loads(body)["code"])


@contextmanager
def world_of(
    certs_url: str, fetcher: AnyFetcher, team: Issuer, stranger: SigningKey, clocks: Clocks, *listeners: Listener
) -> Iterator[World]:
    """Doors that are closed however the test ends."""
    told = Told()
    options: dict[str, Any] = {
        "team": "acme",
        "audience": AUD,
        "certs_url": certs_url,
        "fetcher": fetcher,
        "rules": [Rule.public("/healthz")],
        "listeners": [*listeners, told],
        "cold_wait": 20,  # nobody is refused because a machine is busy
    }
    wsgi = WsgiDoor(wsgi_application, **options)
    asgi = AsgiDoor(asgi_application, **options)
    keys = asgi.protection._keys[ISSUER]
    keys._clock = clocks.monotonic
    try:
        yield World(team=team, stranger=stranger, clocks=clocks, told=told, asgi=asgi, wsgi=wsgi, keys=keys)
    finally:
        asgi.protection.close()
        wsgi.protection.close()


def never(world: World, path: str = "/") -> dict[str, set[tuple[int, str]]]:
    """What is refused whatever the endpoint does, and the answers to it."""
    now = world.clocks.time()
    return {
        "no token": world.ask(None, path),
        "garbage": world.ask("x", path),
        "another application's": world.ask(world.token(audience=OTHER_AUD), path),
        "expired": world.ask(world.token(issued_at=now - 7200, expires_in=3600), path),
    }


NEVER = {
    "no token": {(401, "no-token")},
    "garbage": {(401, "malformed-token")},
    "another application's": {(401, "wrong-audience")},
    "expired": {(401, "expired")},
}
