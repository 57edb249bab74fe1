"""How does a test ask Django? As servers do: an environ or a scope, with headers as they came."""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlencode

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.test import override_settings
from django.utils.decorators import async_only_middleware, sync_only_middleware

from cfaccess_mw.emulator.issuer import Issuer
from tests.contrib.django.settings import MODEL_BACKEND
from tests.tokens import AUD

WAYS: Final = ("wsgi", "wsgi-on-loop", "asgi", "asgi-in-thread")

Headers = tuple[tuple[str, str], ...]

PAGE: Final = ("accept", "text/html")


@sync_only_middleware
def in_thread(get_response: Any) -> Any:
    """A middleware that makes those above it run in a thread."""

    def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    return middleware


@async_only_middleware
def on_loop(get_response: Any) -> Any:
    """A middleware that makes those above it run on an event loop."""

    async def middleware(request: HttpRequest) -> Any:
        return await get_response(request)

    return middleware


_BENEATH = {
    "wsgi": [],
    "wsgi-on-loop": [f"{__name__}.on_loop"],
    "asgi": [],
    "asgi-in-thread": [f"{__name__}.in_thread"],
}


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The combined value of a header, or empty text."""
        return ", ".join(value.strip() for given, value in self.headers if given.lower() == name)

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def session_of(user: Any) -> str:
    """The key of a session that was begun with a password."""
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = MODEL_BACKEND
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


class Client:
    """Sends requests through Django's own handlers, and keeps cookies."""

    def __init__(self, team: Issuer, way: str) -> None:
        self.team = team
        self.way = way
        self.claims: dict[str, Any] = {"issued_at": int(time.time())}
        self.cookies: dict[str, str] = {}
        with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, *_BENEATH[way]]):
            self._handler: Any = WSGIHandler() if way.startswith("wsgi") else ASGIHandler()

    def page(self, path: str, email: str | None = None, /, *headers: tuple[str, str], **options: Any) -> Answer:
        """Get a page, as a browser does."""
        return self.get(path, email, PAGE, *headers, **options)

    def get(self, path: str, email: str | None = None, /, *headers: tuple[str, str], **options: Any) -> Answer:
        """Get something, signed in as somebody."""
        return self.send("GET", path, (*self._assertion(email), *headers), **options)

    def post(self, path: str, email: str | None = None, /, *headers: tuple[str, str], **fields: str) -> Answer:
        """Send a form."""
        form = ("content-type", "application/x-www-form-urlencoded")
        return self.send("POST", path, (*self._assertion(email), form, *headers), body=urlencode(fields).encode())

    def _assertion(self, email: str | None) -> Headers:
        if email is None:
            return ()
        return (("cf-access-jwt-assertion", self.team.user(email, audience=AUD, **self.claims)),)

    def send(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), *, mount: str = "", body: bytes = b""
    ) -> Answer:
        """Send a request.

        Args:
            method: As it is.
            path: As it is on the wire, with its query.
            headers: As they are.
            mount: Where the server says that the application is mounted; the path begins with it.
            body: The body.
        """
        sent = [("host", "testserver"), *headers]
        if self.cookies:
            sent.append(("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        ask = self._wsgi if self.way.startswith("wsgi") else self._asgi
        answer = ask(method, path, sent, mount, body)
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                self._keep(value)
        return answer

    def _keep(self, value: str) -> None:
        for name, morsel in SimpleCookie(value).items():
            if morsel["max-age"] == "0" or morsel["expires"].startswith("Thu, 01 Jan 1970"):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value

    def _wsgi(self, method: str, path: str, headers: list[tuple[str, str]], mount: str, body: bytes) -> Answer:
        target, _, query = path.partition("?")
        decoded = unquote_to_bytes(target.removeprefix(mount)).decode("latin-1")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": mount,
            "PATH_INFO": decoded,
            "RAW_URI": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
        }
        for name, value in headers:  # as servers join what comes twice
            key = name.upper().replace("-", "_")
            key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        answer = Answer()

        def start_response(status: str, given: list[tuple[str, str]], _: object = None) -> None:
            answer.status, answer.headers = int(status.partition(" ")[0]), list(given)

        response = self._handler(environ, start_response)
        answer.body = b"".join(response)
        getattr(response, "close", lambda: None)()
        return answer

    def _asgi(self, method: str, path: str, headers: list[tuple[str, str]], mount: str, body: bytes) -> Answer:
        target, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote_to_bytes(target).decode("utf-8", "surrogateescape"),
            "raw_path": quote(target, safe="/%:@!$&'()*+,;=~").encode(),
            "root_path": mount,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "client": ("192.0.2.1", 50_000),
            "server": ("testserver", 80),
            "scheme": "http",
        }
        return asyncio.run(_ask(self._handler, scope, body))


async def _ask(application: Any, scope: dict[str, Any], body: bytes) -> Answer:
    answer, arrived = Answer(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if arrived.is_set():
            await asyncio.Event().wait()  # the client stays
        arrived.set()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
        else:
            answer.body += message.get("body", b"")

    await application(scope, receive, send)
    return answer
