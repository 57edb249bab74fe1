"""The emulator as a thing that is started and closed."""

import logging
import socket
import subprocess
import sys
import threading

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as dial

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.application import PATIENCE, Mirror
from tests.emulator.conftest import Connect, Emulate


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.1", "localhost", "example.com", "", "127.0.0.1.evil.test"]
)
def test_anything_but_a_loopback_address_is_refused(issuer: Issuer, host: str) -> None:
    with pytest.raises(ConfigurationError, match="host: must be a loopback address"):
        Emulator(upstream="http://127.0.0.1:1", issuer=issuer, host=host)


def test_a_bad_configuration_binds_nothing(issuer: Issuer) -> None:
    with pytest.raises(ConfigurationError, match="upstream: must be"):
        Emulator(upstream="nowhere", issuer=issuer)
    with pytest.raises(ConfigurationError, match="at least one"):
        Emulator(upstream="http://127.0.0.1:1", issuer=issuer, applications=[])


def test_listens_where_it_says(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate()
    assert emulator.url.startswith("http://127.0.0.1:")
    assert emulator.certs_url == f"{emulator.url}/cdn-cgi/access/certs"
    assert connect(emulator).get("/cdn-cgi/access/certs").status_code == 200


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_ipv6(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate(host="::1")
    assert emulator.url.startswith("http://[::1]:")
    client = connect(emulator)
    assert client.get("/").headers["location"].startswith(f"{emulator.url}/cdn-cgi/access/login/[::1]?")
    assert client.get(client.get("/").headers["location"]).status_code == 200


def test_a_port_of_one_s_own_is_free_again_afterwards(issuer: Issuer) -> None:
    with Emulator(upstream="http://127.0.0.1:1", issuer=issuer) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            Emulator(upstream="http://127.0.0.1:1", issuer=issuer, port=port)
    with Emulator(upstream="http://127.0.0.1:1", issuer=issuer, port=port) as second:
        assert second.url == first.url


def test_has_the_defaults_of_a_small_team(emulate: Emulate) -> None:
    emulator = emulate()
    assert emulator.audience == DEFAULT_AUDIENCE
    assert emulator.issuer.iss == "https://acme.cloudflareaccess.com"


def test_makes_its_own_issuer_with_its_own_clock() -> None:
    emulator = Emulator(upstream="http://127.0.0.1:1", team="other", clock=lambda: 5.0)
    emulator.close()
    assert emulator.issuer.team == "other"
    claims = emulator.issuer.read(emulator.issuer.user(audience=DEFAULT_AUDIENCE))
    assert claims is not None
    assert claims["iat"] == 5


def test_says_loudly_and_once_that_it_is_for_development(
    emulate: Emulate, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = emulate()
    connect(emulator).get("/")
    [record] = [record for record in caplog.records if record.name == "cfaccess_mw.emulator"]
    assert record.levelno == logging.WARNING
    assert "for development" in record.getMessage()
    assert emulator.url in record.getMessage()


def test_leaves_no_thread_and_no_socket_and_may_be_closed_twice(issuer: Issuer) -> None:
    emulator = Emulator(upstream="http://127.0.0.1:1", issuer=issuer).start()
    assert "cfaccess-emulator" in [thread.name for thread in threading.enumerate()]
    address = (emulator.url.removeprefix("http://").split(":")[0], int(emulator.url.rpartition(":")[2]))
    emulator.close()
    emulator.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_may_be_closed_before_it_was_started(issuer: Issuer) -> None:
    emulator = Emulator(upstream="http://127.0.0.1:1", issuer=issuer)
    emulator.close()
    port = int(emulator.url.rpartition(":")[2])
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_is_not_started_after_it_was_closed(issuer: Issuer) -> None:
    emulator = Emulator(upstream="http://127.0.0.1:1", issuer=issuer)
    emulator.close()
    with pytest.raises(RuntimeError, match="did not start") as failure:
        emulator.start()
    assert isinstance(failure.value.__cause__, OSError)


def test_is_started_once(emulate: Emulate) -> None:
    with pytest.raises(RuntimeError):
        emulate().start()


def test_starts_and_closes_in_a_thread(mirror_server: tuple[Mirror, str], issuer: Issuer) -> None:
    statuses: list[int] = []

    def run() -> None:
        with Emulator(upstream=mirror_server[1], issuer=issuer) as emulator:
            statuses.append(httpx.get(emulator.url, trust_env=False).status_code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    assert statuses == [302]


def test_leaves_logging_and_signals_alone(emulate: Emulate) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT), logging.getLogger("uvicorn.error").level
    handlers = list(logging.getLogger("uvicorn.access").handlers)
    emulate()
    assert (signal.getsignal(signal.SIGINT), logging.getLogger("uvicorn.error").level) == before
    assert logging.getLogger("uvicorn.access").handlers == handlers
    assert logging.getLogger("uvicorn.access").propagate


def test_closing_ends_what_is_open(mirror: Mirror, mirror_server: tuple[Mirror, str], issuer: Issuer) -> None:
    emulator = Emulator(upstream=mirror_server[1], issuer=issuer, clock=lambda: 1_700_000_000.0).start()
    token = issuer.user(audience=emulator.audience)
    headers = {"Cookie": f"CF_Authorization={token}"}
    url = emulator.url.replace("http", "ws", 1) + "/echo"
    with (
        dial(url, additional_headers=headers, proxy=None) as websocket,
        httpx.stream("GET", f"{emulator.url}/stream", headers=headers, trust_env=False) as response,
    ):
        websocket.recv(PATIENCE)
        pieces = response.iter_raw()
        assert next(pieces) == b"data: 1\n\n"
        emulator.close()
        assert list(pieces) == []
        with pytest.raises(ConnectionClosed):
            websocket.recv(PATIENCE)
    assert mirror.signals.client_left.wait(PATIENCE)
    assert mirror.signals.websocket_closed.wait(PATIENCE)


def test_closing_gives_up_on_an_application_that_does_not_answer(
    mirror: Mirror, mirror_server: tuple[Mirror, str], issuer: Issuer
) -> None:
    emulator = Emulator(upstream=mirror_server[1], issuer=issuer, clock=lambda: 1_700_000_000.0).start()
    token = issuer.user(audience=emulator.audience)
    statuses: list[int] = []

    def ask() -> None:
        headers = {"Cookie": f"CF_Authorization={token}"}
        statuses.append(httpx.get(f"{emulator.url}/endless", headers=headers, trust_env=False).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    assert mirror.signals.first_chunk_read.wait(PATIENCE)
    emulator.close()
    asking.join(PATIENCE)
    assert statuses == [502]
    assert mirror.signals.client_left.wait(PATIENCE)


@pytest.mark.parametrize("name", ["uvicorn", "jinja2", "websockets", "python_multipart"])
def test_a_missing_extra_is_one_sentence(name: str) -> None:
    program = f"import sys; sys.modules[{name!r}] = None; import cfaccess_mw.emulator.server"
    failed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    [*_, last] = failed.stderr.splitlines()
    mend = "pip install 'cfaccess-mw[emulator]'"
    assert last == f"ImportError: cfaccess_mw needs {name} for this, which is not installed: {mend}"


def test_the_issuer_needs_no_extra() -> None:
    missing = "".join(f"sys.modules[{name!r}] = None; " for name in ("uvicorn", "jinja2", "websockets", "httpx"))
    program = f"import sys; {missing}import cfaccess_mw.emulator.issuer, cfaccess_mw.emulator.users"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_rotating_in_another_thread_never_shows_half_a_rotation(issuer: Issuer, signing_keys: list[SigningKey]) -> None:
    torn: list[object] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            document = issuer.certs()
            if (
                document["public_cert"]["kid"] != document["keys"][1]["kid"]
                or document["keys"][0] == document["keys"][1]
            ):
                torn.append(document)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for turn in range(400):
        issuer.rotate(signing_keys[turn % 4])
    over.set()
    watcher.join()
    assert torn == []
