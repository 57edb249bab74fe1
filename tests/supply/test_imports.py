"""May each module be imported alone, and does none of them reach for anything when it is?"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import cfaccess_mw
from tests.supply import importing

MODULES = importing.modules(Path(cfaccess_mw.__file__).parent)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each module is imported in a fork")

Told = Mapping[str, Mapping[str, Any]]


def watched(folder: Path, package: str, *modules: str) -> Told:
    """What comes of importing modules, from a folder that has no package of ours but the installed one."""
    command = [sys.executable, "-P", "-B", importing.__file__, package, *modules]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["name"]: line for line in lines}


@pytest.fixture(scope="module")
def told(alone: Path) -> Told:
    """What comes of importing each of ours."""
    return watched(alone, *MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_imported_alone_and_reaches_for_nothing(module: str, told: Told) -> None:
    """Where an extra is missing it says so."""
    assert told[module]["reached"] == []
    error = told[module]["error"]
    if error is not None:
        assert "pip install 'cfaccess-mw[" in error


def test_what_the_package_builds_on_reaches_for_nothing_either(told: Told) -> None:
    """But urllib3 binds a socket to ``::1``, to learn whether there is IPv6."""
    asking = ("socket.connect", "socket.send", "socket.get", "urllib", "http", "subprocess")
    assert [event for event in told[""]["reached"] if event.startswith(asking)] == []


# By the event, what causes it.
REACHING = {
    "socket.connect": "import socket; socket.socket().connect_ex(('127.0.0.1', 9))",
    "socket.getaddrinfo": "import socket; socket.getaddrinfo('localhost', 80)",
    "subprocess.Popen": "import subprocess, sys; subprocess.run([sys.executable, '-V'])",
    "open": "open('left-behind', 'w').close()",
}


def test_what_reaches_for_something_is_caught(tmp_path: Path) -> None:
    names = [f"reaching_{number}" for number in range(len(REACHING))]
    for name, program in zip(names, REACHING.values(), strict=True):
        (tmp_path / f"{name}.py").write_text(program)
    caught = watched(tmp_path, "json", *names)
    assert [caught[name]["reached"][0].split()[0] for name in names] == list(REACHING)


def test_what_cannot_be_imported_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from json import nothing")
    assert "cannot import name 'nothing'" in watched(tmp_path, "json", "broken")["broken"]["error"]
