"""Several processes under real servers: does a revocation reach all of them while they are busy?"""

import os
import time
from pathlib import Path

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from tests.fleet.parts import SECRET, signed_in
from tests.fleet.processes import COMMANDS, Load, serving
from tests.fleet.servers import RedisServer
from tests.servers.process import skip_without

WORKERS = 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("server", COMMANDS)
def test_it_reaches_all_workers_under_load(
    issuer: Issuer, redis: RedisServer, namespace: str, tmp_path: Path, alone: Path, server: str
) -> None:
    skip_without(server.partition("-")[0])
    said = {"url": redis.url, "namespace": namespace, "secret": SECRET}
    operator = Fleet(said)
    with (
        serving(server, WORKERS, said, issuer.certs(), tmp_path, alone) as port,
        Load(port, signed_in(issuer)).going_on(2) as load,
    ):
        assert load.wait_for_all(WORKERS, 200)
        made = operator.revoke(email="alice@example.com")
        assert load.wait_for_all(WORKERS, 401)
        undone_at = time.monotonic()
        operator.undo(revocation=made.id)
        assert load.wait_for_all(WORKERS, 200)
    for answers in load.answers.values():
        statuses = [status for _, _, status in answers]
        assert set(statuses) == {200, 401}
        known_at = min(answered for _, answered, status in answers if status == 401)
        # Once a worker knows it, nobody who asks it is let in until it is undone.
        let_in = [(asked, answered) for asked, answered, status in answers if status == 200]
        assert not [asked for asked, answered in let_in if known_at < asked and answered < undone_at]
