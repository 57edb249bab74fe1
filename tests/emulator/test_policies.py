"""The policies of an application at the edge: who is admitted, and what everybody else is told."""

import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as dial

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.emulator.applications import Application, audience_for
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import ServiceToken, User
from tests.emulator.conftest import ROBOT, Connect, Emulate

OTHER = ServiceToken(client_id="0" * 32 + ".access", client_secret="other")
USERS = (
    User(email="alice@example.com", groups=("admins",), country="DE", ip="198.51.100.20"),
    User(email="bob@example.com", groups=("staff",), country="US"),
    User(email="carol@example.org", groups=({"id": "g1", "name": "admins"},), custom={"level": "7"}),
)
ADMINS = {"decision": "allow", "name": "admins", "include": [{"groups": ["admins"]}]}
ROBOTS = {"decision": "service_auth", "include": [{"service_token": ROBOT.client_id}]}


def protected(*policies: dict[str, Any], **settings: Any) -> Application:
    return Application(policies=read_policies(list(policies)), **settings)


def token(emulator: Emulator, email: str, **claims: Any) -> dict[str, str]:
    return {"Cf-Access-Token": emulator.issuer.user(email, audience=emulator.audience, **claims)}


def service(robot: ServiceToken) -> dict[str, str]:
    return {"CF-Access-Client-Id": robot.client_id, "CF-Access-Client-Secret": robot.client_secret}


_USERS: list[Any] = [
    pytest.param([ADMINS], "alice@example.com", 201, id="a group"),
    pytest.param([ADMINS], "carol@example.org", 201, id="a group that is an object"),
    pytest.param([ADMINS], "bob@example.com", 403, id="another group"),
    pytest.param([ADMINS], "nobody@example.com", 403, id="somebody unknown"),
    pytest.param([ROBOTS], "alice@example.com", 403, id="a policy for services only"),
    pytest.param(
        [{"decision": "deny", "include": [{"email": "alice@example.com"}]}, ADMINS],
        "alice@example.com",
        403,
        id="blocked first",
    ),
    pytest.param([{**ADMINS, "require": [{"ip": "198.51.100.0/24"}]}], "alice@example.com", 201, id="an address"),
    pytest.param([{**ADMINS, "require": [{"ip": "192.0.2.0/24"}]}], "alice@example.com", 403, id="not from there"),
    pytest.param([{"decision": "allow", "include": [{"country": "DE"}]}], "alice@example.com", 201, id="a country"),
    pytest.param([{"decision": "allow", "include": [{"country": "DE"}]}], "bob@example.com", 403, id="another"),
    pytest.param(
        [{"decision": "allow", "include": [{"email_domain": "example.org"}]}], "carol@example.org", 201, id="domain"
    ),
    pytest.param(
        [{"decision": "allow", "include": [{"login_method": "onetimepin"}]}], "bob@example.com", 201, id="login"
    ),
]


def each_at_a_path(cases: list[Any]) -> list[Application]:
    """One application for each case, so that all of them fit behind one edge."""
    places = [(f"/{at}", case.values[0]) for at, case in enumerate(cases)]
    return [protected(*policies, path=path, audience=audience_for(path=path)) for path, policies in places]


def numbered(cases: list[Any]) -> list[Any]:
    return [pytest.param(f"/{at}", *case.values[1:], id=case.id) for at, case in enumerate(cases)]


@pytest.fixture(scope="module")
def for_users(share: Emulate) -> Emulator:
    return share(applications=each_at_a_path(_USERS), users=USERS)


@pytest.mark.parametrize(("path", "email", "status"), numbered(_USERS))
def test_users(for_users: Emulator, connect: Connect, path: str, email: str, status: int) -> None:
    country = next((user.country for user in USERS if user.email == email), "US")
    minted = for_users.issuer.user(email, audience=audience_for(path=path), country=country)
    assert connect(for_users).get(path, headers={"Cf-Access-Token": minted}).status_code == status
    # and the login page comes to the same: whoever is not admitted gets no token at all
    browser = connect(for_users)
    answer = browser.post(browser.get(path).headers["location"], data={"email": email})
    assert answer.status_code == (303 if status == 201 else 403)
    assert "CF_Authorization" not in browser.cookies


_SERVICES: list[Any] = [
    pytest.param([ADMINS, ROBOTS], ROBOT, 201, id="named"),
    pytest.param([ADMINS, ROBOTS], OTHER, 302, id="another's token is no login"),
    pytest.param([ADMINS], ROBOT, 302, id="an allow policy is not for services"),
    pytest.param(
        [{"decision": "allow", "include": [{"any_valid_service_token": True}]}], ROBOT, 302, id="not even if named"
    ),
    pytest.param([{"decision": "service_auth", "include": [{"any_valid_service_token": True}]}], OTHER, 201, id="any"),
    pytest.param(
        [{"decision": "service_auth", "include": [{"any_valid_service_token": True}], "require": [{"country": "NZ"}]}],
        OTHER,
        201,
        id="from the edge's country",
    ),
]


@pytest.fixture(scope="module")
def for_services(share: Emulate) -> Emulator:
    return share(applications=each_at_a_path(_SERVICES), service_tokens=[ROBOT, OTHER], country="NZ")


@pytest.mark.parametrize(("path", "who", "status"), numbered(_SERVICES))
def test_services(for_services: Emulator, connect: Connect, path: str, who: ServiceToken, status: int) -> None:
    assert connect(for_services).get(path, headers=service(who)).status_code == status


class TestBypass:
    def test_everybody_passes_without_an_assertion(self, emulate: Emulate, connect: Connect) -> None:
        everybody = {"decision": "bypass", "include": [{"everyone": True}]}
        emulator = emulate(applications=[protected(ADMINS, everybody)], users=USERS)
        response = connect(emulator).get("/", headers=token(emulator, "alice@example.com"))
        assert not [name for name, _ in response.json()["headers"] if name.startswith("cf-access-")]

    @pytest.mark.parametrize(
        ("method", "ip", "status"),
        [
            pytest.param("GET", "198.51.100.7", 201, id="from the office"),
            pytest.param("GET", "192.0.2.7", 302, id="from elsewhere"),
        ],
    )
    def test_some_requests_pass(self, emulate: Emulate, connect: Connect, method: str, ip: str, status: int) -> None:
        office = {"decision": "bypass", "include": [{"ip": "198.51.100.0/24"}]}
        client = connect(emulate(applications=[protected(office, ADMINS)], ip=ip))
        response = client.request(method, "/", headers={"CF-Connecting-IP": "198.51.100.1"})
        assert response.status_code == status
        if status == 201:
            assert dict(response.json()["headers"])["cf-connecting-ip"] == ip


class TestRefusal:
    @pytest.fixture
    def refused(self, emulate: Emulate, connect: Connect) -> tuple[Emulator, httpx.Client]:
        emulator = emulate(applications=[protected(ADMINS, name="Payroll <&>")], users=USERS)
        return emulator, connect(emulator, headers=token(emulator, "bob@example.com"))

    def test_a_program_is_told_in_json(self, refused: tuple[Emulator, httpx.Client]) -> None:
        emulator, bob = refused
        response = bob.get("/")
        said = response.json()
        assert (response.status_code, said["status_code"]) == (403, 403)
        assert said["aud"] == emulator.audience
        assert said["reasons"] == ["group"]
        assert said["ray_id"] == response.headers["cf-ray"]
        assert response.headers["cf-access-error"]
        assert response.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        "headers",
        [{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, {"Sec-Fetch-Mode": "navigate"}],
        ids=["by what is accepted", "by what a browser says"],
    )
    def test_a_person_is_shown_a_page(self, refused: tuple[Emulator, httpx.Client], headers: dict[str, str]) -> None:
        response = refused[1].get("/", headers=headers)
        assert response.status_code == 403
        assert response.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "Payroll &lt;&amp;&gt;" in response.text
        assert "bob@example.com" in response.text

    def test_a_refused_login_is_told_likewise_and_leaves_no_session(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate(applications=[protected(ADMINS)], users=USERS)
        browser = connect(emulator)
        login = browser.get("/").headers["location"]
        page = browser.post(login, data={"email": "bob@example.com"}, headers={"Accept": "text/html"})
        assert page.status_code == 403
        assert "bob@example.com" in page.text
        assert browser.get("/cdn-cgi/access/get-identity").status_code == 400
        assert browser.post(login, data={"email": "bob@example.com"}).json()["reasons"] == ["group"]
        assert browser.post(login, data={"email": "alice@example.com"}).status_code == 303

    def test_a_websocket_is_refused(self, refused: tuple[Emulator, httpx.Client]) -> None:
        emulator, bob = refused
        url = emulator.url.replace("http:", "ws:") + "/echo"
        with pytest.raises(InvalidStatus) as refusal, dial(url, additional_headers=dict(bob.headers), proxy=None):
            pass
        assert refusal.value.response.status_code == 403
        assert json.loads(refusal.value.response.body or b"")["reasons"] == ["group"]


def test_strange_claims_are_nobody_s(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate(applications=[protected(ADMINS)], users=USERS)
    client = connect(emulator)
    for claims in ({"sub": 7}, {"common_name": "both.access"}, {"country": "\x07"}):
        assert client.get("/", headers=token(emulator, "alice@example.com", **claims)).status_code == 403
    for email in ("no address", "a b@c"):
        assert client.get("/", headers=token(emulator, email)).status_code == 403


def test_a_session_keeps_the_address_that_was_emulated(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate(users=USERS, ip="192.0.2.1")
    for email, ip, country in (("alice@example.com", "198.51.100.20", "DE"), ("bob@example.com", "192.0.2.1", "US")):
        browser = connect(emulator)
        authorized = browser.post(browser.get("/").headers["location"], data={"email": email})
        browser.get(authorized.headers["location"])
        said = browser.get("/cdn-cgi/access/get-identity").json()
        assert (said["ip"], said["geo"]["country"]) == (ip, country)
        sent = dict(browser.get("/").json()["headers"])
        assert (sent["cf-connecting-ip"], sent["cf-ipcountry"]) == (ip, country)


def test_a_country_that_cannot_be_sent_is_not(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate()
    for country in ("\r\nX: y", "Germany", 7, None):
        response = connect(emulator).get("/", headers=token(emulator, "a@b", country=country))
        assert dict(response.json()["headers"])["cf-ipcountry"] == "XX"


def test_nothing_is_inherited(emulate: Emulate, connect: Connect) -> None:
    below = Application(path="/open", audience=audience_for(path="/open"))
    emulator = emulate(applications=[protected(ADMINS), below], users=USERS)
    client = connect(emulator)
    assert client.get("/", headers=token(emulator, "bob@example.com")).status_code == 403
    bob = emulator.issuer.user("bob@example.com", audience=below.audience)
    assert client.get("/open", headers={"Cf-Access-Token": bob}).status_code == 201


@pytest.mark.parametrize("country", ["us", "USA", "1", "\r\n"])
def test_a_country_is_two_letters(country: str) -> None:
    with pytest.raises(ConfigurationError, match=r"country: is text of . characters; give two capital letters"):
        User(email="a@b", country=country)
    with pytest.raises(ConfigurationError, match=r"country: is text of . characters"):
        Emulator(upstream="http://127.0.0.1:1", country=country)


def test_an_address_is_an_address() -> None:
    with pytest.raises(ConfigurationError, match="ip: is text of 4 characters; give an IP address"):
        User(email="a@b", ip="here")
    with pytest.raises(ConfigurationError, match="ip: is text of 4 characters"):
        Emulator(upstream="http://127.0.0.1:1", ip="here")
