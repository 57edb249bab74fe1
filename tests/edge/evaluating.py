"""How does a test put a question to an endpoint? As a server would, by either of its sides, byte for byte."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio

from cfaccess_mw.edge.external_evaluation import ExternalEvaluation
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.telemetry.events import Event
from tests.tokens import NOW

NONCE = "9J2E9Xg6wYj8tlnA5MV4Zgp6t8rzmS0Q"
ALICE = "alice@example.com"
NO = b'{"success":false}'
JSON = ("Content-Type", "application/json")


@dataclass(kw_only=True)
class Clock:
    """A clock that is turned by hand."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


class Heard(list[Event]):
    """A listener that remembers."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self]

    def facts(self, name: str) -> list[Mapping[str, object]]:
        return [event.facts for event in self if event.name == name]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        chunks: The body as it arrives.
        length: The header; True for the right one, None for none.
        root: The mount.
        gone: Whether the client leaves before the body is whole.
    """

    method: str = "POST"
    path: str = "/"
    headers: Sequence[tuple[str, str]] = (JSON,)
    chunks: tuple[bytes, ...] = ()
    length: str | bool | None = True
    root: str = ""
    gone: bool = False

    @classmethod
    def with_token(cls, token: object, **options: Any) -> "Call":
        return cls(chunks=(json.dumps({"token": token}).encode(),), **options)

    @property
    def announced(self) -> str | None:
        if self.length is True:
            return str(sum(map(len, self.chunks)))
        return None if self.length in (None, False) else str(self.length)


@dataclass(kw_only=True)
class Answer:
    """What came back; status 0 where nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def token(self) -> str:
        return str(json.loads(self.body)["token"])

    @property
    def claims(self) -> dict[str, Any]:
        return decoded(self.token, 1)


Ask = Callable[[ExternalEvaluation, Call], Answer]


def ask_asgi(endpoint: ExternalEvaluation, call: Call, *, backend: str = "asyncio") -> Answer:
    """Ask the ASGI side."""
    answer, sent = Answer(), list(call.chunks) or [b""]

    async def receive() -> dict[str, Any]:
        if call.gone and len(sent) == 1:
            return {"type": "http.disconnect"}
        body = sent.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(sent)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            assert len(answer.headers) == len(message["headers"])
        else:
            answer.body += message["body"]

    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in call.headers]
    if call.announced is not None:
        headers.append((b"content-length", call.announced.encode("latin-1")))
    scope = {
        "type": "http",
        "method": call.method,
        "path": call.root + call.path,
        "root_path": call.root,
        "query_string": b"",
        "headers": headers,
    }
    anyio.run(endpoint.asgi, scope, receive, send, backend=backend)
    return answer


def ask_wsgi(endpoint: ExternalEvaluation, call: Call) -> Answer:
    """Ask the WSGI side, which ``wsgiref.validate`` checks."""
    answer = Answer()

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
        answer.status = int(status.partition(" ")[0])
        answer.headers = {name.lower(): value for name, value in headers}
        return lambda _: None

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": call.root,
        "PATH_INFO": call.path,
        "QUERY_STRING": "",
        "wsgi.input": BytesIO(b"".join(call.chunks)),
        "wsgi.input_terminated": call.length is None,
    }
    for name, value in call.headers:
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    if call.announced is not None:
        environ["CONTENT_LENGTH"] = call.announced
    # the validator has its own opinion of what a server may announce
    application = validator(endpoint.wsgi) if call.length is True else endpoint.wsgi
    body = application(environ, start_response)
    answer.body = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return answer


SIDES: dict[str, Ask] = {
    "asgi-asyncio": ask_asgi,
    "asgi-trio": lambda endpoint, call: ask_asgi(endpoint, call, backend="trio"),
    "wsgi": ask_wsgi,
}


def question(issuer: Issuer, /, **claims: object) -> str:
    """What Access sends, with the three claims that are documented; others as given, or ``ABSENT``."""
    payload = {"nonce": NONCE, "exp": NOW + 60, "identity": {"email": ALICE, "groups": ["staff"]}, **claims}
    return issuer.sign(None, {name: value for name, value in payload.items() if value is not ABSENT})


def decoded(token: str, segment: int) -> dict[str, Any]:
    """One segment of a token."""
    text = token.split(".")[segment]
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
