"""The command ``emulate``: what it prints, that it does what it prints, how it ends, and what is said of mistakes."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.settings import PREFIX
from tests.cli.conftest import Run

COMMAND = (sys.executable, "-m", "cfaccess_mw", "emulate", "--port=0")
EXAMPLE = Path(__file__).parents[2] / "examples" / "emulator.toml"

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """The command as a person starts it, and what it has printed when it waits."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with ExitStack() as stack:

        def start(*arguments: str) -> tuple["subprocess.Popen[str]", str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [*COMMAND, *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=environment,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if line.startswith(("Ctrl-C", "{")):
                    break
            return process, printed

        yield start


def data(start: Start, *arguments: str) -> tuple["subprocess.Popen[str]", dict[str, Any]]:
    process, printed = start("--json", *arguments)
    return process, json.loads(printed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_ends_cleanly_and_was_loud(start: Start, number: signal.Signals) -> None:
    process, _ = start()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "FOR DEVELOPMENT ONLY" in errors
    assert "Traceback" not in errors


def test_what_is_printed_for_people_does_what_it_says(start: Start) -> None:
    _, printed = start("--upstream", "http://127.0.0.1:1", "--fault", "skew=5")
    variables = dict(re.findall(r"export (\w+)=(\S+)", printed))
    assert variables["CFACCESS_AUDIENCE"] == DEFAULT_AUDIENCE
    assert variables["CFACCESS_TEAM"] == "acme.cloudflareaccess.com"
    assert "What goes wrong: skew=5" in printed
    orders = [shlex.split(line) for line in re.findall(r"curl --json .*", printed)]
    assert len(orders) == 2
    for _, _, body, url in orders:
        answer = httpx.post(url, json=json.loads(body), trust_env=False)
        assert answer.status_code == 200
    assert answer.json()["fault"]["certs"] == "slow:10"
    service = dict(re.findall(r"(CF-Access-Client-\w+): (\S+)", printed))
    assert httpx.get(variables["CFACCESS_TEAM_URL"], headers=service, trust_env=False).status_code == 502


def test_data(start: Start) -> None:
    _, said = data(start, "--upstream", "http://127.0.0.1:1", "--team", "yourteam", "--session", "60")
    assert said["team"] == "yourteam"
    assert said["issuer"] == "https://yourteam.cloudflareaccess.com"
    assert said["upstream"] == "http://127.0.0.1:1"
    assert said["certs_url"] == f"{said['url']}/cdn-cgi/access/certs"
    [application] = said["applications"]
    assert application["url"] == f"{said['url']}/"
    assert application["environment"] == {
        "CFACCESS_TEAM": "yourteam.cloudflareaccess.com",
        "CFACCESS_AUDIENCE": application["audience"],
        "CFACCESS_TEAM_URL": said["url"],
    }
    with httpx.Client(base_url=said["url"], trust_env=False) as client:
        assert client.get(said["control_url"]).json()["team"] == "yourteam"
        [robot] = said["service_tokens"]
        client.get(
            "/",
            headers={"CF-Access-Client-Id": robot["client_id"], "CF-Access-Client-Secret": robot["client_secret"]},
        )


def test_a_file_and_what_wins_over_it(start: Start) -> None:
    _, said = data(
        start, "--config", str(EXAMPLE), "--team", "other", "--strict", "--fault", "certs=down", "--ip", "192.0.2.1"
    )
    assert said["issuer"] == "https://other.cloudflareaccess.com"
    assert said["upstream"] == "http://127.0.0.1:8000"
    assert [application["path"] for application in said["applications"]] == ["/", "/admin"]
    assert said["fault"]["certs"] == "down:503"
    wrong = {"CF-Access-Client-Id": "x", "CF-Access-Client-Secret": "y"}
    assert httpx.get(said["url"], headers=wrong, trust_env=False).status_code == 401


def test_paths_of_one_application_are_told_as_rules(start: Start) -> None:
    _, printed = start("--config", str(EXAMPLE))
    assert printed.count("export CFACCESS_AUDIENCE") == 1
    assert re.search(r'Rule\.token\("/admin/\*", audience="[0-9a-f]{64}"\)', printed)


@pytest.mark.skipif(sys.platform != "linux", reason="where others reach a test is known on Linux only")
def test_told_twice_it_listens_for_others(start: Start) -> None:
    process, said = data(start, "--host", "0.0.0.0", "--allow-remote", "--anyone-may-sign-in")
    assert said["url"].startswith("http://127.0.0.1:")
    port = said["url"].rpartition(":")[2]
    elsewhere = f"http://127.0.0.2:{port}"  # an address that is not the one it listens on by default
    assert httpx.get(f"{elsewhere}/cdn-cgi/access/certs", trust_env=False).status_code == 200
    process.terminate()
    assert "It can be reached from other machines" in process.communicate(timeout=30)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--host", "0.0.0.0"], "host: must be a loopback address", id="told once"),
        pytest.param(["--host", "0.0.0.0", "--allow-remote"], "say it twice", id="told one and a half times"),
        pytest.param(["--host", "0.0.0.0", "--anyone-may-sign-in"], "say it twice", id="or the other half"),
        pytest.param(["--host", "localhost"], "host: must be a loopback address", id="a name"),
        pytest.param(["--upstream", "nowhere"], "upstream: must be 'http://host:port'", id="no upstream"),
        pytest.param(["--team", "A B"], "team: must be one lower-case DNS label", id="no team"),
        pytest.param(["--fault", "certs"], "'certs' has no '='; write it as in 'certs=slow'", id="half a fault"),
        pytest.param(["--fault", "certs=slo"], "'slo' is no fault; did you mean 'slow'?", id="no fault"),
        pytest.param(["--rotate-every", "0"], "rotate_every: is a number", id="no time"),
        pytest.param(["--session", "0"], "Invalid value for '--session'", id="no session"),
        pytest.param(["--ip", "here"], "ip: is text of 4 characters", id="no address"),
        pytest.param(["--port", "65536"], "Invalid value for '--port'", id="no port"),
        pytest.param(["--config", "nothing.toml"], "nothing.toml: cannot be read (No such file", id="no file"),
        pytest.param(["--config", "bad.toml"], "bad.toml: 'upstrem' is not known here", id="a bad file"),
        pytest.param(["extra"], "unexpected extra argument", id="an argument"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, folder: Path, arguments: list[str], said: str) -> None:
    (folder / "bad.toml").write_text("upstrem = 1")
    assert said in run("emulate", "--port", "0", *arguments, status=2).output


def test_a_port_that_is_taken(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1 port {port}" in run("emulate", "--port", port, status=2).output


def test_a_missing_extra_is_one_sentence() -> None:
    script = (
        "import sys; sys.modules['jinja2'] = None; sys.argv[1:] = ['emulate']; from cfaccess_mw.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: the emulator needs jinja2: pip install 'cfaccess-mw[emulator]'\n"
