"""What the operator is told of views that are open: a warning, and ``flask cfaccess``."""

import logging
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from cfaccess_mw import Rule
from cfaccess_mw.contrib.flask import CfAccess, login_required, require, validate_identity
from tests.contrib.flask.conftest import Make, Team


def page(**_: object) -> str:
    return "page"


class Both(MethodView):
    def get(self) -> str:
        return "open"

    @login_required
    def post(self) -> str:
        return "closed"


def furnish(app: Flask, access: CfAccess) -> None:
    """Give an application views of all sorts."""
    inside = Blueprint("inside", __name__)
    inside.before_request(access.authenticate)  # type: ignore[type-var]  # it is taken for what it means
    inside.add_url_rule("/inside", "page", lambda: "page")
    deeper = Blueprint("deeper", __name__)
    deeper.before_request(require(groups=["admins"])(lambda: None))
    deeper.add_url_rule("/deeper", "page", lambda: "page")
    inside.register_blueprint(deeper)
    app.register_blueprint(inside)

    def asking() -> str:
        return str(access.authenticate())

    app.add_url_rule("/open", "open", page)
    app.add_url_rule("/asking", view_func=asking)
    app.add_url_rule("/login", "login", login_required(lambda: "page"))
    app.add_url_rule("/two", "two", require(emails="x@example.com", service=True)(validate_identity(bool)(lambda: "")))
    app.add_url_rule("/both", view_func=Both.as_view("both"))
    app.add_url_rule("/gone", "gone", page, build_only=True)
    app.add_url_rule("/nothing", "nothing")
    app.add_url_rule("/options", "options", login_required(lambda: ""), methods=["OPTIONS"])


def listed(app: Flask, *options: str) -> tuple[int, dict[tuple[str, str], str], str]:
    """The exit code of the command, what it lists, and what it says at its end."""
    result = app.test_cli_runner().invoke(args=["cfaccess", *options])
    assert not isinstance(result.exception, AssertionError), result.exception
    rows = [re.split(r"  +", line) for line in result.output.splitlines()]
    table = {(row[0], row[1]): row[3] for row in rows[2:] if len(row) == 4}
    return result.exit_code, table, result.output.splitlines()[-1]


def test_every_view_is_listed(make: Make) -> None:
    app, access = make()
    furnish(app, access)
    for time in ("before", "after"):
        code, table, _ = listed(app)
        assert code == 0
        assert table == {
            ("inside.page", "GET"): "before_request",
            ("inside.deeper.page", "GET"): "before_request: require(groups), before_request",
            ("open", "GET"): "open",
            ("asking", "GET"): "asks by itself",
            ("login", "GET"): "login_required",
            ("two", "GET"): "validate_identity(bool), require(service, emails)",
            ("both", "GET"): "open",
            ("both", "POST"): "login_required",
            ("options", "OPTIONS"): "login_required",
        }, f"{time} the first request"
        app.test_client().get("/open")


def test_what_asks_before_every_request_is_seen(make: Make) -> None:
    app, access = make()

    @app.before_request
    def check() -> None:
        assert access.authenticate()

    app.add_url_rule("/", "home", page)
    assert listed(app)[1] == {("home", "GET"): "asks by itself"}


@pytest.mark.parametrize(
    ("options", "code", "last"),
    [
        pytest.param(["--check"], 1, "Error: open: asking, both, open", id="open"),
        pytest.param(["--check", "--open", "open"], 1, "Error: open: asking, both", id="some-may"),
        pytest.param(["--check", "--open", "open", "--open", "both", "--open", "asking"], 0, None, id="all-may"),
        pytest.param(["--check", "--open", "opne"], 2, "Error: Invalid value for --open: .*'opne'", id="misspelt"),
    ],
)
def test_a_check_fails_where_views_are_open(make: Make, options: list[str], code: int, last: str | None) -> None:
    app, access = make()
    furnish(app, access)
    found, _, said = listed(app, *options)
    assert found == code
    assert last is None or re.fullmatch(last, said)


RULES = [
    Rule.public("/healthz"),
    Rule.public("/static/*"),
    Rule.token("/static/closed/*"),
    Rule.public("/users/7"),
    Rule.public("/u*/me/"),
    Rule.public("/people*/me/"),
    Rule.optional("/maybe"),
    Rule.allow("/admin/*", groups=["admins"]),
    Rule.public("/methods", methods="GET"),
    Rule.guarded("/office", [{"decision": "bypass", "include": [{"ip": {"ip": "192.0.2.0/24"}}]}]),
]


@pytest.mark.parametrize(
    ("route", "method", "expected", "is_open"),
    [
        pytest.param("/", "GET", "token", False, id="default"),
        pytest.param("/healthz", "GET", "public (/healthz)", True, id="public"),
        pytest.param("/healthz/", "GET", "public (/healthz)", True, id="public-slash"),
        pytest.param("/static/<path:name>", "GET", "public (/static/*)", True, id="public-below"),
        pytest.param("/static/closed/<name>", "GET", "token (/static/closed/*)", False, id="closed-below"),
        pytest.param("/users/<int:number>", "GET", "token; open: /users/7", True, id="one-of-many"),
        pytest.param("/users/<number>", "GET", "token; open: /users/7, /u*/me/", True, id="two-of-many"),
        pytest.param("/users/<int:number>/", "GET", "token; open: /users/7", True, id="one-of-many-slash"),
        pytest.param("/users/<number>", "POST", "token; open: /users/7, /u*/me/", True, id="every-method"),
        pytest.param(
            "/m<path:anything>",
            "POST",
            "token; open: /static/*, /u*/me/, /people*/me/, /maybe",
            True,
            id="path-within-a-segment",
        ),
        pytest.param("/users/<int:number>/edit", "GET", "token", False, id="below-that-one"),
        pytest.param(
            "/<path:anything>",
            "GET",
            "token; open: /healthz, /static/.*, /users/7, /u.*/me/, /people.*/me/, /maybe, /methods, /office",
            True,
            id="some-of-all",
        ),
        pytest.param("/un<name>/me", "GET", "public .*", True, id="part-of-a-segment"),
        pytest.param("/u<name>x/you", "GET", "token", False, id="another-part"),
        pytest.param('/<any("users", "people"):what>/7', "GET", "token; open: /users/7", True, id="converter"),
        pytest.param("/v<name>/me", "GET", "token", False, id="other-beginning"),
        pytest.param("/x<name>/<rest>", "GET", "token", False, id="other-first-segment"),
        pytest.param("/maybe", "GET", r"optional \(/maybe\)", True, id="optional"),
        pytest.param("/admin/<what>", "GET", r"policies \(/admin/\*\)", False, id="policies"),
        pytest.param("/methods", "GET", r"public \(/methods\)", True, id="method"),
        pytest.param("/methods", "POST", "token", False, id="another-method"),
        pytest.param("/office", "GET", r"policies \(/office\)", True, id="bypass"),
    ],
)
def test_whole_applications(make: Make, route: str, method: str, expected: str, is_open: bool) -> None:
    app, _ = make(protect_all=True, rules=RULES, trusted_peers=["loopback"])
    app.add_url_rule(route, "view", page, methods=[method])
    code, table, said = listed(app, "--check")
    assert re.fullmatch(expected, table["view", method]) or table["view", method] == expected
    assert (code, said == "Error: open: view") == ((1, True) if is_open else (0, False))


def test_decorators_close_what_rules_open(make: Make) -> None:
    app, _ = make(protect_all=True, rules=RULES, trusted_peers=["loopback"])
    app.add_url_rule("/healthz", "view", login_required(lambda: ""))
    code, table, _ = listed(app, "--check")
    assert (code, table) == (0, {("view", "GET"): "public (/healthz), login_required"})


def test_rules_by_host_count_for_each_host(make: Make) -> None:
    rules = [Rule.public("/", hosts="open.example.com"), Rule.token("/*", hosts="closed.example.com")]
    app, _ = make(protect_all=True, rules=rules, host_routing=True)
    app.add_url_rule("/", "home", page)
    code, table, _ = listed(app, "--check")
    assert (code, table) == (1, {("home", "GET"): "token (/*) or public (/)"})


def test_rules_are_written_as_the_client_sees_the_path(make: Make) -> None:
    app, _ = make(protect_all=True, rules=[Rule.public("/mounted/healthz"), Rule.public("/mounted/users/7")])
    app.config["APPLICATION_ROOT"] = "/mounted"
    app.add_url_rule("/healthz", "healthz", page)
    app.add_url_rule("/users/<int:number>", "user", page)
    assert listed(app)[1] == {
        ("healthz", "GET"): "public (/mounted/healthz)",
        ("user", "GET"): "token; open: /mounted/users/7",
    }


def test_a_path_belongs_to_the_route_that_answers_it(make: Make) -> None:
    app, _ = make(protect_all=True, rules=[Rule.public("/users/7")])
    app.add_url_rule("/users/<int:number>", "user", page)
    app.add_url_rule("/users/7", "seven", page)
    assert listed(app)[1] == {("user", "GET"): "token", ("seven", "GET"): "public (/users/7)"}


@pytest.mark.parametrize(
    ("options", "where"),
    [
        pytest.param({"subdomain_matching": True}, {"subdomain": "api"}, id="subdomain"),
        pytest.param({"host_matching": True, "static_host": "x"}, {"host": "api.example.com"}, id="host"),
    ],
)
def test_routes_of_a_host_of_their_own(team: Team, options: dict[str, Any], where: dict[str, Any]) -> None:
    app = Flask("hosts", **{"static_folder": None, **options})
    CfAccess(app, **team.options, protect_all=True, rules=[Rule.public("/users/7")])
    app.add_url_rule("/users/<int:number>", "user", page, **where)
    assert listed(app)[1]["user", "GET"] == "token; open: /users/7"


# The warning


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """What an application of these tests logged, as it is logged."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(f"{record.levelname} {record.getMessage()}")

    handler = Handler()
    logger = logging.getLogger("under_test")
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def test_open_views_are_named_once_at_the_first_request(make: Make, warned: list[str]) -> None:
    app, access = make()
    furnish(app, access)
    assert warned == []
    for _ in range(3):
        app.test_client().get("/login")
    assert len(warned) == 1
    assert re.match("WARNING views open to everybody, .*: both, open; protect them with ", warned[0])


@pytest.mark.parametrize("options", [{}, {"protect_all": True, "rules": RULES[:2]}], ids=["decorators", "protect_all"])
def test_where_nothing_is_left_open_nothing_is_said(make: Make, warned: list[str], options: dict[str, Any]) -> None:
    app, _ = make(**options)
    app.add_url_rule("/", "home", login_required(lambda: ""))
    if options:
        app.add_url_rule("/healthz", "healthz", page)
    for path in ("/", "/healthz"):
        app.test_client().get(path)
    assert warned == []


def test_they_are_named_once_even_where_several_requests_come_first(make: Make) -> None:
    app, _ = make()
    app.add_url_rule("/", "home", page)
    came, warnings = threading.Event(), []
    threads: list[threading.Thread] = []

    @app.url_value_preprocessor
    def note(*_: object) -> None:
        came.set()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())
            if not threads:  # while the first request looks around, another comes
                came.clear()
                threads.append(threading.Thread(target=app.test_client().get, args=("/",)))
                threads[0].start()
                came.wait(10)

    handler = Handler()
    logging.getLogger("under_test").addHandler(handler)
    app.test_client().get("/")
    threads[0].join()
    logging.getLogger("under_test").removeHandler(handler)
    assert len(warnings) == 1


def test_each_application_has_its_own_warning(team: Team, warned: list[str]) -> None:
    access = CfAccess(**team.options)
    for name in ("one", "two"):
        app = Flask("under_test", static_folder=None)
        app.add_url_rule("/", name, page)
        access.init_app(app)
        app.test_client().get("/")
    assert [message.partition(";")[0].rpartition(": ")[2] for message in warned] == ["one", "two"]
