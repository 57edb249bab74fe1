"""Does the demonstration show what it says, and does its check fail where something does not hold?"""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from cfaccess_mw.cli.check import check_demonstration, findings
from cfaccess_mw.cli.demo import Demonstration, explain_demonstration

COMMAND = (sys.executable, "-m", "cfaccess_mw", "demo")


def test_everything_holds() -> None:
    done = subprocess.run([*COMMAND, "--check"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    *lines, last = done.stdout.splitlines()
    assert last == f"{len(lines)} of {len(lines)} hold."
    assert all(line.startswith("ok ") for line in lines)
    assert len(lines) >= 40


def test_what_does_not_hold_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Demonstration() as demonstration:
        demonstration.emulator.certs_down()
        assert not check_demonstration(demonstration)
    assert re.search(r"^FAIL ASGI: .*saw 503 keys-unavailable$", capsys.readouterr().out, re.MULTILINE)


def test_each_thing_is_tried_at_both_doors() -> None:
    with Demonstration() as demonstration:
        found = [finding.what for finding in findings(demonstration)]
    tried = {kind: [what.removeprefix(kind) for what in found if what.startswith(kind)] for kind in ("ASGI", "WSGI")}
    assert tried["ASGI"] == tried["WSGI"]


@pytest.fixture
def shown() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demonstration as a person starts it, and what it has printed when it waits."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Ctrl-C"):
                break
        yield process, printed
        process.kill()


def as_curl_would(line: str) -> int:
    """Send what a printed line of ``curl`` would send, by name to loopback, and return the status."""
    *options, url = shlex.split(line)[1:]
    headers = dict(option.split(": ", 1) for option in options if ": " in option)
    parts = httpx.URL(url)
    with httpx.Client(trust_env=False) as client:
        answer = client.get(parts.copy_with(host="127.0.0.1"), headers={"Host": parts.netloc.decode(), **headers})
    return answer.status_code


def test_the_printed_lines_do_what_is_said_of_them(shown: tuple[subprocess.Popen[str], str]) -> None:
    process, printed = shown
    lines = re.findall(r"curl (?:.*\\\n)*.*", printed)
    assert [as_curl_would(line.replace("\\\n", " ")) for line in lines] == [401, 401, 200]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_both_are_told_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with Demonstration() as demonstration:
        explain_demonstration(demonstration, as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["team_url"] == demonstration.emulator.url
        assert {kind: site["origin"] for kind, site in told["sites"].items()} == {
            site.kind.lower(): site.origin for site in demonstration.sites
        }
        assert told["service_token"]["client_id"] == demonstration.robot.client_id
        demonstration.emulator.certs_down()
        assert not check_demonstration(demonstration, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == sum(not finding["holds"] for finding in found["findings"]) > 0


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with Demonstration() as demonstration:
        port = demonstration.emulator.url.rpartition(":")[2]
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_a_missing_extra_is_one_sentence() -> None:
    script = "import sys; sys.modules['click'] = None; from cfaccess_mw.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "cfaccess needs click: pip install 'cfaccess-mw[cli]'\n"
