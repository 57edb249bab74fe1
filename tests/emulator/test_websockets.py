"""WebSockets go through the edge as requests do."""

import json
import socket
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from cfaccess_mw.emulator.server import Emulator
from tests.emulator.application import PATIENCE, Mirror
from tests.emulator.conftest import Emulate


def dial(
    emulator: Emulator, path: str, headers: dict[str, str], *, url: str | None = None, **settings: Any
) -> ClientConnection:
    there = url or f"{emulator.url.replace('http', 'ws', 1)}{path}"
    connection: ClientConnection = connect(
        there, additional_headers=headers, proxy=None, open_timeout=PATIENCE, max_size=None, **settings
    )
    return connection


@pytest.fixture
def cookie(alice: httpx.Client) -> dict[str, str]:
    return {"Cookie": alice.headers["Cookie"]}


def test_echo_of_texts_and_bytes(emulator: Emulator, cookie: dict[str, str]) -> None:
    with dial(emulator, "/echo", cookie) as websocket:
        websocket.recv(PATIENCE)
        for message in ("text", b"bytes", "", b"", "ü" * 70_000, b"\x00" * 2_000_000):
            websocket.send(message)
            assert websocket.recv(PATIENCE) == message


def test_the_handshake_is_a_request_like_any_other(emulator: Emulator, cookie: dict[str, str]) -> None:
    headers = {**cookie, "Cf-Access-User": "forged", "CF-Connecting-IP": "forged", "X-Own": "1", "Origin": "http://o"}
    with dial(emulator, "/echo/%2e%2e//x;p?q=%20&r", headers) as websocket:
        seen = json.loads(websocket.recv(PATIENCE))
        assert (seen["raw_path"], seen["query"]) == ("/echo/%2e%2e//x;p", "q=%20&r")
        sent = dict(seen["headers"])
        assert len(sent) == len(seen["headers"])
        assert sent["cf-access-jwt-assertion"] == cookie["Cookie"].removeprefix("CF_Authorization=")
        assert sent["cf-connecting-ip"] == "127.0.0.1"
        assert sent["host"] == emulator.url.removeprefix("http://")
        assert (sent["x-own"], sent["origin"]) == ("1", "http://o")
        assert "cf-access-user" not in sent
        assert websocket.response is not None
        assert websocket.response.headers["cf-ray"] == sent["cf-ray"]


def test_the_application_s_own_headers_come_with_its_acceptance(emulator: Emulator, cookie: dict[str, str]) -> None:
    with dial(emulator, "/bye", cookie) as websocket:
        assert websocket.response is not None
        assert websocket.response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        assert len(websocket.response.headers.get_all("sec-websocket-accept")) == 1


def test_the_application_chooses_the_subprotocol(emulator: Emulator, cookie: dict[str, str]) -> None:
    with dial(emulator, "/echo", cookie, subprotocols=["one", "two"]) as websocket:
        assert websocket.subprotocol == "one"
    with dial(emulator, "/bye", cookie, subprotocols=["one"]) as websocket:
        assert websocket.subprotocol is None


@pytest.mark.parametrize(
    ("code", "seen"), [pytest.param(1000, 1000, id="ordinary"), pytest.param(4001, 4001, id="of the client's own")]
)
def test_the_application_learns_how_the_client_closed(
    emulator: Emulator, cookie: dict[str, str], mirror: Mirror, code: int, seen: int
) -> None:
    with dial(emulator, "/echo", cookie) as websocket:
        websocket.recv(PATIENCE)
        websocket.close(code)
    assert mirror.signals.websocket_closed.wait(PATIENCE)
    assert mirror.signals.websocket_code == seen


def test_the_application_learns_that_the_client_is_gone(
    emulator: Emulator, cookie: dict[str, str], mirror: Mirror
) -> None:
    with dial(emulator, "/echo", cookie) as websocket:
        websocket.recv(PATIENCE)
        websocket.socket.shutdown(socket.SHUT_RDWR)
        assert mirror.signals.websocket_closed.wait(PATIENCE)
    assert mirror.signals.websocket_code == 1000


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        pytest.param("/bye", 4321, "enough", id="with a code of its own"),
        pytest.param("/vanish", 1011, "", id="without a word"),
    ],
)
def test_the_client_learns_how_the_application_closed(
    emulator: Emulator, cookie: dict[str, str], path: str, code: int, reason: str
) -> None:
    with dial(emulator, path, cookie) as websocket:
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(PATIENCE)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


def refused(emulator: Emulator, path: str, headers: dict[str, str]) -> Any:
    with pytest.raises(InvalidStatus) as refusal, dial(emulator, path, headers):
        pass
    return refusal.value.response


def test_the_application_s_own_refusal_is_passed_on(emulator: Emulator, cookie: dict[str, str]) -> None:
    response = refused(emulator, "/refuse", cookie)
    assert (response.status_code, response.body) == (401, b"no")
    assert response.headers["x-reason"] == "because"
    assert "cf-ray" in response.headers


def test_a_redirect_is_passed_on_and_not_followed(emulator: Emulator, cookie: dict[str, str]) -> None:
    # the client under test would follow it too, and so it is looked at as a plain request
    head = {**cookie, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    response = httpx.get(
        f"{emulator.url}/redirect", headers={**head, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, trust_env=False
    )
    assert response.status_code == 302
    assert response.headers["location"] == "/echo"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/echo", {"X-Requested-With": "XMLHttpRequest"}, 401, id="not signed in"),
        pytest.param("/cdn-cgi/access/certs", {}, 404, id="the edge's own paths"),
    ],
)
def test_the_edge_s_own_refusals(emulator: Emulator, path: str, headers: dict[str, str], status: int) -> None:
    assert refused(emulator, path, headers).status_code == status


def test_a_strange_host_is_refused(emulator: Emulator) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as own, pytest.raises(InvalidStatus) as refusal:
        dial(emulator, "", {}, url="ws://evil.test/echo", sock=own)
    assert refusal.value.response.status_code == 421


def test_a_public_path_is_open(emulator: Emulator) -> None:
    with dial(emulator, "/static/live", {}) as websocket:
        assert "cf-access-jwt-assertion" not in dict(json.loads(websocket.recv(PATIENCE))["headers"])


def test_an_application_that_is_not_there_is_502(emulate: Emulate) -> None:
    emulator = emulate(upstream="http://127.0.0.1:1")
    token = emulator.issuer.user(audience=emulator.audience)
    assert refused(emulator, "/echo", {"Cookie": f"CF_Authorization={token}"}).status_code == 502
