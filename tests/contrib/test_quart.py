"""What Quart's users do: factories, blueprints, views, ``require``, error handlers, WebSockets, its test client."""

import functools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("quart", reason="quart is not installed")

from quart import Blueprint, Quart, Response, websocket
from quart.views import MethodView

from cfaccess_mw import ConfigurationError, NotPermitted, Refused
from cfaccess_mw import current_identity as current
from cfaccess_mw.contrib.quart import QuartAccess, current_identity
from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from tests.contrib.asking import connect, get
from tests.tokens import AUD, OTHER_AUD

pytestmark = pytest.mark.anyio

ALICE, BOB = "alice@example.com", "bob@example.com"
CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
RULES = [{"pattern": "/open/*", "access": "public"}]

Tokens = dict[str, str | None]


@pytest.fixture
def anyio_backend() -> str:
    """Quart runs on asyncio."""
    return "asyncio"


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


def who() -> list[str]:
    """Whom a view sees, in both ways of asking."""
    identity = current()
    known = bool(current_identity)
    return [current_identity.display_name if known else "", identity.display_name if identity else ""]


def views(access: QuartAccess) -> Blueprint:
    """The same routes for an application and for a blueprint."""
    site = Blueprint("site", __name__)
    admins = access.require(groups=["admins"])

    @site.get("/who")
    async def asynchronous() -> list[str]:
        return who()

    @site.get("/open/who")
    def synchronous() -> list[str]:
        return who()

    @site.get("/stream")
    async def stream() -> Response:
        async def parts() -> AsyncIterator[str]:
            yield "".join(who())

        return Response(parts())

    @site.get("/admin/<name>")
    @admins
    async def admin(name: str) -> str:
        return f"SECRET {name}"

    @site.get("/open/admin")
    @admins
    def synchronous_admin() -> str:
        return "SECRET"

    @admins
    @site.get("/above")
    async def above() -> str:
        return "SECRET"

    @admins
    @site.get("/between")
    @access.require(emails=[ALICE, BOB])
    async def between() -> str:
        return "SECRET"

    @site.get("/twice")
    @access.require(emails=BOB)
    @admins
    async def twice() -> str:
        return "SECRET"

    @access.require(service=CLIENT_ID)
    @site.get("/robot")
    async def robot() -> str:
        return "SECRET"

    @site.get("/there")
    @access.require(ips=["192.0.2.0/24"])
    async def there() -> str:
        return "SECRET"

    @site.get("/open/somebody")
    @access.require()
    async def somebody() -> str:
        return "SECRET"

    class Accounts(MethodView):
        async def get(self) -> str:
            return "PUBLIC"

        @admins
        async def post(self) -> str:
            return "SECRET"

    class Everything(MethodView):
        decorators = [admins]  # noqa: RUF012 - as Quart has it

        async def get(self) -> str:
            return "SECRET"

    site.add_url_rule("/accounts", view_func=Accounts.as_view("accounts"))
    site.add_url_rule("/everything", view_func=Everything.as_view("everything"))

    @site.get("/raises")
    async def raises() -> str:
        raise NotPermitted

    @site.get("/breaks")
    async def breaks() -> str:
        raise ValueError("nothing of ours")

    @site.websocket("/ws")
    async def ws() -> None:
        await websocket.send(" ".join(who()))

    @site.websocket("/admin-ws")
    @admins
    async def admin_ws() -> None:
        await websocket.send("SECRET")

    @admins
    @site.websocket("/above-ws")
    async def above_ws() -> None:
        await websocket.send("SECRET")

    @site.websocket("/late-ws")
    async def late_ws() -> None:
        await websocket.accept()
        raise NotPermitted

    return site


def plain(options: dict[str, Any]) -> Quart:
    app = Quart(__name__)
    access = QuartAccess(app, **options)
    app.register_blueprint(views(access))
    return app


def from_a_factory(options: dict[str, Any]) -> Quart:
    access = QuartAccess()
    site = views(access)
    app = Quart(__name__)
    app.config["CFACCESS"] = options
    app.register_blueprint(site)
    access.init_app(app)
    return app


@pytest.fixture(params=[plain, from_a_factory], ids=lambda build: build.__name__)
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
        pytest.param("/who", "bob", 200, [BOB, BOB], id="user"),
        pytest.param("/who", "robot", 200, [CLIENT_ID, CLIENT_ID], id="service"),
        pytest.param("/open/who", "bob", 200, [BOB, BOB], id="synchronous-view"),
        pytest.param("/open/who", "nobody", 200, ["", ""], id="nobody-in-public"),
        pytest.param("/open/who", "stranger", 200, ["", ""], id="a-bad-token-in-public"),
        pytest.param("/stream", "bob", 200, BOB + BOB, id="while-streaming"),
        pytest.param("/admin/x", "alice", 200, "SECRET x", id="passes"),
        pytest.param("/admin/x", "bob", 403, "not-permitted", id="refuses"),
        pytest.param("/admin/x", "robot", 403, "not-permitted", id="refuses-services"),
        pytest.param("/admin/x", "carol", 503, "identity-unavailable", id="cannot-know"),
        pytest.param("/open/admin", "alice", 200, "SECRET", id="synchronous-passes"),
        pytest.param("/open/admin", "bob", 403, "not-permitted", id="synchronous-refuses"),
        pytest.param("/open/admin", "nobody", 401, "no-token", id="without-anybody"),
        pytest.param("/above", "alice", 200, "SECRET", id="above-the-route-passes"),
        pytest.param("/above", "bob", 403, "not-permitted", id="above-the-route-refuses"),
        pytest.param("/between", "alice", 200, "SECRET", id="above-and-below-passes"),
        pytest.param("/between", "bob", 403, "not-permitted", id="above-and-below-refuses-above"),
        pytest.param("/between", "carol", 503, "identity-unavailable", id="above-and-below-asks-above-first"),
        pytest.param("/twice", "alice", 403, "not-permitted", id="twice-refuses-the-one"),
        pytest.param("/twice", "bob", 403, "not-permitted", id="twice-refuses-the-other"),
        pytest.param("/robot", "robot", 200, "SECRET", id="for-a-service"),
        pytest.param("/robot", "alice", 403, "not-permitted", id="for-a-service-refuses"),
        pytest.param("/open/somebody", "robot", 200, "SECRET", id="for-anybody"),
        pytest.param("/open/somebody", "nobody", 401, "no-token", id="for-anybody-refuses-nobody"),
        pytest.param("/accounts", "bob", 200, "PUBLIC", id="a-method-without"),
        pytest.param("/everything", "alice", 200, "SECRET", id="a-class-passes"),
        pytest.param("/everything", "bob", 403, "not-permitted", id="a-class-refuses"),
        pytest.param("/raises", "bob", 403, "not-permitted", id="raised-in-a-view"),
        pytest.param("/breaks", "bob", 500, "", id="other-errors-stay-errors"),
    ],
)
async def test_who_gets_what(app: Any, tokens: Tokens, path: str, asker: str, status: int, text: Any) -> None:
    answer = await get(app, path, tokens[asker])
    assert (answer.status, answer.raised) == (status, None)
    if status in (401, 403, 503) and text:
        assert answer.json()["code"] == text
        assert answer.headers["cache-control"] == "no-store"
        assert ("www-authenticate" in answer.headers) is (status == 401)
        assert ("retry-after" in answer.headers) is (status == 503)
    elif text:
        assert (answer.json() if isinstance(text, list) else answer.text) == text


async def test_one_method_of_a_view_may_require_more(app: Any, tokens: Tokens) -> None:
    answers = [await get(app, "/accounts", tokens[asker], method="POST") for asker in ("alice", "bob")]
    assert [answer.status for answer in answers] == [200, 403]


@pytest.mark.parametrize(
    ("address", "status"),
    [pytest.param(b"192.0.2.7", 200, id="there"), pytest.param(b"192.0.3.7", 403, id="elsewhere")],
)
async def test_a_view_asks_the_request(options: dict[str, Any], tokens: Tokens, address: bytes, status: int) -> None:
    app: Any = plain({**options, "trusted_peers": ["loopback"]})
    assert (await get(app, "/there", tokens["bob"], (b"cf-connecting-ip", address))).status == status


@pytest.mark.parametrize(
    ("path", "asker", "status", "text", "closed"),
    [
        pytest.param("/ws", "bob", 101, f"{BOB} {BOB}", (1000, ""), id="accepted"),
        pytest.param("/admin-ws", "alice", 101, "SECRET", (1000, ""), id="passes"),
        pytest.param("/admin-ws", "bob", 403, "not-permitted", None, id="refuses-with-an-answer"),
        pytest.param("/admin-ws", "bob", 0, "", (1008, "Not permitted"), id="refuses"),
        pytest.param("/admin-ws", "carol", 503, "identity-unavailable", None, id="cannot-know"),
        pytest.param("/above-ws", "alice", 101, "SECRET", (1000, ""), id="above-the-route-passes"),
        pytest.param("/above-ws", "bob", 403, "not-permitted", None, id="above-the-route-refuses"),
        pytest.param("/late-ws", "bob", 101, "", (1008, "Not permitted"), id="refused-after-accepting"),
        pytest.param("/ws", "nobody", 401, "no-token", None, id="nobody"),
    ],
)
async def test_websockets(
    app: Any,
    tokens: Tokens,
    path: str,
    asker: str,
    status: int,
    text: str,
    closed: tuple[int, str] | None,
) -> None:
    answer = await connect(app, path, tokens[asker], can_deny=status != 0, scheme="wss")
    assert (answer.status, answer.closed, answer.raised) == (status, closed, None)
    assert (answer.json()["code"] if status > 400 else answer.text) == text


async def test_quart_s_own_client(app: Quart, tokens: Tokens) -> None:
    for _ in range(2):  # its keys are taken up again
        async with app.test_app() as running:
            client = running.test_client()
            assert (await client.get("/who")).status_code == 401
            answer = await client.get("/who", headers={"Cf-Access-Jwt-Assertion": tokens["bob"] or ""})
            assert await answer.get_json() == [BOB, BOB]


async def test_the_application_s_own_handler_stays(options: dict[str, Any], tokens: Tokens) -> None:
    app = Quart(__name__)

    @app.errorhandler(Refused)
    async def own(error: Refused) -> tuple[str, int]:
        return f"own {error.code}", 418

    access = QuartAccess(app, **options)
    app.register_blueprint(views(access))
    inner: Any = app
    answer = await get(inner, "/raises", tokens["bob"])
    assert (answer.status, answer.text) == (418, "own not-permitted")


async def test_what_a_decorator_requires_stays_with_what_it_decorates(options: dict[str, Any], tokens: Tokens) -> None:
    app = Quart(__name__)
    access = QuartAccess(app, **options)

    async def view() -> str:
        return "SECRET"

    app.get("/admins", endpoint="admins")(access.require(groups=["admins"])(view))
    app.get("/bob", endpoint="bob")(access.require(emails=BOB)(view))
    inner: Any = app
    answers = [await get(inner, path, tokens[who]) for path, who in (("/admins", "alice"), ("/bob", "bob"))]
    assert [answer.status for answer in answers] == [200, 200]
    answers = [await get(inner, path, tokens[who]) for path, who in (("/admins", "bob"), ("/bob", "alice"))]
    assert [answer.status for answer in answers] == [403, 403]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(lambda: QuartAccess(Quart(__name__), team="acme"), "audience", id="door"),
        pytest.param(lambda: QuartAccess().require(gruops=["admins"]), "gruops", id="require"),
        pytest.param(lambda: QuartAccess(Quart(__name__), {"team": "acme"}, audience=AUD), "audience", id="both"),
    ],
)
def test_mistakes_are_found_at_start(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


def test_two_doors_are_a_mistake(options: dict[str, Any]) -> None:
    app = Quart(__name__)
    QuartAccess(app, **options)
    with pytest.raises(ConfigurationError, match=r"^app: has a QuartAccess already"):
        QuartAccess(app, **options)


async def test_refusals_of_handlers_are_told(options: dict[str, Any], tokens: Tokens) -> None:
    events: list[Any] = []
    app: Any = plain({**options, "listeners": [events.append]})
    await get(app, "/raises", tokens["bob"])
    await connect(app, "/late-ws", tokens["bob"], scheme="wss")
    told = [(event.name, event.facts["path"]) for event in events if event.name == "policy-denied"]
    assert told == [("policy-denied", "'/raises'"), ("policy-denied", "'/late-ws'")]


def test_what_the_module_needs(alone: Path) -> None:
    program = "import sys; sys.modules['quart'] = None; import cfaccess_mw.contrib.quart"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=alone, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert "pip install 'cfaccess-mw[quart]'" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", ["method", "partial", "object"])
async def test_whatever_was_routed_before_is_protected(options: dict[str, Any], tokens: Tokens, kind: str) -> None:
    class Pages:
        async def page(self) -> str:
            return "reached"

        def __call__(self) -> str:
            return "reached"

    app = Quart("under_test")
    access = QuartAccess(app, **options)
    view: Any = {"method": Pages().page, "partial": functools.partial(Pages().page), "object": Pages()}[kind]
    access.require(emails=ALICE)(app.route("/", endpoint="page")(view))
    for name, status in (("alice", 200), ("bob", 403)):
        answer = await app.test_client().get("/", headers={"Cf-Access-Jwt-Assertion": str(tokens[name])})
        assert answer.status_code == status
