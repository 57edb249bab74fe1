"""What goes wrong when it is told to: at the certs, at get-identity, with the clock and with tokens."""

import json
import socket
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.faults import Fault, FaultKind, Faults
from cfaccess_mw.emulator.reading import peek
from cfaccess_mw.emulator.server import Emulator
from tests.emulator.application import PATIENCE
from tests.emulator.conftest import NOW, ROBOT, Clock, Connect, Emulate

CERTS = "/cdn-cgi/access/certs"
IDENTITY = "/cdn-cgi/access/get-identity"


@pytest.fixture(scope="module")
def one(share: Emulate) -> Emulator:
    return share()


@pytest.fixture
def faulty(one: Emulator) -> Emulator:
    """The module's edge, with nothing wrong as yet."""
    one.clear_faults()
    return one


@pytest.mark.parametrize(
    ("text", "kind", "number", "written"),
    [
        ("down", FaultKind.DOWN, 503, "down:503"),
        ("down:404", FaultKind.DOWN, 404, "down:404"),
        ("broken", FaultKind.BROKEN, 0, "broken"),
        ("slow", FaultKind.SLOW, 10, "slow:10"),
        ("slow:0.5", FaultKind.SLOW, 0.5, "slow:0.5"),
        ("drip", FaultKind.DRIP, 0.1, "drip:0.1"),
        ("drip:0", FaultKind.DRIP, 0, "drip:0"),
        ("garbage", FaultKind.GARBAGE, 0, "garbage"),
        ("empty", FaultKind.EMPTY, 0, "empty"),
        ("redirect", FaultKind.REDIRECT, 0, "redirect"),
    ],
)
def test_a_fault_is_written_as_a_word(text: str, kind: FaultKind, number: float, written: str) -> None:
    fault = Fault.parse(text)
    assert (fault.kind, fault.number) == (kind, number)
    assert str(fault) == written
    assert Fault.parse(written) == fault


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"certs": "slo"}, "fault: certs: 'slo' is no fault; did you mean 'slow'?", id="a near miss"),
        pytest.param({"certs": "xyz"}, "fault: certs: 'xyz' is no fault; it is one of down, ", id="no fault"),
        pytest.param({"certs": "empty:1"}, "fault: certs: 'empty' takes no number; leave it out", id="a number"),
        pytest.param({"certs": "down:200"}, "'down' takes a status from 400 to 599 .*'down:503'", id="no error"),
        pytest.param({"certs": "down:600"}, "'down' takes a status", id="no status"),
        pytest.param({"certs": "down:404.5"}, "'down' takes a status", id="half a status"),
        pytest.param({"certs": "slow:"}, "'slow' takes seconds behind the colon, as in 'slow:10'", id="no seconds"),
        pytest.param({"certs": "slow:-1"}, "'slow' takes seconds", id="seconds below 0"),
        pytest.param({"certs": "drip:inf"}, "'drip' takes seconds", id="endless seconds"),
        pytest.param({"certs": 7}, "fault: certs: is a number; give a text such as 'slow:30'", id="no text"),
        pytest.param({"identit": "down"}, "fault: 'identit' is not known; did you mean 'identity'?", id="near a name"),
        pytest.param({"xyz": "down"}, "fault: 'xyz' is not known; known are certs, identity", id="no name"),
        pytest.param({"skew": "soon"}, "fault: skew: is text of 4 characters; give a number", id="no number"),
        pytest.param({"skew": True}, "fault: skew: is a boolean", id="a boolean"),
        pytest.param({"skew": "nan"}, "fault: skew: is text of 3 characters", id="not a number"),
        pytest.param({"skew": 10**400}, "fault: skew: is a number", id="too large a number"),
        pytest.param(
            {"lifetime": 0}, "fault: lifetime: is a number; give a number of seconds above 0", id="no lifetime"
        ),
    ],
)
def test_what_is_not_understood_changes_nothing(faulty: Emulator, changes: dict[str, Any], message: str) -> None:
    faulty.fault(skew=5)
    with pytest.raises(ConfigurationError, match=message):
        faulty.fault(identity="down", **changes)
    assert faulty.faults == Faults(skew=5)


def test_faults_are_replaced_one_by_one_and_ended(faulty: Emulator) -> None:
    faulty.fault(certs="slow:3", skew="-7")
    assert faulty.fault(identity=Fault.parse("down")).as_data() == {
        "certs": "slow:3",
        "identity": "down:503",
        "skew": -7,
        "lifetime": None,
    }
    faulty.fault(certs=None, identity="none", skew=None)
    assert faulty.faults == Faults()
    faulty.certs_down(status=404)
    assert str(faulty.faults.certs) == "down:404"
    faulty.certs_down(status=None)
    assert str(faulty.faults.certs) == "broken"
    faulty.certs_up()
    assert faulty.faults == Faults()


@pytest.mark.parametrize(("name", "path"), [("certs", CERTS), ("identity", IDENTITY)])
class TestEndpoints:
    @pytest.fixture
    def client(self, faulty: Emulator, connect: Connect) -> httpx.Client:
        token = faulty.issuer.user(audience=faulty.audience)
        return connect(faulty, headers={"Cookie": f"CF_Authorization={token}"})

    def test_down(self, faulty: Emulator, client: httpx.Client, name: str, path: str) -> None:
        faulty.fault(**{name: "down:500"})
        assert client.get(path).status_code == 500
        # and nothing else is
        assert client.get({CERTS: IDENTITY, IDENTITY: CERTS}[path]).status_code == 200
        assert client.get("/").status_code == 201

    def test_broken(self, faulty: Emulator, client: httpx.Client, name: str, path: str) -> None:
        faulty.fault(**{name: "broken"})
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(path)

    @pytest.mark.parametrize("fault", ["slow:0", "drip:0"])
    def test_late_is_the_answer_itself(
        self, faulty: Emulator, client: httpx.Client, name: str, path: str, fault: str
    ) -> None:
        well = client.get(path)
        faulty.fault(**{name: fault})
        late = client.get(path)
        assert (late.status_code, late.json()) == (200, well.json())
        assert late.headers["content-length"] == well.headers["content-length"]

    def test_dripping(self, faulty: Emulator, client: httpx.Client, name: str, path: str) -> None:
        faulty.fault(**{name: "drip:3600"})
        with client.stream("GET", path) as response:
            assert int(response.headers["content-length"]) > 1
            assert next(response.iter_raw()) == b"{"

    def test_garbage(self, faulty: Emulator, client: httpx.Client, name: str, path: str) -> None:
        faulty.fault(**{name: "garbage"})
        response = client.get(path)
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        with pytest.raises(json.JSONDecodeError):
            response.json()

    def test_empty(self, faulty: Emulator, client: httpx.Client, name: str, path: str) -> None:
        faulty.fault(**{name: "empty"})
        response = client.get(path)
        assert response.status_code == 200
        empty = {"keys": [], "public_cert": {"kid": "", "cert": ""}, "public_certs": []}
        assert response.json() == (empty if name == "certs" else {})

    def test_redirect(self, faulty: Emulator, client: httpx.Client, name: str, path: str) -> None:
        faulty.fault(**{name: "redirect"})
        response = client.get(path)
        assert (response.status_code, response.headers["location"]) == (302, f"http://elsewhere.invalid{path}")


def test_whoever_waits_is_told_when_the_edge_ends(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate(fault={"certs": "slow:3600"})
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as waiting:
        waiting.sendall(f"GET {CERTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert connect(emulator).get(IDENTITY).status_code == 400  # asked later, on the same loop
        emulator.close()
        assert waiting.recv(65_536).startswith(b"HTTP/1.1 503 ")


class TestClock:
    def test_the_team_s_answers_are_dated_by_its_clock(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate(clock=Clock())
        client = connect(emulator)
        for skew in (0, 300, -300):
            emulator.fault(skew=skew)
            for path in (CERTS, IDENTITY, "/cdn-cgi/nothing"):
                [date] = client.get(path).headers.get_list("date")
                assert parsedate_to_datetime(date).timestamp() == NOW + skew

    def test_what_is_signed_has_the_team_s_time(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate(clock=Clock(), fault={"skew": 300}, service_tokens=[ROBOT])
        browser = connect(emulator)
        authorized = browser.post(browser.get("/").headers["location"], data={"email": "a@b"})
        browser.get(authorized.headers["location"])
        service = {"CF-Access-Client-Id": ROBOT.client_id, "CF-Access-Client-Secret": ROBOT.client_secret}
        robot = connect(emulator)
        robot.get("/", headers=service)
        for client in (browser, robot):
            claims = emulator.issuer.read(client.cookies["CF_Authorization"]) or {}
            assert (claims["iat"], claims["exp"]) == (NOW + 300, NOW + 300 + 86_400)

    def test_a_token_from_the_future_s_past_has_expired(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate()
        token = {"Cf-Access-Token": emulator.issuer.user(audience=emulator.audience, expires_in=60)}
        assert connect(emulator).get("/", headers=token).status_code == 201
        emulator.fault(skew=61)
        assert connect(emulator).get("/", headers=token).status_code == 302

    def test_an_issuer_of_the_emulator_s_own_has_its_clock(self, mirror_server: tuple[Any, str]) -> None:
        with Emulator(upstream=mirror_server[1], clock=Clock(), fault={"skew": 9}) as emulator:
            claims = emulator.issuer.read(emulator.issuer.user(audience="x"))
            assert claims is not None
            assert claims["iat"] == NOW + 9


@pytest.mark.parametrize(
    ("lifetime", "seconds"), [(5, 5), (2**26, 86_400), (0.5, 0)], ids=["early", "never later", "at once"]
)
def test_lifetime(emulate: Emulate, connect: Connect, lifetime: float, seconds: float) -> None:
    emulator = emulate(clock=(clock := Clock()), fault={"lifetime": lifetime})
    browser = connect(emulator)
    authorized = browser.post(browser.get("/").headers["location"], data={"email": "a@b"})
    browser.get(authorized.headers["location"])
    claims = peek(browser.cookies["CF_Authorization"])
    assert claims["exp"] - claims["iat"] == seconds
    clock.now += seconds
    assert browser.get("/").status_code == 302
