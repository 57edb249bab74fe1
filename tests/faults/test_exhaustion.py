"""What if a process runs out of threads or of files? Nobody comes in for that, nothing spins, and it recovers."""

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.doors.conftest import Request, ask_asgi
from tests.eventually import PATIENCE, eventually
from tests.faults.endpoint import Endpoint
from tests.faults.serving import PASSED, SERVERS, asking, environment_of, running, told
from tests.faults.stage import Stage
from tests.servers.process import skip_without
from tests.servers.raw import Conversation
from tests.tokens import AUD

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
everything = pytest.mark.parametrize("what", ["threads", "files"])

UNAVAILABLE = (503, "keys-unavailable")

# The first question of its life is asked of a process that has nothing left.
SCRIPT = """
import asyncio, importlib, sys
from tests.doors.conftest import Request, ask_asgi
from tests.eventually import eventually
from tests.faults import application

kind, what, token = sys.argv[1:]
door = importlib.import_module(f"tests.faults.on_{kind}").app
runner = asyncio.Runner()
runner.get_loop()

def ask(token):
    if kind == "asgi":
        headers = () if token is None else (("cf-access-jwt-assertion", token),)
        return runner.run(ask_asgi(door, Request(headers=headers))).status
    statuses = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    if token is not None:
        environ["HTTP_CF_ACCESS_JWT_ASSERTION"] = token
    door(environ, lambda status, headers, error=None: statuses.append(int(status[:3])))
    return statuses[0]

application.DOES[f"/spend/{what}"]()
print(*(ask(token) for _ in range(20)), ask(None), ask("x"))
application.restore()
eventually(lambda: ask(token) == 200)  # it comes back after a pause of its own
print(ask(token), ask(None))
"""


@pytest.fixture
def house(tmp_path: Path, alone: Path) -> tuple[Path, Path]:
    """Where a server's output goes, and where the tests can be imported from."""
    return tmp_path, alone


@pytest.fixture
def good(live: Issuer) -> str:
    """A good token."""
    return live.user("alice@example.com", audience=AUD)


@linux
@everything
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_process_that_has_nothing_when_it_is_asked_first(
    kind: str, what: str, endpoint: Endpoint, good: str, alone: Path
) -> None:
    """503, at once and to everybody who needs keys; and keys as soon as there are means to fetch them."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, what, good],
        check=False,
        cwd=alone,
        env=environment_of(endpoint, alone),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == [" ".join(["503"] * 20 + ["401", "401"]), "200 401"], done.stderr
    assert done.stderr.count("Traceback") <= 8, "it pauses, instead of trying as fast as it can"


@linux
@pytest.mark.parametrize(("name", "what"), [("uvicorn", "files"), ("waitress", "threads")])
def test_a_server_that_runs_out(
    name: str, what: str, live: Issuer, spare: SigningKey, endpoint: Endpoint, good: str, house: tuple[Path, Path]
) -> None:
    """Who has a key that is known comes in nevertheless; a rotation is found when there are means to."""
    skip_without(name)
    with running(SERVERS[name], endpoint, *house) as server, Conversation(server.port) as conversation:
        # On one connection: a process without files takes no new one.
        def ask(token: str | None, path: str = "/") -> tuple[int, str]:
            conversation.send(asking(token, path, close=False))
            return told(conversation.answer())

        assert ask(good) == PASSED
        live.rotate(spare)
        new = live.user("alice@example.com", audience=AUD)
        assert ask(None, f"/spend/{what}")[0] == 200
        assert ask(good) == PASSED
        assert ask(live.user("alice@example.com", audience=AUD, key="previous")) == PASSED
        assert ask(new) == UNAVAILABLE
        assert ask(None) == (401, "no-token")
        assert ask(None, "/restore")[0] == 200
        assert eventually(lambda: ask(new) == PASSED)
        assert ask(good) == PASSED


@pytest.mark.anyio
async def test_an_application_that_keeps_every_thread_of_its_loop_busy(stage: Stage) -> None:
    """anyio has 40 for all of an event loop; the door never waits for one of them."""
    world, release = stage.world, threading.Event()
    async with anyio.create_task_group() as group:
        try:
            for _ in range(int(anyio.to_thread.current_default_thread_limiter().total_tokens)):
                group.start_soon(partial(anyio.to_thread.run_sync, release.wait, PATIENCE))
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(PATIENCE):
                assert (await ask_asgi(world.asgi, Request.with_token(world.token()))).status == 200
                assert (await ask_asgi(world.asgi, Request.with_token(world.unknown()))).status == 401
        finally:
            release.set()
