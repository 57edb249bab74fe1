"""Does every way in which a real framework reaches a protected handler find the rule there first?

The routing of each framework is driven as a server drives it, by scope or environ, with paths made by undoing the
canonicalisers one by one. The table is as open as it can be: everything is public but the handlers asked about, so that
no default hides a reading that was forgotten.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes
from wsgiref.util import setup_testing_defaults

import django.conf
import django.http
import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.urls import Resolver404, URLResolver, re_path
from django.urls import path as django_path
from django.urls.resolvers import RegexPattern
from fastapi import FastAPI
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.table import RuleTable

AUDIENCE = frozenset({"a" * 64})
PROTECTED = frozenset({"admin", "report", "secret", "deep"})

Router = Callable[[bytes, str, str], str | None]
"""Takes the raw path, the path and the root path, and names the handler that was reached."""


def table(root: str) -> RuleTable:
    """Everything public but what the frameworks serve under the four protected names."""
    return RuleTable(
        [
            Rule.public("/*", everything=True),
            Rule.token(f"{root}/admin"),
            Rule.token(f"{root}/reports/*"),
            Rule.token(f"{root}/item/*/secret"),
            Rule.token(f"{root}/sub/deep"),
        ],
        audience=AUDIENCE,
    )


def asgi(app: Callable[..., Coroutine[Any, Any, None]], runner: asyncio.Runner) -> Router:
    """Reach a handler through an ASGI application; it answers with its own name."""

    def route(raw_path: bytes, path: str, root: str) -> str | None:
        sent: list[MutableMapping[str, Any]] = []
        incoming = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            return incoming.pop() if incoming else await asyncio.get_running_loop().create_future()

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": raw_path,
            "query_string": b"",
            "root_path": root,
            "headers": [(b"host", b"app.example.com")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        runner.run(app(scope, receive, send))
        if sent[0]["status"] != 200:
            return None
        return b"".join(message.get("body", b"") for message in sent).decode().strip('"')

    return route


def environ(raw_path: bytes, root: str) -> dict[str, Any]:
    """Build what a WSGI server hands over: the bytes of the path in the latin-1 tunnel, without the script name."""
    inside = unquote_to_bytes(raw_path).decode("latin-1").removeprefix(root.encode().decode("latin-1"))
    values: dict[str, Any] = {"SCRIPT_NAME": root.encode().decode("latin-1"), "PATH_INFO": inside}
    setup_testing_defaults(values)
    return values


def answer(name: str) -> Callable[[Request], PlainTextResponse]:
    """Return a Starlette endpoint that says who it is."""
    return lambda request: PlainTextResponse(name)


def starlette_router(runner: asyncio.Runner) -> Router:
    """Routes, a path convertor, and a mount within."""
    routes = [
        Route("/admin", answer("admin")),
        Route("/reports/{name:path}", answer("report")),
        Route("/item/{name}/secret", answer("secret")),
        Route("/static/{name:path}", answer("static")),
        Mount("/sub", routes=[Route("/deep", answer("deep"))]),
    ]
    return asgi(Starlette(routes=routes), runner)


def fastapi_router(runner: asyncio.Runner) -> Router:
    """The same routes, declared as FastAPI declares them."""
    app = FastAPI()
    for pattern, name in (
        ("/admin", "admin"),
        ("/reports/{rest:path}", "report"),
        ("/item/{rest}/secret", "secret"),
        ("/static/{rest:path}", "static"),
        ("/sub/deep", "deep"),
    ):
        app.add_api_route(pattern, lambda name=name: name)
    return asgi(app, runner)


def flask_router(runner: asyncio.Runner) -> Router:
    """Flask, which merges slashes on its own."""
    app = Flask(__name__, static_folder=None)
    for pattern, name in (
        ("/admin", "admin"),
        ("/reports/<path:rest>", "report"),
        ("/item/<rest>/secret", "secret"),
        ("/static/<path:rest>", "static"),
        ("/sub/deep", "deep"),
    ):
        app.add_url_rule(pattern, name, lambda name=name, **_: name)
    app.url_map.merge_slashes = True

    def route(raw_path: bytes, path: str, root: str) -> str | None:
        with app.request_context(environ(raw_path, root)):
            response = app.full_dispatch_request()
        return response.get_data(as_text=True) if response.status_code == 200 else None

    return route


def django_resolver() -> URLResolver:
    """Build Django's own resolver over plain and regular-expression routes, with case to spare in one of them."""
    if not django.conf.settings.configured:
        django.conf.settings.configure()

    def view(request: django.http.HttpRequest, **_: object) -> django.http.HttpResponse:
        raise AssertionError("only resolved")

    return URLResolver(
        RegexPattern(r"^/"),
        [
            django_path("admin", view, name="admin"),
            django_path("reports/<path:rest>", view, name="report"),
            re_path(r"^item/(?P<rest>[^/]*)/secret$", view, name="secret"),
            re_path(r"^(?i:sub/deep)/?$", view, name="deep"),
            django_path("static/<path:rest>", view, name="static"),
        ],
    )


def django_wsgi_router(runner: asyncio.Runner) -> Router:
    """Django's reading of an environ."""
    resolver = django_resolver()

    def route(raw_path: bytes, path: str, root: str) -> str | None:
        try:
            return str(resolver.resolve(WSGIRequest(environ(raw_path, root)).path_info).url_name)
        except Resolver404:
            return None

    return route


def django_asgi_router(runner: asyncio.Runner) -> Router:
    """Django's reading of a scope."""
    resolver = django_resolver()

    def route(raw_path: bytes, path: str, root: str) -> str | None:
        scope = {"method": "GET", "path": path, "root_path": root, "headers": [], "query_string": b""}
        try:
            return str(resolver.resolve(ASGIRequest(scope, None).path_info).url_name)
        except Resolver404:
            return None

    return route


ROUTERS = {
    "starlette": starlette_router,
    "fastapi": fastapi_router,
    "flask": flask_router,
    "django-wsgi": django_wsgi_router,
    "django-asgi": django_asgi_router,
}
WSGI = {"flask", "django-wsgi"}
ROOTS = ("", "/api", "/api/", "/admin", "/a/b", "/static", "/sub", "/caf\u00e9", "/a b")

# Each takes a raw path, a place in it and a root path, and makes a path that some reader takes for the same.
DISGUISES: tuple[Callable[[str, int, str], str], ...] = (
    lambda raw, at, root: f"{raw[:at]}%{ord(raw[at]):02X}{raw[at + 1 :]}" if at < len(raw) else raw,
    lambda raw, at, root: raw.replace("%", "%25", 1),
    lambda raw, at, root: raw.replace("%", "%25"),
    lambda raw, at, root: raw.replace("/", "//"),
    lambda raw, at, root: f"{raw[:at]}//{raw[at:].lstrip('/')}",
    lambda raw, at, root: f"{raw[:at]}/{raw[at:]}",
    lambda raw, at, root: f"{raw[:at]};x=1{raw[at:]}",
    lambda raw, at, root: f"{raw};x",
    lambda raw, at, root: raw[0] + raw[1:].replace("/", "%2F"),
    lambda raw, at, root: raw[0] + raw[1:].replace("/", "%2f", 1),
    lambda raw, at, root: raw[:at] + raw[at:].swapcase(),
    lambda raw, at, root: raw.upper(),
    lambda raw, at, root: f"{raw[:at]}/./{raw[at:]}",
    lambda raw, at, root: f"{raw[:at]}/x/../{raw[at:].lstrip('/')}",
    lambda raw, at, root: f"{raw[:at]}/%2e%2e/{raw[at:]}",
    lambda raw, at, root: f"{raw}%3Fx",
    lambda raw, at, root: f"{raw}%23x",
    lambda raw, at, root: f"{raw}/",
    lambda raw, at, root: f"{raw}//",
    lambda raw, at, root: f"{raw}%0A",
    lambda raw, at, root: f"{raw}%20",
    lambda raw, at, root: f"{raw}%00",
    lambda raw, at, root: f"{raw}.",
    lambda raw, at, root: f"{raw}%5C",
    lambda raw, at, root: f"{raw}%C3%A9",
    lambda raw, at, root: f"{raw}%FF",
    lambda raw, at, root: f"{raw}%E2%80%8B",
    lambda raw, at, root: f"{raw[:at]}%EF%BC%8F{raw[at:]}",
    lambda raw, at, root: root + raw,
    lambda raw, at, root: f"/static{root}{raw}",
    lambda raw, at, root: f"/static{raw}",
    lambda raw, at, root: f"{root}/{raw}",
    lambda raw, at, root: raw.removeprefix(root),
    lambda raw, at, root: root + raw.removeprefix(root).lstrip("/"),
    lambda raw, at, root: f"{root}/static/x/{raw}",
    lambda raw, at, root: f"/{raw}",
)

TARGETS = ("/admin", "/reports/q1", "/reports/", "/item/7/secret", "/item//secret", "/sub/deep", "/static/a.css", "/")


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a root path, and a raw path made by disguising one that the frameworks serve."""
    root = draw(st.sampled_from(ROOTS))
    raw = quote(root.rstrip("/")) + draw(st.sampled_from(TARGETS))
    for disguise in draw(st.lists(st.sampled_from(DISGUISES), max_size=4)):
        raw = disguise(raw or "/", draw(st.integers(0, len(raw))), quote(root))
    return root, raw if raw.startswith("/") else f"/{raw}"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for every request of this file."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", params=ROUTERS)
def router(request: pytest.FixtureRequest, runner: asyncio.Runner) -> tuple[str, Router]:
    """Each framework in turn."""
    return request.param, ROUTERS[request.param](runner)


TABLES = {root: table(root.rstrip("/")) for root in ROOTS}


def assert_guarded(name: str, route: Router, root: str, raw: str, *, root_in_path: bool) -> None:
    """Drive the framework, and if it reaches a protected handler, expect the table to have asked for a token."""
    path = unquote(raw, errors="replace")
    if not root_in_path:
        path, raw = path.removeprefix(root) or "/", raw.removeprefix(quote(root)) or "/"
    reached = route(raw.encode(), path, root)
    if name in WSGI:
        values = environ(raw.encode(), root)
        try:
            path = (values["SCRIPT_NAME"] + values["PATH_INFO"]).encode("latin-1").decode()
        except UnicodeDecodeError:
            return  # the door refuses this before the table is asked
    requirement = TABLES[root].find("GET", path, raw.encode(), root, None)
    if reached in PROTECTED:
        assert requirement.refusal is not None or requirement.access is Access.TOKEN, (root, raw, path, reached)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=requests(), root_in_path=st.booleans())
@example(request=("", "/admin%0A"), root_in_path=True)
@example(request=("", "//admin"), root_in_path=True)
@example(request=("/api", "/static/api/admin"), root_in_path=True)
@example(request=("/api", "/apiadmin"), root_in_path=True)
@example(request=("/api", "/api//admin"), root_in_path=True)
@example(request=("/api/", "/api//item//secret"), root_in_path=True)
@example(request=("/api", "/api/admin"), root_in_path=False)
def test_no_path_reaches_a_protected_handler_unasked(
    router: tuple[str, Router], request: tuple[str, str], root_in_path: bool
) -> None:
    root, raw = request
    assert_guarded(*router, root, raw, root_in_path=root_in_path)


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize("target", ["/admin", "/reports/q1", "/item/7/secret", "/sub/deep"])
def test_the_handlers_are_reached_at_all(router: tuple[str, Router], root: str, target: str) -> None:
    """Without this, a framework driven wrongly would pass everything above."""
    _, route = router
    assert route((root + target).encode(), root + target, root) in PROTECTED
