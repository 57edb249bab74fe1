"""What Litestar's users do: ``request.user``, guards, dependencies, exception handlers, WebSockets, mounts."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

pytest.importorskip("litestar", reason="litestar is not installed")

from litestar import Controller, Litestar, Request, Response, Router, WebSocket, asgi, get, websocket
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

from cfaccess_mw import ConfigurationError, Identity, NotPermitted, Refused, current_identity
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib.litestar import AccessPlugin, CurrentIdentity, OptionalIdentity, protect, requires
from cfaccess_mw.core.errors import FetchError, NoToken
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.refresh.fetchers import Document
from tests.contrib.asking import connect
from tests.contrib.asking import get as ask
from tests.tokens import AUD, OTHER_AUD

pytestmark = pytest.mark.anyio

ALICE, BOB = "alice@example.com", "bob@example.com"
CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
RULES = [{"pattern": "/open/*", "access": "public"}]

Tokens = dict[str, str | None]


@pytest.fixture
def tokens(issuer: Issuer) -> Tokens:
    """Good ones of now, one for another application, and none."""
    team = Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)
    return {
        "nobody": None,
        "alice": team.user(ALICE, audience=AUD),
        "bob": team.user(BOB, audience=AUD),
        "carol": team.user("carol@example.com", audience=AUD),
        "robot": team.service(CLIENT_ID, audience=AUD),
        "stranger": team.user(BOB, audience=OTHER_AUD),
    }


@pytest.fixture
def options(issuer: Issuer, tokens: Tokens) -> dict[str, Any]:
    """What a door is made with: Cloudflare knows Alice and Bob, and is not there for Carol."""
    known = {
        tokens["alice"]: {"email": ALICE, "groups": ["admins"]},
        tokens["bob"]: {"email": BOB, "groups": ["staff"]},
    }

    async def profiles(_: str, token: str) -> Reply:
        if token not in known:
            raise FetchError("timeout", retry_after=9)
        return Reply(status=200, body=json.dumps(known[token]).encode())

    return {"team": "acme", "audience": AUD, "keys": issuer.certs(), "rules": RULES, "profile_fetcher": profiles}


@get(["/who", "/open/who"])
async def who(request: Request[Any, Any, Any]) -> list[Any]:
    current = current_identity()
    named = current.display_name if current else ""
    return [request.user.is_authenticated, request.user.display_name, sorted(request.auth.scopes), named]


@get(["/must", "/open/must"], sync_to_thread=False)
def must(identity: CurrentIdentity) -> str:
    return identity.display_name


@get(["/may", "/open/may"])
async def may(optional_identity: OptionalIdentity) -> str:
    return optional_identity.display_name if optional_identity else "none"


@get(["/admin", "/open/admin"], guards=[requires(groups=["admins"])])
async def admin() -> str:
    return "SECRET"


@get("/robot", guards=[requires(service=CLIENT_ID)])
async def robot() -> str:
    return "SECRET"


@get("/loopback", guards=[requires(ips=["192.0.2.0/24"])])
async def from_there() -> str:
    return "SECRET"


@get("/raises")
async def raises() -> None:
    raise NotPermitted


@get("/breaks")
async def breaks() -> None:
    raise ValueError("nothing of ours")


class Accounts(Controller):
    """A controller that only administrators may use."""

    path = "/accounts"
    guards = [requires(groups=["admins"])]  # noqa: RUF012 - as Litestar has it

    @get()
    async def listed(self) -> str:
        return "SECRET"


@websocket("/ws")
async def ws(socket: WebSocket[Any, Any, Any], identity: CurrentIdentity) -> None:
    await socket.accept()
    await socket.send_text(f"{identity.display_name} {socket.user.display_name}")
    await socket.close()


@websocket("/admin-ws", guards=[requires(groups=["admins"])])
async def admin_ws(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_text("SECRET")
    await socket.close()


@websocket("/late-ws")
async def late_ws(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    raise NotPermitted


@websocket("/broken-ws")
async def broken_ws(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    raise ValueError("nothing of ours")


@asgi("/mounted", is_mount=True, copy_scope=True)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotPermitted


HANDLERS: list[Any] = [
    *(who, must, may, admin, robot, from_there, raises, breaks, mounted),
    *(ws, admin_ws, late_ws, broken_ws, Accounts),
]


def litestar(*handlers: Any, **more: Any) -> Any:
    return Litestar([*(handlers or HANDLERS)], plugins=[AccessPlugin()], openapi_config=None, **more)


def in_place(options: dict[str, Any]) -> Any:
    return protect(litestar(), **options)


def wrapped(options: dict[str, Any]) -> Any:
    return AccessMiddleware(litestar(), **options)


def twice_around_a_router(options: dict[str, Any]) -> Any:
    inner: Any = protect(litestar(Router("/", route_handlers=HANDLERS)), **options)
    return AccessMiddleware(inner, **options)


@pytest.fixture(params=[in_place, wrapped], ids=lambda build: build.__name__)
def app(request: pytest.FixtureRequest, options: dict[str, Any]) -> Any:
    """The application, in each way in which it can be protected."""
    return request.param(options)


@pytest.mark.parametrize(
    ("path", "asker", "status", "text"),
    [
        pytest.param("/who", "nobody", 401, "no-token", id="nobody"),
        pytest.param("/who", "stranger", 401, "wrong-audience", id="another-application's"),
        pytest.param("/nowhere", "nobody", 401, "no-token", id="unknown-paths-tell-nobody"),
        pytest.param("/nowhere", "bob", 404, "", id="unknown-path"),
        pytest.param("/who", "bob", 200, f'[true,"{BOB}",["authenticated","user"],"{BOB}"]', id="user"),
        pytest.param(
            "/who", "robot", 200, f'[true,"{CLIENT_ID}",["authenticated","service"],"{CLIENT_ID}"]', id="service"
        ),
        pytest.param("/open/who", "nobody", 200, '[false,"",[],""]', id="nobody-in-public"),
        pytest.param("/open/who", "stranger", 200, '[false,"",[],""]', id="a-bad-token-in-public"),
        pytest.param("/must", "bob", 200, BOB, id="dependency"),
        pytest.param("/open/must", "bob", 200, BOB, id="dependency-in-public"),
        pytest.param("/open/must", "nobody", 401, "no-token", id="dependency-without-anybody"),
        pytest.param("/may", "bob", 200, BOB, id="optional-dependency"),
        pytest.param("/open/may", "nobody", 200, "none", id="optional-dependency-without-anybody"),
        pytest.param("/admin", "alice", 200, "SECRET", id="guard-passes"),
        pytest.param("/admin", "bob", 403, "not-permitted", id="guard-refuses"),
        pytest.param("/admin", "robot", 403, "not-permitted", id="guard-refuses-services"),
        pytest.param("/admin", "carol", 503, "identity-unavailable", id="guard-cannot-know"),
        pytest.param("/open/admin", "nobody", 401, "no-token", id="guard-without-anybody"),
        pytest.param("/accounts", "alice", 200, "SECRET", id="guard-of-a-controller"),
        pytest.param("/accounts", "bob", 403, "not-permitted", id="guard-of-a-controller-refuses"),
        pytest.param("/robot", "robot", 200, "SECRET", id="guard-for-a-service"),
        pytest.param("/robot", "alice", 403, "not-permitted", id="guard-for-a-service-refuses"),
        pytest.param("/raises", "bob", 403, "not-permitted", id="raised-in-a-handler"),
        pytest.param("/mounted/below", "bob", 403, "not-permitted", id="raised-in-a-mounted-application"),
        pytest.param("/breaks", "bob", 500, "", id="other-errors-stay-errors"),
    ],
)
async def test_who_gets_what(app: Any, tokens: Tokens, path: str, asker: str, status: int, text: str) -> None:
    answer = await ask(app, path, tokens[asker])
    assert (answer.status, answer.raised) == (status, None)
    if status in (401, 403, 503) and text:
        assert answer.json()["code"] == text
        assert answer.headers["cache-control"] == "no-store"
        assert ("www-authenticate" in answer.headers) is (status == 401)
        assert ("retry-after" in answer.headers) is (status == 503)
    elif text:
        assert answer.text == text


async def test_other_ways_to_build_it(options: dict[str, Any], tokens: Tokens) -> None:
    app = twice_around_a_router(options)
    asked = [
        await ask(app, path, tokens[asker]) for path, asker in (("/must", "bob"), ("/admin", "bob"), ("/", "nobody"))
    ]
    assert [answer.status for answer in asked] == [200, 403, 401]


@pytest.mark.parametrize(
    ("address", "status"),
    [pytest.param(b"192.0.2.7", 200, id="there"), pytest.param(b"192.0.3.7", 403, id="elsewhere")],
)
async def test_a_guard_asks_the_request(options: dict[str, Any], tokens: Tokens, address: bytes, status: int) -> None:
    app: Any = protect(litestar(), **options, trusted_peers=["loopback"])
    assert (await ask(app, "/loopback", tokens["bob"], (b"cf-connecting-ip", address))).status == status


@pytest.mark.parametrize(
    ("path", "asker", "text", "closed"),
    [
        pytest.param("/ws", "bob", f"{BOB} {BOB}", (1000, ""), id="accepted"),
        pytest.param("/admin-ws", "alice", "SECRET", (1000, ""), id="guard-passes"),
        pytest.param("/admin-ws", "bob", "", (1008, "Not permitted"), id="guard-refuses"),
        pytest.param("/admin-ws", "carol", "", (1008, "Temporarily unavailable"), id="guard-cannot-know"),
        pytest.param("/late-ws", "bob", "", (1008, "Not permitted"), id="refused-after-accepting"),
        pytest.param("/broken-ws", "bob", "", (4500, "Internal Server Error"), id="other-errors-stay-errors"),
        pytest.param("/ws", "nobody", "", (1008, "Not signed in"), id="nobody"),
    ],
)
async def test_websockets(app: Any, tokens: Tokens, path: str, asker: str, text: str, closed: tuple[int, str]) -> None:
    answer = await connect(app, path, tokens[asker], can_deny=False)
    assert (answer.text, answer.closed, answer.raised) == (text, closed, None)


@pytest.mark.parametrize("path", ["/open/api/admin", "/api/open/api/admin", "/open//api/admin"])
async def test_a_root_path_is_read_wherever_litestar_reads_it(
    options: dict[str, Any], tokens: Tokens, path: str
) -> None:
    """Litestar cuts the path at its root path wherever that stands: each of these runs what /api/admin runs."""

    @get("/admin")
    async def secret() -> str:
        return "SECRET"

    app: Any = protect(litestar(secret), **options)
    assert (await ask(app, path, None, root_path="/api")).status == 401
    assert (await ask(app, "/api/admin", tokens["bob"], root_path="/api")).text == "SECRET"


@pytest.mark.parametrize(
    ("root_path", "path"),
    [
        pytest.param("", "/open/must", id="plain"),
        pytest.param("/api", "/api/open/must", id="behind-a-root-path"),
        pytest.param("", "/open/mounted/a%20b", id="in-a-mounted-application"),
    ],
)
async def test_the_way_to_the_login_leads_back_to_the_whole_path(
    options: dict[str, Any], root_path: str, path: str
) -> None:
    @asgi("/open/mounted", is_mount=True, copy_scope=True)
    async def signed_in_only(scope: Scope, receive: Receive, send: Send) -> None:
        raise NoToken

    options = {**options, "rules": [{"pattern": f"{root_path}/open/*", "access": "public"}], "login_redirect": True}
    app: Any = protect(litestar(must, signed_in_only), **options)
    navigation = ((b"sec-fetch-mode", b"navigate"), (b"accept", b"text/html"))
    answer = await ask(app, unquote(path), None, *navigation, root_path=root_path)
    assert answer.status == 302
    assert parse_qs(urlsplit(answer.headers["location"]).query)["redirect_url"] == [path]


async def test_a_forgotten_door_opens_nothing(tokens: Tokens) -> None:
    for path in ("/who", "/must", "/admin", "/mounted"):
        answer = await ask(litestar(), path, tokens["alice"])
        assert answer.status == 500
        assert "SECRET" not in answer.text
    assert (await connect(litestar(), "/ws", tokens["alice"])).status == 0


def test_a_door_without_the_plugin_is_a_mistake(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^app: has no AccessPlugin; .*plugins="):
        protect(Litestar([who]), **options)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: protect(litestar(), team="acme"), id="door"),
        pytest.param(lambda: requires(gruops=["admins"]), id="guard"),
    ],
)
def test_mistakes_are_found_at_start(build: Any) -> None:
    with pytest.raises(ConfigurationError):
        build()


async def test_the_application_s_own_handlers_stay(options: dict[str, Any], tokens: Tokens) -> None:
    def own(_: Request[Any, Any, Any], error: Refused) -> Response[str]:
        return Response(f"own {error.code}", status_code=418, media_type="text/plain")

    app: Any = protect(litestar(exception_handlers={Refused: own}), **options)
    answer = await ask(app, "/raises", tokens["bob"])
    assert (answer.status, answer.text) == (418, "own not-permitted")


async def test_behind_the_door_litestar_s_own_authentication_works(options: dict[str, Any], tokens: Tokens) -> None:
    class Users(AbstractAuthenticationMiddleware):
        async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
            return AuthenticationResult(user={"name": connection.user.email}, auth=connection.auth)

    @get("/own")
    async def own(request: Request[dict[str, str], Any, Any]) -> str:
        return request.user["name"]

    app: Any = protect(litestar(own, middleware=[Users]), **options)
    assert (await ask(app, "/own", tokens["bob"])).text == BOB


def test_it_stays_a_litestar_application_whose_lifespan_is_the_door_s(issuer: Issuer, tokens: Tokens) -> None:
    class Vault:
        def __init__(self) -> None:
            self.asked = threading.Event()

        def fetch(self, url: str, *, etag: str | None) -> Document:
            self.asked.set()
            return Document(body=json.dumps(issuer.certs()).encode())

    vault = Vault()
    app: Any = protect(litestar(), team="acme", audience=AUD, fetcher=vault)
    is_litestar = isinstance(app, Litestar)
    assert is_litestar
    protection = app.asgi_handler.protection
    for _ in range(2):
        with TestClient(app) as client:
            assert vault.asked.wait(10), "the keys are fetched before anybody asks"
            assert client.get("/must", headers={"cf-access-jwt-assertion": tokens["bob"] or ""}).text == BOB
            assert not any(hold.resting for hold in protection._holds)
        assert all(hold.resting for hold in protection._holds), "and are let go"
    protection.close()


async def test_forged_headers_are_gone(options: dict[str, Any], tokens: Tokens) -> None:
    @get("/seen")
    async def seen(request: Request[Identity, Any, Any]) -> dict[str, str]:
        return {name: value for name, value in request.headers.items() if name.startswith(("cf-access", "remote"))}

    inner: Any = protect(litestar(seen), **options)
    forged = ((b"cf-access-authenticated-user-email", b"root@example.com"), (b"remote-user", b"root"))
    seen_there = (await ask(inner, "/seen", tokens["bob"], *forged)).json()
    assert seen_there == {
        "cf-access-jwt-assertion": tokens["bob"],
        "cf-access-authenticated-user-email": BOB,
    }


async def test_refusals_of_handlers_are_told(options: dict[str, Any], tokens: Tokens) -> None:
    events: list[Any] = []
    app: Any = protect(litestar(), **options, listeners=[events.append])
    await ask(app, "/raises", tokens["bob"])
    await connect(app, "/late-ws", tokens["bob"])
    told = [(event.name, event.facts["path"]) for event in events if event.name == "policy-denied"]
    assert told == [("policy-denied", "'/raises'"), ("policy-denied", "'/late-ws'")]


def test_what_the_module_needs(alone: Path) -> None:
    program = "import sys; sys.modules['litestar'] = None; import cfaccess_mw.contrib.litestar"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=alone, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert "pip install 'cfaccess-mw[litestar]'" in ended.stderr.splitlines()[-1]
