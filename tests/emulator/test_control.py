"""Orders to a running emulator: what they do, and who may give them."""

import httpx
import pytest
from starlette.applications import Starlette

from cfaccess_mw.emulator.applications import Application, Applications
from cfaccess_mw.emulator.control import PATH, Control
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.team import Team
from tests.emulator.conftest import Clock, Connect, Emulate

ORDERS = ("fault", "rotate", "revoke")


@pytest.fixture(scope="module")
def one(share: Emulate) -> Emulator:
    return share(applications=[Application(name="Payroll")])


@pytest.fixture
def program(one: Emulator, connect: Connect) -> httpx.Client:
    one.clear_faults()
    return connect(one)


def test_the_state(one: Emulator, program: httpx.Client) -> None:
    one.fault(skew=3)
    assert program.get(PATH).json() == {
        "team": "acme",
        "issuer": "https://acme.cloudflareaccess.com",
        "keys": [one.issuer.previous.kid, one.issuer.current.kid],
        "applications": [{"name": "Payroll", "host": None, "path": "/", "audience": one.audience}],
        "fault": {"certs": None, "identity": None, "skew": 3, "lifetime": None},
    }


def test_fault(one: Emulator, program: httpx.Client) -> None:
    answer = program.post(f"{PATH}/fault", json={"certs": "down:500", "skew": -1})
    assert answer.json()["fault"] == {"certs": "down:500", "identity": None, "skew": -1, "lifetime": None}
    assert program.get("/cdn-cgi/access/certs").status_code == 500
    program.post(f"{PATH}/fault", json={"certs": None, "skew": None})
    assert program.get("/cdn-cgi/access/certs").status_code == 200


def test_rotate(one: Emulator, program: httpx.Client) -> None:
    before = one.issuer.current.kid
    assert program.post(f"{PATH}/rotate", json={}).json()["keys"] == [before, one.issuer.current.kid]
    assert program.post(f"{PATH}/rotate", headers={"Content-Type": "application/json"}).status_code == 200
    assert one.issuer.previous.kid != before


def test_revoke(one: Emulator, program: httpx.Client) -> None:
    token = {"Cf-Access-Token": one.issuer.user("a@b", audience=one.audience)}
    assert program.get("/", headers=token).status_code == 201
    assert program.post(f"{PATH}/revoke", json={"email": "a@b"}).status_code == 200
    assert program.get("/", headers=token).status_code == 302


@pytest.mark.parametrize(
    ("order", "body", "status", "error"),
    [
        pytest.param(
            "fault", b'{"certs": "slo"}', 422, "fault: certs: 'slo' is no fault; did you mean", id="a mistake"
        ),
        pytest.param("fault", b"[]", 400, "no strict JSON object", id="no object"),
        pytest.param("fault", b'{"skew": 1, "skew": 2}', 400, "no strict JSON object", id="twice"),
        pytest.param("fault", b" " * 5_000, 413, "at most 4096 bytes", id="too much"),
        pytest.param("rotate", b'{"every": 1}', 422, "rotate: takes nothing", id="nothing to say"),
        pytest.param("revoke", b"{}", 422, "revoke: takes 'email' or 'nonce'", id="nobody"),
        pytest.param("revoke", b'{"mail": "a@b"}', 422, "revoke: 'mail' is not known", id="an unknown name"),
        pytest.param("revoke", b'{"email": 7}', 422, "revoke: email: is a number", id="no text"),
    ],
)
def test_mistakes(program: httpx.Client, order: str, body: bytes, status: int, error: str) -> None:
    answer = program.post(f"{PATH}/{order}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert error in answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": "https://evil.example"}, 403, id="a page elsewhere"),
        pytest.param({"Origin": "null"}, 403, id="a page of nobody's"),
        pytest.param({"Origin": "http://127.0.0.1"}, 403, id="a page of an application's"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 403, id="a page, by its browser's word"),
        pytest.param({"Host": "rebound.evil.test"}, 421, id="a name that was made to point here"),
        pytest.param({"Content-Type": "text/plain"}, 415, id="a form's content type"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, 415, id="a form's other"),
        pytest.param({"Content-Type": ""}, 415, id="none"),
    ],
)
@pytest.mark.parametrize("order", ORDERS)
def test_no_page_gives_orders(
    one: Emulator, program: httpx.Client, order: str, headers: dict[str, str], status: int
) -> None:
    body = {"fault": b'{"skew": 7}', "rotate": b"{}", "revoke": b'{"email": "x@y"}'}[order]
    before = one.issuer.current
    answer = program.post(f"{PATH}/{order}", content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status
    assert one.faults.skew == 0
    assert one.issuer.current is before
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("order", ORDERS)
def test_nor_by_asking_first(program: httpx.Client, order: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert program.options(f"{PATH}/{order}", headers=asked).status_code == 405
    assert program.get(f"{PATH}/{order}").status_code == 405


def test_no_page_reads_the_state(program: httpx.Client) -> None:
    assert program.get(PATH, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403), ("172.17.0.1", 403)]
)
@pytest.mark.anyio
async def test_only_this_machine_gives_orders(issuer: Issuer, peer: str, status: int) -> None:
    team = Team(issuer=issuer, applications=Applications([Application()]), users=(), service_tokens=(), clock=Clock())
    transport = httpx.ASGITransport(Starlette(routes=Control(team).routes()), client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get(PATH)).status_code == status
        assert (await client.post(f"{PATH}/fault", json={"skew": 1})).status_code == status
    assert team.faults.now.skew == (1 if status == 200 else 0)
