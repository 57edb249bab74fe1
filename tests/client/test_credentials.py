"""Which Client IDs and secrets are credentials, where are they found, and where are they never shown?"""

import copy
import pickle

import pytest

from cfaccess_mw.client import Credentials, ServiceToken
from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.users import ServiceToken as Robot
from tests.client.conftest import GOOD, ROBOT

ID, NEW, OLD = ROBOT.client_id, ROBOT.client_secret, "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        pytest.param(ID, NEW, id="of today"),
        pytest.param(ID, OLD, id="of before August 2026"),
        pytest.param(ID + ".example.com", NEW, id="with a domain"),
    ],
)
def test_what_credentials_look_like(client_id: str, secret: str) -> None:
    given = Credentials(client_id=client_id, client_secret=secret)
    assert (given.client_id, given.client_secret) == (client_id, secret)


def test_the_emulator_makes_such_ones() -> None:
    made = Robot.generate()
    assert Credentials(client_id=made.client_id, client_secret=made.client_secret).client_id == made.client_id


@pytest.mark.parametrize(
    ("client_id", "secret", "said"),
    [
        pytest.param("", NEW, "client_id: empty text is no Client ID; give", id="no id"),
        pytest.param(None, NEW, "client_id: is None, not text", id="None as id"),
        pytest.param(ID.upper(), NEW, "client_id: text of 39 characters is no Client ID", id="id in upper case"),
        pytest.param(ID[:-7], NEW, "client_id: text of 32 characters", id="id without its end"),
        pytest.param(ID + "\n", NEW, "begins or ends with white space", id="id with a line end"),
        pytest.param("CF-Access-Client-Id: " + ID, NEW, "the header's name was copied along", id="id with its header"),
        pytest.param(NEW, ID, "client_id: looks like a secret", id="the wrong way round"),
        pytest.param(OLD, ID, "client_id: looks like a secret", id="the wrong way round, old"),
        pytest.param(ID, "", "client_secret: empty text is no secret; give", id="no secret"),
        pytest.param(ID, b"x", "client_secret: is 1 bytes, not text", id="bytes as secret"),
        pytest.param(ID, ID, "client_secret: looks like a Client ID", id="the id twice"),
        pytest.param(ID, NEW + " ", "begins or ends with white space", id="secret with a space"),
        pytest.param(ID, NEW[:-1], "client_secret: text of 53 characters", id="secret cut short"),
        pytest.param(ID, NEW[:-1] + "-", "client_secret: text of 54 characters", id="secret of other characters"),
        pytest.param(ID, "CFAST_" + NEW[6:], "client_secret: text of 54", id="secret with another beginning"),
        pytest.param(ID, OLD[:-1] + "g", "client_secret: text of 64", id="old secret of other characters"),
        pytest.param(ID, OLD + "\n", "white space", id="old secret with a line end"),
        pytest.param(ID, "CF-Access-Client-Secret: " + NEW, "copied along", id="secret with its header"),
    ],
)
def test_what_is_no_credentials(client_id: str, secret: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        Credentials(client_id=client_id, client_secret=secret)
    for shown in (NEW[6:40], OLD[:40]):
        assert shown not in str(raised.value)
    assert raised.value.__context__ is None


def test_the_environment_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CF_ACCESS_CLIENT_ID", ID)
    monkeypatch.setenv("CF_ACCESS_CLIENT_SECRET", NEW)
    assert Credentials.from_environment() == GOOD
    assert repr(ServiceToken("a.example")) == "ServiceToken(a.example)"


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "CF_ACCESS_CLIENT_ID"),
        ({"CF_ACCESS_CLIENT_ID": ID}, "CF_ACCESS_CLIENT_SECRET"),
        ({"CF_ACCESS_CLIENT_ID": ID, "CF_ACCESS_CLIENT_SECRET": ""}, "CF_ACCESS_CLIENT_SECRET"),
    ],
)
def test_an_environment_that_has_not(environ: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{missing}: is not set"):
        Credentials.from_environment(environ)


def test_a_service_without_credentials_is_a_mistake_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CF_ACCESS_CLIENT_ID", raising=False)
    with pytest.raises(ConfigurationError, match="CF_ACCESS_CLIENT_ID: is not set"):
        ServiceToken("a.example")
    with pytest.raises(ConfigurationError, match=r"credentials: is a tuple of 2; give Credentials\("):
        ServiceToken("a.example", credentials=(ID, NEW))  # type: ignore[arg-type]  # it is the mistake


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("", "empty text is not the name of a header", id="empty"),
        pytest.param("X Service", "not the name", id="a space"),
        pytest.param("X:", "not the name", id="a colon"),
        pytest.param("X\r\nY", "not the name", id="a line end"),
        pytest.param("Cookie", "a meaning of its own", id="Cookie"),
        pytest.param("host", "a meaning of its own", id="Host"),
        pytest.param(7, "a number", id="a number"),
    ],
)
def test_what_is_no_header(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ServiceToken("a.example", credentials=GOOD, header=name)


def test_secrets_are_not_shown() -> None:
    assert "Ab1" not in repr(GOOD) + str(GOOD) + repr(vars) + repr([GOOD.client_secret]) + repr(GOOD.headers())
    assert repr(GOOD) == f"Credentials(client_id='{ID}')"
    assert repr(Secret("x")) == "'[hidden]'"
    for again in (copy.deepcopy(GOOD), pickle.loads(pickle.dumps(GOOD))):
        assert again == GOOD
        assert repr([again.client_secret]) == "['[hidden]']"
