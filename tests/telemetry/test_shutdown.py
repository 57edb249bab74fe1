"""Does a server that is told to end let the requests end that it has, as whoever asked, and does the door let go?"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from tests.processes import free_port, listens
from tests.servers.process import skip_without
from tests.tokens import AUD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to end a process calmly")

# How each is started, and what it says once it has understood that it is to end.
SERVERS: dict[str, tuple[Callable[[int], list[str]], str]] = {
    "uvicorn": (
        lambda port: ["tests.telemetry.draining:asgi", "--factory", f"--port={port}", "--timeout-graceful-shutdown=30"],
        "Shutting down",
    ),
    "gunicorn": (
        lambda port: [
            "tests.telemetry.draining:wsgi()",
            f"--bind=127.0.0.1:{port}",
            "--threads=2",
            "--graceful-timeout=30",
            "--no-control-socket",
        ],
        "Handling signal: term",
    ),
}


@contextmanager
def serving(server: str, environment: dict[str, str], alone: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a server until the block ends; everything that it says can be read."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", server, *SERVERS[server][0](port)],
        cwd=alone,
        env={**os.environ, **environment, "PYTHONPATH": str(alone), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert listens(process, port)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def _until(process: "subprocess.Popen[bytes]", said: str) -> str:
    """Read what a process says, up to a line with these words."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.decode(errors="replace"))
        if said in lines[-1]:
            return "".join(lines)
    pytest.fail(f"it ended before it said {said!r}:\n{''.join(lines)}")


@pytest.mark.parametrize("server", SERVERS)
def test_a_request_in_flight_is_answered_and_recorded(server: str, team: Issuer, alone: Path, tmp_path: Path) -> None:
    skip_without(server)
    audit = tmp_path / "access.jsonl"
    token = team.user("alice@example.com", audience=AUD)
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(upstream="http://127.0.0.1:9", issuer=team))
        gate = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        gate.settimeout(60)
        environment = {
            "GATE": str(gate.getsockname()[1]),
            "CFACCESS_TEAM": team.team,
            "CFACCESS_AUDIENCE": AUD,
            "CFACCESS_TEAM_URL": emulator.url,
            "CFACCESS_AUDIT": json.dumps({"to": str(audit), "email": "plain"}),
        }
        process, port = stack.enter_context(serving(server, environment, alone))
        asking = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
        request = f"GET /report HTTP/1.1\r\nHost: app\r\nConnection: close\r\nCf-Access-Jwt-Assertion: {token}\r\n\r\n"
        asking.sendall(request.encode())
        held = stack.enter_context(gate.accept()[0])  # it is in flight
        process.terminate()
        _until(process, SERVERS[server][1])
        held.sendall(b"!")
        answer = b"".join(iter(lambda: asking.recv(65_536), b""))
        said = process.communicate(timeout=60)[0].decode()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nalice@example.com")
    (line,) = map(json.loads, audit.read_text().splitlines())
    assert (line["event"], line["email"], line["path"]) == ("token-accepted", "alice@example.com", "/report")
    if server == "uvicorn":  # WSGI has no lifespan: a daemon thread keeps the keys, and keeps no process from ending
        assert said.index("the application ends") < said.index("its keys are closed")
    assert process.returncode in (0, -15), "uvicorn ends by the signal that it was sent"
