"""Does ``serve`` protect any application as the one line of code does, and end as it should?"""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.cli.team import ALICE, ask, commanding, fresh, write_team
from tests.eventually import PATIENCE, eventually
from tests.servers.raw import request

PUBLIC = '[[rules]]\npattern = "/healthz"\naccess = "public"\n'
APP = "tests.cli.applications"


@pytest.fixture
def config(issuer: Issuer, tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration; processes find the tests' applications."""
    monkeypatch.setenv("PYTHONPATH", str(alone))
    return write_team(tmp_path, issuer, PUBLIC)


def assertion(token: str) -> str:
    return f"Cf-Access-Jwt-Assertion: {token}"


@pytest.mark.parametrize(
    ("words", "kind", "who"),
    [
        pytest.param((f"{APP}:asgi",), "ASGI", ALICE, id="asgi"),
        pytest.param((f"{APP}:wsgi",), "WSGI", None, id="wsgi"),
        pytest.param((f"{APP}:make", "--factory"), "WSGI", None, id="factory"),
        pytest.param((f"{APP}:wsgi", "--interface", "wsgi", "--workers", "2"), "WSGI", None, id="workers"),
    ],
)
def test_an_application_is_protected(
    words: tuple[str, ...], kind: str, who: str | None, issuer: Issuer, config: str, tmp_path: Path
) -> None:
    who = who or issuer.subject(ALICE)
    with commanding("serve", *words, "--config", config, "--port", "0", folder=tmp_path) as command:
        assert _eventually(command.port, 200)
        refused = ask(command.port, request("/", "Remote-User: mallory"))
        assert (refused.status, json.loads(refused.body)["code"]) == (401, "no-token")
        admitted = ask(command.port, request("/a%20b", assertion(fresh(issuer)), "Remote-User: mallory"))
        assert (admitted.status, admitted.body.decode().startswith(f"{who} at /a b")) == (200, True)
        assert ask(command.port, request("/healthz/..%2f")).status == 400
        assert admitted.header("server") is None
        assert f"({kind}) is protected" in command.said()
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(20) == 0
        assert "Traceback" not in command.said()


def test_a_body_reaches_a_wsgi_application(issuer: Issuer, config: str, tmp_path: Path) -> None:
    with commanding("serve", f"{APP}:wsgi", "--config", config, "--port", "0", folder=tmp_path) as command:
        body = b"x" * 300_000
        data = request("/", assertion(fresh(issuer)), f"Content-Length: {len(body)}", method="POST", body=body)
        assert ask(command.port, data).body.endswith(b" sent 300000")


def test_who_is_connected_is_nothing_for_a_client_to_say(issuer: Issuer, tmp_path: Path, alone: Path) -> None:
    rules = 'trusted_peers = ["198.51.100.9"]\n[[rules]]\npattern = "/"\nallow = { ips = ["192.0.2.0/24"] }\n'
    config = write_team(tmp_path, issuer, rules)
    words = ("serve", f"{APP}:asgi", "--config", config, "--port", "0")
    with commanding(*words, folder=tmp_path, environment={"PYTHONPATH": str(alone)}) as command:
        claims = ("X-Forwarded-For: 198.51.100.9", "CF-Connecting-IP: 192.0.2.1")
        assert ask(command.port, request("/", assertion(fresh(issuer)), *claims)).status == 403


@pytest.mark.skipif(sys.platform == "win32", reason="it has no Unix sockets")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_unix_socket(number: int, issuer: Issuer, config: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    with commanding("serve", f"{APP}:asgi", "--config", config, "--uds", str(path), folder=tmp_path) as command:
        assert path.stat().st_mode & 0o777 == 0o660
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(request("/", assertion(fresh(issuer))))
            assert client.recv(64).startswith(b"HTTP/1.1 200 OK\r\n")
        command.process.send_signal(number)
        assert command.process.wait(20) == 0
    assert not path.exists()


def test_a_changed_file_is_served_anew(issuer: Issuer, config: str, tmp_path: Path) -> None:
    text = (
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        await send({'type': 'http.response.start', 'status': 299, 'headers': []})\n"
        "        await send({'type': 'http.response.body'})\n"
    )
    (tmp_path / "changing.py").write_text(text)
    with commanding("serve", "changing:app", "--config", config, "--port", "0", "--reload", folder=tmp_path) as command:
        assert _eventually(command.port, 299)
        # Again and again: uvicorn may look for the first time after a change. And each time of another size: Python
        # takes a file of the same size and second for the one that it has compiled.
        changed = text.replace("299", "298")
        assert _eventually(command.port, 298, lambda turn: (tmp_path / "changing.py").write_text(changed + "#" * turn))


def _eventually(port: int, status: int, turn: Callable[[int], object] = abs) -> bool:
    """Ask until the answer is the one; another process is on its way up."""
    deadline, turns = time.monotonic() + PATIENCE, 0
    while time.monotonic() < deadline:
        turn(turns := turns + 1)
        if eventually(lambda: _status(port) == status, within=2):
            return True
    return False


def _status(port: int) -> int:
    with suppress(OSError):
        return ask(port, request("/healthz")).status
    return 0


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param(("serve", "PLACE"), {"app", "interface", "address"}, id="serve"),
        pytest.param(
            ("forward-auth", "--proxy", "nginx", "--trust", "loopback"), {"proxy", "address"}, id="forward-auth"
        ),
    ],
)
def test_programs_are_told_where_it_listens(
    command: tuple[str, ...], told: set[str], config: str, tmp_path: Path
) -> None:
    (tmp_path / "plain.py").write_text("async def app(scope, receive, send): ...\n")
    words = [word.replace("PLACE", "plain:app") for word in command]
    options = ("--config", config, "--port", "0", "--json", *(("--app-dir", str(tmp_path)) if "serve" in words else ()))
    with subprocess.Popen(
        [sys.executable, "-m", "cfaccess_mw", *words, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        process.terminate()
    assert said.keys() == told
    assert said["address"].startswith("http://127.0.0.1:")
