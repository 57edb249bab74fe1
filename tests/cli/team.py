"""What do the tests of tokens and servers share? A configuration that needs no network, and tokens of this moment."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfaccess_mw.emulator.issuer import Issuer
from tests.eventually import eventually
from tests.servers.raw import Answer, Conversation
from tests.tokens import AUD

HEAD = f'team = "acme"\naudience = "{AUD}"\n'

ALICE = "alice@example.com"
ROBOT = "e367826f93b8d71185e03fe518aff3b4.access"


def write_team(folder: Path, issuer: Issuer, text: str = "", *, name: str = "p.toml") -> str:
    """Write a configuration whose keys stand in a file beside it, and return its path."""
    (folder / "keys.json").write_text(json.dumps(issuer.certs()))
    path = folder / name
    path.write_text(f'{HEAD}keys = "keys.json"\n{text}')
    return str(path)


def fresh(issuer: Issuer, **options: Any) -> str:
    """A token of Alice that was signed just now."""
    return issuer.user(ALICE, **{"audience": AUD, "issued_at": time.time(), **options})


def robots(issuer: Issuer, **options: Any) -> str:
    """A token of a service, likewise."""
    return issuer.service(ROBOT, **{"audience": AUD, "issued_at": time.time(), **options})


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anything that could configure us."""
    dropped = ("CFACCESS_", "TEAM_DOMAIN", "POLICY_AUD")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | more


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that serves.

    Attributes:
        process: It.
        address: Where it says that it listens.
        log: The file of what it wrote.
    """

    process: "subprocess.Popen[bytes]"
    address: str
    log: Path

    @property
    def port(self) -> int:
        """Its port, on 127.0.0.1."""
        return int(self.address.rpartition(":")[2])

    def said(self) -> str:
        """What it wrote until now."""
        return self.log.read_text(errors="replace")


@contextmanager
def commanding(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Command]:
    """Run a command until the block ends; it has begun to listen when the block begins."""
    log = folder / f"{arguments[0]}-{len(list(folder.iterdir()))}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            (sys.executable, "-m", "cfaccess_mw", *arguments),
            cwd=folder,
            env=clean_environment(PYTHONUNBUFFERED="1", **(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Command(process=process, address=_announced(process, log), log=log)
    finally:
        end(process)


def _announced(process: "subprocess.Popen[bytes]", log: Path) -> str:
    found = eventually(
        lambda: re.search(r" at (http://\S+|unix:\S+)\n", log.read_text(errors="replace")),
        unless=lambda: process.poll() is not None,
    )
    assert found, log.read_text(errors="replace")
    return found[1]


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that was started here."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(port: int, data: bytes) -> Answer:
    """Send bytes to a server on loopback, and return its answer."""
    with Conversation(port) as conversation:
        conversation.send(data)
        return conversation.answer(to_head=data.startswith(b"HEAD "))
