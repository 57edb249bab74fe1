"""Both doors with everything switched on that looks at what a client sends, and one way to ask either.

The keys are given, so a decision never waits and an asynchronous door runs to its end without an event loop.
"""

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.tokens import AUD, OTHER_AUD

HOST = "app.example"
STATUSES = frozenset({200, 302, 400, 401, 403, 503})

RULES = (
    Rule.public("/healthz"),
    Rule.public("/static/*"),
    Rule.optional("/maybe/*"),
    Rule.token("/static/private/*"),
    Rule.token("/other/*", audience=OTHER_AUD),
    Rule.public("/hosted/*", hosts=HOST),
    Rule.allow("/office/*", ips=["192.0.2.0/24"], emails=["user@example.com"]),
    Rule.allow("/laptops/*", common_names=["laptop-7"]),
    Rule.guarded("/bypass/*", [{"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}, {"geo": "PT"}]}]),
    Rule.deny("/closed/*"),
)


@dataclass(frozen=True)
class Said:
    """What came of a request.

    Attributes:
        status: 200 where the application was reached, and nowhere else.
        text: Everything that the client was told.
        identity: Who the application was told is asking.
        headers: What the application saw, by lower-case name and in order; of WSGI with ``-``.
    """

    status: int
    text: str
    identity: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def options(certs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A configuration that leaves nothing of a request unread."""
    return {
        "team": "acme",
        "audience": AUD,
        "keys": certs,
        "rules": RULES,
        "cookie": True,
        "host_routing": True,
        "trusted_peers": ["loopback"],
        "certificate_headers": True,
        "allow_preflight": True,
        "login_redirect": True,
        "scrub": ["x-user"],
        **more,
    }


def asgi_door(certs: dict[str, Any], **more: Any) -> AsgiDoor:
    """An ASGI door before an application that tells what it saw."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "seen": scope})

    return AsgiDoor(application, **options(certs, **more))


def wsgi_door(certs: dict[str, Any], **more: Any) -> WsgiDoor:
    """A WSGI door likewise."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("seen", environ)])
        return []

    return WsgiDoor(application, **options(certs, **more))


def ask_asgi(door: AsgiDoor, scope: dict[str, Any]) -> Said:
    """Ask an ASGI door to the end."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"{scope['type']}.connect"}

    async def send(message: Any) -> None:
        messages.append(message)

    _run(door(scope, receive, send))
    start = messages[0]
    if start["type"] == "websocket.close":
        return Said(403, str(start))
    seen = start.get("seen")
    if seen is None:
        return Said(start["status"], str(messages))
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in seen["headers"])
    return Said(start["status"], "", _id(seen["cfaccess.identity"]), headers)


def ask_wsgi(door: WsgiDoor, environ: dict[str, Any]) -> Said:
    """Ask a WSGI door to the end."""
    started: list[Any] = []

    def start_response(*given: Any) -> Any:
        started.extend(given)

    body = b"".join(door(environ, start_response))
    status, headers = int(started[0].split()[0]), dict(started[1])
    if "seen" not in headers:
        return Said(status, f"{started} {body!r}")
    seen = headers["seen"]
    named = tuple((key[5:].lower().replace("_", "-"), value) for key, value in seen.items() if key.startswith("HTTP_"))
    return Said(status, "", _id(seen["cfaccess.identity"]), named)


def joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers as WSGI servers put them into an environ: what comes twice is joined, a cookie by its own mark."""
    environ: dict[str, str] = {}
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        mark = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{mark}{value}" if key in environ else value
    return environ


def _id(identity: Any) -> str | None:
    return None if identity is None else identity.id


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the door waits for something")
