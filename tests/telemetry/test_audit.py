"""Is every access recorded, in one line, where it was to be, and nothing in it that was not to be?"""

import gc
import hashlib
import hmac
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cfaccess_mw import ConfigurationError, Identity, Rule
from cfaccess_mw.core.recording import Recording
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.protection import Protection
from cfaccess_mw.settings import configure
from cfaccess_mw.telemetry.audit import Audit
from cfaccess_mw.telemetry.events import Event, tell_request
from cfaccess_mw.telemetry.requests import ToldRequest
from tests.doors.conftest import Ask, Request
from tests.tokens import AUD

KEY = "correct horse battery staple"
RAY = "8f2b1c0d9e3a4f56-LHR"
MEMBERS = ["time", "event", "code", "method", "path", "ray", "kind", "id", "email", "key", "rule", "seconds"]


def lines(path: Path) -> list[dict[str, Any]]:
    """What a file has, each line read as JSON."""
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def request(path: str = "/", **known: Any) -> ToldRequest:
    """A request that was let in."""
    return ToldRequest("accepted", sent_method="GET", sent_path=path, **known)


def record(audit: Audit, path: str = "/", **known: Any) -> None:
    """Record a request that was let in."""
    tell_request([audit], "token-accepted", request(path, **known))


@pytest.mark.parametrize(
    ("path", "who", "line"),
    [
        pytest.param(
            "/reports/q3.pdf",
            "alice",
            {"event": "token-accepted", "code": None, "kind": "user", "rule": "/reports/*"},
            id="let-in",
        ),
        pytest.param("/", "robot", {"event": "token-accepted", "kind": "service", "rule": None}, id="a-service"),
        pytest.param(
            "/admin",
            "alice",
            {"event": "policy-denied", "code": "not-permitted", "kind": "user", "rule": "/admin/*"},
            id="denied",
        ),
        pytest.param("/", None, {"event": "token-refused", "code": "no-token", "kind": None, "id": None}, id="nobody"),
        pytest.param(
            "/\x1b]0;x\x07\r\n{}",
            "alice",
            {"event": "path-ambiguous", "path": "/\\x1b]0;x\\x07\\r\\n{}", "kind": None},
            id="ambiguous",
        ),
    ],
)
def test_what_a_line_says(
    ask: Ask, team: Issuer, tmp_path: Path, path: str, who: str | None, line: dict[str, Any]
) -> None:
    tokens = {"alice": team.user("Alice@example.com", audience=AUD), "robot": team.service(audience=AUD)}
    headers = () if who is None else (("cf-access-jwt-assertion", tokens[who]),)
    rules = [Rule.token("/reports/*"), Rule.allow("/admin/*", emails="bob@example.com")]
    log = tmp_path / "access.jsonl"
    ask(
        Request(path=path, headers=(*headers, ("cf-ray", RAY))),
        rules=rules,
        audit={"to": str(log), "key": KEY},
    )
    (found,) = lines(log)
    assert list(found) == MEMBERS
    assert line.items() <= found.items()
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert (found["ray"], found["method"]) == (RAY, "GET")
    assert found["seconds"] > 0
    assert found["key"] == (None if who is None else team.current.kid[:8])
    known = line["kind"] == "user"
    assert found["email"] == (f"hmac-sha256:{hashed('alice@example.com')}" if known else None)
    assert "lice@" not in log.read_text()
    assert tokens["alice"][:60] not in log.read_text()


def hashed(address: str) -> str:
    """As ``openssl dgst -sha256 -hmac`` has it."""
    return hmac.new(KEY.encode(), address.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("open_path", ["/healthz", "/maybe"])
def test_requests_of_nobody_in_particular_are_not_recorded(ask: Ask, tmp_path: Path, open_path: str) -> None:
    log = tmp_path / "access.jsonl"
    ask(Request(path=open_path), rules=[Rule.public("/healthz"), Rule.optional("/maybe")], audit=str(log))
    assert log.read_text() == ""


@pytest.mark.parametrize(
    ("email", "address", "written"),
    [
        pytest.param("plain", "alice@example.com", "alice@example.com", id="plain"),
        pytest.param("plain", "a\n\x1b@example.com", "a\\n\\x1b@example.com", id="plain-and-hostile"),
        pytest.param("plain", "a" * 400, "a" * 256, id="plain-and-long"),
        pytest.param("off", "alice@example.com", None, id="off"),
    ],
)
def test_what_stands_for_an_address(
    tmp_path: Path, identity: Callable[..., Identity], email: str, address: str, written: str | None
) -> None:
    log = tmp_path / "access.jsonl"
    record(Audit(Recording(to=str(log), email=email)), identity=identity(email=address, id="\n" + "x" * 300))
    (found,) = lines(log)
    assert found["email"] == written
    assert found["id"] == "\\n" + "x" * 255


def test_without_a_key_a_process_makes_one_up_and_says_so(
    tmp_path: Path, identity: Callable[..., Identity], caplog: pytest.LogCaptureFixture
) -> None:
    logs = [tmp_path / name for name in ("one", "other")]
    for log in logs:
        audit = Audit(Recording(to=str(log)))
        record(audit, identity=identity(email="Alice@example.com"))
        record(audit, identity=identity(email="alice@example.com"))
    (first, again), (other, _) = map(lines, logs)
    assert first["email"] == again["email"]
    assert first["email"] != other["email"]
    assert [record.__dict__["cfaccess_event"] for record in caplog.records] == ["audit-key-missing"] * 2
    Audit(Recording(to="stdout", email="off"))
    Audit(Recording(to="stdout", key=KEY))
    assert len(caplog.records) == 2


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_is_the_one_of_the_moment(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    audit = Audit(Recording(to=name, email="off"))
    with capsys.disabled():
        pass  # which puts others in its place
    record(audit, "/a")
    captured = capsys.readouterr()
    assert json.loads(getattr(captured, "out" if name == "stdout" else "err"))["path"] == "/a"


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be renamed there")
def test_a_file_that_was_rotated_is_opened_again(tmp_path: Path) -> None:
    log, old = tmp_path / "access.jsonl", tmp_path / "access.jsonl.1"
    audit = Audit(Recording(to=str(log), email="off"))
    record(audit, "/before")
    log.rename(old)
    record(audit, "/after")
    log.unlink()
    record(audit, "/again")
    assert [line["path"] for line in lines(old)] == ["/before"]
    assert [line["path"] for line in lines(log)] == ["/again"]


def test_logging_that_is_configured_later_takes_nothing_away(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    audit = Audit(Recording(to=str(log), email="off"))
    record(audit, "/before")
    audit._handler.close()  # what logging.config does to every handler that there is
    record(audit, "/after")
    assert [line["path"] for line in lines(log)] == ["/before", "/after"]


@pytest.mark.parametrize(
    "to",
    [
        pytest.param("{}", id="a-folder"),
        pytest.param("{}/missing/access.jsonl", id="in-no-folder"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_a_mistake_at_start(tmp_path: Path, to: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^audit: .* cannot be written \(.+\); give "):
        Protection(team="acme", audience=AUD, audit=to.format(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_line_that_cannot_be_written_stops_no_request(
    ask: Ask, team: Issuer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    token = team.user("alice@example.com", audience=AUD)
    assert ask(Request.with_token(token), audit={"to": "/dev/full", "key": KEY}).status == 200
    assert "a listener failed on token-accepted" in caplog.text
    assert capsys.readouterr().err == ""


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    audit = Audit(Recording(to=str(log), email="off"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: record(audit, f"/{number}"), range(500)))
    assert sorted(line["path"] for line in lines(log)) == sorted(f"/{number}" for number in range(500))


def test_lines_of_many_processes_stay_whole(alone: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    program = f"""
import sys
from cfaccess_mw.core.recording import Recording
from cfaccess_mw.telemetry.audit import Audit
from cfaccess_mw.telemetry.events import tell_request
from cfaccess_mw.telemetry.requests import ToldRequest
audit = Audit(Recording(to={str(log)!r}, email="off"))
request = ToldRequest("accepted", sent_method="GET", sent_path="/" + sys.argv[1] + "\\x00" * 200)
print(flush=True)
sys.stdin.readline()
for _ in range(200):
    tell_request([audit], "token-accepted", request)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(number)],
            cwd=alone,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        process.communicate(b"\n", timeout=60)
    assert len(lines(log)) == 600


def test_a_door_that_is_thrown_away_leaves_no_file_open(tmp_path: Path) -> None:
    audit = Audit(Recording(to=str(tmp_path / "access.jsonl"), email="off"))
    record(audit)
    handler = audit._handler
    assert handler.stream is not None
    del audit
    gc.collect()
    assert handler.stream is None


def test_events_about_no_request_are_not_recorded(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    Audit(Recording(to=str(log), email="off"))(Event(name="keys-failed", level=logging.WARNING))
    assert log.read_text() == ""


def test_a_file_says_where_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    file = tmp_path / "access.toml"
    file.write_text(f'team = "acme"\naudience = "{AUD}"\n[audit]\nto = "logs/access.jsonl"\nkey = "{KEY}"\n')
    assert configure(file).recording == Recording(to=str(tmp_path / "logs" / "access.jsonl"), key=KEY)
    file.write_text('team = "acme"\naudit = { kye = "0123456789abcdef" }\n')
    with pytest.raises(
        ConfigurationError, match=r"access\.toml: audit: 'kye' is not a key of it; did you mean 'key'\?"
    ):
        configure(file)


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, team: Issuer) -> None:
    log = tmp_path / "access.jsonl"
    with Emulator(upstream="http://127.0.0.1:9", issuer=team) as emulator:
        variables = {"TEAM": "acme", "AUDIENCE": AUD, "TEAM_URL": emulator.url, "AUDIT": json.dumps({"to": str(log)})}
        for name, value in variables.items():
            monkeypatch.setenv(f"CFACCESS_{name}", value)
        protection = Protection()
        assert protection.config.recording == Recording(to=str(log))
        assert protection.observed
        protection.close()
