"""What the tests of a fleet share: a Redis, and workers that are let go."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.fleet.parts import Worker
from tests.fleet.servers import RedisServer, redis_server

Hire = Callable[..., Worker]


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests of a process that do it no harm; each has a namespace of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def frail(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may kill."""
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    """Where nobody else has written."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def hire(issuer: Issuer, namespace: str) -> Iterator[Hire]:
    """Make workers of one fleet: ``hire(server)``."""
    workers: list[Worker] = []

    def hire(server: RedisServer | Any, **more: Any) -> Worker:
        address = server.url if isinstance(server, RedisServer) else server
        workers.append(Worker(issuer, address, **{"namespace": namespace, **more}))
        return workers[-1]

    yield hire
    for worker in workers:
        worker.protection.close()
