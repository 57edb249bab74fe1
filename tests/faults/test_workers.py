"""Processes that come and go: forked with keys or in the middle of fetching them, recycled, reloaded.

While they do, and after it, the same people are let in as ever.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.eventually import PATIENCE
from tests.faults.endpoint import Endpoint
from tests.faults.serving import (
    CLOSED,
    GTHREAD,
    ON_UVICORN,
    PASSED,
    UVICORN,
    Gate,
    Running,
    environment_of,
    heard,
    running,
)
from tests.faults.table import FAULTS
from tests.servers.process import skip_without
from tests.tokens import AUD, OTHER_AUD

Tokens = Mapping[str, str | None]

# By who asks; a connection that is closed because its process goes is asked again.
EXPECTED = {
    "nobody": (401, "no-token"),
    "other": (401, "wrong-audience"),
    "forged": (401, "bad-signature"),
    "unknown": (401, "unknown-key"),
    "good": PASSED,
}


@pytest.fixture
def tokens(live: Issuer, stranger: SigningKey) -> Tokens:
    """By who asks."""
    forger = SigningKey(private_key=stranger.private_key, kid=live.current.kid, certificate="")
    return {
        "nobody": None,
        "other": live.user("alice@example.com", audience=OTHER_AUD),
        "forged": live.user("alice@example.com", audience=AUD, key=forger),
        "unknown": live.user("alice@example.com", audience=AUD, key=stranger),
        "good": live.user("alice@example.com", audience=AUD),
    }


def ask(server: Running, token: str | None, path: str = "/") -> tuple[int, str]:
    """An answer, of the next process where one went away."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            answer = server.ask(token, path)
        except ConnectionError:
            continue
        if answer != CLOSED:
            return answer
    raise AssertionError(server.log.read_text(errors="replace"))


def processes(server: Running, tokens: Tokens, enough: Callable[[set[str]], bool]) -> set[str]:
    """Have everybody ask, over and over, until enough processes have answered; gives their ids."""
    seen: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while not enough(seen):
        assert time.monotonic() < deadline, server.log.read_text(errors="replace")
        assert {who: ask(server, token) for who, token in tokens.items()} == EXPECTED
        seen.add(ask(server, None, "/pid")[1])
    return seen


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((*GTHREAD, "--max-requests=5", "tests.faults.on_wsgi:app"), id="gunicorn"),
        pytest.param((*ON_UVICORN, "--max-requests=5", "tests.faults.on_asgi:app"), id="gunicorn-uvicorn"),
        pytest.param((*UVICORN, "--workers=2", "--limit-max-requests=5", "tests.faults.on_asgi:app"), id="uvicorn"),
    ],
)
def test_workers_that_are_recycled(
    words: tuple[str, ...], endpoint: Endpoint, tokens: Tokens, tmp_path: Path, alone: Path
) -> None:
    """Each fetches for itself, once, and once more for the unknown key."""
    skip_without(words[0])
    with running(words, endpoint, tmp_path, alone) as server:
        seen = processes(server, tokens, lambda seen: len(seen) >= 3)
        assert len(endpoint.connections) <= 2 * (len(seen) + 2), "and those that nobody was told of"


@pytest.mark.parametrize(
    ("words", "touches"),
    [
        pytest.param((*GTHREAD, "tests.faults.on_wsgi:app"), False, id="gunicorn"),
        pytest.param((*GTHREAD, "--preload", "tests.faults.on_wsgi:app"), False, id="gunicorn-preloaded"),
        pytest.param((*UVICORN, "--workers=2", "tests.faults.on_asgi:app"), False, id="uvicorn-workers"),
        pytest.param(
            (*UVICORN, "--reload", "--reload-dir={folder}", "tests.faults.on_asgi:app"), True, id="uvicorn-reload"
        ),
    ],
)
def test_a_server_that_is_reloaded(
    words: tuple[str, ...], touches: bool, endpoint: Endpoint, tokens: Tokens, tmp_path: Path, alone: Path
) -> None:
    """By a signal, or because a file has changed."""
    skip_without(words[0])
    watched = tmp_path / "watched"
    watched.mkdir()
    told = tuple(word.replace("{folder}", str(watched)) for word in words)
    with running(told, endpoint, tmp_path, alone) as server:
        before = processes(server, tokens, lambda seen: len(seen) >= 1)
        if touches:
            (watched / "changed.py").touch()
        else:
            server.process.send_signal(signal.SIGHUP)
        processes(server, tokens, lambda seen: not seen <= before)


@pytest.mark.parametrize("ahead", ["hydrate", "attend"])
def test_workers_that_are_forked_from_a_process_with_a_driver(
    ahead: str, endpoint: Endpoint, live: Issuer, spare: SigningKey, tokens: Tokens, tmp_path: Path, alone: Path
) -> None:
    """With the keys at hand, or while they are fetched; in the workers nothing is left of the thread that did it."""
    skip_without("gunicorn")
    if ahead == "attend":
        endpoint.gate.clear()
    with ThreadPoolExecutor(1) as pool, Gate() as gate:

        def let_go() -> None:
            endpoint.await_arrival()
            if ahead == "attend":
                gate.wait()
                gate.open()

        seen = pool.submit(let_go)
        words = (*GTHREAD, "--preload", "tests.faults.on_wsgi:app")
        more = {"FAULTS_AHEAD": ahead, "FAULTS_GATE": str(gate.port)}
        with running(words, endpoint, tmp_path, alone, **more) as server:
            seen.result(PATIENCE)
            _ask_a_worker(server, ahead, endpoint, live, spare, tokens)


def _ask_a_worker(
    server: Running, ahead: str, endpoint: Endpoint, live: Issuer, spare: SigningKey, tokens: Tokens
) -> None:
    if ahead == "hydrate":
        endpoint.fault = FAULTS["500"]
        assert ask(server, tokens["good"]) == PASSED, "with what was fetched before the fork"
        assert len(endpoint.connections) == 1
        assert ask(server, tokens["unknown"]) == (503, "keys-unavailable"), "it may be a new key"
        endpoint.await_arrival()
        endpoint.fault = None
    else:
        mine = server.send(tokens["good"])
        endpoint.await_arrival()
        endpoint.gate.set()
        assert heard(mine) == PASSED, "by a flight of its own"
    live.rotate(spare)
    new = live.user("alice@example.com", audience=AUD)
    if ahead == "hydrate":
        assert ask(server, new) == (503, "keys-unavailable"), "a pause after the failure"
        endpoint.await_arrival()
    assert ask(server, new) == PASSED
    assert ask(server, None) == (401, "no-token")


IMPORTS = """
import sys
import cfaccess_mw.refresh.wakers  # for who waits below, in the main thread
from tests.faults.on_wsgi import app

(keys,) = app.protection._keys.values()
app.protection.attend_blocking()
before = set(sys.modules)
keys.hydrate(patience=20)
print(sorted(set(sys.modules) - before))
"""


def test_a_thread_that_fetches_imports_nothing(endpoint: Endpoint, alone: Path) -> None:
    """Else whoever forks beside it leaves the child with half a module, and a lock that nobody gives back."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        check=False,
        cwd=alone,
        env=environment_of(endpoint, alone),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


SILENT = """
import socket, threading
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.protection import Protection

socket.getaddrinfo = lambda *_, **__: threading.Event().wait(300)
protection = Protection(fetcher=HttpxFetcher(total=0.2))
try:
    protection.hydrate()
except Exception as error:
    print(type(error).__name__)
"""


def test_a_process_ends_while_a_name_server_is_silent(endpoint: Endpoint, alone: Path) -> None:
    """It is told to go, and does not wait for an answer that comes in half a minute or never."""
    done = subprocess.run(
        [sys.executable, "-c", SILENT],
        check=True,
        cwd=alone,
        env=environment_of(endpoint, alone),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "KeysUnavailable\n"
