"""Does what an attacker of the fleet tried hold?"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.recording import Recording
from cfaccess_mw.core.sharing import Revocation, Revocations, read_value
from cfaccess_mw.core.team import read_team
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.fleet.keys import Keys
from cfaccess_mw.fleet.ledger import MOST
from cfaccess_mw.fleet.sealing import Seal, digest
from cfaccess_mw.fleet.store import Store
from cfaccess_mw.refresh.fetchers import Document
from cfaccess_mw.refresh.warm import Export
from cfaccess_mw.telemetry.audit import Audit
from tests.eventually import eventually
from tests.fleet.conftest import Hire
from tests.fleet.parts import CLIENT_ID, SECRET, signed_in
from tests.fleet.servers import RedisServer

PROBED = """
import os, sys, time, warnings
from cfaccess_mw.emulator.issuer import Issuer
from tests.eventually import eventually
from tests.fleet.parts import Worker
from cfaccess_mw.health import Health

warnings.simplefilter("ignore", DeprecationWarning)
worker = Worker(Issuer("acme"), sys.argv[1], namespace=sys.argv[2])
assert worker.fleet.worker.heard.wait(20)
probe = Health(worker.protection)

def status():
    said = []
    list(probe.wsgi({"REQUEST_METHOD": "GET", "PATH_INFO": "/readyz"}, lambda status, headers: said.append(status)))
    return said[0][:3]

assert status() == "200"
child = os.fork()
if child == 0:
    try:
        worker.fleet.state.hear(time.monotonic() - 2)  # as if it were that long ago, and lost_after is 1
        if not eventually(lambda: status() == "200", within=5):
            os._exit(1)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(2)
    os._exit(0)
_, code = os.waitpid(child, 0)
worker.protection.close()
sys.exit(os.waitstatus_to_exitcode(code))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_that_only_probes_reach_becomes_ready(redis: RedisServer, namespace: str, alone: Path) -> None:
    command = [sys.executable, "-c", PROBED, redis.url, namespace]
    done = subprocess.run(
        command,
        cwd=alone,
        env={**os.environ, "PYTHONPATH": str(alone)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "never ready again: a probe is all that comes, and nobody asks Redis"


def test_a_fork_between_the_ledger_and_what_is_read_loses_no_revocation(
    issuer: Issuer, redis: RedisServer, hire: Hire
) -> None:
    worker = hire(redis)
    worker.fleet.revoke(email="alice@example.com")
    worker.knows(1)
    worker.protection.rest()
    # What a child copies when its parent forks after Ledger.take and before State.revoked is set.
    worker.fleet.state.revoked = Revocations()
    worker.fleet.after_fork()
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert worker.fleet.worker is not None
    assert worker.fleet.worker.heard.wait(20)
    assert worker.outcome(signed_in(issuer)) == "session-revoked"


@pytest.mark.parametrize("trouble", ["readonly", "oom"])
def test_a_redis_that_takes_no_writings_is_not_lost_over_and_over(
    issuer: Issuer, frail: RedisServer, hire: Hire, trouble: str
) -> None:
    worker = hire(frail)
    worker.elsewhere().revoke(email="alice@example.com")
    worker.knows(1)
    client = frail.client
    client.delete(worker.fleet.stream)
    settings = {"readonly": ("REPLICAOF", "127.0.0.1", "1"), "oom": ("CONFIG", "SET", "maxmemory", "1")}
    if trouble == "readonly":
        client.execute_command("CONFIG", "SET", "replica-serve-stale-data", "yes")
    client.execute_command(*settings[trouble])
    worker.ear.wait("fleet-value-refused")

    def questions() -> int:
        return int(client.info("commandstats")["cmdstat_xread"]["calls"])

    asked = questions()
    assert eventually(lambda: questions() >= asked + 5), "it goes on"
    told = worker.ear.told()
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert told.count("fleet-lost") <= 1, {name: told.count(name) for name in set(told)}


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        pytest.param("user", CLIENT_ID, id="a-service-is-no-user"),
        pytest.param("user", "alice@example.com", id="an-address-is-no-sub"),
        pytest.param("user", "7335d417-61da-459d-899c-0a01c76a2f94 ", id="a-blank-was-pasted-along"),
        pytest.param("nonce", "alice@example.com", id="an-address-is-no-nonce"),
        pytest.param("nonce", " ", id="a-blank-is-no-nonce"),
    ],
)
def test_what_can_name_nobody_is_not_said_to_be_revoked(subject: str, value: str) -> None:
    with pytest.raises(ConfigurationError):
        read_value(subject, value)


class _Keeper:
    def __init__(self, url: str, exported: bytes | None) -> None:
        self.url, self.exported = url, exported
        self.adopted: list[bytes] = []
        self.asked = threading.Event()

    def export(self, wall_now: float) -> bytes | None:
        return self.exported

    def adopt(self, data: bytes, wall_now: float) -> bool:
        self.adopted.append(data)
        self.asked.set()
        return True


def test_keys_that_cannot_be_written_keep_nobody_from_reading_others(frail: RedisServer, hire: Hire) -> None:
    seal, cold = Seal((), purpose="keys", namespace="n"), _Keeper("https://b.example/certs", None)
    warm = _Keeper("https://a.example/certs", b'{"url": "https://a.example/certs", "fetched_at": %d}' % time.time())
    keys = Keys(seal, "n", refuse=lambda reason: None)
    store = Store(frail.client, "n")
    store.set(keys.place(cold.url), seal.close(keys.place(cold.url), b"theirs"), 60)
    worker = hire(frail)
    worker.protection.close()
    worker.fleet._keys = keys
    keys._refuse = lambda reason: worker.fleet.refuse("keys", reason)
    frail.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    member = worker.fleet.join(lambda: [warm, cold], (worker.ear,))
    was_asked = cold.asked.wait(5)
    member.leave()
    assert was_asked
    assert worker.ear.wait("fleet-value-refused").facts == {"what": "keys", "reason": "ReadOnlyError"}


def test_undoing_what_cannot_be_is_a_mistake_of_the_caller(redis: RedisServer, namespace: str) -> None:
    with pytest.raises(ConfigurationError):
        Fleet(redis.url, namespace=namespace).undo(subject="nobody", value="x")


def test_what_was_adopted_is_not_confirmed_by_a_304(
    issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str
) -> None:
    class Certs:
        def __init__(self) -> None:
            self.etags: list[str | None] = []
            self.asked = threading.Event()

        def fetch(self, url: str, *, etag: str | None) -> Document:
            self.etags.append(etag)
            self.asked.set()
            return Document(body=None if etag else json.dumps(issuer.certs()).encode(), etag='"real"')

    certs, evil = Certs(), Issuer("acme")
    url = read_team("acme", team_url=None, certs_url=None, issuer=None).certs_url
    export = Export(url=url, fetched_at=time.time(), etag='"real"', body=json.dumps(evil.certs()).encode()).pack()
    redis.client.set(f"{namespace}:keys:{digest(url)}", b"-\n" + export)
    worker = hire(redis, keys=None, fetcher=certs)
    assert eventually(worker.protection.export_keys)
    worker.protection.attend_blocking()
    worker.ear.wait("keys-fetched")
    assert certs.etags == [None]
    assert worker.outcome(signed_in(evil)) != "accepted"


def test_who_has_no_secret_is_told_that_nobody_would_obey(redis: RedisServer, hire: Hire, namespace: str) -> None:
    worker = hire(redis, secret=SECRET)
    made = worker.fleet.revoke(user="somebody")
    stranger = Fleet(redis.url, namespace=namespace)
    with pytest.raises(ConfigurationError, match=r"^fleet: secret: is missing"):
        stranger.revoke(email="alice@example.com")
    with pytest.raises(ConfigurationError, match=r"^fleet: secret: is missing"):
        stranger.undo()
    assert worker.fleet.revocations() == (made,)


@pytest.mark.skipif(os.name != "posix", reason="files have no mode here")
def test_an_audit_that_is_made_is_not_for_everybody(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Audit(Recording(to=str(tmp_path / "audit.jsonl"), email="plain"))
    finally:
        os.umask(before)
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o640


def test_where_there_are_too_many_everybody_can_still_be_ended(
    issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str
) -> None:
    worker, now = hire(redis), time.time()
    pipeline = redis.client.pipeline()
    for number in range(MOST):
        one = Revocation(subject="user", value=f"u{number}", until=now + 60, made_at=now, id=f"{number:x}")
        pipeline.xadd(worker.fleet.stream, {"e": worker.fleet._ledger.close(one)})
    pipeline.execute()
    with pytest.raises(ConfigurationError, match="holds 10,000"):
        worker.fleet.revoke(email="alice@example.com")
    worker.fleet.revoke(everybody=True)
    worker.knows(MOST + 1)
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
