"""What becomes of requests under real servers while keys are waited for, clients go away, and servers end?"""

import signal
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.eventually import PATIENCE
from tests.faults.endpoint import Endpoint
from tests.faults.serving import CLOSED, PASSED, SERVERS, Gate, Running, heard, running
from tests.servers.process import skip_without
from tests.servers.raw import Conversation
from tests.tokens import AUD

# Answers one request at a time.
ONE_AT_A_TIME = ("gunicorn-sync",)
PROCESSES = {"uvicorn-workers": 2}
# Knows nothing of SIGTERM, and drops whoever is inside.
ABRUPT = ("waitress",)
# Ends by the signal that it was sent, as a shell expects; uvicorn after it has shut down in order.
ENDS_WITH = {"uvicorn": -signal.SIGTERM, "waitress": -signal.SIGTERM}


@pytest.fixture(params=list(SERVERS))
def name(request: pytest.FixtureRequest) -> str:
    """One way to run the application."""
    skip_without(request.param.partition("-")[0])
    return str(request.param)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Where requests are held."""
    with Gate() as gate:
        yield gate


@pytest.fixture
def cold(name: str, endpoint: Endpoint, gate: Gate, tmp_path: Path, alone: Path) -> Iterator[Running]:
    """A server that waits for its first keys."""
    endpoint.gate.clear()
    with running(SERVERS[name], endpoint, tmp_path, alone, FAULTS_GATE=str(gate.port)) as running_one:
        yield running_one


@pytest.fixture
def good(live: Issuer) -> str:
    """A good token."""
    return live.user("alice@example.com", audience=AUD)


@pytest.fixture
def unknown(live: Issuer, stranger: SigningKey) -> str:
    """A token by a key that the team does not publish."""
    return live.user("alice@example.com", audience=AUD, key=stranger)


@pytest.fixture
def other(live: Issuer, spare: SigningKey) -> str:
    """A token by another one."""
    return live.user("alice@example.com", audience=AUD, key=spare)


def reset(conversation: Conversation) -> None:
    """Go away without a word."""
    conversation._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conversation._socket.close()


def test_a_process_from_its_first_request_to_its_last(
    name: str, cold: Running, endpoint: Endpoint, gate: Gate, good: str, unknown: str, other: str
) -> None:
    """One story, since each step needs what the one before it has left: a cold process, a warm one, one that ends."""
    # The first client asks for the keys, and is gone before they come.
    first = cold.send(good)
    endpoint.await_arrival()
    second, third = cold.send(good), cold.send(unknown)
    reset(first)
    if name not in ONE_AT_A_TIME:
        assert cold.ask(None, "/pid")[0] == 200, "who needs no keys waits for none"
        assert cold.ask(None) == (401, "no-token")
    endpoint.gate.set()
    assert heard(second) == PASSED
    assert heard(third) == (401, "unknown-key")
    assert len(endpoint.connections) <= 2 * PROCESSES.get(name, 1), "one flight, and one for the unknown key"

    # It is told to end while one client is inside, one waits for keys, and one comes.
    endpoint.gate.clear()
    held = cold.send(good, "/hold")
    gate.wait()
    waiting = cold.send(other)
    if name not in ONE_AT_A_TIME:
        endpoint.await_arrival()
    cold.process.terminate()
    late = cold.knock()
    gate.open()
    endpoint.gate.set()
    assert heard(held) == (CLOSED if name in ABRUPT else PASSED), "who is inside is answered"
    assert heard(waiting) in {(401, "unknown-key"), (503, "keys-unavailable"), CLOSED}
    assert heard(late) in {(401, "no-token"), CLOSED}
    assert cold.process.wait(PATIENCE) == ENDS_WITH.get(name, 0), cold.log.read_text(errors="replace")


@pytest.mark.parametrize("name", ["gunicorn-gthread", "waitress"])
def test_keys_that_nobody_publishes_do_not_fill_the_threads(
    name: str, endpoint: Endpoint, good: str, live: Issuer, stranger: SigningKey, tmp_path: Path, alone: Path
) -> None:
    """Eight threads, and as many requests with keys to wait for, from an endpoint that says nothing."""
    skip_without(name.partition("-")[0])

    def unknown(number: int) -> str:
        key = SigningKey(private_key=stranger.private_key, kid=f"{number:064}", certificate="")
        return live.user("alice@example.com", audience=AUD, key=key)

    with running(SERVERS[name], endpoint, tmp_path, alone) as server:
        assert server.ask(good) == PASSED
        endpoint.await_arrival()
        endpoint.gate.clear()
        # Connections that stay: before it closes one, gunicorn waits for its client.
        waiting = [server.send(unknown(number), close=False) for number in range(8)]
        endpoint.await_arrival()
        assert server.ask(None, "/pid")[0] == 200
        assert server.ask(good) == PASSED
        endpoint.gate.set()
        answers = Counter(heard(one) for one in waiting)
    assert answers == {(503, "keys-unavailable"): 4, (401, "unknown-key"): 4}
