"""What FastAPI's users do: dependencies of every kind, OpenAPI, routers, sub-applications, WebSockets, overrides."""

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection, Request

from cfaccess_mw import ConfigurationError, Identity, NotPermitted, current_identity
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib import fastapi as access
from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.permission import Permission
from cfaccess_mw.protection import Protection
from tests.contrib.asking import connect, get
from tests.tokens import AUD, OTHER_AUD

pytestmark = pytest.mark.anyio

ALICE, BOB = "alice@example.com", "bob@example.com"
CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
RULES = [{"pattern": "/open/*", "access": "public"}, {"pattern": "/api/open/*", "access": "public"}]

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
        "other-robot": team.service("0" * 32 + ".access", audience=AUD),
        "stranger": team.user(BOB, audience=OTHER_AUD),
    }


@pytest.fixture
def options(issuer: Issuer, tokens: Tokens) -> dict[str, Any]:
    """What a door is made with. Cloudflare knows: Alice is an admin, Carol has gone; and is not there for Bob."""

    async def profiles(_: str, token: str) -> Reply:
        if token == tokens["alice"]:
            return Reply(status=200, body=json.dumps({"email": ALICE, "groups": ["admins"]}).encode())
        if token == tokens["carol"]:
            return Reply(status=404)
        raise FetchError("timeout", retry_after=9)

    return {"team": "acme", "audience": AUD, "keys": issuer.certs(), "rules": RULES, "profile_fetcher": profiles}


Admin = Annotated[Identity, access.require(groups=["admins"])]


def views(app: FastAPI | APIRouter) -> None:
    """The same routes for an application, a router and a sub-application."""

    @app.get("/who")
    def who(identity: access.CurrentIdentity) -> str:
        return identity.display_name

    @app.get("/perhaps")
    async def perhaps(identity: access.OptionalIdentity) -> str | None:
        return None if identity is None else identity.display_name

    @app.get("/user")
    async def user(identity: access.CurrentUser) -> str:
        return identity.display_name

    @app.get("/service")
    def service(identity: access.CurrentService) -> str:
        return identity.display_name

    @app.get("/admin")
    def admin(identity: Admin) -> str:
        return identity.display_name

    @app.get("/bob", dependencies=[access.require(emails=BOB)])
    async def bob() -> str:
        return "SECRET"

    @app.get("/robot")
    async def robot(identity: Identity = access.require(service=CLIENT_ID)) -> str:  # noqa: B008 - as FastAPI has it
        return identity.display_name

    @app.get("/bob-or-robot")
    async def bob_or_robot(_: Annotated[Identity, access.require(emails=[BOB], service=CLIENT_ID)]) -> str:
        return "SECRET"

    @app.get("/nothing")
    def nothing() -> str:
        return "PUBLIC"

    @app.websocket("/ws")
    async def ws(websocket: WebSocket, identity: access.CurrentUser) -> None:
        await websocket.accept()
        await websocket.send_text(f"SECRET {identity.display_name}")

    @app.websocket("/admin-ws", dependencies=[access.require(groups=["admins"])])
    async def admin_ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("SECRET")


def plain(options: dict[str, Any]) -> FastAPI:
    app = FastAPI()
    views(app)
    app.add_middleware(AccessMiddleware, **options)
    return app


def installed(options: dict[str, Any]) -> FastAPI:
    app = plain(options)
    access.install(app)
    return app


def routed(options: dict[str, Any]) -> Any:
    router = APIRouter()
    views(router)
    app = FastAPI()
    app.include_router(router)
    app.include_router(router, prefix="/open")
    return AccessMiddleware(app, **options)


def mounted(options: dict[str, Any]) -> Any:
    inner = FastAPI()
    views(inner)
    access.install(inner)
    app = FastAPI()
    app.mount("/open", inner)
    app.mount("/", inner)
    return AccessMiddleware(AccessMiddleware(app, **options), **options)


@pytest.fixture(params=[plain, installed, routed, mounted])
def app(request: pytest.FixtureRequest, options: dict[str, Any]) -> Any:
    """The same routes, protected in each way."""
    return request.param(options)


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        pytest.param("/who", "bob", 200, id="anybody"),
        pytest.param("/who", "robot", 200, id="anybody-service"),
        pytest.param("/who", "nobody", 401, id="anybody-nobody"),
        pytest.param("/who", "stranger", 401, id="anybody-stranger"),
        pytest.param("/perhaps", "bob", 200, id="perhaps"),
        pytest.param("/user", "bob", 200, id="user"),
        pytest.param("/user", "robot", 403, id="user-service"),
        pytest.param("/service", "robot", 200, id="service"),
        pytest.param("/service", "bob", 403, id="service-user"),
        pytest.param("/admin", "alice", 200, id="group"),
        pytest.param("/admin", "bob", 503, id="group-that-cannot-be-known"),
        pytest.param("/admin", "carol", 401, id="group-of-an-ended-session"),
        pytest.param("/admin", "robot", 403, id="group-service"),
        pytest.param("/bob", "bob", 200, id="email"),
        pytest.param("/bob", "alice", 403, id="email-other"),
        pytest.param("/robot", "robot", 200, id="client-id"),
        pytest.param("/robot", "other-robot", 403, id="client-id-other"),
        pytest.param("/robot", "bob", 403, id="client-id-user"),
        pytest.param("/bob-or-robot", "bob", 200, id="either-user"),
        pytest.param("/bob-or-robot", "robot", 200, id="either-service"),
        pytest.param("/bob-or-robot", "alice", 403, id="neither"),
    ],
)
async def test_dependencies(app: Any, tokens: Tokens, path: str, who: str, status: int) -> None:
    answer = await get(app, path, tokens[who])
    assert (answer.status, answer.raised) == (status, None)
    if status == 200:
        assert answer.headers["content-type"] == "application/json"
        return
    assert "SECRET" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert ("retry-after" in answer.headers) is (status == 503)


@pytest.mark.parametrize(
    ("path", "who", "status", "text"),
    [
        pytest.param("/open/nothing", "nobody", 200, '"PUBLIC"', id="public"),
        pytest.param("/open/perhaps", "nobody", 200, "null", id="optional"),
        pytest.param("/open/perhaps", "stranger", 200, "null", id="optional-stranger"),
        pytest.param("/open/perhaps", "bob", 200, f'"{BOB}"', id="optional-known"),
        pytest.param("/open/who", "nobody", 401, "This application answers only", id="required"),
        pytest.param("/open/user", "nobody", 401, "This application answers only", id="user"),
        pytest.param("/open/admin", "nobody", 401, "This application answers only", id="group"),
        pytest.param("/open/who", "bob", 200, f'"{BOB}"', id="required-known"),
        pytest.param("/open/bob", "alice", 403, "not permitted", id="another"),
    ],
)
@pytest.mark.parametrize("make", [routed, mounted])
async def test_a_dependency_asks_where_the_door_asks_nobody(
    options: dict[str, Any], tokens: Tokens, make: Any, path: str, who: str, status: int, text: str
) -> None:
    answer = await get(make(options), path, tokens[who])
    assert (answer.status, answer.raised) == (status, None)
    assert text in answer.text


@pytest.mark.parametrize(
    ("path", "who", "status", "code"),
    [
        pytest.param("/bob", "alice", 403, "not-permitted", id="403"),
        pytest.param("/admin", "carol", 401, "session-ended", id="401"),
        pytest.param("/admin", "bob", 503, "identity-unavailable", id="503"),
    ],
)
async def test_a_refusal_is_fastapis_own_or_the_doors(
    options: dict[str, Any], tokens: Tokens, path: str, who: str, status: int, code: str
) -> None:
    own = await get(plain(options), path, tokens[who])
    assert (own.status, own.headers["content-type"], list(own.json())) == (status, "application/json", ["detail"])
    doors = await get(installed(options), path, tokens[who])
    assert (doors.status, doors.headers["content-type"]) == (status, "application/problem+json")
    assert (doors.json()["code"], doors.json()["detail"]) == (code, own.json()["detail"])
    same = ("cache-control", "vary", "www-authenticate", "retry-after", "x-content-type-options")
    assert [own.headers.get(name) for name in same] == [doors.headers.get(name) for name in same]
    page = await get(installed(options), path, tokens[who], (b"sec-fetch-mode", b"navigate"))
    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")


async def test_the_doors_settings_hold_for_dependencies(options: dict[str, Any], tokens: Tokens) -> None:
    for make in (plain, installed):
        answer = await get(make({**options, "unauthenticated_status": 403}), "/admin", tokens["carol"])
        assert (answer.status, answer.headers.get("www-authenticate")) == (403, None)
    assert answer.json()["code"] == "session-ended"


async def test_people_are_sent_to_the_login_where_that_is_wanted(options: dict[str, Any]) -> None:
    window = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"))
    app = FastAPI()
    views(router := APIRouter(prefix="/open"))
    app.include_router(router)
    app.add_middleware(AccessMiddleware, **options, login_redirect=True)
    for install in (lambda _: None, access.install):
        install(app)
        answer = await get(app, "/open/who", None, *window)
        assert answer.status == 302
        assert answer.headers["location"].startswith(
            "https://acme.cloudflareaccess.com/cdn-cgi/access/login/app.example?"
        )
        assert "set-cookie" in answer.headers
        assert (await get(app, "/open/who")).status == 401


@pytest.mark.parametrize("handled", [HTTPException, 403])
async def test_an_applications_own_handlers_see_a_refusal(
    options: dict[str, Any], tokens: Tokens, handled: Any
) -> None:
    app = plain(options)

    @app.exception_handler(handled)
    async def ours(_: Request, error: access.AccessRefused) -> JSONResponse:
        return JSONResponse({"error": error.error.code}, error.status_code)

    assert (await get(app, "/bob", tokens["alice"])).json() == {"error": "not-permitted"}


async def test_a_refusal_raised_in_a_handler(options: dict[str, Any], tokens: Tokens) -> None:
    app = installed(options)

    @app.get("/by-hand")
    async def by_hand(identity: access.CurrentIdentity) -> str:
        await Permission(emails=BOB).demand(identity)
        return "SECRET"

    @app.get("/groups")
    def groups(identity: access.CurrentIdentity) -> list[str]:
        return list(identity.profile_blocking().groups)

    assert (await get(app, "/by-hand", tokens["bob"])).text == '"SECRET"'
    assert (await get(app, "/by-hand", tokens["alice"])).json()["code"] == NotPermitted.code
    assert (await get(app, "/groups", tokens["alice"])).json() == ["admins"]
    assert (await get(app, "/groups", tokens["bob"])).status == 503


# WebSockets


@pytest.mark.parametrize(
    ("path", "who", "status", "title"),
    [
        pytest.param("/ws", "bob", 101, "", id="user"),
        pytest.param("/ws", "robot", 403, "Not permitted", id="service"),
        pytest.param("/ws", "nobody", 401, "Not signed in", id="nobody"),
        pytest.param("/admin-ws", "alice", 101, "", id="group"),
        pytest.param("/admin-ws", "bob", 503, "Temporarily unavailable", id="group-that-cannot-be-known"),
    ],
)
async def test_websockets(app: Any, tokens: Tokens, path: str, who: str, status: int, title: str) -> None:
    answer = await connect(app, path, tokens[who])
    assert (answer.status, answer.raised, "SECRET" in answer.text) == (status, None, status == 101)
    answer = await connect(app, path, tokens[who], can_deny=False)
    assert (answer.raised, "SECRET" in answer.text) == (None, status == 101)
    assert answer.closed == (None if status == 101 else (1008, title))


# Where dependencies stand


@pytest.mark.parametrize(
    ("who", "status"), [pytest.param("alice", 403, id="alice"), pytest.param("bob", 200, id="bob")]
)
@pytest.mark.parametrize("root_path", ["", "/outer"])
async def test_of_applications_and_routers(
    options: dict[str, Any], tokens: Tokens, who: str, status: int, root_path: str
) -> None:
    only_bob = access.require(emails=BOB)
    by_router = APIRouter(prefix="/by-router", dependencies=[only_bob])
    included = APIRouter()
    views(by_router)
    views(included)
    whole = FastAPI(dependencies=[only_bob])
    views(whole)
    app = FastAPI()
    app.include_router(by_router)
    app.include_router(included, prefix="/included", dependencies=[only_bob])
    app.mount("/whole", whole)
    door = AccessMiddleware(app, **options)
    for prefix in ("/by-router", "/included", "/whole"):
        answer = await get(door, f"{root_path}{prefix}/nothing", tokens[who], root_path=root_path)
        assert (answer.status, answer.raised) == (status, None)
        answer = await connect(door, f"{root_path}{prefix}/ws", tokens[who], root_path=root_path)
        assert answer.status == (101 if status == 200 else status)


async def test_facts_of_the_request_count(options: dict[str, Any], tokens: Tokens) -> None:
    app = FastAPI()

    @app.get("/", dependencies=[access.require(ips="192.0.2.0/24")])
    def office() -> str:
        return "SECRET"

    app.add_middleware(AccessMiddleware, **options, trusted_peers=["loopback"])
    for address, status in ((b"192.0.2.7", 200), (b"203.0.113.9", 403)):
        assert (await get(app, "/", tokens["bob"], (b"cf-connecting-ip", address))).status == status
    away = await get(app, "/", tokens["bob"], (b"cf-connecting-ip", b"192.0.2.7"), client=("203.0.113.9", 1))
    assert away.status == 403


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param({"gruops": ["admins"]}, id="a-name-that-is-not-known"),
        pytest.param({"service": False}, id="no-service"),
        pytest.param({"emails": []}, id="nobody"),
    ],
)
def test_mistakes_are_found_at_start(mistake: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        access.require(**mistake)


# Who is asking, everywhere


async def test_the_current_identity_is_there_in_threads_tasks_and_streams(
    options: dict[str, Any], tokens: Tokens
) -> None:
    app, later = FastAPI(), []

    def current() -> str:
        identity = current_identity()
        return "none" if identity is None else identity.display_name

    @app.get("/thread")
    def thread(background: BackgroundTasks) -> str:
        background.add_task(lambda: later.append(current()))
        return current()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            yield current()

        return StreamingResponse(chunks())

    @app.get("/dependency")
    def dependency(found: Annotated[str, Depends(current)]) -> str:
        return found

    door = AccessMiddleware(app, **options)
    assert [(await get(door, path, tokens["bob"])).text for path in ("/thread", "/stream", "/dependency")] == [
        f'"{BOB}"',
        BOB,
        f'"{BOB}"',
    ]
    assert later == [BOB]


async def test_an_identity_that_is_returned_shows_no_token(options: dict[str, Any], tokens: Tokens) -> None:
    app = FastAPI()

    @app.get("/")
    def careless(identity: access.CurrentIdentity) -> Any:
        return identity

    answer = await get(AccessMiddleware(app, **options), "/", tokens["bob"])
    signature = str(tokens["bob"]).rpartition(".")[2]
    assert signature not in answer.text


# OpenAPI


async def test_openapi_says_which_operations_need_an_assertion(options: dict[str, Any]) -> None:
    app = FastAPI(dependencies=[Depends(access.asking)])
    views(app)
    document = app.openapi()
    assert document["components"]["securitySchemes"] == {
        "CloudflareAccess": {
            "type": "apiKey",
            "in": "header",
            "name": "Cf-Access-Jwt-Assertion",
            "description": "Set by Cloudflare Access on each request that it lets through.",
        }
    }
    secured = {path: operations["get"].get("security") for path, operations in document["paths"].items()}
    assert {path for path, security in secured.items() if security is None} == {"/perhaps", "/nothing"}
    assert [security for security in secured.values() if security] == [[{"CloudflareAccess": []}]] * 7
    whole = FastAPI(dependencies=[access.require(groups=["admins"])])
    views(whole)
    assert {json.dumps(path["get"]["security"]) for path in whole.openapi()["paths"].values()} == {
        '[{"CloudflareAccess": []}]'
    }, "once, however many dependencies ask"
    assert not any(path["get"].get("parameters") for path in whole.openapi()["paths"].values())


# Without a door


@pytest.mark.parametrize("path", ["/who", "/perhaps", "/user", "/service", "/admin", "/bob", "/robot"])
@pytest.mark.parametrize("handled", [False, True], ids=["plain", "installed"])
async def test_without_a_door_nobody_passes_and_the_error_says_why(tokens: Tokens, path: str, handled: bool) -> None:
    app = FastAPI()
    views(app)
    if handled:
        access.install(app)
    forged: dict[str, Any] = {"cfaccess.identity": object(), "cfaccess.door": object(), "user": object()}
    for token in (None, tokens["bob"]):
        answer = await get(app, path, token, **forged)
        assert answer.status == 500
        assert isinstance(answer.raised, ConfigurationError)
        assert "app.add_middleware(AccessMiddleware" in str(answer.raised)
    for websocket in ("/ws", "/admin-ws"):
        answer = await connect(app, websocket, tokens["bob"], **forged)
        assert (answer.sent, type(answer.raised)) == ([], ConfigurationError)


@pytest.mark.parametrize(
    ("email", "path", "status"),
    [
        pytest.param(BOB, "/who", 200, id="known"),
        pytest.param(BOB, "/bob", 200, id="permitted"),
        pytest.param(ALICE, "/bob", 403, id="not-permitted"),
        pytest.param(BOB, "/service", 403, id="not-a-service"),
        pytest.param(None, "/who", 401, id="nobody"),
        pytest.param(None, "/perhaps", 200, id="nobody-optional"),
        pytest.param(BOB, "/office", 403, id="request-facts-are-unknown"),
    ],
)
@pytest.mark.parametrize("handled", [False, True], ids=["plain", "installed"])
async def test_a_test_can_say_who_is_asking(
    issuer: Issuer, email: str | None, path: str, status: int, handled: bool
) -> None:
    app = FastAPI()
    views(app)

    @app.get("/office", dependencies=[access.require(ips="192.0.2.0/24")])
    def office() -> str:
        return "SECRET"

    if handled:
        access.install(app)
    team = Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)
    protection = Protection(team="acme", audience=AUD, keys=issuer.certs())
    identity = None if email is None else protection.verify(team.user(email, audience=AUD))
    app.dependency_overrides[access.asking] = lambda: identity
    answer = await get(app, path)
    assert (answer.status, answer.raised) == (status, None)


async def test_only_refusals_are_answered_as_refusals() -> None:
    app = FastAPI()
    access.install(app)
    handler: Any = app.exception_handlers[access.AccessRefused]
    with pytest.raises(LookupError, match="not a refusal"):
        await handler(HTTPConnection({"type": "http", "headers": []}), LookupError("not a refusal"))
