"""Can a shell end sessions, see which were ended, and take it back, and does no secret stand on a command line?"""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from cfaccess_mw.cli.mistakes import INTERRUPTED
from cfaccess_mw.fleet import Fleet
from tests.cli.conftest import CLIENT_ID, Run
from tests.eventually import eventually
from tests.fleet.servers import RedisServer, redis_server
from tests.processes import free_port

SECRET = "sup3rs3cr3t-of-the-fleet"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    """Where nobody else has written."""
    return f"t{uuid.uuid4().hex}"


@contextmanager
def working(url: str) -> Iterator[Fleet]:
    """A worker."""
    fleet = Fleet(url, start_wait=20)
    member = fleet.join(lambda: (), (lambda event: None,))
    yield fleet
    member.leave()


@pytest.fixture
def fleet(folder: Path, redis: RedisServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """The one that the environment names, with a worker."""
    url = f"{redis.url}?namespace={namespace}&secret={SECRET}"
    monkeypatch.setenv("CFACCESS_FLEET", url)
    with working(url) as fleet:
        yield fleet


@pytest.mark.parametrize(
    ("arguments", "words", "expected"),
    [
        pytest.param(
            ["--email", "Alice@Example.com"],
            "revoked: sessions begun before 20.* UTC of email alice@example.com, until 20.* UTC \\(id [0-9a-f]{16}\\)",
            ("email", "alice@example.com", 31 * 86_400),
            id="email",
        ),
        pytest.param(["--user", "u1", "--for", "24h"], "of user u1", ("user", "u1", 86_400), id="user"),
        pytest.param(
            ["--nonce", "n1", "--for", "2h45m"], "all sessions of nonce n1", ("nonce", "n1", 9_900), id="nonce"
        ),
        pytest.param(
            ["--service", CLIENT_ID, "--for", "90s"],
            "all sessions of service e36",
            ("service", CLIENT_ID, 90),
            id="service",
        ),
        pytest.param(["--everybody"], "begun before .* of everybody", ("all", "", 31 * 86_400), id="everybody"),
        pytest.param(
            ["--everybody", "--team", "acme"],
            "of https://acme.cloudflareaccess.com",
            ("all", "https://acme.cloudflareaccess.com", 31 * 86_400),
            id="a-team",
        ),
        pytest.param(
            ["--all-before", "2026-11-22T10:30:00+01:00"],
            "begun before 2026-11-22 09:30:00 UTC of everybody",
            ("all", "", 31 * 86_400),
            id="before",
        ),
        pytest.param(
            ["--all-before", "1795339800"], "before 2026-11-22 09:30:00 UTC", ("all", "", 2_678_400), id="epoch"
        ),
        pytest.param(
            ["--user", "u1", "--block", "--for", "60"], "all sessions of user u1", ("user", "u1", 60), id="block"
        ),
    ],
)
def test_sessions_are_ended(
    run: Run, fleet: Fleet, arguments: list[str], words: str, expected: tuple[str, str, float]
) -> None:
    assert re.search(words, run("revoke", *arguments).stdout)
    (made,) = fleet.revocations()
    assert (made.subject, made.value) == expected[:2]
    assert made.until - made.made_at == pytest.approx(expected[2])
    assert (made.issued_before is None) is ("all sessions of" in words)


def test_what_is_ended_is_listed_and_undone(run: Run, fleet: Fleet) -> None:
    assert run("revoke", "--list").stdout == "nothing is revoked\n"
    assert json.loads(run("revoke", "--list", "--json").stdout) == []
    for who in ("alice@example.com", "bob@example.com", "carol@example.com"):
        run("revoke", "--email", who)
    listed = run("revoke", "--list").stdout.splitlines()
    assert listed[0].split() == ["ID", "BY", "WHOM", "SESSIONS", "MADE", "ENDS"]
    assert [line.split()[2] for line in listed[1:]] == ["alice@example.com", "bob@example.com", "carol@example.com"]
    assert run("revoke", "--undo", "--email", "ALICE@example.com").stdout.startswith("undone: sessions begun before")
    data = json.loads(run("revoke", "--list", "--json").stdout)
    assert data[0].keys() == {"id", "subject", "value", "issued_before", "made_at", "until"}
    assert json.loads(run("revoke", "--undo", "--id", data[0]["id"], "--json").stdout) == data[:1]
    made = json.loads(run("revoke", "--user", "u1", "--json").stdout)
    assert made in json.loads(run("revoke", "--list", "--json").stdout)
    assert "nothing of that is revoked" in run("revoke", "--undo", "--user", "u2", status=1).stderr
    assert [one.value for one in fleet.revocations()] == ["carol@example.com", "u1"]


def test_where_the_fleet_is_said(
    run: Run, folder: Path, redis: RedisServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fleet.toml").write_text(f'[fleet]\nurl = "{redis.url}"\nnamespace = "{namespace}"\n')
    result = run("revoke", "--user", "u1", "--config", "fleet.toml", "--wait", "0")
    assert result.stdout.startswith("written: "), "nobody was asked whether he has taken it"
    assert result.stderr == ""
    assert "u1" in run("revoke", "--list", "--fleet", redis.url, "--namespace", namespace).stdout
    monkeypatch.setenv("CFACCESS_CONFIG", "fleet.toml")
    assert "u1" in run("revoke", "--list").stdout
    monkeypatch.setenv("CFACCESS_FLEET", f"{redis.url}?namespace={namespace}x")
    assert run("revoke", "--list").stdout == "nothing is revoked\n", "the environment is before the file"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "name whom: --user, --email", id="nobody"),
        pytest.param(["--user", "a", "--nonce", "b"], "name one: ", id="two"),
        pytest.param(["--user", "a", "--everybody"], "name one: ", id="somebody-and-everybody"),
        pytest.param(["--everybody", "--all-before", "1"], "name one: ", id="everybody-twice"),
        pytest.param(["--user", "a", "--team", "acme"], "--team goes with", id="a-user-of-a-team"),
        pytest.param(["--everybody", "--team", "a b"], "team: ", id="no-team"),
        pytest.param(["--list", "--undo"], "--list stands alone", id="list-and-undo"),
        pytest.param(["--list", "--user", "a"], "--list stands alone", id="list-of-one"),
        pytest.param(["--user", "a", "--id", "x"], "--list stands alone", id="id-without-undo"),
        pytest.param(["--undo", "--user", "a", "--id", "x"], "--list stands alone", id="undo-twice"),
        pytest.param(["--undo"], "name whom", id="undo-nothing"),
        pytest.param(["--email", "alice"], "email: is text of 5 characters; give an address", id="no-address"),
        pytest.param(["--service", SECRET], "service: is text of 24 characters; give a Client ID", id="no-client-id"),
        pytest.param(["--user", "a", "--for", "soon"], "write it as 31d, 24h", id="for-soon"),
        pytest.param(["--user", "a", "--for", "0"], "lasts: is a number; give seconds", id="for-nothing"),
        pytest.param(["--user", "a", "--for", "401d"], "lasts: is a number; give seconds", id="for-too-long"),
        pytest.param(["--all-before", "2026-11-22T09:30:00"], "a time with its zone", id="no-zone"),
        pytest.param(["--all-before", "yesterday"], "a time with its zone", id="no-time"),
        pytest.param(["--all-before", "1", "--block"], "issued_before: stands beside block", id="before-and-block"),
        pytest.param(["--list", "--namespace", "a b"], "fleet: namespace: ", id="no-namespace"),
        pytest.param(["--list", "--fleet", "http://h"], "fleet: url: is text of 8", id="no-fleet"),
        pytest.param(["--list", "--fleet", "redis://[h"], "fleet: url: ", id="no-host"),
        pytest.param(["--list", "--fleet", f"redis://:{SECRET}@h"], "put it into CFACCESS_FLEET", id="a-password"),
        pytest.param(["--list", "--fleet", f"redis://h?secret={SECRET}"], "put it into CFACCESS_FLEET", id="a-secret"),
        pytest.param(
            ["--list", "--fleet", f"redis://h?%73ecret={SECRET}"], "put it into CFACCESS_FLEET", id="a-secret-encoded"
        ),
        pytest.param(
            ["--list", "--fleet", f"redis://h?db=0&pass%57ord={SECRET}"], "put it into CFACC", id="a-password-encoded"
        ),
        pytest.param(["--list", "--wait", "61"], "0<=x<=60", id="waiting-for-too-long"),
        pytest.param(["--user", "a", "--wait", "nan"], "write seconds", id="waiting-for-ever"),
        pytest.param(["--list", "--config", "nowhere.toml"], "nowhere.toml: cannot be read", id="no-file"),
        pytest.param(["--list", "--config", "access.toml"], "fleet: is said nowhere", id="a-file-without"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, fleet: Fleet, arguments: list[str], message: str) -> None:
    result = run("revoke", *arguments, status=2)
    assert message in result.stderr
    assert result.stdout == ""
    assert SECRET not in result.output
    assert fleet.revocations() == ()


def test_nowhere_said(run: Run) -> None:
    assert "fleet: is said nowhere; set CFACCESS_FLEET" in run("revoke", "--list", status=2).stderr


def test_nobody_there(run: Run) -> None:
    result = run("revoke", "--user", "a", "--fleet", f"redis://127.0.0.1:{free_port()}", status=3)
    assert "fleet: Redis did not do what was asked (ConnectionError); see whether it is up" in result.stderr


ANOTHER = "another-s3cr3t-of-the-fleet"
DIFFERS = "fleet: secret: is not the one that the workers of this fleet use, and none is known to have taken"
NOBODY = "fleet: no worker has taken what was written within 0.1 seconds"


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        pytest.param([SECRET], [SECRET], (0, ""), id="the-same"),
        pytest.param([], [], (0, ""), id="none"),
        pytest.param([SECRET, ANOTHER], [ANOTHER, SECRET], (0, ""), id="rotation"),
        pytest.param([SECRET], [ANOTHER], (1, DIFFERS), id="another"),
        pytest.param([], [SECRET], (1, DIFFERS), id="they-have-none"),
        pytest.param([SECRET], [], (2, "fleet: secret: is missing; others here have one"), id="we-have-none"),
        pytest.param([SECRET], [ANOTHER, SECRET], (3, NOBODY), id="a-new-one-signs-too-early"),
        pytest.param(None, [SECRET], (3, NOBODY), id="nobody-works"),
    ],
)
def test_what_no_worker_has_taken_is_not_said_to_be_revoked(
    run: Run,
    redis: RedisServer,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    theirs: list[str] | None,
    ours: list[str],
    expected: tuple[int, str],
) -> None:
    status, says = expected

    def url(secrets: list[str]) -> str:
        return f"{redis.url}?namespace={namespace}" + "".join(f"&secret={each}" for each in secrets)

    monkeypatch.setenv("CFACCESS_FLEET", url(ours))
    with nullcontext() if theirs is None else working(url(theirs)):
        wait = ("--wait", "0.1") if status else ()
        result = run("revoke", "--user", "u1", *wait, status=status)
    assert says in result.stderr
    assert result.stdout.partition(":")[0] == {0: "revoked", 2: ""}.get(status, "written")
    assert SECRET not in result.output


def test_an_undoing_is_confirmed_too(run: Run, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    run("revoke", "--user", "u1")
    assert run("revoke", "--undo", "--user", "u1").stdout.startswith("undone: ")
    run("revoke", "--user", "u1")
    monkeypatch.setenv("CFACCESS_FLEET", os.environ["CFACCESS_FLEET"].replace("secret=", f"secret={ANOTHER}&secret="))
    result = run("revoke", "--undo", "--user", "u1", "--wait", "0.1", status=3)
    assert result.stdout.startswith("undoing written: ")
    assert NOBODY in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal here")
def test_who_waits_no_longer_is_told_what_was_written(redis: RedisServer, namespace: str, alone: Path) -> None:
    url = f"{redis.url}?namespace={namespace}&secret={SECRET}"
    process = subprocess.Popen(
        [sys.executable, "-m", "cfaccess_mw", "revoke", "--user", "u1", "--wait", "60"],
        cwd=alone,
        env={**os.environ, "CFACCESS_FLEET": url},
        stdout=subprocess.PIPE,
        text=True,
    )

    def looks() -> int:
        return int(redis.client.info("commandstats").get("cmdstat_getrange", {}).get("calls", 0))

    try:
        assert eventually(lambda: redis.client.xlen(f"{namespace}:revocations"))
        looked = looks()
        assert eventually(lambda: looks() > looked), "it waits"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[0].startswith("written: ")
    finally:
        process.kill()
        process.wait()
    assert process.returncode == INTERRUPTED
