"""Decorators in any order, on any kind of view, and what they ask for."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue
from flask.views import MethodView, View

from cfaccess_mw import ConfigurationError
from cfaccess_mw.contrib.flask import CfAccess, current_identity, login_required, require, validate_identity
from cfaccess_mw.core.errors import KeysUnavailable, NotPermitted, Refused
from tests.contrib.flask.conftest import Headers, Make, Team, with_token

SERVICE = "e367826f93b8d71185e03fe518aff3b4.access"


def reached(**_: object) -> str:
    return f"reached by {current_identity.email}"


def keeping(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of somebody else's, well behaved."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def hiding(view: Callable[..., Any]) -> Callable[..., Any]:
    """One that does not say what it wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


class Everything(View):
    decorators = (login_required,)  # type: ignore[assignment]  # a tuple does

    def dispatch_request(self) -> ResponseReturnValue:
        return reached()


class Dispatched(View):
    @login_required
    def dispatch_request(self) -> ResponseReturnValue:
        return reached()


class Getting(MethodView):
    @login_required
    def get(self) -> str:
        return reached()


class AsyncGetting(MethodView):
    init_every_request = False

    @login_required
    async def get(self) -> str:
        return reached()


async def asynchronous() -> str:
    return reached()


def fresh() -> Callable[..., str]:
    """A view of its own: marks stay on functions."""
    return lambda **_: reached()


def in_the_wrong_order(app: Flask) -> None:
    login_required(app.route("/")(fresh()))


def in_the_wrong_order_with_another_between(app: Flask) -> None:
    login_required(keeping(app.route("/")(fresh())))


def with_another_below(app: Flask) -> None:
    login_required(app.route("/")(keeping(fresh())))


def with_two_others(app: Flask) -> None:
    app.route("/")(keeping(login_required(keeping(fresh()))))


def inside_of_one_that_hides_it(app: Flask) -> None:
    app.route("/")(hiding(login_required(fresh())))


def around_one_that_hides_it(app: Flask) -> None:
    app.route("/")(login_required(hiding(fresh())))


def of_a_partial(app: Flask) -> None:
    app.add_url_rule("/", "home", login_required(functools.partial(reached, given=1)))


def of_a_coroutine(app: Flask) -> None:
    app.route("/")(login_required(asynchronous))


def of_a_coroutine_above(app: Flask) -> None:
    async def view() -> str:
        return reached()

    login_required(app.route("/")(view))


def of_a_class(app: Flask) -> None:
    app.add_url_rule("/", view_func=Everything.as_view("home"))


def of_its_dispatching(app: Flask) -> None:
    app.add_url_rule("/", view_func=Dispatched.as_view("home"))


def of_its_method(app: Flask) -> None:
    app.add_url_rule("/", view_func=Getting.as_view("home"))


def of_its_asynchronous_method(app: Flask) -> None:
    app.add_url_rule("/", view_func=AsyncGetting.as_view("home"))


def of_what_a_class_gives(app: Flask) -> None:
    class Plain(MethodView):
        def get(self) -> str:
            return reached()

    view = Plain.as_view("home")
    app.add_url_rule("/", view_func=view)
    login_required(view)


def of_a_bound_method(app: Flask) -> None:
    class Views:
        def home(self) -> str:
            return reached()

    app.add_url_rule("/", "home", login_required(Views().home))


def before_requests(app: Flask) -> None:
    app.before_request(login_required(lambda: None))
    app.add_url_rule("/", "home", fresh())


def before_requests_above(app: Flask) -> None:
    login_required(app.before_request(lambda: None))
    app.add_url_rule("/", "home", fresh())


def before_requests_of_the_blueprint_around_above(app: Flask) -> None:
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    login_required(outer.before_request(lambda: None))
    inner.add_url_rule("/", "home", fresh())
    outer.register_blueprint(inner)
    app.register_blueprint(outer)


def in_a_blueprint_of_a_blueprint(app: Flask) -> None:
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    login_required(inner.route("/")(fresh()))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)


def of_a_function_with_two_routes(app: Flask) -> None:
    view = app.route("/elsewhere", endpoint="home")(fresh())
    app.add_url_rule("/", endpoint="home")
    login_required(view)


PLACES = [
    in_the_wrong_order,
    in_the_wrong_order_with_another_between,
    with_another_below,
    with_two_others,
    inside_of_one_that_hides_it,
    around_one_that_hides_it,
    of_a_partial,
    of_a_coroutine,
    of_a_coroutine_above,
    of_a_class,
    of_its_dispatching,
    of_its_method,
    of_its_asynchronous_method,
    of_what_a_class_gives,
    of_a_bound_method,
    before_requests,
    before_requests_above,
    before_requests_of_the_blueprint_around_above,
    in_a_blueprint_of_a_blueprint,
    of_a_function_with_two_routes,
]

# Flask answers OPTIONS without the view: one that hides its demands, or whose demands are another method's.
UNASKED = [inside_of_one_that_hides_it, of_its_method, of_its_asynchronous_method]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_it_protects_wherever_it_stands(
    make: Make, alice: Headers, place: Callable[[Flask], None], method: str
) -> None:
    app, _ = make()
    place(app)
    client = app.test_client()
    refused = client.open("/", method=method)
    assert b"reached" not in refused.data
    if method == "OPTIONS" and place in UNASKED:
        assert (refused.status_code, refused.data) == (200, b"")
    else:
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Cloudflare-Access realm="acme.cloudflareaccess.com"'
    let_in = client.open("/", method=method, headers=alice)
    assert let_in.status_code == 200
    if method == "GET":
        assert let_in.text == "reached by alice@example.com"


def test_a_class_is_protected_method_by_method(make: Make, alice: Headers) -> None:
    class Page(MethodView):
        def get(self) -> str:
            return "public"

        @require(emails="alice@example.com")
        def post(self) -> str:
            return "posted"

    app, _ = make()
    app.add_url_rule("/", view_func=Page.as_view("page"))
    client = app.test_client()
    assert [client.get("/").status_code, client.head("/").status_code] == [200, 200]
    assert client.post("/").status_code == 401
    assert client.post("/", headers=alice).text == "posted"


@pytest.mark.parametrize(
    ("required", "who", "expected"),
    [
        pytest.param({}, "alice", 200, id="anybody"),
        pytest.param({}, "service", 200, id="anything"),
        pytest.param({}, None, 401, id="nobody"),
        pytest.param({"emails": "alice@example.com"}, "alice", 200, id="address"),
        pytest.param({"emails": "alice@example.com"}, "bob", 403, id="another-address"),
        pytest.param({"emails": "alice@example.com"}, None, 401, id="address-of-nobody"),
        pytest.param({"groups": ["admins"]}, "alice", 200, id="group"),
        pytest.param({"groups": ["others"]}, "alice", 403, id="another-group"),
        pytest.param({"groups": ["admins"], "emails": "bob@example.com"}, "alice", 403, id="both"),
        pytest.param({"email_domains": "example.com"}, "service", 403, id="a-service-has-no-address"),
        pytest.param({"service": True}, "service", 200, id="any-service"),
        pytest.param({"service": SERVICE}, "service", 200, id="this-service"),
        pytest.param({"service": "f" + SERVICE[1:]}, "service", 403, id="another-service"),
        pytest.param({"service": True}, "alice", 403, id="people-are-no-services"),
        pytest.param({"service": True, "groups": "admins"}, "alice", 200, id="service-or-group"),
        pytest.param({"methods": "GET"}, "alice", 200, id="request"),
        pytest.param({"methods": "POST"}, "alice", 403, id="another-request"),
        pytest.param({"ips": "192.0.2.0/24"}, "alice", 200, id="address-of-the-client"),
        pytest.param({"ips": "198.51.100.0/24"}, "alice", 403, id="another-client"),
    ],
)
@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
def test_require(make: Make, team: Team, required: dict[str, Any], who: str | None, expected: int, above: bool) -> None:
    app, access = make(trusted_peers=["loopback"])
    if above:
        access.require(**required)(app.route("/")(fresh()))
    else:
        app.route("/")(require(**required)(fresh()))
    tokens = {"alice": team.token(), "bob": team.token("bob@example.com"), "service": team.service()}
    headers = {"CF-Connecting-IP": "192.0.2.7"} | (with_token(tokens[who]) if who else {})
    assert app.test_client().get("/", headers=headers).status_code == expected


def _overriding(app: Any) -> Any:
    """What some applications put before Flask, and so behind the door."""

    def overriding(environ: dict[str, Any], start_response: Any) -> Any:
        environ["REQUEST_METHOD"] = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", environ["REQUEST_METHOD"])
        return app(environ, start_response)

    return overriding


def test_the_method_is_the_one_that_is_served(team: Team, alice: Headers) -> None:
    app = Flask("overriding")
    app.route("/", methods=["GET", "DELETE"])(require(methods="GET")(fresh()))
    app.wsgi_app = _overriding(app.wsgi_app)  # type: ignore[method-assign]
    CfAccess(app, **team.options)
    client = app.test_client()
    assert client.get("/", headers=alice).status_code == 200
    assert client.get("/", headers={**alice, "X-HTTP-Method-Override": "DELETE"}).status_code == 403


def test_functions_that_cannot_be_marked_are_wrapped(make: Make, alice: Headers) -> None:
    app, _ = make()
    app.add_url_rule("/", "home", login_required(time.ctime))
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers=alice).status_code == 200


def test_what_wraps_itself_ends(make: Make, alice: Headers) -> None:
    view = fresh()
    view.__wrapped__ = view  # type: ignore[attr-defined]
    app, _ = make()
    login_required(app.route("/")(view))
    assert app.test_client().get("/").status_code == 401


def test_policies_as_cloudflare_writes_them(make: Make, alice: Headers, bob: Headers) -> None:
    app, access = make()
    policy = {"decision": "allow", "include": [{"email": {"email": "alice@example.com"}}]}
    app.route("/")(access.require(policy)(fresh()))
    statuses = [app.test_client().get("/", headers=headers).status_code for headers in (alice, bob)]
    assert statuses == [200, 403]


def test_what_cannot_be_required_is_said_at_start() -> None:
    with pytest.raises(ConfigurationError, match="gruops"):
        require(gruops=["admins"])


def test_the_policies_of_the_configuration_hold_for_every_decorator(make: Make, alice: Headers, bob: Headers) -> None:
    policies = [{"decision": "allow", "include": [{"email": {"email": "alice@example.com"}}]}]
    app, access = make(policies=policies)
    app.route("/decorated")(login_required(fresh()))
    app.add_url_rule("/asked", "asked", lambda: str(access.authenticate()))
    app.add_url_rule("/open", "open", fresh())
    client = app.test_client()
    for path, expected in (("/decorated", 403), ("/asked", 403), ("/open", 200)):
        assert client.get(path, headers=bob).status_code == expected
        assert client.get(path, headers=alice).status_code == 200


def test_several_demands_are_all_met(make: Make, team: Team, alice: Headers, bob: Headers) -> None:
    app, _ = make()
    asked: list[str] = []

    def identify(user: dict[str, Any]) -> bool:
        asked.append(user["email"])
        return True

    @validate_identity(identify)
    @require(groups=["admins"])
    @app.route("/above")
    @app.route("/below", endpoint="below")
    @require(emails="alice@example.com")
    def view() -> str:
        return reached()

    client = app.test_client()
    for path in ("/above", "/below"):
        assert client.get(path, headers=alice).status_code == 200
        assert client.get(path, headers=bob).status_code == 403
    assert asked == ["alice@example.com"] * 2, "each is asked once in a request, and only of who met the others"
    team.groups = ("others",)
    assert client.get("/above", headers=with_token(team.token())).status_code == 403


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(True, 200, id="true"),
        pytest.param({"some": "thing"}, 200, id="truthy"),
        pytest.param(False, 403, id="false"),
        pytest.param(None, 403, id="nothing"),
        pytest.param("", 403, id="empty"),
    ],
)
@pytest.mark.parametrize("asynchronously", [False, True], ids=["function", "coroutine"])
def test_validate_identity(make: Make, alice: Headers, answer: object, expected: int, asynchronously: bool) -> None:
    async def later(_: dict[str, Any]) -> object:
        return answer

    app, _ = make()
    app.route("/")(validate_identity(later if asynchronously else lambda _: answer)(fresh()))
    assert app.test_client().get("/", headers=alice).status_code == expected


def test_a_view_that_calls_another_needs_what_that_one_needs(make: Make, alice: Headers) -> None:
    inner = login_required(fresh())
    app, _ = make()
    app.add_url_rule("/", "home", lambda: f"once {inner()}")
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers=alice).status_code == 200


def test_names_and_documentation_stay() -> None:
    def view() -> str:
        """What it does."""
        return reached()

    decorated = login_required(view)
    assert (decorated.__name__, decorated.__doc__) == ("view", "What it does.")


@pytest.mark.parametrize("given", [Getting, Blueprint("given", __name__), "a name"], ids=["class", "blueprint", "text"])
def test_what_is_no_view_is_refused_with_the_mend(given: Any) -> None:
    for decorator in (login_required, require(), validate_identity(bool)):
        with pytest.raises(TypeError, match=r"before_request\(access.authenticate\)"):
            decorator(given)


def test_refusals_by_decorators_are_told(make: Make, team: Team, bob: Headers) -> None:
    app, _ = make()
    app.route("/admin")(require(emails="alice@example.com")(fresh()))
    app.test_client().get("/admin", headers=bob)
    app.test_client().get("/admin")
    refusals = [event for event in team.events if "code" in event.facts]
    assert [(event.name, event.facts["code"], event.facts["path"]) for event in refusals] == [
        ("policy-denied", "not-permitted", "'/admin'"),
        ("token-refused", "no-token", "'/admin'"),
    ]


def test_only_reporting_refuses_nothing(make: Make, team: Team, bob: Headers) -> None:
    app, _ = make(report_only=True)

    @app.route("/")
    @require(emails="alice@example.com")
    def home() -> str:
        return str(getattr(current_identity, "email", None))

    client = app.test_client()
    assert client.get("/").text == "None"
    assert client.get("/", headers=bob).text == "bob@example.com"
    told = [(event.name, event.facts.get("code")) for event in team.events if event.level == logging.INFO]
    assert told == [("only-reported", "no-token"), ("only-reported", "not-permitted")]


PREFLIGHT = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PUT"}


def test_what_is_refused_to_somebody_is_no_preflight(make: Make, team: Team, alice: Headers) -> None:
    team.status = 401
    app, _ = make(allow_preflight=True)
    app.route("/")(require(groups=["admins"])(fresh()))
    answer = app.test_client().get("/", headers=alice)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (401, "session-ended")


def test_each_refusal_is_an_error_of_its_own(make: Make) -> None:
    app, _ = make()
    closed = login_required(fresh())
    seen: list[Refused] = []
    with app.test_request_context():
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                closed()
            seen.append(caught.value)
    assert seen[0] is not seen[1]
    assert type(seen[0]) is type(seen[1])


@pytest.mark.parametrize(
    ("allowed", "headers", "expected"),
    [
        pytest.param(True, PREFLIGHT, 200, id="preflight"),
        pytest.param(True, {}, 401, id="other-options"),
        pytest.param(False, PREFLIGHT, 401, id="not-allowed"),
    ],
)
def test_preflights(make: Make, allowed: bool, headers: Headers, expected: int) -> None:
    app, _ = make(allow_preflight=allowed)
    app.route("/", methods=["PUT"])(require(groups=["admins"])(fresh()))
    assert app.test_client().options("/", headers=headers).status_code == expected
    assert app.test_client().put("/", headers=headers).status_code == 401


def test_a_function_is_protected_under_each_of_its_names(make: Make) -> None:
    app, _ = make()
    view = fresh()
    app.add_url_rule("/one", "one", view)
    app.add_url_rule("/two", "two", login_required(view))
    client = app.test_client()
    assert [client.get("/one").status_code, client.get("/two").status_code] == [401, 401]


def test_views_that_raise_refusals(make: Make, alice: Headers) -> None:
    app, _ = make()

    @app.route("/<what>")
    def raising(what: str) -> str:
        raise {"keys": KeysUnavailable(retry_after=7), "not": NotPermitted()}[what]

    client = app.test_client()
    unavailable = client.get("/keys", headers=alice)
    assert (unavailable.status_code, unavailable.headers["Retry-After"]) == (503, "7")
    forbidden = client.get("/not", headers=alice)
    assert forbidden.status_code == 403
    assert forbidden.content_type == "application/problem+json"
    assert forbidden.headers["Cache-Control"] == "no-store"
