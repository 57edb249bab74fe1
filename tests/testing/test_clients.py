"""Every kind of client is signed in and out, and what it sent before is what it sends after."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import anyio
import django.conf
import httpx
import pytest
import starlette.testclient

from cfaccess_mw import ConfigurationError
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.protection import Protection
from cfaccess_mw.testing import AccessKit, sign_in, sign_out, signed_in
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.testing.conftest import asgi_app, wsgi_app

ALICE, BOB = "alice@example.com", "bob@example.com"
Client = tuple[object, Callable[[], str]]
"""A client, and how to ask with it who came: ``nobody`` where it was refused."""


def _text(answer: Any) -> str:
    return str(answer.text) if answer.status_code == 200 else "nobody"


def _starlette(kit: AccessKit, stack: ExitStack) -> Client:
    client = stack.enter_context(starlette.testclient.TestClient(AsgiDoor(asgi_app, **kit.options())))
    return client, lambda: _text(client.get("/"))


def _starlette_websocket(kit: AccessKit, stack: ExitStack) -> Client:
    client = stack.enter_context(starlette.testclient.TestClient(AsgiDoor(asgi_app, **kit.options())))

    def ask() -> str:
        try:
            with client.websocket_connect("/ws") as socket:
                return str(socket.receive_text())
        except starlette.testclient.WebSocketDenialResponse:
            return "nobody"

    return client, ask


def _httpx(library: Any) -> Callable[[AccessKit, ExitStack], Client]:
    def make(kit: AccessKit, stack: ExitStack) -> Client:
        transport = library.WSGITransport(app=WsgiDoor(wsgi_app, **kit.options()))
        client = stack.enter_context(library.Client(transport=transport, base_url="http://testserver"))
        return client, lambda: _text(client.get("/"))

    return make


def _httpx_async(library: Any) -> Callable[[AccessKit, ExitStack], Client]:
    def make(kit: AccessKit, stack: ExitStack) -> Client:
        transport = library.ASGITransport(app=AsgiDoor(asgi_app, **kit.options()))
        client = library.AsyncClient(transport=transport, base_url="http://testserver")
        return client, lambda: _text(anyio.run(client.get, "/"))

    return make


def _httpx2(
    make: Callable[[Any], Callable[[AccessKit, ExitStack], Client]],
) -> Callable[[AccessKit, ExitStack], Client]:
    def made(kit: AccessKit, stack: ExitStack) -> Client:
        return make(pytest.importorskip("httpx2"))(kit, stack)

    return made


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def _served(kit: AccessKit) -> Iterator[str]:
    with make_server("127.0.0.1", 0, WsgiDoor(wsgi_app, **kit.options()), handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def _requests(kit: AccessKit, stack: ExitStack) -> Client:
    url = stack.enter_context(_served(kit))
    client = stack.enter_context(pytest.importorskip("requests").Session())
    client.trust_env = False
    return client, lambda: _text(client.get(url))


def _aiohttp(kit: AccessKit, stack: ExitStack) -> Client:
    aiohttp, url = pytest.importorskip("aiohttp"), stack.enter_context(_served(kit))
    runner = stack.enter_context(anyio.from_thread.start_blocking_portal())

    async def make() -> Any:
        return aiohttp.ClientSession()

    async def get() -> str:
        async with client.get(url) as answer:
            return str(await answer.text()) if answer.status == 200 else "nobody"

    client = runner.call(make)
    stack.callback(runner.call, client.close)
    return client, lambda: runner.call(get)


def _flask(kit: AccessKit, _: ExitStack) -> Client:
    app = pytest.importorskip("flask").Flask(__name__)
    app.wsgi_app = WsgiDoor(wsgi_app, **kit.options())
    client = app.test_client()
    return client, lambda: _text(client.get("/"))


def _werkzeug(kit: AccessKit, _: ExitStack) -> Client:
    client = pytest.importorskip("werkzeug.test").Client(WsgiDoor(wsgi_app, **kit.options()))
    return client, lambda: _text(client.get("/"))


def _webtest(kit: AccessKit, _: ExitStack) -> Client:
    client = pytest.importorskip("webtest").TestApp(WsgiDoor(wsgi_app, **kit.options()))
    return client, lambda: _text(client.get("/", status="*"))


def _falcon(kit: AccessKit, _: ExitStack) -> Client:
    testing = pytest.importorskip("falcon.testing")
    client = testing.TestClient(WsgiDoor(wsgi_app, **kit.options()), headers={"X-Own": "kept"})
    return client, lambda: _text(client.simulate_get("/"))


def _litestar(kit: AccessKit, stack: ExitStack) -> Client:
    testing = pytest.importorskip("litestar.testing")
    client = stack.enter_context(testing.TestClient(AsgiDoor(asgi_app, **kit.options())))
    return client, lambda: _text(client.get("/"))


def _quart(kit: AccessKit, _: ExitStack) -> Client:
    app = pytest.importorskip("quart").Quart(__name__)
    app.asgi_app = AsgiDoor(asgi_app, **kit.options())
    client = app.test_client()

    async def ask() -> str:
        answer = await client.get("/")
        return str(await answer.get_data(as_text=True)) if answer.status_code == 200 else "nobody"

    return client, lambda: anyio.run(ask)


def _quart_websocket(kit: AccessKit, _: ExitStack) -> Client:
    quart = pytest.importorskip("quart")
    app = quart.Quart(__name__)

    async def tell() -> None:
        await quart.websocket.send(_verified(kit, quart.websocket.headers))

    app.websocket("/ws")(tell)
    client = app.test_client()

    async def ask() -> str:
        async with client.websocket("/ws", headers={"X-Own": "kept"}) as socket:
            return str(await socket.receive())

    return client, lambda: anyio.run(ask)


def _verified(kit: AccessKit, headers: Any) -> str:
    token = headers.get("Cf-Access-Jwt-Assertion")
    return Protection(kit.config()).verify(token).display_name if token else "nobody"


def _django_factory(name: str) -> Callable[[AccessKit, ExitStack], Client]:
    def make(kit: AccessKit, _: ExitStack) -> Client:
        from django import test

        if not django.conf.settings.configured:
            django.conf.settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
        factory = getattr(test, name)()
        return factory, lambda: _verified(kit, factory.get("/").headers)

    return make


def _django_client(name: str) -> Callable[[AccessKit, ExitStack], Client]:
    def make(kit: AccessKit, stack: ExitStack) -> Client:
        if not django.conf.settings.configured:
            django.conf.settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
        from django import test
        from django.http import HttpRequest, HttpResponse
        from django.urls import path

        def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse(_verified(kit, request.headers))

        stack.enter_context(test.override_settings(ROOT_URLCONF=(path("", view),), MIDDLEWARE=[], ALLOWED_HOSTS=["*"]))
        client = getattr(test, name)()

        def ask() -> str:
            answer = anyio.run(client.get, "/") if name == "AsyncClient" else client.get("/")
            return str(answer.content.decode())

        return client, ask

    return make


KINDS = [
    pytest.param(_starlette, id="starlette"),
    pytest.param(_starlette_websocket, id="starlette-websocket"),
    pytest.param(_httpx(httpx), id="httpx"),
    pytest.param(_httpx_async(httpx), id="httpx-async"),
    pytest.param(_httpx2(_httpx), id="httpx2"),
    pytest.param(_httpx2(_httpx_async), id="httpx2-async"),
    pytest.param(_requests, id="requests"),
    pytest.param(_aiohttp, id="aiohttp"),
    pytest.param(_flask, id="flask"),
    pytest.param(_werkzeug, id="werkzeug"),
    pytest.param(_webtest, id="webtest"),
    pytest.param(_falcon, id="falcon"),
    pytest.param(_litestar, id="litestar"),
    pytest.param(_quart, id="quart"),
    pytest.param(_quart_websocket, id="quart-websocket"),
    pytest.param(_django_factory("RequestFactory"), id="django-factory"),
    pytest.param(_django_factory("AsyncRequestFactory"), id="django-factory-async"),
    pytest.param(_django_client("Client"), id="django"),
    pytest.param(_django_client("AsyncClient"), id="django-async"),
]


@pytest.fixture(params=KINDS)
def asking(request: pytest.FixtureRequest, kit: AccessKit) -> Iterator[Client]:
    """A client of each kind."""
    with ExitStack() as stack:
        yield request.param(kit, stack)


def test_signed_in_and_out(kit: AccessKit, asking: Client) -> None:
    client, ask = asking
    assert ask() == "nobody"
    assert kit.sign_in(client, ALICE) is client
    assert [ask(), ask()] == [ALICE, ALICE]
    kit.sign_in(client, BOB)
    assert ask() == BOB
    assert kit.sign_out(client) is client
    assert ask() == "nobody"
    kit.sign_out(client)
    assert ask() == "nobody"


def test_signed_in_for_a_while(kit: AccessKit, asking: Client) -> None:
    client, ask = asking
    with kit.signed_in(client, ALICE) as same:
        assert (same, ask()) == (client, ALICE)
        with suppress(LookupError), kit.signed_in(client, BOB):
            assert ask() == BOB
            raise LookupError
        assert ask() == ALICE
        with signed_in(client, None):
            assert ask() == "nobody"
        assert ask() == ALICE
    assert ask() == "nobody"


def test_without_a_kit(kit: AccessKit) -> None:
    client = httpx.Client(transport=httpx.WSGITransport(app=WsgiDoor(wsgi_app, **kit.options())))
    with client:
        assert sign_in(client, kit.user(ALICE)) is client
        assert client.get("http://testserver/").text == ALICE
        assert sign_out(client).get("http://testserver/").status_code == 401
        assert client.get("http://testserver/", headers=kit.headers(BOB)).text == BOB


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        pytest.param(_httpx(httpx), dict, id="httpx"),
        pytest.param(_flask, dict, id="flask"),
        pytest.param(_werkzeug, dict, id="werkzeug"),
        pytest.param(_django_client("Client"), dict, id="django"),
    ],
)
def test_the_header_of_a_request_wins(kit: AccessKit, kind: Any, headers: type) -> None:
    with ExitStack() as stack:
        client, _ = kind(kit, stack)
        kit.sign_in(client, ALICE)
        answer = client.get("/", headers=headers(kit.headers(BOB)))
        assert BOB in (answer.content.decode() if hasattr(answer, "content") else answer.text)


@pytest.mark.parametrize("as_given", [dict, lambda headers: list(headers.items()), None])
def test_headers_given_to_quart(kit: AccessKit, as_given: Any) -> None:
    quart = pytest.importorskip("quart")
    client, _ = _quart(kit, ExitStack())
    kit.sign_in(client, ALICE)
    given = {name.upper(): value for name, value in kit.headers(BOB).items()}
    headers = quart.wrappers.request.Headers(given) if as_given is None else as_given(given)

    async def ask() -> str:
        return str(await (await client.get("/", headers=headers)).get_data(as_text=True))  # type: ignore[attr-defined]

    assert anyio.run(ask) == BOB


def test_what_derives_from_a_client_is_one(kit: AccessKit) -> None:
    class Ours(httpx.Client):
        pass

    with Ours(transport=httpx.WSGITransport(app=WsgiDoor(wsgi_app, **kit.options()))) as client:
        assert kit.sign_in(client, ALICE).get("http://testserver/").text == ALICE


def test_an_application_that_is_told_is_itself_otherwise(kit: AccessKit) -> None:
    door = WsgiDoor(wsgi_app, **kit.options())
    client = pytest.importorskip("werkzeug.test").Client(door)
    kit.sign_in(client, ALICE)
    told = client.application
    kit.sign_in(client, BOB)
    assert client.application is told
    assert told.protection is door.protection


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(None, id="nothing"),
        pytest.param("client", id="text"),
        pytest.param({}, id="mapping"),
        pytest.param(httpx.Client, id="class"),
        pytest.param(httpx.Response(200), id="response"),
        pytest.param(SimpleNamespace(headers={}, get=print, request=print), id="look-alike"),
        pytest.param(SimpleNamespace(defaults={}, environ_base={}, extra_environ={}), id="attributes"),
    ],
)
def test_what_is_no_client(kit: AccessKit, client: object) -> None:
    uses: list[Callable[[], object]] = [
        lambda: sign_in(client, "x"),
        lambda: sign_out(client),
        lambda: kit.sign_in(client),
    ]
    for use in uses:
        with pytest.raises(ConfigurationError, match=r"client: is .* send kit\.headers"):
            use()


def test_no_framework_is_imported() -> None:
    script = """
import sys
from cfaccess_mw.testing import AccessKit
kit = AccessKit()
class Client:
    def __init__(self): self.headers = {}
    def request(self): pass
    get = request
assert "Cf-Access-Jwt-Assertion" in kit.sign_in(Client()).headers
print(*sorted({"django", "flask", "werkzeug", "httpx", "httpx2", "requests", "starlette", "quart", "litestar", "falcon",
  "uvicorn", "jinja2", "websockets", "python_multipart", "click", "pytest"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
