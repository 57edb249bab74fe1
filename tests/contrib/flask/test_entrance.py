"""How requests come in: what handlers see, what the rules say, applications within applications."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    copy_current_request_context,
    g,
    render_template_string,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from cfaccess_mw import ConfigurationError, Rule, wsgi
from cfaccess_mw import current_identity as identity_anywhere
from cfaccess_mw.contrib.flask import CfAccess, cfaccess, current_identity, extension, login_required, require
from cfaccess_mw.emulator.issuer import Issuer
from tests.contrib.flask.conftest import Headers, Make, Team, with_token
from tests.doors.test_keys import Endpoint, serving
from tests.tokens import AUD, OTHER_AUD

CONTRIB = Path(extension.__file__).parent

FORGED = {
    "Cf-Access-Authenticated-User-Email": "forged-eve@example.com",
    "cf_access_user": "forged-eve",
    "Remote-User": "forged-eve",
    "X-User": "forged-eve",
}


def shown() -> dict[str, Any]:
    """Whatever a handler can see of who is asking."""
    anywhere = identity_anywhere()
    return {
        "anywhere": None if anywhere is None else anywhere.email,
        "proxy": getattr(current_identity, "email", None),
        "g": None if g.cfaccess_identity is None else g.cfaccess_identity.email,
        "environ": getattr(request.environ["cfaccess.identity"], "email", None),
        "template": render_template_string("{{ current_identity.email }}"),
        "remote_user": request.remote_user,
        "auth_type": request.environ.get("AUTH_TYPE"),
        "email": request.headers.get("Cf-Access-Authenticated-User-Email"),
        "assertion": "Cf-Access-Jwt-Assertion" in request.headers,
        "others": sorted({"Cf-Access-User", "Remote-User", "X-User"} & set(request.headers.keys())),
        "forged": "forged-eve" in repr(request.headers) + repr(request.environ),
    }


def nobody() -> dict[str, Any]:
    empty = dict.fromkeys(("anywhere", "proxy", "g", "environ", "remote_user", "auth_type", "email"))
    return {**empty, "template": "", "assertion": False, "others": [], "forged": False}


def somebody(team: Team, email: str = "alice@example.com") -> dict[str, Any]:
    by_mail = dict.fromkeys(("anywhere", "proxy", "g", "environ", "template", "email"), email)
    seen = {"remote_user": team.issuer.subject(email), "auth_type": "Cloudflare-Access", "assertion": True}
    return {**by_mail, **seen, "others": [], "forged": False}


@pytest.mark.parametrize("protect_all", [False, True], ids=["decorators", "protect_all"])
@pytest.mark.parametrize("path", ["/open", "/asked"])
@pytest.mark.parametrize("came", ["through-access", "another-way", "with-another's"])
def test_what_handlers_see(make: Make, team: Team, protect_all: bool, path: str, came: str) -> None:
    rules = [Rule.public("/open")] if protect_all else []
    app, _ = make(protect_all=protect_all, rules=rules, scrub=["X-User"])
    app.add_url_rule("/open", "open", shown)
    app.add_url_rule("/asked", "asked", login_required(lambda: dict(shown())))
    tokens = {"through-access": team.token(), "with-another's": team.token(audience=OTHER_AUD)}
    headers = {**FORGED, **(with_token(tokens[came]) if came in tokens else {})}
    overrides = {"REMOTE_USER": "forged-eve"}
    answer = app.test_client().get(path, headers=headers, environ_overrides=overrides, buffered=True)
    if came == "through-access":
        assert answer.json == somebody(team)
    elif path == "/open":
        assert answer.json == nobody()
    else:
        assert answer.status_code == 401
    assert identity_anywhere() is None


@pytest.mark.parametrize(
    ("path", "token", "expected"),
    [
        pytest.param("/", None, 401, id="default"),
        pytest.param("/", "alice", 200, id="default-somebody"),
        pytest.param("/healthz", None, 200, id="public"),
        pytest.param("/nowhere", None, 401, id="nothing-there"),
        pytest.param("/nowhere", "alice", 404, id="nothing-there-somebody"),
        pytest.param("/static/extension.py", None, 401, id="static"),
        pytest.param("/static/extension.py", "alice", 200, id="static-somebody"),
        pytest.param("/admin", "alice", 200, id="policies"),
        pytest.param("/admin", "bob", 403, id="policies-not-permitted"),
        pytest.param("/assets/closed", None, 401, id="decorated-below-a-public-rule"),
        pytest.param("/assets/closed", "alice", 200, id="decorated-below-a-public-rule-somebody"),
        pytest.param("/maybe", None, 401, id="decorated-where-a-token-is-optional"),
        pytest.param("/maybe", "alice", 200, id="decorated-where-a-token-is-optional-somebody"),
        pytest.param("/hooks", "alice", 401, id="other-audience"),
        pytest.param("/hooks", "hook", 200, id="decorated-with-an-audience-of-its-own"),
        pytest.param("/office", None, 401, id="decorated-below-a-bypass"),
        pytest.param("/office", "bob", 403, id="decorated-below-a-bypass-and-a-policy"),
        pytest.param("/office", "alice", 200, id="decorated-below-a-bypass-admitted"),
        pytest.param("/gate", None, 401, id="decorated-below-a-bypass-alone"),
        pytest.param("/gate", "bob", 200, id="decorated-below-a-bypass-alone-somebody"),
        pytest.param("/a\\b", "alice", 400, id="ambiguous"),
    ],
)
def test_whole_applications(team: Team, path: str, token: str | None, expected: int) -> None:
    here = {"decision": "bypass", "include": [{"ip": {"ip": "127.0.0.1/32"}}]}
    app = Flask("whole", static_folder=str(CONTRIB), static_url_path="/static")
    CfAccess(
        app,
        **team.options,
        protect_all=True,
        trusted_peers=["loopback"],
        rules=[
            Rule.public("/healthz"),
            Rule.public("/assets/*"),
            Rule.optional("/maybe"),
            Rule.allow("/admin", emails="alice@example.com"),
            Rule.token("/hooks", audience=OTHER_AUD),
            Rule.guarded(
                "/office", [here, {"decision": "allow", "include": [{"email": {"email": "alice@example.com"}}]}]
            ),
            Rule.guarded("/gate", [here]),
        ],
    )
    for route in ("/", "/healthz", "/admin"):
        app.add_url_rule(route, f"open {route}", lambda: "reached")
    for route in ("/assets/closed", "/maybe", "/hooks", "/office", "/gate"):
        app.add_url_rule(route, f"closed {route}", login_required(lambda: "reached"))
    tokens = {"alice": team.token(), "bob": team.token("bob@example.com"), "hook": team.service(audience=OTHER_AUD)}
    headers = {"CF-Connecting-IP": "127.0.0.1", **(with_token(tokens[token]) if token else {})}
    answer = app.test_client().get(path, headers=headers)
    assert answer.status_code == expected
    answer.close()


def test_open_where_decorators_decide(make: Make, alice: Headers) -> None:
    app, _ = make()
    app.static_folder = str(CONTRIB)
    app.add_url_rule("/static/<path:filename>", "static", view_func=app.send_static_file)
    app.add_url_rule("/file", "file", lambda: url_for("static", filename="x.css"))
    client = app.test_client()
    with client.get("/static/extension.py") as answer:
        assert answer.status_code == 200
    assert client.get("/file").text == "/static/x.css"
    assert [client.get("/nowhere", headers=headers).status_code for headers in ({}, alice)] == [404, 404]
    assert client.get("/a\\b").status_code == 400


def test_rules_where_decorators_decide_are_a_mistake(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="protect_all=True"):
        make(rules=[Rule.token("/admin/*")])


@pytest.mark.parametrize("protect_all", [False, True], ids=["decorators", "protect_all"])
@pytest.mark.parametrize("mount", ["", "/mounted"])
def test_mounts(make: Make, alice: Headers, protect_all: bool, mount: str) -> None:
    app, _ = make(protect_all=protect_all, rules=[Rule.public(f"{mount}/healthz")] if protect_all else [])
    app.add_url_rule("/healthz", "healthz", lambda: "ok")
    app.add_url_rule("/", "home", login_required(lambda: url_for("home")))
    beside = Flask("beside")
    beside.add_url_rule("/", "home", lambda: "beside")
    client = Client(DispatcherMiddleware(beside, {mount: app}) if mount else app)
    assert client.get(f"{mount}/").status_code == 401
    assert client.get(f"{mount}/", headers=alice).text == f"{mount}/"
    assert client.get(f"{mount}/healthz").text == "ok"
    if mount:
        assert client.get("/").text == "beside"


@pytest.mark.parametrize("cookie", [False, True], ids=["header", "cookie"])
@pytest.mark.parametrize("order", ["dispatcher-outside", "dispatcher-inside"])
def test_applications_within_an_application(team: Team, order: str, cookie: bool) -> None:
    outer, inner = Flask("outer"), Flask("inner")
    for app, audience in ((outer, AUD), (inner, OTHER_AUD)):
        app.add_url_rule("/", "home", login_required(lambda: str(current_identity.email)))
        app.add_url_rule("/open", "open", lambda: str(bool(current_identity)))
        if app is outer and order == "dispatcher-inside":
            app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/inner": inner})  # type: ignore[method-assign]
        CfAccess(app, **{**team.options, "audience": audience}, cookie=cookie)
        if app is outer and order == "dispatcher-outside":
            app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/inner": inner})  # type: ignore[method-assign]
    client = outer.test_client(use_cookies=False)
    tokens = team.token(), team.token("bob@example.com", audience=OTHER_AUD)
    ours, theirs = ({"Cookie": f"CF_Authorization={one}"} if cookie else with_token(one) for one in tokens)
    assert client.get("/", headers=ours).text == "alice@example.com"
    assert client.get("/", headers=theirs).status_code == 401
    assert client.get("/inner/", headers=theirs).text == "bob@example.com"
    assert client.get("/inner/", headers=ours).status_code == 401
    assert client.get("/inner/open", headers=ours, buffered=True).text == "False"
    assert identity_anywhere() is None


@pytest.mark.parametrize("protect_all", [False, True], ids=["decorators", "protect_all"])
@pytest.mark.parametrize("order", ["door-first", "door-last"])
def test_wrapping_twice_is_harmless(make: Make, team: Team, alice: Headers, protect_all: bool, order: str) -> None:
    app = Flask("twice")
    app.add_url_rule("/", "home", login_required(lambda: dict(shown())))
    for wrap in ("door", "extension") if order == "door-first" else ("extension", "door"):
        if wrap == "door":
            app.wsgi_app = wsgi.AccessMiddleware(app.wsgi_app, **team.options)  # type: ignore[method-assign]
        else:
            CfAccess(app, **team.options, protect_all=protect_all)
    client = app.test_client()
    assert client.get("/", headers=alice).json == somebody(team)
    assert client.get("/").status_code == 401


def test_a_door_that_was_there_first_waits_for_the_keys(endpoint: Endpoint) -> None:
    app = Flask("behind")
    app.add_url_rule("/", "home", email)
    door = wsgi.AccessMiddleware(app.wsgi_app, **endpoint.options())
    app.wsgi_app = door  # type: ignore[method-assign]
    CfAccess(app, **endpoint.options())
    assert app.wsgi_app is door
    answer = app.test_client().get("/", headers=with_token(endpoint.token()), buffered=True)
    assert answer.text == "alice@example.com"
    door.protection.close()
    with app.app_context():
        cfaccess.protection.close()


def test_a_request_of_one_application_is_not_believed_in_another(team: Team, alice: Headers) -> None:
    one, other = Flask("one"), Flask("other")
    CfAccess(one, **team.options)
    access = CfAccess(other, **{**team.options, "audience": OTHER_AUD})

    @one.route("/")
    @login_required
    def home() -> str:
        with other.request_context(request.environ.copy()):
            return str(access.authenticate())

    assert one.test_client().get("/", headers=alice).text == "False"


def test_twice_in_one_application_is_a_mistake(make: Make) -> None:
    app, access = make()
    with pytest.raises(ConfigurationError, match="has CfAccess already"):
        access.init_app(app)


def test_the_client_is_who_the_server_says(make: Make, alice: Headers) -> None:
    app, _ = make(trusted_peers=["192.0.2.1"])
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    app.add_url_rule("/", "home", require(ips="198.51.100.0/24")(lambda: "reached"))
    headers = {**alice, "CF-Connecting-IP": "198.51.100.7"}
    for peer, expected in (("192.0.2.1", 200), ("192.0.2.2", 403)):
        answer = app.test_client().get("/", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
        assert answer.status_code == expected


@pytest.mark.parametrize("header", ["X-Forwarded-Prefix", "X-Script-Name"])
@pytest.mark.parametrize(
    ("rule", "audience"),
    [
        pytest.param({"pattern": "/static/*", "access": "public"}, None, id="public"),
        pytest.param(
            {"pattern": "/static/*", "access": "token", "audience": OTHER_AUD}, OTHER_AUD, id="another-application"
        ),
    ],
)
def test_a_mount_that_a_client_names_opens_nothing(
    make: Make, team: Team, header: str, rule: dict[str, str], audience: str | None
) -> None:
    app, _ = make(protect_all=True, rules=[rule])
    app.add_url_rule("/admin", "admin", lambda: "reached")
    inside: Any = app.wsgi_app

    def mounting(environ: dict[str, Any], start_response: Any) -> Any:
        key = f"HTTP_{header.upper().replace('-', '_')}"
        return inside({**environ, "SCRIPT_NAME": environ.get(key, "")}, start_response)

    app.wsgi_app = mounting  # type: ignore[method-assign]
    headers = with_token(team.token(audience=audience)) if audience else {}
    client = app.test_client()
    for mount in ("", "/static", "/static/x"):
        assert client.get("/admin", headers={**headers, header: mount}).status_code == 401
    assert client.get("/admin", headers=with_token(team.token(), **{header: "/app"})).text == "reached"


def test_proxy_fix_does_not_open_what_a_client_names(make: Make) -> None:
    app, _ = make(protect_all=True, rules=[Rule.public("/static/*")])
    app.add_url_rule("/admin", "admin", lambda: "reached")
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]
    assert app.test_client().get("/admin", headers={"X-Forwarded-Prefix": "/static"}).status_code == 401


# Another method than was sent


def _overriding(app: Any) -> Any:
    def overriding(environ: dict[str, Any], start_response: Any) -> Any:
        by_query = environ.get("QUERY_STRING", "").partition("_method=")[2]
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE") or by_query or environ["REQUEST_METHOD"]
        return app({**environ, "REQUEST_METHOD": method}, start_response)

    return overriding


@pytest.mark.parametrize("protect_all", [True, False])
@pytest.mark.parametrize("by", ["header", "query"])
def test_a_preflight_that_is_served_as_something_else_needs_somebody(team: Team, protect_all: bool, by: str) -> None:
    app = Flask("overriding")
    app.wsgi_app = _overriding(app.wsgi_app)  # type: ignore[method-assign]
    CfAccess(app, protect_all=protect_all, allow_preflight=True, **team.options)
    app.add_url_rule("/", "home", login_required(lambda: "reached"), methods=["DELETE"])
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "DELETE"}
    path = "/" if by == "header" else "/?_method=DELETE"
    override = {"X-HTTP-Method-Override": "DELETE"} if by == "header" else {}
    assert app.test_client().options(path, headers=headers | override).status_code == 401
    assert app.test_client().options("/", headers=headers).status_code == 200


@pytest.mark.parametrize("by", ["header", "query"])
def test_rules_are_asked_about_the_method_that_is_served(team: Team, alice: Headers, by: str) -> None:
    app = Flask("overriding")
    app.wsgi_app = _overriding(app.wsgi_app)  # type: ignore[method-assign]
    CfAccess(app, protect_all=True, rules=[Rule.public("/", methods=["GET"])], **team.options)
    app.add_url_rule("/", "home", lambda: "reached", methods=["GET", "DELETE"])
    path, override = ("/", {"X-HTTP-Method-Override": "DELETE"}) if by == "header" else ("/?_method=DELETE", {})
    client = app.test_client()
    assert client.get("/").status_code == 200
    assert client.get(path, headers=override).status_code == 401
    assert client.get(path, headers=alice | override).status_code == 200


# Keys that are not at hand yet


@pytest.fixture
def endpoint(issuer: Issuer) -> Iterator[Endpoint]:
    with serving(Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)) as served:
        yield served


def email() -> str:
    identity = identity_anywhere()
    return "nobody" if identity is None else str(identity.email)


@pytest.fixture
def cold(endpoint: Endpoint) -> Iterator[Flask]:
    """An application that never had a key."""
    app = Flask("cold")
    access = CfAccess(app, **endpoint.options())

    def stream() -> Response:
        def parts() -> Iterator[str]:
            yield email()
            yield f" and {current_identity.email}"

        response = Response(stream_with_context(parts()), mimetype="text/plain")
        response.call_on_close(lambda: app.config["CLOSED"].append(email()))
        return response

    app.config["CLOSED"] = []
    app.add_url_rule("/closed", "closed", login_required(lambda: dict(shown())))
    app.add_url_rule("/stream", "stream", login_required(stream))
    app.add_url_rule("/open", "open", email)
    app.add_url_rule("/asking", "asking", lambda: f"{access.authenticate()} {email()}")
    yield app
    with app.app_context():
        access.protection.close()


@pytest.mark.parametrize("path", ["/closed", "/stream", "/asking"])
def test_the_first_request_that_demands_somebody_waits_for_the_keys(cold: Flask, endpoint: Endpoint, path: str) -> None:
    answer = cold.test_client().get(path, headers=with_token(endpoint.token(), **FORGED), buffered=True)
    if path == "/closed":
        assert answer.json is not None
        assert answer.json["anywhere"] == answer.json["g"] == answer.json["template"] == "alice@example.com"
        assert answer.json["assertion"] is True
    else:
        words = {"/stream": "alice@example.com and alice@example.com", "/asking": "True alice@example.com"}
        assert answer.text == words[path]
        assert cold.config["CLOSED"] == (["alice@example.com"] if path == "/stream" else [])
    assert endpoint.fetches == 1
    assert identity_anywhere() is None


def test_one_that_does_not_waits_for_nothing(cold: Flask, endpoint: Endpoint) -> None:
    endpoint.gate.clear()
    assert cold.test_client().get("/open", headers=with_token(endpoint.token())).text == "nobody"


def test_without_keys_nobody_is_told_that_a_token_is_bad(cold: Flask, endpoint: Endpoint) -> None:
    endpoint.status = 500
    client = cold.test_client()
    for path in ("/closed", "/asking"):
        answer = client.get(path, headers=with_token(endpoint.token()))
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, "keys-unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
    assert client.get("/open", headers=with_token(endpoint.token())).status_code == 200


# While an application runs


def test_streams_and_teardown_know_who_is_asking(make: Make, alice: Headers) -> None:
    app, _ = make()
    seen: list[str] = []

    @app.teardown_request
    def teardown(_: BaseException | None) -> None:
        seen.append(f"teardown {email()} {current_identity.email}")

    @app.route("/")
    @login_required
    def stream() -> Response:
        def parts() -> Iterator[str]:
            yield email()
            yield current_identity.email or ""

        return Response(stream_with_context(parts()))

    assert app.test_client().get("/", headers=alice, buffered=True).text == "alice@example.com" * 2
    assert set(seen) == {"teardown alice@example.com alice@example.com"}
    assert identity_anywhere() is None


def test_nobody_is_left_behind_by_a_view_that_raises(make: Make, alice: Headers) -> None:
    app, _ = make()
    app.add_url_rule("/", "home", login_required(lambda: dict[str, str]()["nothing"]))
    client = app.test_client()
    assert client.get("/", headers=alice, buffered=True).status_code == 500
    assert identity_anywhere() is None
    app.testing = True
    with pytest.raises(KeyError):
        client.get("/", headers=alice)
    assert identity_anywhere() is None


def test_threads_of_a_view_know_who_is_asking(make: Make, alice: Headers) -> None:
    app, _ = make()
    seen: list[str | None] = []

    @app.route("/")
    @login_required
    def home() -> str:
        @copy_current_request_context
        def work() -> None:
            seen.append(current_identity.email)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return ""

    app.test_client().get("/", headers=alice)
    assert seen == ["alice@example.com"]


def test_contexts_without_a_server(make: Make, team: Team) -> None:
    app, access = make()
    app.add_url_rule("/", "home", login_required(lambda: "reached"))
    with app.test_request_context(headers={**with_token(team.token()), **FORGED}):
        assert app.preprocess_request() is None
        assert current_identity.email == g.cfaccess_identity.email == "alice@example.com"
        assert "forged-eve@example.com" not in repr(request.headers)
        assert identity_anywhere() is None, "nobody would take it away again"
    with app.test_request_context(headers=FORGED):
        assert access.authenticate() is False
        assert not bool(current_identity)
        assert "forged-eve@example.com" not in repr(request.headers)
    assert not bool(current_identity)


def test_what_a_request_brought_along_shows_nowhere(make: Make, team: Team) -> None:
    token = team.token(audience=OTHER_AUD)
    app, _ = make()
    app.add_url_rule("/", "home", lambda: repr(request.environ) + repr(vars(request)) + repr(vars(g)))
    assert token not in app.test_client().get("/", headers=with_token(token)).text


def test_a_proxy_with_nobody_is_false(make: Make) -> None:
    assert not bool(current_identity)
    with pytest.raises(AttributeError):
        assert current_identity.email
