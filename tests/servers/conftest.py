"""Servers that run, and the tokens that are good for them."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.servers.matrix import PAIRS, Pair
from tests.servers.process import Processes, Running, skip_without
from tests.servers.raw import exchange
from tests.servers.tables import Trick
from tests.tokens import AUD, OTHER_AUD

_AT_ONCE: Final = 16  # connections; the rows of a table do not wait for each other

Send = Callable[[Running, list[Trick]], Mapping[str, bytes]]


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """A team that signs now: the servers are processes of their own, whose clock is the real one."""
    return Issuer("acme")


@pytest.fixture(scope="session")
def environment(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a server is told of the team."""
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    keys.write_text(json.dumps(issuer.certs()))
    return {"CFACCESS_TEAM": issuer.team, "CFACCESS_AUDIENCE": AUD, "CFACCESS_KEYS": str(keys)}


@pytest.fixture(scope="session")
def tokens(issuer: Issuer, stranger: SigningKey) -> Mapping[str, str]:
    """A good token of Alice's and one of Bob's, and bad ones by what is wrong with them."""
    return {
        "good": issuer.user("alice@example.com", audience=AUD),
        "bob": issuer.user("bob@example.com", audience=AUD),
        "other": issuer.user("mallory@example.com", audience=OTHER_AUD),
        "foreign": issuer.user("mallory@example.com", audience=AUD, key=stranger),
        "expired": issuer.user("alice@example.com", audience=AUD, expires_in=-3_600),
    }


@pytest.fixture(scope="session")
def processes(
    environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, alone: Path
) -> Iterator[Processes]:
    """The servers' processes, started when they are needed."""
    with Processes(environment, tmp_path_factory.mktemp("servers"), alone) as found:
        yield found


@pytest.fixture(scope="session", params=PAIRS, ids=str)
def server(request: pytest.FixtureRequest, processes: Processes) -> Running:
    """A server with an application; pytest sorts the tests so that each is chosen once."""
    pair: Pair = request.param
    skip_without(*pair.packages)
    return processes.of(pair)


@pytest.fixture(autouse=True)
def _selected(request: pytest.FixtureRequest) -> None:
    """Let the application answer that a test is about: its process may have run another one since."""
    if "server" in request.fixturenames:
        request.getfixturevalue("server").select()


@pytest.fixture(scope="session")
def send() -> Send:
    """Sends all rows of a table, and gives what came back by id."""

    def send(server: Running, tricks: list[Trick]) -> Mapping[str, bytes]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = pool.map(lambda trick: exchange(server.port, trick.data, unfinished=trick.unfinished), tricks)
            return dict(zip([trick.id for trick in tricks], answers, strict=True))

    return send
