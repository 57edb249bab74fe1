"""The user of flask-login is the one whom Access let in, in every state a session can be in."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, session

from cfaccess_mw import Identity
from cfaccess_mw.contrib.flask import load_user
from tests.contrib.flask.conftest import Headers, Make, Team, with_token
from tests.tokens import OTHER_AUD

flask_login = pytest.importorskip("flask_login", reason="flask-login is not installed")


@dataclass
class Person:
    """A user as flask-login wants one."""

    email: str
    is_active: bool = True
    is_authenticated: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        return self.email


PEOPLE = {name: Person(name) for name in ("alice@example.com", "bob@example.com")}


@pytest.fixture
def app(make: Make) -> Flask:
    """An application with a session of its own, which it also gives to whoever asks for one."""
    app, _ = make()
    manager = flask_login.LoginManager(app)

    @manager.request_loader  # type: ignore[untyped-decorator]
    @manager.user_loader  # type: ignore[untyped-decorator]
    @load_user
    def load(identity: Identity) -> Person | None:
        return PEOPLE.get(identity.email or "")

    @app.route("/")
    @flask_login.login_required  # type: ignore[untyped-decorator]
    def home() -> str:
        return f"{flask_login.current_user.email} {session.get('basket')}"

    @app.route("/sign-in")
    def sign_in() -> str:
        session["basket"] = "fish"
        return str(flask_login.login_user(flask_login.current_user, remember=True))

    @app.route("/open")
    def page() -> str:
        return str(getattr(flask_login.current_user, "email", "anonymous"))

    return app


def test_whom_access_let_in_is_the_user(app: Flask, alice: Headers, bob: Headers, team: Team) -> None:
    client = app.test_client(use_cookies=False)
    assert client.get("/").status_code == 401
    assert client.get("/", headers=alice).text == "alice@example.com None"
    assert client.get("/", headers=bob).text == "bob@example.com None"
    assert client.get("/", headers=with_token(team.token("eve@example.com"))).status_code == 401
    assert client.get("/", headers=with_token(team.token(audience=OTHER_AUD))).status_code == 401
    assert [client.get("/open", headers=headers).text for headers in ({}, alice)] == ["anonymous", "alice@example.com"]


def test_a_session_of_the_same_person_goes_on(app: Flask, alice: Headers) -> None:
    client = app.test_client()
    assert client.get("/sign-in", headers=alice).text == "True"
    assert client.get("/", headers=alice).text == "alice@example.com fish"


def test_a_session_of_another_person_ends_with_all_it_holds(app: Flask, alice: Headers, bob: Headers) -> None:
    client = app.test_client()
    client.get("/sign-in", headers=alice)
    assert client.get_cookie("remember_token") is not None
    assert client.get("/", headers=bob).text == "bob@example.com None"
    assert client.get_cookie("remember_token") is None
    assert client.get("/", headers=alice).text == "alice@example.com None"


def test_a_cookie_that_remembers_another_person_is_taken_away(app: Flask, alice: Headers, bob: Headers) -> None:
    client = app.test_client()
    client.get("/sign-in", headers=alice)
    client.delete_cookie("session")
    assert client.get("/", headers=bob).text == "bob@example.com None"
    assert client.get_cookie("remember_token") is None


def test_a_session_does_not_outlive_access(app: Flask, alice: Headers, team: Team) -> None:
    client = app.test_client()
    client.get("/sign-in", headers=alice)
    assert client.get("/").status_code == 401
    assert client.get("/", headers=with_token(team.token(expires_in=-600))).status_code == 401
    assert client.get("/open").text == "anonymous"
    assert client.get("/", headers=alice).text == "alice@example.com fish", "a public page is not the end of it"


def test_a_session_of_somebody_whom_nobody_knows_ends(app: Flask, alice: Headers, team: Team) -> None:
    client = app.test_client()
    client.get("/sign-in", headers=alice)
    assert client.get("/", headers=with_token(team.token("eve@example.com"))).status_code == 401
    assert client.get("/", headers=alice).text == "alice@example.com None"


def test_what_cannot_be_known_is_no_anonymous_user(make: Make, alice: Headers) -> None:
    app, _ = make(revoked=lambda _: None)
    manager = flask_login.LoginManager(app)
    manager.request_loader(load_user(lambda identity: PEOPLE.get(identity.email or "")))
    app.add_url_rule("/", "home", flask_login.login_required(lambda: "reached"))
    assert app.test_client().get("/", headers=alice).status_code == 503


def test_whom_the_policies_refuse_is_anonymous(make: Make, alice: Headers) -> None:
    app, _ = make(policies=[{"decision": "deny", "include": [{"everyone": {}}]}])
    manager = flask_login.LoginManager(app)
    manager.request_loader(load_user(lambda identity: PEOPLE.get(identity.email or "")))
    app.add_url_rule("/", "home", lambda: str(flask_login.current_user.is_authenticated))
    assert app.test_client().get("/", headers=alice).text == "False"


def test_as_flask_cfaccess_does_it(make: Make, alice: Headers) -> None:
    """Only a ``request_loader``, with what Cloudflare knows."""
    app, access = make()
    manager = flask_login.LoginManager(app)

    @manager.request_loader  # type: ignore[untyped-decorator]
    def request_loader(_: Any) -> Person | None:
        identity = access.get_identity()
        return PEOPLE.get(identity["email"]) if identity else None

    app.add_url_rule("/", "home", flask_login.login_required(lambda: flask_login.current_user.email))
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers=alice).text == "alice@example.com"


class Numbered:
    """A user whose name is a number."""

    is_active = is_authenticated = True

    def __init__(self, identity: Identity) -> None:
        self.email = identity.email or ""

    def number(self) -> int:
        return len(self.email)


def test_names_of_users_may_be_numbers(make: Make, alice: Headers, bob: Headers) -> None:
    app, _ = make()
    manager = flask_login.LoginManager(app)
    manager.id_attribute = "number"
    loader = load_user(Numbered)
    manager.user_loader(loader)
    manager.request_loader(loader)
    app.add_url_rule("/in", "in", lambda: str(flask_login.login_user(flask_login.current_user)))
    app.add_url_rule("/", "home", lambda: f"{flask_login.current_user.email} {session.get('_user_id')}")
    client = app.test_client()
    client.get("/in", headers=alice)
    assert client.get("/", headers=alice).text == "alice@example.com 17"
    assert client.get("/", headers=bob).text == "bob@example.com None"


def test_it_is_for_applications_with_the_extension(alice: Headers) -> None:
    app = Flask("bare")
    app.secret_key = "for tests"
    app.testing = True
    manager = flask_login.LoginManager(app)
    manager.request_loader(load_user(Numbered))
    app.add_url_rule("/", "home", flask_login.login_required(lambda: "reached"))
    with pytest.raises(RuntimeError, match="not set up"):
        app.test_client().get("/", headers=alice)
