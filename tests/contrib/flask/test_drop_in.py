"""Applications as flask-cfaccess's users have written them, with the import changed."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, request

from cfaccess_mw.contrib import flask as ours
from cfaccess_mw.contrib.flask import CfAccess, cfaccess, get_cfaccess, get_identity, login_required, validate_identity
from tests.contrib.flask.conftest import Headers, Make, Team, with_token
from tests.tokens import AUD, OTHER_AUD

Protect = Callable[[Flask, CfAccess], None]


def is_alice(user_info: dict[str, Any]) -> bool | None:
    if user_info["email"] == "alice@example.com":
        return True
    return None


def above_the_route(app: Flask, access: CfAccess) -> None:
    @login_required
    @app.route("/protected")
    def protected() -> str:
        return "Protected!"


def below_the_route(app: Flask, access: CfAccess) -> None:
    @app.route("/protected")
    @login_required
    def protected() -> str:
        return "Protected!"


def by_the_method(app: Flask, access: CfAccess) -> None:
    @access.login_required
    @app.route("/protected")
    def protected() -> str:
        return "Protected!"


def in_the_view(app: Flask, access: CfAccess) -> None:
    @app.route("/protected")
    def protected() -> str:
        if not access.authenticate():
            abort(401)
        return "Protected!"


def through_the_proxy(app: Flask, access: CfAccess) -> None:
    @app.route("/protected")
    def protected() -> str:
        if not cfaccess.authenticate():
            abort(401)
        return "Protected!"


def before_every_request(app: Flask, access: CfAccess) -> None:
    @app.before_request
    def check_authentication() -> None:
        if not access.authenticate():
            abort(401)

    app.add_url_rule("/protected", view_func=lambda: "Protected!", endpoint="protected")


def before_every_request_as_it_is(app: Flask, access: CfAccess) -> None:
    app.before_request(access.authenticate)  # type: ignore[type-var]  # it is taken for what it means
    app.add_url_rule("/protected", view_func=lambda: "Protected!", endpoint="protected")


def before_a_blueprint(app: Flask, access: CfAccess) -> None:
    inside = Blueprint("inside", __name__)
    inside.before_request(access.authenticate)  # type: ignore[type-var]  # it is taken for what it means
    inside.add_url_rule("/protected", view_func=lambda: "Protected!", endpoint="protected")
    app.register_blueprint(inside)


def before_the_blueprint_around(app: Flask, access: CfAccess) -> None:
    outside, inside = Blueprint("outside", __name__), Blueprint("inside", __name__)
    outside.before_request(access.authenticate)  # type: ignore[type-var]  # it is taken for what it means
    inside.add_url_rule("/protected", view_func=lambda: "Protected!", endpoint="protected")
    outside.register_blueprint(inside)
    app.register_blueprint(outside)


def before_the_application_of_a_blueprint(app: Flask, access: CfAccess) -> None:
    inside = Blueprint("inside", __name__)
    inside.before_app_request(access.authenticate)  # type: ignore[type-var]  # it is taken for what it means
    app.register_blueprint(inside)
    app.add_url_rule("/protected", view_func=lambda: "Protected!", endpoint="protected")


def by_identity_above(app: Flask, access: CfAccess) -> None:
    @validate_identity(is_alice)
    @app.route("/protected")
    def protected() -> str:
        return "Protected!"


def by_identity_below(app: Flask, access: CfAccess) -> None:
    @app.route("/protected")
    @access.validate_identity(is_alice)
    def protected() -> str:
        return "Protected!"


def by_what_is_known(app: Flask, access: CfAccess) -> None:
    @app.route("/protected")
    def protected() -> str:
        identity = access.get_identity()
        if not identity:
            abort(401)
        return "Protected!" if identity["email"] == "alice@example.com" else abort(403)


ANYBODY = [
    above_the_route,
    below_the_route,
    by_the_method,
    in_the_view,
    through_the_proxy,
    before_every_request,
    before_every_request_as_it_is,
    before_a_blueprint,
    before_the_blueprint_around,
    before_the_application_of_a_blueprint,
]
ALICE = [by_identity_above, by_identity_below, by_what_is_known]


@pytest.mark.parametrize("protect", [*ANYBODY, *ALICE], ids=lambda protect: protect.__name__)
def test_documented_ways_to_protect(make: Make, team: Team, protect: Protect) -> None:
    app, access = make()
    protect(app, access)
    client = app.test_client()

    def status(*token: str) -> int:
        return client.get("/protected", headers=with_token(*token) if token else {}).status_code

    assert status() == 401
    assert status(team.token(audience=OTHER_AUD)) == 401
    assert status(team.token()[:-8] + "AAAAAAAA") == 401
    assert status(team.token()) == 200
    assert status(team.token("bob@example.com")) == (403 if protect in ALICE else 200)


@pytest.mark.parametrize("protect", ANYBODY[:4], ids=lambda protect: protect.__name__)
def test_blueprints_too(make: Make, alice: Headers, protect: Callable[[Any, CfAccess], None]) -> None:
    app, access = make()
    blueprint = Blueprint("some", __name__, url_prefix="/some")
    protect(blueprint, access)
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert client.get("/some/protected").status_code == 401
    assert client.get("/some/protected", headers=alice).status_code == 200


@pytest.mark.parametrize("late", [False, True], ids=["before-init", "after-init"])
def test_an_application_factory(team: Team, alice: Headers, late: bool) -> None:
    access = CfAccess()
    app = Flask("made")
    app.config["CLOUDFLARE_ACCESS_AUD"] = AUD
    app.config["CLOUDFLARE_ACCESS_TEAM"] = "acme"
    app.config["CFACCESS_KEYS"] = team.issuer.certs()
    if late:
        access.init_app(app)
    app.before_request(access.authenticate)  # type: ignore[type-var]  # it is taken for what it means
    app.add_url_rule("/protected", view_func=lambda: "Protected!", endpoint="protected")
    if not late:
        access.init_app(app)
    client = app.test_client()
    assert client.get("/protected").status_code == 401
    assert client.get("/protected", headers=alice).text == "Protected!"


def test_what_is_known_of_a_person(make: Make, team: Team, alice: Headers) -> None:
    app, access = make()
    app.add_url_rule("/method", view_func=lambda: access.get_identity() or {}, endpoint="method")
    app.add_url_rule("/function", view_func=lambda: get_identity() or {}, endpoint="function")
    client = app.test_client()
    expected = {
        "email": "alice@example.com",
        "user_uuid": team.issuer.subject("alice@example.com"),
        "groups": ["admins"],
    }
    for path in ("/method", "/function"):
        assert client.get(path, headers=alice).json == expected
        assert client.get(path).json == {}
    assert team.looked_up == 1


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        pytest.param(500, 503, "identity-unavailable", id="down"),
        pytest.param(401, 401, "session-ended", id="signed-out"),
    ],
)
def test_what_is_not_known_of_a_person(
    make: Make, team: Team, alice: Headers, status: int, expected: int, code: str
) -> None:
    team.status = status
    app, access = make()
    app.add_url_rule("/", view_func=lambda: access.get_identity() or {}, endpoint="home")
    answer = app.test_client().get("/", headers=alice)
    assert answer.status_code == expected
    assert answer.get_json(force=True)["code"] == code


def test_an_assertion_that_came_another_way(make: Make, team: Team, bob: Headers) -> None:
    app, access = make()
    alices, forged = team.token(), team.token()[:-8] + "AAAAAAAA"
    with app.test_request_context():
        assert not access.authenticate()
        assert not access.authenticate(forged)
        assert access.get_identity(forged) is None
        assert access.authenticate(alices)
        known = access.get_identity()
        assert known is not None
        assert known["email"] == "alice@example.com"
        assert ours.current_identity.email == "alice@example.com"
    with app.test_request_context(headers=bob):
        named = access.get_identity(alices)
        assert named is not None
        assert named["email"] == "alice@example.com"
    with app.test_request_context(headers=bob):
        assert not access.authenticate(forged)
        assert access.authenticate("")
        assert access.authenticate(), "what came in the header is as good as before"
    with app.app_context():
        assert access.authenticate(alices)
        assert not access.authenticate()
    assert access.authenticate(alices)  # of the application that it was made with


def test_nothing_is_left_of_who_came_by_the_header(make: Make, team: Team, alice: Headers) -> None:
    app, access = make()
    service = team.service()

    @app.route("/")
    def home() -> dict[str, Any]:
        assert access.authenticate(service)
        return {"user": request.remote_user, "email": request.headers.get("Cf-Access-Authenticated-User-Email")}

    assert app.test_client().get("/", headers=alice).json == {
        "user": "e367826f93b8d71185e03fe518aff3b4.access",
        "email": None,
    }


def test_the_header_counts_and_the_cookie_only_where_it_is_enabled(make: Make, team: Team) -> None:
    for cookie in (False, True):
        app, access = make(cookie=cookie)
        with app.test_request_context(headers={"Cookie": f"CF_Authorization={team.token()}"}):
            assert access.authenticate() is cookie


def test_several_applications_with_one_extension(team: Team) -> None:
    access = CfAccess(**team.options)
    other = CfAccess(**{**team.options, "audience": OTHER_AUD})
    apps = [Flask(name) for name in ("one", "two", "three")]
    for app, extension in zip(apps, (access, access, other), strict=True):
        extension.init_app(app)

        @login_required
        @app.route("/")
        def home() -> str:
            return get_cfaccess().__class__.__name__

        with app.app_context():
            assert get_cfaccess() is extension
            assert cfaccess.protection is extension.protection
    with_default = CfAccess(Flask("default"), **team.options)
    with_default.init_app(beside := Flask("beside"))
    with beside.app_context():
        assert with_default.protection is beside.extensions["cfaccess"].door.protection
    statuses = [app.test_client().get("/", headers=with_token(team.token())).status_code for app in apps]
    assert statuses == [200, 200, 401]


def test_nothing_is_let_through_where_the_extension_is_missing(alice: Headers) -> None:
    app = Flask("bare")
    app.testing = True
    app.add_url_rule("/", view_func=login_required(lambda: "reached"), endpoint="home")
    with pytest.raises(RuntimeError, match=r"init_app\(app\)"):
        app.test_client().get("/", headers=alice)
    with app.app_context(), pytest.raises(RuntimeError, match="not set up"):
        get_cfaccess()


def test_an_extension_without_an_application_says_so() -> None:
    with pytest.raises(RuntimeError):
        CfAccess().authenticate("x")


# What flask-cfaccess 0.1.1 offers, read from its source, and with which arguments.
OFFERED = {
    "CfAccess": ("app",),
    "CfAccess.init_app": ("self", "app"),
    "CfAccess.authenticate": ("self", "token"),
    "CfAccess.get_identity": ("self", "token"),
    "CfAccess.login_required": ("self", "f"),
    "CfAccess.validate_identity": ("self", "identify"),
    "get_cfaccess": (),
    "get_identity": (),
    "login_required": ("f",),
    "validate_identity": ("identify",),
}


@pytest.mark.parametrize("name", OFFERED)
def test_everything_has_its_name_and_its_arguments(name: str) -> None:
    found: Any = ours
    for part in name.split("."):
        found = getattr(found, part)
    parameters = tuple(inspect.signature(found).parameters)
    assert parameters[: len(OFFERED[name])] == OFFERED[name]


def test_the_public_names() -> None:
    assert sorted(ours.__all__) == [
        "CfAccess",
        "cfaccess",
        "current_identity",
        "get_cfaccess",
        "get_identity",
        "load_user",
        "login_required",
        "require",
        "validate_identity",
    ]
    assert all(hasattr(ours, name) for name in ours.__all__)
