"""Who gets into the admin and past the login page without a password, and how do they get out?"""

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import override_settings

from cfaccess_mw import Rule
from tests.contrib.django.asking import Client
from tests.contrib.django.settings import MIDDLEWARE

ALICE, BOB = "alice@example.com", "bob@example.com"
User: Any = get_user_model()


@pytest.fixture(autouse=True)
def people(project: None) -> None:
    """Staff, a user who is none, and staff that has left."""
    User.objects.create_user("alice", ALICE, is_staff=True, is_superuser=True)
    User.objects.create_user("bob", BOB)
    User.objects.create_user("gone", "gone@example.com", is_staff=True, is_active=False)


@pytest.mark.parametrize(
    ("email", "status"),
    [
        pytest.param(ALICE, 200, id="staff"),
        pytest.param(BOB, 403, id="a-user"),
        pytest.param("gone@example.com", 403, id="inactive-staff"),
        pytest.param("stranger@example.com", 403, id="no-user"),
        pytest.param(None, 401, id="nobody"),
    ],
)
def test_the_admin_is_for_staff(client: Client, email: str | None, status: int) -> None:
    answer = client.page("/admin/", email)
    if answer.status == 302:
        assert answer.header("location") == "/admin/login/?next=/admin/"
        answer = client.page(answer.header("location"), email)
    assert answer.status == status
    assert b"password" not in answer.body.lower() or status == 200


def test_the_admins_login_sends_staff_on(client: Client) -> None:
    answer = client.page("/admin/login/?next=/admin/auth/", ALICE)
    assert (answer.status, answer.header("location")) == (302, "/admin/auth/")


def test_the_admin_takes_no_password(client: Client) -> None:
    alice = User.objects.get(username="alice")
    alice.set_password("secret")
    alice.save()
    form = {"username": "alice", "password": "secret", "csrfmiddlewaretoken": "x" * 32}
    for email, status in ((ALICE, 405), (BOB, 403)):
        client.cookies = {"csrftoken": "x" * 32}
        assert client.post("/admin/login/", email, **form).status == status
        assert not Session.objects.exists()


def test_the_admins_login_on_a_public_path_asks_to_sign_in(client: Client, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={**door, "rules": [Rule.public("/admin/login"), Rule.public("/accounts/*")]}):
        assert client.page("/admin/login/").status == 401
        assert client.page("/accounts/login/").status == 401


@pytest.mark.parametrize(
    ("target", "location"),
    [
        pytest.param("/members", "/members", id="here"),
        pytest.param("https://testserver/members", "https://testserver/members", id="this-host"),
        pytest.param("https://evil.example/", "/whoami", id="elsewhere"),
        pytest.param("//evil.example/", "/whoami", id="elsewhere-without-scheme"),
        pytest.param("///evil.example/", "/whoami", id="three-slashes"),
        pytest.param("/\\evil.example", "/whoami", id="backslash"),
        pytest.param("javascript:alert(1)", "/whoami", id="script"),
        pytest.param("https://testserver@evil.example/", "/whoami", id="user-information"),
        pytest.param("", "/whoami", id="nowhere"),
    ],
)
def test_login_leads_nowhere_else(client: Client, target: str, location: str) -> None:
    answer = client.page(f"/accounts/login/?next={quote(target)}", BOB)
    assert (answer.status, answer.header("location")) == (302, location)


def test_login_required_finds_its_user(client: Client) -> None:
    assert client.page("/members", BOB).body == b"bob"


def test_a_stranger_is_told_so(client: Client) -> None:
    answer = client.page("/members", "stranger@example.com")
    assert answer.header("location") == "/accounts/login/?next=/members"
    assert client.page(answer.header("location"), "stranger@example.com").status == 403


def test_who_lacks_a_permission_is_not_sent_in_circles(client: Client) -> None:
    path, steps = "/privileged", []
    for _ in range(10):
        answer = client.page(path, BOB)
        steps.append(answer.status)
        if answer.status != 302:
            break
        path = answer.header("location")
    assert steps == [302, 302, 302, 403]


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
def test_logout_ends_both_sessions(client: Client, path: str) -> None:
    client.page("/admin/", ALICE)
    token = client.cookies["csrftoken"]
    answer = client.post(f"{path}?next=https://evil.example/", ALICE, csrfmiddlewaretoken=token, next="/members")
    assert (answer.status, answer.header("location")) == (302, "/cdn-cgi/access/logout")
    assert "sessionid" not in client.cookies
    assert not Session.objects.exists()


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
def test_logout_takes_more_than_a_link(client: Client, path: str) -> None:
    client.page("/admin/", ALICE)
    assert client.page(path, ALICE).status == 405
    assert client.post(path, ALICE).status == 403
    assert Session.objects.exists()


def test_logout_asks_for_the_csrf_token_itself(client: Client) -> None:
    without = [path for path in MIDDLEWARE if "csrf" not in path]
    with override_settings(MIDDLEWARE=without):
        client = Client(client.team, client.way)
    assert client.post("/accounts/logout/", ALICE).status == 403


def test_strangers_can_log_out(client: Client) -> None:
    client.cookies = {"csrftoken": "x" * 32}
    answer = client.post("/accounts/logout/", "stranger@example.com", csrfmiddlewaretoken="x" * 32)
    assert answer.header("location") == "/cdn-cgi/access/logout"
