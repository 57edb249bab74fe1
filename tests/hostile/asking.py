"""How is a hostile request asked of both doors, as servers would hand it in?

Nothing stands between a row and the door: ``wsgiref.validate`` and HTTP clients refuse, or mend, what these tables are
about.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.tokens import AUD, OTHER_AUD

INTERFACES: Final = ("asgi", "websocket", "wsgi")

Headers = tuple[tuple[str, str], ...]

RULES: Final = [
    Rule.public("/healthz"),
    Rule.public("/static/*"),
    Rule.public("/read/*", methods=["GET"]),
    Rule.optional("/maybe"),
    Rule.token("/other/*", audience=OTHER_AUD),
    Rule.allow("/company/*", email_domains="company.example"),
    Rule.allow("/mike/*", emails="mike@company.example"),
    Rule.allow("/kompany/*", email_domains="kompany.example"),
    Rule.allow("/office/*", email_domains="example.com", ips=["192.0.2.0/24", "2001:db8:1::/48"]),
]
_ELSEWHERE: Final = [
    {
        "decision": "allow",
        "include": [{"email_domains": ["example.com"]}],
        "exclude": [{"ips": ["203.0.113.0/24", "2001:db8:bad::/48"]}],
    }
]

CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {"rules": RULES, "trusted_peers": ["unix"]},
    "cookie": {"rules": RULES, "trusted_peers": ["unix"], "cookie": True},
    "preflight": {"rules": RULES, "trusted_peers": ["unix"], "allow_preflight": True},
    "elsewhere": {"policies": _ELSEWHERE, "trusted_peers": ["unix"]},
    "untrusting": {"rules": RULES, "trusted_peers": ["198.51.100.0/24"]},
    "hosts": {"rules": [Rule.public("/x", hosts=["open.example"])], "host_routing": True},
    "wide": {"rules": [Rule.public("/*", everything=True), Rule.token("/admin/*"), Rule.token("/open/admin/*")]},
    "narrow": {"rules": [Rule.public("/static/*"), Rule.public("/healthz"), Rule.public("/open/*"),
                         Rule.token("/open/admin/*")]},
}  # fmt: skip


def options_of(configuration: str, keys: Mapping[str, Any] | str) -> dict[str, Any]:
    """A whole configuration, as it is given to a door."""
    return {"team": "acme", "audience": AUD, "keys": keys, **CONFIGURATIONS[configuration]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        path: Decoded; bytes that are no UTF-8 as ``surrogateescape`` has them, of which each server makes its own.
        raw_path: As it was sent; None where the server does not tell.
        method: As it was sent.
        headers: Names and values; each character stands for one byte.
    """

    path: str = "/"
    raw_path: bytes | None = None
    method: str = "GET"
    headers: Headers = ()


@dataclass(slots=True)
class Reached:
    """What came of a request.

    Attributes:
        outcome: The code of the refusal; where the application was reached ``nobody``, or who is asking.
        status: Of the answer.
        seen: The headers that the application saw, as one text.
        body: Of the answer.
    """

    outcome: str = ""
    status: int = 0
    seen: str = ""
    body: bytes = field(default=b"", repr=False)


class Doors:
    """Both doors with the same options, and one event loop.

    Args:
        options: Of the doors.

    Attributes:
        rules: What they look a path up in.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._asgi = AsgiDoor(_asgi_application, **options)
        self._wsgi = WsgiDoor(_wsgi_application, **options)
        self.rules = self._asgi.protection.rules
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """End the event loop."""
        self._runner.close()

    def ask(self, interface: str, asked: Asked) -> Reached:
        """Ask one of the doors: that of ASGI for a request or a handshake, or that of WSGI."""
        reached = self._ask_wsgi(asked) if interface == "wsgi" else self._runner.run(self._ask_asgi(interface, asked))
        if reached.outcome == "":
            reached.outcome = json.loads(reached.body)["code"]
        return reached

    async def _ask_asgi(self, interface: str, asked: Asked) -> Reached:
        reached = Reached()

        async def receive() -> dict[str, Any]:
            if interface == "websocket":
                return {"type": "websocket.connect"}
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "websocket.accept":
                reached.status = 200
            elif message["type"].endswith("http.response.start"):
                reached.status = message["status"]
            else:
                reached.body += message["body"]

        method = {} if interface == "websocket" else {"method": asked.method}
        scope: dict[str, Any] = {
            "type": "websocket" if interface == "websocket" else "http",
            **method,
            "extensions": {"websocket.http.response": {}},
            "path": asked.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            "root_path": "",
            "query_string": b"",
            "client": None,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers],
            "test.reached": reached,
        }
        if asked.raw_path is not None:
            scope["raw_path"] = asked.raw_path
        await self._asgi(scope, receive, send)
        return reached

    def _ask_wsgi(self, asked: Asked) -> Reached:
        reached = Reached()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": asked.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": asked.path.encode("utf-8", "surrogateescape").decode("latin-1"),
            "QUERY_STRING": "",
            "SERVER_NAME": "app.example.com",
            "SERVER_PORT": "443",
            "REMOTE_ADDR": "",
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(),
            "test.reached": reached,
        }
        if asked.raw_path is not None:
            environ["RAW_URI"] = asked.raw_path.decode("latin-1")
        for name, value in asked.headers:  # as servers join what comes twice
            key = "HTTP_" + name.upper().replace("-", "_")
            joiner = "; " if key == "HTTP_COOKIE" else ","
            environ[key] = environ[key] + joiner + value if key in environ else value

        def start_response(status: str, headers: object, *rest: object) -> Any:
            reached.status = int(status.partition(" ")[0])

        body = self._wsgi(environ, start_response)
        reached.body = b"".join(body)
        getattr(body, "close", lambda: None)()
        return reached


async def _asgi_application(scope: Any, receive: Any, send: Any) -> None:
    names = (f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in scope["headers"])
    _note(scope["test.reached"], scope["cfaccess.identity"], names)
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"reached"})


def _wsgi_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    names = (f"{key}: {value}" for key, value in environ.items() if key.startswith("HTTP_"))
    _note(environ["test.reached"], environ["cfaccess.identity"], names)
    start_response("200 OK", [])
    return [b"reached"]


def _note(reached: Reached, identity: Any, headers: Iterable[str]) -> None:
    reached.outcome = "nobody" if identity is None else (identity.email or identity.id)
    reached.seen = "\n".join(headers)
