"""Who calls a tool, whose a session is, and what MCP clients see: real servers, the SDK's client, two people."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

pytest.importorskip("mcp.server.mcpserver", reason="mcp 2 is not installed")

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context, MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from cfaccess_mw import ConfigurationError, current_identity
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib.mcp import AccessUser, McpAccess, NotForThem, OwnedSessions, demand, identity_of
from cfaccess_mw.core.errors import NotPermitted
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.permission import Permission
from tests.tokens import AUD

pytestmark = pytest.mark.anyio

ALICE, BOB = "alice@example.com", "bob@example.com"
BEARER = "Bearer oauth:of-the-client-s-own"
ONLY_ALICE = Permission(emails=ALICE)
ONLY_THERE = Permission(ips=["192.0.2.0/24"])
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}

Build = Callable[..., ASGIApp]


@pytest.fixture
def anyio_backend() -> str:
    """Uvicorn's loop; the clients run on it too."""
    return "asyncio"


@pytest.fixture(scope="module")
def team() -> Issuer:
    """A team that signs now."""
    return Issuer("acme")


@pytest.fixture(scope="module")
def tokens(team: Issuer) -> dict[str, str]:
    """Good ones."""
    return {
        "alice": team.user(ALICE, audience=AUD),
        "bob": team.user(BOB, audience=AUD),
        "robot": team.service("e367826f93b8d71185e03fe518aff3b4.access", audience=AUD),
    }


def register(server: Any, context: Any) -> None:
    """The same tools for the SDK and for FastMCP."""

    async def who(ctx: Any) -> str:
        return seen(ctx)

    def who_in_a_thread(ctx: Any) -> str:
        return seen(ctx)

    async def for_alice(ctx: Any) -> str:
        return f"SECRET {(await demand(ctx, ONLY_ALICE)).email}"

    async def from_there(ctx: Any) -> str:
        return f"SECRET {(await demand(ctx, ONLY_THERE)).email}"

    async def bearer(ctx: Any) -> str:
        return str(ctx.request_context.request.headers.get("authorization"))

    for tool in (who, who_in_a_thread, for_alice, from_there, bearer):
        tool.__annotations__["ctx"] = context
        server.tool()(tool)

    async def page(request: Request) -> JSONResponse:
        return JSONResponse([request.user.email, request.user.identity, request.user.display_name])

    server.custom_route("/page", methods=["GET"])(page)

    async def secret(name: str, ctx: Any) -> str:
        await demand(ctx, ONLY_ALICE)
        return f"SECRET {name}"

    secret.__annotations__["ctx"] = context
    server.resource("secret://of-alice/{name}")(secret)


def seen(ctx: Any) -> str:
    """Who is asking, by all that tells it."""
    identity, current, token = identity_of(ctx), current_identity(), get_access_token()
    return " ".join(
        [
            str(identity and identity.email),
            str(current and current.email),
            str(token and (token.claims or {}).get("email")),
            str(token and token.token == "" and token.subject == token.client_id),
        ]
    )


def sdk(**how: Any) -> Any:
    server = MCPServer("test")
    register(server, Context)
    return server.streamable_http_app(**how)


def fastmcp(**how: Any) -> Any:
    package = pytest.importorskip("fastmcp", reason="fastmcp is not installed")
    server = package.FastMCP("test")
    register(server, package.Context)
    return server.http_app(**how)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """A real server in a thread of its own, and its address."""
    bound = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    try:
        assert await asyncio.to_thread(ready.wait, 10)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)


@pytest.fixture(params=[sdk, fastmcp], ids=lambda build: build.__name__)
def build(request: pytest.FixtureRequest) -> Any:
    """Makes an MCP application."""
    return request.param


@pytest.fixture
def options(team: Issuer) -> dict[str, Any]:
    """What a door is made with."""
    return {"team": "acme", "audience": AUD, "keys": team.certs(), "trusted_peers": ["loopback"]}


@asynccontextmanager
async def client_of(url: str, token: str, mode: Any) -> AsyncIterator[Client]:
    headers = {"Cf-Access-Jwt-Assertion": token, "Authorization": BEARER, "CF-Connecting-IP": "192.0.2.7"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def said(client: Client, tool: str) -> tuple[bool, str]:
    """Whether a tool failed, and what it said."""
    result = await client.call_tool(tool, {})
    return bool(result.is_error), result.content[0].text  # type: ignore[union-attr]  # all ours say text


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_tool_knows_who_calls(build: Build, options: dict[str, Any], tokens: dict[str, str], mode: str) -> None:
    async with (
        serving(McpAccess(build(), **options)) as url,
        client_of(url, tokens["alice"], mode) as alice,
        client_of(url, tokens["bob"], mode) as bob,
    ):
        for tool in ("who", "who_in_a_thread"):
            assert await said(alice, tool) == (False, f"{ALICE} {ALICE} {ALICE} True")
            assert await said(bob, tool) == (False, f"{BOB} {BOB} {BOB} True")
        assert await said(alice, "for_alice") == (False, f"SECRET {ALICE}")
        assert await said(alice, "from_there") == (False, f"SECRET {ALICE}")
        failed, text = await said(bob, "for_alice")
        assert failed
        assert "(not-permitted)" in text
        assert await said(bob, "bearer") == (False, BEARER)
        assert (await alice.read_resource("secret://of-alice/x")).contents[0].text == "SECRET x"  # type: ignore[union-attr]
        with pytest.raises(Exception, match=r"\(not-permitted\)"):
            await bob.read_resource("secret://of-alice/x")


async def test_refusals_of_tools_are_told(options: dict[str, Any], tokens: dict[str, str]) -> None:
    events: list[Any] = []
    door = McpAccess(sdk(), **options, listeners=[events.append])
    async with serving(door) as url, client_of(url, tokens["bob"], "auto") as bob:
        await said(bob, "for_alice")
    assert [event.facts["path"] for event in events if event.name == "policy-denied"] == ["'/mcp'"]


async def test_services_call_tools_too(options: dict[str, Any], tokens: dict[str, str]) -> None:
    async with serving(McpAccess(sdk(), **options)) as url, client_of(url, tokens["robot"], "auto") as robot:
        assert await said(robot, "who") == (False, "None None None False")
        assert (await said(robot, "for_alice"))[0]


def message(method: str, **params: Any) -> dict[str, Any]:
    number = {} if method.startswith("notifications/") else {"id": 1}
    return {"jsonrpc": "2.0", "method": method, "params": params, **number}


class Opened:
    """A session that somebody opened, and requests of anybody's in it."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, trust_env=False)
        self._session: dict[str, str] = {}

    async def open(self, token: str | None) -> None:
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        answer = await self.post(token, message("initialize", **client))
        self._session = {"mcp-session-id": answer.headers["mcp-session-id"]}
        assert (await self.post(token, message("notifications/initialized"))).status_code == 202

    async def post(self, token: str | None, content: dict[str, Any]) -> httpx.Response:
        return await self._http.post("/mcp", json=content, headers=self._headers(token))

    async def call(self, token: str | None) -> httpx.Response:
        return await self.post(token, message("tools/call", name="who", arguments={}))

    async def listen(self, token: str | None) -> int:
        async with self._http.stream("GET", "/mcp", headers=self._headers(token)) as stream:
            return stream.status_code

    async def end(self, token: str | None) -> int:
        return (await self._http.delete("/mcp", headers=self._headers(token))).status_code

    async def close(self) -> None:
        await self._http.aclose()

    def _headers(self, token: str | None) -> dict[str, str]:
        given = {} if token is None else {"cf-access-jwt-assertion": token}
        return {**HEADERS, **self._session, **given}


@asynccontextmanager
async def session(app: ASGIApp, token: str | None) -> AsyncIterator[Opened]:
    async with serving(app) as url:
        opened = Opened(url)
        try:
            await opened.open(token)
            yield opened
        finally:
            await opened.close()


async def test_a_session_belongs_to_who_opened_it(
    build: Build, options: dict[str, Any], tokens: dict[str, str], team: Issuer
) -> None:
    async with session(McpAccess(build(), **options), tokens["alice"]) as opened:
        for asker in ("bob", "robot"):
            assert (await opened.call(tokens[asker])).status_code == 404
            assert await opened.listen(tokens[asker]) == 404
            assert await opened.end(tokens[asker]) == 404
        assert (await opened.call(None)).status_code == 401
        signed_in_again = team.user(ALICE, audience=AUD)
        assert ALICE in (await opened.call(signed_in_again)).text
        assert await opened.listen(signed_in_again) == 200
        assert await opened.end(signed_in_again) == 200


async def test_without_it_a_session_is_anybody_s(options: dict[str, Any], tokens: dict[str, str]) -> None:
    """What OwnedSessions is for: should the SDK refuse this by itself one day, it is not needed any more."""
    async with session(AccessMiddleware(sdk(), **options), tokens["alice"]) as opened:
        answer = await opened.call(tokens["bob"])
        assert answer.status_code == 200
        assert f"{BOB} {BOB}" in answer.text  # the identity is that of the message even so


async def test_a_session_that_nobody_opened_is_nobody_s(options: dict[str, Any], tokens: dict[str, str]) -> None:
    options = {**options, "rules": [{"pattern": "/*", "access": "public", "everything": True}]}
    async with session(McpAccess(sdk(), **options), None) as opened:
        assert "None None None None" in (await opened.call(None)).text
        assert (await opened.call(tokens["bob"])).status_code == 404


async def test_an_application_that_is_mounted(build: Build, options: dict[str, Any], tokens: dict[str, str]) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    inner: Any = build()
    outer = Starlette(
        routes=[Mount("/", app=OwnedSessions(inner))], lifespan=lambda _: inner.router.lifespan_context(inner)
    )
    async with session(AccessMiddleware(outer, **options), tokens["alice"]) as opened:
        assert (await opened.call(tokens["alice"])).status_code == 200
        assert (await opened.call(tokens["bob"])).status_code == 404


async def test_other_routes_see_the_identity(build: Build, options: dict[str, Any], tokens: dict[str, str]) -> None:
    async with serving(McpAccess(build(), **options)) as url, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{url}/page", headers={"cf-access-jwt-assertion": tokens["bob"]})
        email, identity, name = answer.json()
        assert (email, name) == (BOB, BOB)
        assert "@" not in identity


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_signed_in(options: dict[str, Any], status: int) -> None:
    door = McpAccess(sdk(), **options, unauthenticated_status=status)
    async with serving(door) as url, httpx.AsyncClient(trust_env=False, headers={"Authorization": BEARER}) as http:
        answer = await http.post(f"{url}/mcp", json=message("tools/list"), headers=HEADERS)
        assert answer.status_code == status
        assert ("www-authenticate" in answer.headers) is (status == 401)
        assert answer.json()["code"] == "no-token"


async def test_no_door_opens_nothing(tokens: dict[str, str]) -> None:
    scope: Any = {"type": "http", "method": "POST", "path": "/mcp", "headers": [], "user": None}
    with pytest.raises(ConfigurationError, match="no door stands before it"):
        await OwnedSessions(sdk())(scope, None, None)  # type: ignore[arg-type]  # it gets no further


async def test_where_no_request_brought_the_message() -> None:
    for ctx in (
        SimpleNamespace(request=None),
        SimpleNamespace(request_context=SimpleNamespace(request=None)),
    ):
        assert identity_of(ctx) is None
        with pytest.raises(NotForThem, match="no-token"):
            await demand(ctx)


def test_a_refusal_says_why_and_nothing_else() -> None:
    refusal = NotForThem(NotPermitted())
    assert isinstance(refusal.refusal, NotPermitted)
    assert str(refusal) == "You are signed in, but not permitted to go there. (not-permitted)"


def test_nothing_personal_in_a_repr(team: Issuer, tokens: dict[str, str]) -> None:
    from cfaccess_mw.protection import Protection

    identity = Protection(team="acme", audience=AUD, keys=team.certs()).verify(tokens["alice"])
    user = AccessUser(identity)
    assert (user.email, user.kind, user.is_authenticated) == (ALICE, "user", True)
    for shown in (repr(user), repr(user.access_token), str(user.access_token)):
        assert ALICE not in shown
        assert identity.id not in shown
    with pytest.raises(AttributeError):
        user.nothing  # noqa: B018 - looking is the test
    assert not hasattr(AccessUser.__new__(AccessUser), "email")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """FastMCP logs through a handler of its own that writes to the terminal."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


BEARER_AUTH = "from mcp.server.auth.middleware import bearer_auth"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param("import sys; sys.modules['mcp'] = None", "pip install 'cfaccess-mw[mcp]'", id="missing"),
        pytest.param(f"{BEARER_AUTH}; del bearer_auth.authorization_context", "mcp 1.27.2 or later", id="too-old"),
    ],
)
def test_what_the_module_needs(alone: Path, broken: str, message: str) -> None:
    program = f"{broken}; import cfaccess_mw.contrib.mcp"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=alone, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert message in ended.stderr.splitlines()[-1]
