"""How a refusal looks that a decorator or a handler brings about, and who may answer instead."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Blueprint, Flask, Response
from werkzeug.exceptions import HTTPException

from cfaccess_mw import Refused
from cfaccess_mw.contrib.flask import CfAccess, login_required, require
from cfaccess_mw.core.errors import NotPermitted, Unauthenticated
from tests.contrib.flask.conftest import Headers, Make, Team, with_token
from tests.tokens import AUD

PERSON = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def app(team: Team) -> Flask:
    """An application that is not protected yet."""
    app = Flask("answering")
    app.add_url_rule("/", "home", login_required(lambda: "reached"))
    app.add_url_rule("/alice", "alice", require(emails="alice@example.com")(lambda: "reached"))
    return app


def test_programs_and_people_get_what_the_door_gives(app: Flask, team: Team, bob: Headers) -> None:
    CfAccess(app, **team.options)
    client = app.test_client()
    told = client.get("/")
    assert told.content_type == "application/problem+json"
    assert told.get_json(force=True)["code"] == "no-token"
    assert told.headers["Cache-Control"] == "no-store"
    shown = client.get("/alice", headers={**PERSON, **bob})
    assert (shown.status_code, shown.mimetype) == (403, "text/html")
    assert client.head("/").data == b""
    assert client.head("/").status_code == 401


def test_people_can_be_sent_to_sign_in(app: Flask, team: Team) -> None:
    CfAccess(app, **team.options, login_redirect=True)

    @app.errorhandler(401)
    def not_asked(_: HTTPException) -> str:
        raise AssertionError("a redirect is no 401")

    answer = app.test_client().get("/?page=2", headers={**PERSON, "Host": "app.example.com"})
    assert answer.status_code == 302
    address = urlsplit(answer.headers["Location"])
    assert (address.netloc, address.path) == ("acme.cloudflareaccess.com", "/cdn-cgi/access/login/app.example.com")
    assert parse_qs(address.query) == {"kid": [AUD], "redirect_url": ["/?page=2"]}


def test_an_answer_of_the_operators(app: Flask, team: Team) -> None:
    CfAccess(app, **team.options, on_refusal=lambda refused: (refused.status, {"X-Code": refused.code}, "no"))
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.text, answer.headers["X-Code"]) == (401, "no", "no-token")


def test_the_status_of_managed_oauth(app: Flask, team: Team) -> None:
    CfAccess(app, **team.options, unauthenticated_status=403)
    answer = app.test_client().get("/")
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers


def handled(error: Any) -> tuple[str, int]:
    return f"handled {type(error).__name__}", 418


async def handled_asynchronously(error: Any) -> tuple[str, int]:
    return handled(error)


HANDLERS = [
    pytest.param(Refused, handled, ("NoToken", "NotPermitted"), id="refused"),
    pytest.param(Refused, handled_asynchronously, ("NoToken", "NotPermitted"), id="asynchronously"),
    pytest.param(Unauthenticated, handled, ("NoToken", None), id="one-kind"),
    pytest.param(NotPermitted, handled, (None, "NotPermitted"), id="another-kind"),
    pytest.param(401, handled, ("Unauthorized", None), id="status"),
    pytest.param(403, handled, (None, "Forbidden"), id="another-status"),
    pytest.param(HTTPException, handled, ("Unauthorized", "Forbidden"), id="every-status"),
    pytest.param(Exception, handled, ("Unauthorized", "Forbidden"), id="everything"),
]


@pytest.mark.parametrize(("kind", "handler", "expected"), HANDLERS)
@pytest.mark.parametrize("first", ["handler", "extension"])
def test_the_application_may_answer(
    app: Flask,
    team: Team,
    kind: Any,
    handler: Callable[[Any], Any],
    expected: tuple[str | None, str | None],
    first: str,
) -> None:
    if first == "handler":
        app.register_error_handler(kind, handler)
    CfAccess(app, **team.options)
    if first == "extension":
        app.register_error_handler(kind, handler)
    client = app.test_client()
    bob = with_token(team.token("bob@example.com"))
    answers = client.get("/"), client.get("/alice", headers=bob)
    for answer, name, status in zip(answers, expected, (401, 403), strict=True):
        assert b"reached" not in answer.data
        if name is None:
            assert answer.status_code == status
        else:
            assert (answer.status_code, answer.text) == (418, f"handled {name}")


def test_a_handler_of_a_status_sees_the_door_s_answer(app: Flask, team: Team) -> None:
    CfAccess(app, **team.options)

    @app.errorhandler(HTTPException)
    def as_json(error: HTTPException) -> Response:
        answer = error.get_response()
        assert isinstance(answer, Response)
        answer.data = f"{error.code} {error.description}"
        return answer

    answer = app.test_client().get("/")
    assert answer.text == "401 This application answers only requests that came through Cloudflare Access."
    assert "WWW-Authenticate" in answer.headers
    assert answer.content_length == len(answer.data)


def test_a_blueprint_may_answer(make: Make) -> None:
    app, _ = make()
    blueprint = Blueprint("inside", __name__)
    blueprint.add_url_rule("/inside", "view", login_required(lambda: "reached"))
    blueprint.register_error_handler(Refused, handled)
    app.register_blueprint(blueprint)
    app.add_url_rule("/outside", "outside", login_required(lambda: "reached"))
    statuses = [app.test_client().get(path).status_code for path in ("/inside", "/outside")]
    assert statuses == [418, 401]


def test_after_request_runs_for_refusals(app: Flask, team: Team) -> None:
    CfAccess(app, **team.options)

    @app.after_request
    def add(response: Response) -> Response:
        response.headers["X-After"] = "yes"
        return response

    assert app.test_client().get("/").headers["X-After"] == "yes"
