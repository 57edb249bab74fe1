"""Several processes under real servers: does a revocation reach all of them while they are busy?"""

import os
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
        operator.undo(revocation=made.id)
        assert load.wait_for_all(WORKERS, 200)
    for answers in load.answers.values():
        statuses = [status for _, _, status in answers]
        assert set(statuses) == {200, 401}
        refused = [(asked, answered) for asked, answered, status in answers if status == 401]
        # Once a worker knows it, nobody who asks it is let in until it is undone.
        assert not [asked for asked, _, status in answers if status == 200 and refused[0][1] < asked < refused[-1][0]]
