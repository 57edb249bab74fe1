"""A process that forks while its fleet is known and locks are held: gunicorn with ``--preload``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.servers import RedisServer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SCRIPT = """
import os, sys, warnings
from cfaccess_mw.emulator.issuer import Issuer
from tests.fleet.parts import Worker, signed_in

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads, rightly
issuer = Issuer("acme")
url, namespace = sys.argv[1:]
worker, token = Worker(issuer, url, namespace=namespace), signed_in(issuer)
worker.fleet.revoke(email="alice@example.com")
worker.fleet._lock.acquire()
worker.fleet._ledger_lock.acquire()
child = os.fork()
if child == 0:
    try:
        assert worker.fleet.worker is None
        assert worker.outcome(token) == "session-revoked", "what the parent knew is known"
        assert worker.fleet.worker is not None, "the request has started another"
        assert worker.fleet.undo(subject="email")
        worker.knows(0)
        assert worker.outcome(token) == "accepted"
        assert worker.fleet.worker.heard.wait(20)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)
worker.fleet._ledger_lock.release()
worker.fleet._lock.release()
_, status = os.waitpid(child, 0)
worker.knows(0)
assert worker.outcome(token) == "accepted", "the parent has learnt it from the child"
worker.protection.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_child_goes_on_with_what_was_known(redis: RedisServer, namespace: str, alone: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, redis.url, namespace]
    done = subprocess.run(
        command,
        cwd=alone,
        env={**os.environ, "PYTHONPATH": str(alone)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
