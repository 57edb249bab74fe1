"""The scripts of ``examples/calling``, run as their first lines say."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.client.conftest import ROBOT
from tests.client.site import Says, serving

FOLDER = Path(__file__).parents[2] / "examples" / "calling"
ID = {"CF_ACCESS_CLIENT_ID": ROBOT.client_id}
GOOD = {**ID, "CF_ACCESS_CLIENT_SECRET": ROBOT.client_secret}
WRONG = {**ID, "CF_ACCESS_CLIENT_SECRET": "0" * 64}


@pytest.fixture(scope="module")
def edge(signing_keys: list[SigningKey]) -> Iterator[Emulator]:
    """An edge by the clock on the wall, in front of an application that says who it sees."""
    team = Issuer("acme", current=signing_keys[0], previous=signing_keys[1])
    with (
        serving(
            lambda asked: Says(body=asked.get("cf-access-authenticated-user-email").encode() or b"a service")
        ) as site,
        Emulator(upstream=site.url, issuer=team, service_tokens=[ROBOT]) as running,
    ):
        yield running


def run(script: str, url: str, home: Path, alone: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CF_ACCESS")}
    return subprocess.run(
        [sys.executable, str(FOLDER / script), url],
        env={**clean, "HOME": str(home), **environ},
        cwd=alone,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_service(edge: Emulator, tmp_path: Path, alone: Path) -> None:
    done = run("service.py", f"{edge.url}/whoami", tmp_path, alone, **GOOD)
    assert (done.stdout, done.stderr) == ("a service\n", "")


def test_a_service_with_the_wrong_secret(edge: Emulator, tmp_path: Path, alone: Path) -> None:
    done = run("service.py", f"{edge.url}/whoami", tmp_path, alone, **WRONG)
    assert done.returncode == 1
    assert done.stderr.startswith("login-demanded: Access in front of 127.0.0.1:")
    assert done.stderr.count("\n") == 1


def test_a_person(edge: Emulator, tmp_path: Path, alone: Path) -> None:
    (tmp_path / ".cloudflared").mkdir()
    token = edge.issuer.user("alice@example.com", audience=DEFAULT_AUDIENCE)
    (tmp_path / ".cloudflared" / f"127.0.0.1-{DEFAULT_AUDIENCE}-token").write_text(token)
    done = run("person.py", f"{edge.url}/whoami", tmp_path, alone)
    assert (done.stdout, done.stderr) == ("alice@example.com\n", "")


def test_a_person_who_is_not_signed_in(edge: Emulator, tmp_path: Path, alone: Path) -> None:
    done = run("person.py", f"{edge.url}/whoami", tmp_path, alone, PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("user-token-missing: nobody is signed in to 127.0.0.1:")
    assert f"run: cloudflared access login {edge.url}/whoami" in done.stderr
