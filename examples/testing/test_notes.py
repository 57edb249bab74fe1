"""The tests of notes.py: the marker says who is asking."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from notes import app

from cfaccess_mw.testing import AccessKit


@pytest.fixture
def client(cfaccess: AccessKit) -> Iterator[TestClient]:
    # with `cfaccess` in its arguments, the environment is set when the application makes its middleware
    with TestClient(app) as client:
        yield client


def test_nobody_gets_in(client: TestClient) -> None:
    assert client.get("/").status_code == 401
    assert client.get("/healthz").status_code == 200


@pytest.mark.cfaccess(user="alice@example.com")
def test_somebody_is_greeted(client: TestClient) -> None:
    assert client.get("/").json() == "Hello alice@example.com"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/admin", 200, marks=pytest.mark.cfaccess(user="alice@example.com", groups=["admins"])),
        pytest.param("/admin", 403, marks=pytest.mark.cfaccess(user="bob@example.com", groups=["staff"])),
        pytest.param("/admin", 403, marks=pytest.mark.cfaccess(service=True)),
        pytest.param("/admin", 401, marks=pytest.mark.cfaccess(refused="expired")),
        pytest.param("/admin", 401, marks=pytest.mark.cfaccess(refused="wrong-audience", user="alice@example.com")),
    ],
)
def test_who_may_open_the_safe(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_two_people_in_one_test(cfaccess: AccessKit, client: TestClient) -> None:
    with cfaccess.signed_in(client, "alice@example.com", groups=["admins"]):
        assert client.get("/admin").status_code == 200
    with cfaccess.signed_in(client, "bob@example.com"):
        assert client.get("/admin").status_code == 403


def test_a_robot_calls_the_hook(client: TestClient, cfaccess_service_token: str) -> None:
    answer = client.post("/hooks/deploy", headers={"Cf-Access-Jwt-Assertion": cfaccess_service_token})
    assert answer.json() == "deployed by e367826f93b8d71185e03fe518aff3b4.access"


def test_a_session_that_was_ended(cfaccess: AccessKit, client: TestClient) -> None:
    cfaccess.sign_in(client, "alice@example.com", groups=["admins"])
    cfaccess.end_session("alice@example.com")
    assert client.get("/admin").json()["code"] == "session-ended"
