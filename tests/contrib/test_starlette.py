"""What Starlette's users do: ``request.user``, ``@requires``, ``AuthenticationMiddleware``, exception handlers."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationError, SimpleUser, requires
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from cfaccess_mw import ConfigurationError, KeysUnavailable, NotPermitted, Refused, current_identity
from cfaccess_mw.asgi import AccessMiddleware, Door
from cfaccess_mw.contrib import starlette as access
from cfaccess_mw.core.errors import IdentityUnavailable, SessionEnded
from cfaccess_mw.emulator.issuer import Issuer
from tests.contrib.asking import connect, get
from tests.tokens import AUD, OTHER_AUD

pytestmark = pytest.mark.anyio

BOB = "bob@example.com"
RULES = [{"pattern": "/open/*", "access": "public"}]


@pytest.fixture
def options(issuer: Issuer) -> dict[str, Any]:
    """What a door is made with."""
    return {"team": "acme", "audience": AUD, "keys": issuer.certs(), "rules": RULES}


@pytest.fixture
def tokens(issuer: Issuer) -> dict[str, str | None]:
    """Good ones of now, one for another application, and none."""
    team = Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)
    return {
        "nobody": None,
        "user": team.user(BOB, audience=AUD),
        "service": team.service(audience=AUD),
        "stranger": team.user(BOB, audience=OTHER_AUD),
    }


# Views


async def whoami(request: Request) -> JSONResponse:
    return JSONResponse([request.user.is_authenticated, request.user.display_name, sorted(request.auth.scopes)])


@requires("authenticated")
async def for_anybody(request: Request) -> PlainTextResponse:
    return PlainTextResponse("SECRET")


@requires(["authenticated", "user"])
async def for_users(request: Request) -> PlainTextResponse:
    return PlainTextResponse("SECRET")


@requires("service", status_code=404)
def for_services(request: Request) -> PlainTextResponse:
    return PlainTextResponse("SECRET")


@requires("user", redirect="whoami")
def elsewhere(request: Request) -> PlainTextResponse:
    return PlainTextResponse("SECRET")


@requires("user")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"SECRET {websocket.user.display_name}")


def in_a_thread(_: Request) -> PlainTextResponse:
    return PlainTextResponse(_current())


async def streams(_: Request) -> StreamingResponse:
    async def chunks() -> AsyncIterator[str]:
        yield _current()

    return StreamingResponse(chunks())


def _current() -> str:
    identity = current_identity()
    return "none" if identity is None else identity.display_name


VIEWS = [
    Route("/whoami", whoami, name="whoami"),
    Route("/anybody", for_anybody),
    Route("/users", for_users),
    Route("/services", for_services),
    Route("/elsewhere", elsewhere),
    WebSocketRoute("/chat", chat),
    Route("/thread", in_a_thread),
    Route("/stream", streams),
]


def wrapped(options: dict[str, Any]) -> Any:
    return AccessMiddleware(Starlette(routes=[Mount("/open", routes=VIEWS), *VIEWS]), **options)


def listed(options: dict[str, Any]) -> Any:
    return Starlette(
        routes=[Mount("/open", routes=VIEWS), *VIEWS], middleware=[Middleware(AccessMiddleware, **options)]
    )


def added(options: dict[str, Any]) -> Any:
    app = Starlette(routes=[Mount("/open", app=Starlette(routes=VIEWS)), *VIEWS])
    app.add_middleware(AccessMiddleware, **options)
    return app


def twice(options: dict[str, Any]) -> Any:
    return AccessMiddleware(listed(options), **options)


def with_backend(options: dict[str, Any]) -> Any:
    backend = access.AccessBackend()
    return Starlette(
        routes=[Mount("/open", routes=VIEWS), *VIEWS],
        middleware=[Middleware(AccessMiddleware, **options), Middleware(AuthenticationMiddleware, backend=backend)],
    )


def alone(options: dict[str, Any]) -> Any:
    backend = access.AccessBackend(Door(**options))
    return Starlette(
        routes=[Mount("/open", routes=VIEWS), *VIEWS],
        middleware=[Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)],
    )


def behind_other_middleware(options: dict[str, Any]) -> Any:
    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    inner = Starlette(
        routes=[Mount("/open", routes=VIEWS), *VIEWS], middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)]
    )
    return AccessMiddleware(inner, **options)


@pytest.fixture(params=[wrapped, listed, added, twice, with_backend, alone, behind_other_middleware])
def app(request: pytest.FixtureRequest, options: dict[str, Any]) -> Any:
    """The same views, protected in each way."""
    return request.param(options)


@pytest.mark.parametrize(
    ("path", "who", "status", "text"),
    [
        pytest.param("/whoami", "user", 200, '[true,"bob@example.com",["authenticated","user"]]', id="user"),
        pytest.param("/whoami", "service", 200, '["authenticated","service"]]', id="service"),
        pytest.param("/whoami", "nobody", 401, '"no-token"', id="nobody"),
        pytest.param("/whoami", "stranger", 401, '"wrong-audience"', id="stranger"),
        pytest.param("/open/whoami", "user", 200, '"bob@example.com"', id="open-user"),
        pytest.param("/open/whoami", "nobody", 200, '[false,"",[]]', id="open-nobody"),
        pytest.param("/open/whoami", "stranger", 200, '[false,"",[]]', id="open-stranger"),
        pytest.param("/open/anybody", "nobody", 403, "Forbidden", id="requires-nobody"),
        pytest.param("/open/anybody", "service", 200, "SECRET", id="requires-anybody"),
        pytest.param("/users", "user", 200, "SECRET", id="requires-user"),
        pytest.param("/users", "service", 403, "Forbidden", id="requires-user-service"),
        pytest.param("/services", "service", 200, "SECRET", id="requires-service-sync"),
        pytest.param("/services", "user", 404, "Not Found", id="requires-service-user"),
        pytest.param("/elsewhere", "service", 303, "", id="requires-redirects"),
        pytest.param("/elsewhere", "user", 200, "SECRET", id="requires-does-not-redirect"),
        pytest.param("/thread", "user", 200, BOB, id="current-in-a-thread"),
        pytest.param("/open/thread", "nobody", 200, "none", id="current-nobody-in-a-thread"),
        pytest.param("/stream", "user", 200, BOB, id="current-in-a-stream"),
    ],
)
async def test_requests(app: Any, tokens: dict[str, str | None], path: str, who: str, status: int, text: str) -> None:
    answer = await get(app, path, tokens[who])
    assert (answer.status, answer.raised) == (status, None)
    assert text in answer.text


@pytest.mark.parametrize(
    ("path", "who", "text"),
    [
        pytest.param("/chat", "user", f"SECRET {BOB}", id="user"),
        pytest.param("/chat", "service", None, id="service"),
        pytest.param("/chat", "nobody", None, id="nobody"),
        pytest.param("/open/chat", "nobody", None, id="open-nobody"),
        pytest.param("/open/chat", "user", f"SECRET {BOB}", id="open-user"),
    ],
)
@pytest.mark.parametrize("can_deny", [True, False], ids=["denial", "close"])
async def test_websockets(
    app: Any, tokens: dict[str, str | None], path: str, who: str, text: str | None, can_deny: bool
) -> None:
    answer = await connect(app, path, tokens[who], can_deny=can_deny)
    assert answer.raised is None
    assert (answer.status == 101) is (text is not None)
    if text is not None:
        assert answer.text == text
    else:
        assert "SECRET" not in answer.text
        assert answer.status in (401, 403) or answer.closed is not None


async def test_what_a_client_says_of_itself_counts_nowhere(app: Any, tokens: dict[str, str | None]) -> None:
    said = ((b"cf-access-authenticated-user-email", b"boss@example.com"), (b"remote-user", b"boss@example.com"))
    assert (await get(app, "/whoami", None, *said)).status == 401
    answer = await get(app, "/open/whoami", None, *said)
    assert answer.json() == [False, "", []]
    assert "boss@" not in (await get(app, "/whoami", tokens["user"], *said)).text


async def test_a_background_task_still_knows_who_asked(options: dict[str, Any], tokens: dict[str, str | None]) -> None:
    seen: list[str] = []

    def view(_: Request) -> PlainTextResponse:
        return PlainTextResponse("later", background=BackgroundTask(lambda: seen.append(_current())))

    app = AccessMiddleware(Starlette(routes=[Route("/", view)]), **options)
    assert (await get(app, "/", tokens["user"])).status == 200
    assert seen == [BOB]


# AccessBackend


async def test_the_backend_alone_hides_what_could_be_forged(
    options: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    async def headers(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.headers))

    backend = access.AccessBackend(Door(**options))
    middleware = [Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)]
    app = Starlette(routes=[Route("/{rest:path}", headers)], middleware=middleware)
    said = (b"cf-access-authenticated-user-email", b"boss@example.com")
    assert (await get(app, "/open/x", None, said)).json() == {"host": "app.example"}
    assert (await get(app, "/x", tokens["user"], said)).json()["cf-access-authenticated-user-email"] == BOB


@pytest.mark.parametrize("who", ["nobody", "stranger"])
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="plain"),
        pytest.param({"unauthenticated_status": 403}, id="status"),
        pytest.param({"on_refusal": lambda refused: (418, {"x-own": "1"}, refused.code)}, id="own"),
    ],
)
@pytest.mark.parametrize("accept", [b"*/*", b"text/html"])
async def test_the_backend_alone_refuses_as_the_door_does(
    options: dict[str, Any], tokens: dict[str, str | None], who: str, more: dict[str, Any], accept: bytes
) -> None:
    options = options | more
    one, other = [await get(app, "/x", tokens[who], (b"accept", accept)) for app in (alone(options), wrapped(options))]
    assert one.status in (401, 403, 418)
    assert one.sent == other.sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_the_backend_is_no_pass_where_no_door_stands(tokens: dict[str, str | None], kind: str) -> None:
    middleware = [Middleware(AuthenticationMiddleware, backend=access.AccessBackend())]
    app = Starlette(routes=VIEWS, middleware=middleware)
    forged: dict[str, Any] = {"cfaccess.identity": object()}
    if kind == "http":
        answer = await get(app, "/whoami", tokens["user"], **forged)
        assert answer.status == 500
    else:
        answer = await connect(app, "/chat", tokens["user"], **forged)
    assert isinstance(answer.raised, ConfigurationError)
    assert "app.add_middleware(AccessMiddleware" in str(answer.raised)
    assert "SECRET" not in answer.text


def test_a_backend_takes_a_door_and_nothing_else() -> None:
    with pytest.raises(ConfigurationError, match=r"^door: is .*; give Door\(team=…"):
        access.AccessBackend("acme")  # type: ignore[arg-type]  # the mistake


async def test_a_backend_can_give_an_applications_own_user(
    options: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    class Users(access.AccessBackend):
        async def authenticate(self, conn: Any) -> Any:
            found = await super().authenticate(conn)
            return found and (AuthCredentials([*found[0].scopes, "editor"]), SimpleUser("Bob"))

    app = Starlette(routes=VIEWS, middleware=[Middleware(AuthenticationMiddleware, backend=Users())])
    answer = await get(AccessMiddleware(app, **options), "/whoami", tokens["user"])
    assert answer.json() == [True, "Bob", ["authenticated", "editor", "user"]]


def test_the_refusal_of_another_backend_gets_starlettes_own_answer() -> None:
    error = AuthenticationError("no such user")
    scope = {"type": "http", "headers": []}
    answer = access.AccessBackend.on_error(Request(scope), error)
    assert (answer.status_code, answer.body) == (400, b"no such user")


# Exception handlers


def raising(error: Exception, *, installed: bool = True, after_accept: bool = False) -> Starlette:
    """An application whose handlers raise."""

    async def http(_: Request) -> PlainTextResponse:
        raise error

    def blocking(_: Request) -> PlainTextResponse:
        raise error

    async def websocket(connection: WebSocket) -> None:
        if after_accept:
            await connection.accept()
        raise error

    app = Starlette(routes=[Route("/", http), Route("/blocking", blocking), WebSocketRoute("/ws", websocket)])
    if installed:
        access.install(app)
    return app


ERRORS = [
    pytest.param(NotPermitted(), 403, id="not-permitted"),
    pytest.param(SessionEnded(), 401, id="session-ended"),
    pytest.param(IdentityUnavailable(retry_after=7), 503, id="identity-unavailable"),
    pytest.param(KeysUnavailable(), 503, id="keys-unavailable"),
]


@pytest.mark.parametrize(("error", "status"), ERRORS)
@pytest.mark.parametrize("path", ["/", "/blocking"])
async def test_a_refusal_raised_in_a_handler_looks_like_the_doors(
    options: dict[str, Any], tokens: dict[str, str | None], error: Refused, status: int, path: str
) -> None:
    answer = await get(AccessMiddleware(raising(error), **options), path, tokens["user"])
    assert (answer.status, answer.raised) == (status, None)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get("retry-after") == {"identity-unavailable": "7", "keys-unavailable": "1"}.get(error.code)
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert answer.json()["code"] == error.code


async def test_a_person_gets_the_page_and_head_no_body(options: dict[str, Any], tokens: dict[str, str | None]) -> None:
    app = AccessMiddleware(raising(NotPermitted()), **options)
    page = await get(app, "/", tokens["user"], (b"sec-fetch-mode", b"navigate"))
    assert (page.status, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    head = await get(app, "/", tokens["user"], method="HEAD")
    assert (head.status, head.text) == (403, "")
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize(("error", "status"), ERRORS)
async def test_a_refusal_raised_before_a_websocket_is_accepted(
    options: dict[str, Any], tokens: dict[str, str | None], error: Refused, status: int
) -> None:
    app = AccessMiddleware(raising(error), **options)
    denied = await connect(app, "/ws", tokens["user"])
    assert (denied.status, denied.raised, denied.json()["code"]) == (status, None, error.code)
    closed = await connect(app, "/ws", tokens["user"], can_deny=False)
    assert (closed.sent, closed.raised) == (
        [{"type": "websocket.close", "code": 1008, "reason": error.title}],
        None,
    )


async def test_a_refusal_raised_after_a_websocket_was_accepted_closes_it(
    options: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    answer = await connect(
        AccessMiddleware(raising(SessionEnded(), after_accept=True), **options), "/ws", tokens["user"]
    )
    assert (answer.status, answer.closed, answer.raised) == (101, (1008, "Session ended"), None)


async def test_a_refusal_raised_after_a_websocket_was_closed_is_nobodys(
    options: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    async def websocket(connection: WebSocket) -> None:
        await connection.accept()
        await connection.close(4000, "bye")
        raise NotPermitted

    app = Starlette(routes=[WebSocketRoute("/ws", websocket)])
    access.install(app)
    answer = await connect(AccessMiddleware(app, **options), "/ws", tokens["user"])
    assert ([m["type"] for m in answer.sent], answer.raised) == (["websocket.accept", "websocket.close"], None)


@pytest.mark.parametrize(
    ("app", "raised"),
    [
        pytest.param(raising(NotPermitted(), installed=False), NotPermitted, id="not-installed"),
        pytest.param(raising(NotPermitted()), ConfigurationError, id="no-door"),
        pytest.param(raising(ValueError()), ValueError, id="another-error"),
    ],
)
async def test_what_cannot_be_answered_is_an_error_of_the_server(app: Any, raised: type[Exception]) -> None:
    answer = await get(app, "/")
    assert (answer.status, type(answer.raised)) == (500, raised)


async def test_the_handler_is_for_refusals_only() -> None:
    with pytest.raises(LookupError, match="not a refusal"):
        await access.answer_refusal(Request({"type": "http", "headers": []}), LookupError("not a refusal"))


async def test_a_mounted_application_answers_for_itself(options: dict[str, Any], tokens: dict[str, str | None]) -> None:
    app = AccessMiddleware(Starlette(routes=[Mount("/sub", app=raising(NotPermitted()))]), **options)
    for root_path in ("", "/outer"):
        answer = await get(app, f"{root_path}/sub/", tokens["user"], root_path=root_path)
        assert (answer.status, answer.json()["code"]) == (403, "not-permitted")


async def test_a_refusal_raised_in_a_handler_is_told_and_says_to_whom(
    options: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    told: list[Any] = []
    refused: list[Any] = []
    app = AccessMiddleware(raising(NotPermitted()), **options, listeners=[told.append], on_refusal=refused.append)
    await get(app, token=tokens["user"])
    assert [(event.name, event.facts["code"], event.facts["path"]) for event in told[1:]] == [
        ("policy-denied", "not-permitted", "'/'")
    ]
    assert [request.identity.email for request in refused] == [BOB]


async def test_a_refused_request_is_nobodys_even_in_the_task_of_another(
    options: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    seen: list[Any] = []

    def on_error(conn: Any, error: Exception) -> PlainTextResponse:
        seen.append(current_identity())
        return PlainTextResponse("refused", 401)

    backend = access.AccessBackend(Door(**options))
    app = Starlette(
        routes=[Route("/", lambda _: PlainTextResponse("reached"))],
        middleware=[Middleware(AuthenticationMiddleware, backend=backend, on_error=on_error)],
    )
    assert (await get(app, "/", tokens["user"])).status == 200
    assert (await get(app, "/", None)).status == 401
    assert seen == [None]
