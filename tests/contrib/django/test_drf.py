"""How does Django REST framework answer whom?"""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings

from tests.contrib.django.asking import Client
from tests.contrib.django.conftest import ROBOT
from tests.contrib.django.lookups import Directory
from tests.contrib.django.settings import MIDDLEWARE, USERS
from tests.tokens import AUD

ALICE, BOB = "alice@example.com", "bob@example.com"
User: Any = get_user_model()


@pytest.fixture(autouse=True)
def alice(project: None) -> Any:
    """A user."""
    return User.objects.create_user("alice", ALICE)


def answered(client: Client, path: str, email: str | None) -> Any:
    """As a service where the name is ``robot``."""
    if email != "robot":
        return client.get(path, email)
    token = client.team.service(ROBOT, audience=AUD)
    return client.send("GET", path, [("cf-access-jwt-assertion", token)])


@pytest.mark.parametrize(
    ("path", "email", "status"),
    [
        pytest.param("/api/", ALICE, 200, id="a-person"),
        pytest.param("/api/", "robot", 403, id="no-person"),
        pytest.param("/api/service", "robot", 200, id="a-service"),
        pytest.param("/api/service", ALICE, 403, id="no-service"),
        pytest.param("/api/alice", ALICE, 200, id="the-person"),
        pytest.param("/api/alice", BOB, 403, id="another-person"),
        pytest.param("/public/api", None, 401, id="nobody"),
        pytest.param("/public/api", ALICE, 200, id="a-person-on-a-public-path"),
    ],
)
def test_permissions_ask_whom_access_let_through(client: Client, path: str, email: str | None, status: int) -> None:
    answer = answered(client, path, email)
    assert answer.status == status
    assert answer.header("content-type") == "application/json"


def test_nobody_is_asked_to_authenticate(client: Client) -> None:
    answer = client.get("/public/api")
    assert answer.header("www-authenticate") == 'Cloudflare-Access realm="acme.cloudflareaccess.com"'


def test_managed_oauth_gets_its_403(client: Client, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={**door, "unauthenticated_status": 403}):
        answer = client.get("/public/api")
    assert (answer.status, answer.header("www-authenticate")) == (403, "")


@pytest.mark.parametrize("bound", [True, False], ids=["with-middleware", "without"])
@pytest.mark.parametrize(("email", "expected"), [(ALICE, "alice"), (BOB, "")])
def test_the_user_is_djangos(client: Client, bound: bool, email: str, expected: str) -> None:
    middleware = [path for path in MIDDLEWARE if bound or path != USERS]
    with override_settings(MIDDLEWARE=middleware):
        client = Client(client.team, client.way)
    assert client.get("/api/", email).json == {"user": expected, "auth": "user"}


def test_an_inactive_user_is_none(client: Client) -> None:
    User.objects.update(is_active=False)
    assert client.get("/api/", ALICE).json["user"] == ""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param((), 200, id="a-program"),
        pytest.param((("cookie", "CF_Authorization=x"),), 403, id="cookie"),
        pytest.param((("origin", "https://evil.example"),), 403, id="origin"),
        pytest.param((("referer", "https://evil.example/"),), 403, id="referer"),
        pytest.param((("sec-fetch-site", "cross-site"),), 403, id="fetch-metadata"),
        pytest.param((("cookie", f"csrftoken={'x' * 32}"), ("x-csrftoken", "x" * 32)), 200, id="with-its-token"),
    ],
)
def test_a_browser_needs_the_csrf_token(client: Client, headers: Any, status: int) -> None:
    assert client.post("/api/", ALICE, *headers).status == status


@pytest.mark.parametrize(
    ("groups", "status"),
    [
        pytest.param(["admins"], 200, id="a-member"),
        pytest.param(["others"], 403, id="no-member"),
        pytest.param(None, 503, id="nobody-answers"),
    ],
)
def test_a_permission_asks_cloudflare(client: Client, door: dict[str, Any], groups: Any, status: int) -> None:
    with override_settings(CFACCESS={**door, "profile_fetcher": Directory(client.team, groups)}):
        assert client.get("/api/admins", ALICE).status == status
