"""How services prove themselves: in two headers or in one, taken the classic way or strictly."""

import json
from typing import Any

import httpx
import pytest

from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application
from cfaccess_mw.emulator.credentials import Credentials, presented
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import ServiceToken
from tests.emulator.conftest import ROBOT, Connect, Emulate

OFF = ServiceToken(client_id="1" * 32 + ".access", client_secret="off", enabled=False)
GOOD = (("CF-Access-Client-Id", ROBOT.client_id), ("CF-Access-Client-Secret", ROBOT.client_secret))
WRONG = (GOOD[0], ("CF-Access-Client-Secret", "wrong"))
NAMES = ("cf-access-client-id", "cf-access-client-secret")
ROBOTS = {"decision": "service_auth", "include": [{"service_token": ROBOT.client_id}]}
ALLOW = {"decision": "allow", "include": [{"everyone": True}]}


@pytest.fixture(scope="module")
def classic(share: Emulate) -> Emulator:
    application = Application(service_token_header="Authorization", service_auth_401=True)
    return share(applications=[application], service_tokens=[ROBOT, OFF])


@pytest.fixture(scope="module")
def strict(share: Emulate) -> Emulator:
    application = Application(service_token_header="Authorization", policies=read_policies([ROBOTS, ALLOW]))
    other = ServiceToken(client_id="0" * 32 + ".access", client_secret="other")
    return share(applications=[application], service_tokens=[ROBOT, OFF, other], strict=True)


def single(client_id: Any = ROBOT.client_id, secret: Any = ROBOT.client_secret, **more: Any) -> tuple[str, str]:
    return ("Authorization", json.dumps({NAMES[0]: client_id, NAMES[1]: secret, **more}))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param(GOOD, "good", id="two headers"),
        pytest.param([single()], "good", id="one header"),
        pytest.param([single(more="x")], "good", id="with other members"),
        pytest.param([("Authorization", "Bearer x")], None, id="somebody else's header"),
        pytest.param([("Authorization", "{}")], None, id="JSON of somebody else's"),
        pytest.param([("Authorization", "[1]")], None, id="no object"),
        pytest.param([("Authorization", json.dumps({"CF-Access-Client-Id": "x"}))], None, id="names in another case"),
        pytest.param([single(client_id=None)], "malformed", id="no id"),
        pytest.param([single(secret=None)], "malformed", id="no secret"),
        pytest.param([single(secret=7)], "malformed", id="no text"),
        pytest.param([single(), single()], "malformed", id="twice"),
        pytest.param([*GOOD, single()], "malformed", id="both ways"),
        pytest.param([GOOD[0], single()], "malformed", id="one and a half"),
        pytest.param([GOOD[0]], "malformed", id="no secret header"),
        pytest.param([GOOD[1]], "malformed", id="no id header"),
        pytest.param([*GOOD, GOOD[0]], "malformed", id="two ids"),
        pytest.param([*GOOD, GOOD[1]], "malformed", id="two secrets"),
    ],
)
def test_what_is_presented(headers: list[tuple[str, str]], expected: str | None) -> None:
    good = Credentials(client_id=ROBOT.client_id, client_secret=ROBOT.client_secret)
    given = [(name.lower().encode(), value.encode()) for name, value in headers]
    found = presented(given, "Authorization")
    assert found == (good if expected == "good" else expected)
    assert ROBOT.client_secret not in repr(found)


def test_one_header_means_nothing_where_the_application_names_none() -> None:
    assert presented([(b"authorization", single()[1].encode())]) is None


class TestClassic:
    @pytest.fixture
    def client(self, classic: Emulator, connect: Connect) -> httpx.Client:
        return connect(classic)

    @pytest.mark.parametrize("headers", [GOOD, [single()]], ids=["two headers", "one header"])
    def test_a_cookie_comes_with_the_first_answer(self, client: httpx.Client, headers: list[tuple[str, str]]) -> None:
        response = client.get("/", headers=headers)
        sent = dict(response.json()["headers"])
        assert client.cookies["CF_Authorization"] == sent["cf-access-jwt-assertion"]
        assert ROBOT.client_secret not in response.text
        assert client.get("/").status_code == 201

    def test_another_use_of_the_header_reaches_the_application(self, client: httpx.Client) -> None:
        assert client.get("/", headers=GOOD).status_code == 201
        sent = dict(client.get("/", headers={"Authorization": "Bearer x"}).json()["headers"])
        assert sent["authorization"] == "Bearer x"

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            pytest.param(WRONG, 401, id="a wrong secret"),
            pytest.param([single(secret="wrong")], 401, id="a wrong secret in one header"),
            pytest.param([GOOD[0]], 401, id="half"),
            pytest.param([*GOOD, single()], 401, id="both ways"),
            pytest.param([("CF-Access-Client-Id", OFF.client_id), ("CF-Access-Client-Secret", "off")], 401, id="off"),
            pytest.param([("Authorization", "Bearer x")], 302, id="nothing for Access"),
        ],
    )
    def test_failures(self, client: httpx.Client, headers: list[tuple[str, str]], status: int) -> None:
        assert client.get("/", headers=headers).status_code == status

    @pytest.mark.parametrize(
        ("policies", "says_401", "headers", "status"),
        [
            pytest.param([ROBOTS], False, WRONG, 302, id="to the login page by default"),
            pytest.param([ROBOTS], True, WRONG, 401, id="or 401"),
            pytest.param([ROBOTS], True, (), 401, id="nobody else could come in"),
            pytest.param([ROBOTS, ALLOW], True, (), 302, id="but here a person could"),
            pytest.param([ALLOW], True, WRONG, 302, id="and here no service could"),
        ],
    )
    def test_where_a_failed_service_is_sent(
        self,
        emulate: Emulate,
        connect: Connect,
        policies: list[dict[str, Any]],
        says_401: bool,
        headers: list[tuple[str, str]],
        status: int,
    ) -> None:
        application = Application(policies=read_policies(policies), service_auth_401=says_401)
        client = connect(emulate(applications=[application], service_tokens=[ROBOT]))
        assert client.get("/", headers=headers).status_code == status

    def test_a_cookie_saves_a_failed_service(self, client: httpx.Client) -> None:
        client.get("/", headers=GOOD)
        assert client.get("/", headers=WRONG).status_code == 201


class TestStrict:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            pytest.param(GOOD, 201, id="two headers"),
            pytest.param([single()], 201, id="one header"),
            pytest.param(WRONG, 401, id="a wrong secret"),
            pytest.param([GOOD[0]], 401, id="half"),
            pytest.param([*GOOD, GOOD[1]], 401, id="two secrets"),
            pytest.param([*GOOD, single()], 401, id="both ways"),
            pytest.param([single("0" * 32 + ".access", "other")], 403, id="known, and not permitted"),
            pytest.param([], 302, id="no service"),
        ],
    )
    @pytest.mark.parametrize("signed_in", [False, True], ids=["alone", "with a user's cookie"])
    def test_answers(
        self, strict: Emulator, connect: Connect, headers: list[tuple[str, str]], status: int, signed_in: bool
    ) -> None:
        token = strict.issuer.user(audience=DEFAULT_AUDIENCE)
        cookie = [("Cookie", f"CF_Authorization={token}")] if signed_in else []
        response = connect(strict).get("/", headers=[*headers, *cookie])
        assert response.status_code == (201 if signed_in and not headers else status)
        assert "CF_Authorization" not in response.headers.get("set-cookie", "")

    def test_the_assertion_is_the_service_s(self, strict: Emulator, connect: Connect) -> None:
        sent = dict(connect(strict).get("/", headers=GOOD).json()["headers"])
        claims = strict.issuer.read(sent["cf-access-jwt-assertion"])
        assert claims is not None
        assert claims["common_name"] == ROBOT.client_id
        assert "cf-access-authenticated-user-email" not in sent
