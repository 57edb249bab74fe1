"""What frameworks without a module of their own find behind the WSGI door: Bottle, Falcon and Pyramid."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from cfaccess_mw import NotPermitted, Refused, current_identity
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.wsgi import AccessMiddleware
from tests.tokens import AUD, OTHER_AUD

# WebOb, which Pyramid is built on, imports it; from Python 3.13 on it comes from a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")

BOB = "bob@example.com"
RULES = [
    {"pattern": "/open/*", "access": "public"},
    {"pattern": "/static/*", "access": "public"},
    {"pattern": "/admin/*", "allow": {"emails": ["alice@example.com"]}},
]
SPOOFED = {"HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL": "root@example.com", "HTTP_REMOTE_USER": "root"}


def seen(environ: dict[str, Any]) -> str:
    """Who is asking, by all that tells it."""
    identity, current = environ["cfaccess.identity"], current_identity()
    told = ("HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL", "AUTH_TYPE", "HTTP_REMOTE_USER")
    return json.dumps(
        [
            identity and identity.email,
            current and current.email,
            environ.get("REMOTE_USER", "") == (identity.id if identity else ""),
            *(environ.get(name) for name in told),
        ]
    )


def late(environ: dict[str, Any]) -> Iterator[bytes]:
    """The same, while the body is iterated."""
    yield seen(environ).encode()


def answer(error: Refused, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """The door's answer to a refusal of a handler's."""
    response = environ["cfaccess.door"].response(error, environ)
    return response.status, list(response.headers), response.body


def bottle() -> Any:
    package = pytest.importorskip("bottle", reason="bottle is not installed")
    app = package.Bottle()

    def who() -> str:
        return seen(package.request.environ)

    def stream() -> Iterator[bytes]:
        return late(package.request.environ)

    def admin() -> str:
        return "SECRET"

    def raises() -> Any:
        status, headers, body = answer(NotPermitted(), package.request.environ)
        return package.HTTPResponse(body, status, dict(headers))

    views = {"/who": who, "/open/who": who, "/late": stream, "/admin": admin, "/raises": raises}
    for path, view in views.items():
        app.route(path, callback=view)
    return app


def falcon() -> Any:
    package = pytest.importorskip("falcon", reason="falcon is not installed")

    class Who:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.text = seen(req.env)

    class Late:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.stream = late(req.env)

    class Admin:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.text = "SECRET"

    class Raises:
        def on_get(self, req: Any, resp: Any) -> None:
            raise NotPermitted

    def refused(req: Any, resp: Any, error: Refused, params: Any) -> None:
        resp.status, headers, resp.data = answer(error, req.env)
        resp.set_headers(headers)

    app = package.App()
    app.add_error_handler(Refused, refused)
    for path, resource in {"/who": Who, "/open/who": Who, "/late": Late, "/admin": Admin, "/raises": Raises}.items():
        app.add_route(path, resource())
    return app


def pyramid() -> Any:
    configuration = pytest.importorskip("pyramid.config", reason="pyramid is not installed")
    response = pytest.importorskip("pyramid.response").Response

    def who(request: Any) -> Any:
        return response(seen(request.environ))

    def stream(request: Any) -> Any:
        return response(app_iter=late(request.environ))

    def admin(request: Any) -> Any:
        return response("SECRET")

    def raises(request: Any) -> Any:
        raise NotPermitted

    def refused(error: Refused, request: Any) -> Any:
        status, headers, body = answer(error, request.environ)
        return response(body, status=status, headerlist=headers)

    config = configuration.Configurator()
    views = {"/who": who, "/open/who": who, "/late": stream, "/admin": admin, "/raises": raises}
    for path, view in views.items():
        config.add_route(path, path)
        config.add_view(view, route_name=path)
    config.add_exception_view(refused, context=Refused)
    return config.make_wsgi_app()


FRAMEWORKS = [bottle, falcon, pyramid]
Ask = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def team() -> Issuer:
    """A team that signs now."""
    return Issuer("acme", clock=time.time)


@pytest.fixture(params=FRAMEWORKS, ids=lambda build: build.__name__)
def ask(request: pytest.FixtureRequest, team: Issuer) -> Ask:
    """Asks an application behind the door: ``ask(path, token, **environ)``."""
    door = AccessMiddleware(request.param(), team="acme", audience=AUD, keys=team.certs(), rules=RULES)

    def asked(path: str, token: str | None, **more: str) -> tuple[int, str]:
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        environ |= {"PATH_INFO": path, "QUERY_STRING": "", **more}
        if token is not None:
            environ["HTTP_CF_ACCESS_JWT_ASSERTION"] = token
        statuses: list[int] = []

        def start_response(status: str, headers: Any, _: object = None) -> Callable[[bytes], object]:
            statuses.append(int(status.partition(" ")[0]))
            return lambda _: None

        body = door(environ, start_response)
        try:
            text = b"".join(body).decode()
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        assert current_identity() is None
        return statuses[-1], text

    return asked


def test_a_handler_finds_who_is_asking(ask: Ask, team: Issuer) -> None:
    token = team.user(BOB, audience=AUD)
    for path in ("/who", "/late", "/open/who"):
        status, text = ask(path, token, **SPOOFED)
        assert (status, json.loads(text)) == (200, [BOB, BOB, True, BOB, "Cloudflare-Access", None])


def test_nobody_is_nobody_on_public_paths(ask: Ask, team: Issuer) -> None:
    for token in (None, "forged", team.user(BOB, audience=OTHER_AUD)):
        status, text = ask("/open/who", token, **SPOOFED)
        assert (status, json.loads(text)) == (200, [None, None, True, None, None, None])


@pytest.mark.parametrize(
    ("path", "asker", "status", "code"),
    [
        pytest.param("/who", None, 401, "no-token", id="nobody"),
        pytest.param("/nowhere", None, 401, "no-token", id="unknown-paths-tell-nobody"),
        pytest.param("/admin", BOB, 403, "not-permitted", id="not-permitted"),
        pytest.param("//admin", BOB, 403, "not-permitted", id="two-slashes"),
        pytest.param("/admin\n", BOB, 400, "ambiguous-path", id="a-newline"),
        pytest.param("/static/../admin", None, 400, "ambiguous-path", id="dot-segments"),
        pytest.param("/static/%2e%2e/admin", None, 400, "ambiguous-path", id="encoded-dot-segments"),
        pytest.param("/raises", BOB, 403, "not-permitted", id="refused-by-a-handler"),
    ],
)
def test_refusals(ask: Ask, team: Issuer, path: str, asker: str | None, status: int, code: str) -> None:
    found, text = ask(path, asker and team.user(asker, audience=AUD))
    assert found == status
    assert json.loads(text)["code"] == code


def test_who_is_permitted_gets_there(ask: Ask, team: Issuer) -> None:
    assert ask("/admin", team.user("alice@example.com", audience=AUD)) == (200, "SECRET")
