"""What only the ASGI door does: scopes, WebSockets, lifespan, and waiting without blocking."""

import time
from typing import Any

import anyio
import pytest

from cfaccess_mw import Identity, Rule, current_identity
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD

pytestmark = pytest.mark.anyio

Message = dict[str, Any]


@pytest.fixture
def token(issuer: Issuer) -> str:
    """A good token of now."""
    return issuer.user("alice@example.com", audience=AUD, issued_at=time.time())


class Application:
    """Keeps the scopes that reach it."""

    def __init__(self) -> None:
        self.scopes: list[Message] = []
        self.seen: list[Identity | None] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.seen.append(current_identity())
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"reached"})


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def door(application: Application, issuer: Issuer) -> AccessMiddleware:
    return AccessMiddleware(application, team="acme", audience=AUD, keys=issuer.certs())


def scope_of(kind: str, *headers: tuple[bytes, bytes], **more: Any) -> Message:
    scope = {"type": kind, "path": "/", "raw_path": b"/", "query_string": b"", "headers": list(headers)}
    return {**scope, **({"method": "GET"} if kind == "http" else {}), **more}


def signed_in(token: str) -> tuple[bytes, bytes]:
    return b"cf-access-jwt-assertion", token.encode()


async def talk(door: AccessMiddleware, scope: Message, *incoming: Message) -> list[Message]:
    """Drive one scope, and return what was sent; receiving more than there is waits for ever, as on a server."""
    queue, sent = list(incoming), []

    async def receive() -> Message:
        if not queue:
            await anyio.sleep_forever()
        return queue.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    with anyio.fail_after(10):
        await door(scope, receive, send)
    return sent


async def test_the_scope_says_who_asks(door: AccessMiddleware, application: Application, token: str) -> None:
    await talk(door, scope_of("http", signed_in(token)))
    (scope,) = application.scopes
    identity = scope["cfaccess.identity"]
    assert scope["user"] is identity is application.seen[0]
    assert isinstance(identity, Identity)
    assert (identity.is_authenticated, identity.display_name, identity.identity) == (
        True,
        "alice@example.com",
        identity.subject,
    )
    assert scope["auth"].scopes == ["authenticated", "user"]


async def test_the_servers_own_scope_is_left_alone(door: AccessMiddleware, token: str) -> None:
    scope = scope_of("http", (b"remote-user", b"boss"), signed_in(token))
    before = {**scope, "headers": list(scope["headers"])}
    await talk(door, scope)
    assert scope == before


async def test_credentials_are_not_shared_between_requests(
    door: AccessMiddleware, application: Application, token: str
) -> None:
    await talk(door, scope_of("http", signed_in(token)))
    application.scopes[0]["auth"].scopes.append("admin")
    await talk(door, scope_of("http", signed_in(token)))
    assert application.scopes[1]["auth"].scopes == ["authenticated", "user"]


async def test_nobody_is_not_shared_between_requests(application: Application, issuer: Issuer) -> None:
    rules = [Rule.public("/*", everything=True)]
    door = AccessMiddleware(application, team="acme", audience=AUD, keys=issuer.certs(), rules=rules)
    await talk(door, scope_of("http"))
    application.scopes[0]["user"].basket = ["of one visitor"]
    await talk(door, scope_of("http"))
    assert not hasattr(application.scopes[1]["user"], "basket")


async def test_wrapping_twice_is_harmless(application: Application, issuer: Issuer, token: str) -> None:
    options: dict[str, Any] = {"team": "acme", "audience": AUD, "keys": issuer.certs()}
    door = AccessMiddleware(AccessMiddleware(application, **options), **options)
    sent = await talk(door, scope_of("http", signed_in(token)))
    assert sent[0]["status"] == 200
    assert application.scopes[0]["cfaccess.identity"].email == "alice@example.com"


async def test_a_scope_without_optional_keys_is_read(door: AccessMiddleware, token: str) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": iter([signed_in(token)])}
    assert (await talk(door, scope))[0]["status"] == 200


@pytest.mark.parametrize("kind", ["smtp", "HTTP", ""])
async def test_unknown_scopes_are_refused(door: AccessMiddleware, application: Application, kind: str) -> None:
    with pytest.raises(ValueError, match="not"):
        await talk(door, {"type": kind})
    assert application.scopes == []


class TestWebSocket:
    """A handshake is refused before it is accepted."""

    async def test_with_a_token_it_is_accepted(
        self, door: AccessMiddleware, application: Application, token: str
    ) -> None:
        sent = await talk(door, scope_of("websocket", signed_in(token)), {"type": "websocket.connect"})
        assert sent == [{"type": "websocket.accept"}]
        assert application.scopes[0]["cfaccess.identity"].email == "alice@example.com"

    async def test_the_full_answer_where_the_server_can_send_it(
        self, door: AccessMiddleware, application: Application
    ) -> None:
        scope = scope_of("websocket", extensions={"websocket.http.response": {}})
        start, body = await talk(door, scope, {"type": "websocket.connect"})
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert (b"content-type", b"application/problem+json") in start["headers"]
        assert body["type"] == "websocket.http.response.body"
        assert b"no-token" in body["body"]
        assert application.scopes == []

    @pytest.mark.parametrize("more", [{}, {"extensions": None}, {"extensions": {}}], ids=["absent", "none", "empty"])
    async def test_else_it_is_closed(
        self, door: AccessMiddleware, application: Application, more: dict[str, Any]
    ) -> None:
        sent = await talk(door, scope_of("websocket", **more), {"type": "websocket.connect"})
        assert sent == [{"type": "websocket.close", "code": 1008, "reason": "Not signed in"}]
        assert application.scopes == []

    async def test_a_client_that_is_gone_is_not_answered(self, door: AccessMiddleware) -> None:
        assert await talk(door, scope_of("websocket"), {"type": "websocket.disconnect", "code": 1006}) == []

    async def test_the_same_rules_hold(self, application: Application, issuer: Issuer) -> None:
        door = AccessMiddleware(
            application,
            team="acme",
            audience=AUD,
            keys=issuer.certs(),
            rules=[{"pattern": "/feed", "access": "public"}],
        )
        sent = await talk(door, scope_of("websocket", path="/feed", raw_path=b"/feed"), {"type": "websocket.connect"})
        assert sent == [{"type": "websocket.accept"}]
        assert application.scopes[0]["user"].is_authenticated is False


async def test_lifespan_is_passed_on(door: AccessMiddleware, application: Application) -> None:
    await talk(door, {"type": "lifespan", "asgi": {"version": "3.0"}})
    assert application.scopes[0]["type"] == "lifespan"


async def test_an_application_without_lifespan_says_so_itself(issuer: Issuer) -> None:
    async def no_lifespan(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("no lifespan here")

    door = AccessMiddleware(no_lifespan, team="acme", audience=AUD, keys=issuer.certs())
    with pytest.raises(RuntimeError, match="no lifespan here"):
        await talk(door, {"type": "lifespan"})


async def test_nobody_is_left_behind_when_the_application_raises(issuer: Issuer, token: str) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    door = AccessMiddleware(broken, team="acme", audience=AUD, keys=issuer.certs())
    with pytest.raises(RuntimeError, match="broken"):
        await talk(door, scope_of("http", signed_in(token)))
    assert current_identity() is None


async def test_a_connection_ends_with_its_token_where_that_is_wanted(issuer: Issuer) -> None:
    async def lasting(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await anyio.sleep_forever()

    now = int(time.time())  # good for what is left of this second, leeway included
    token = issuer.user("alice@example.com", audience=AUD, issued_at=now - 60, expires_in=31)
    door = AccessMiddleware(lasting, team="acme", audience=AUD, keys=issuer.certs(), close_on_expiry=True)
    sent = await talk(door, scope_of("websocket", signed_in(token)), {"type": "websocket.connect"})
    assert sent[-1] == {"type": "websocket.close", "code": 1008, "reason": "Session expired"}


@pytest.mark.parametrize("given", [True, False], ids=["identity", "nobody"])
async def test_it_costs_nothing_where_it_is_off_or_nobody_is_known(issuer: Issuer, token: str, given: bool) -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(send)

    async def send(_: Any) -> None:
        """Nothing is sent."""

    async def receive() -> Message:
        return {}

    door = AccessMiddleware(
        application,
        team="acme",
        audience=AUD,
        keys=issuer.certs(),
        rules=[{"pattern": "/", "access": "public"}],
        close_on_expiry=not given,
    )
    await door(scope_of("http", *([signed_in(token)] if given else [])), receive, send)
    assert seen == [send], "the server's own, not one of ours around it"
