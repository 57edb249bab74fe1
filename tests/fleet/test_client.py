"""Is Redis reached in every form in which people run it, and is a mistake in its address one sentence?"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import trustme
from redis import Redis
from redis.sentinel import Sentinel

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.fleet.errors import FleetError
from cfaccess_mw.fleet.store import Store
from cfaccess_mw.fleet.survey import Survey
from cfaccess_mw.refresh.fetchers import Document
from tests.eventually import eventually
from tests.fleet.conftest import Hire
from tests.fleet.parts import SECRET, signed_in
from tests.fleet.servers import RedisServer, redis_server
from tests.processes import free_port, listens


def works(hire: Hire, issuer: Issuer, address: Any, **more: Any) -> None:
    """A revocation that one says reaches another."""
    one, other = hire(address, secret=SECRET, **more), hire(address, secret=SECRET, **more)
    one.fleet.revoke(email="alice@example.com")
    other.knows(1)
    assert other.outcome(signed_in(issuer)) == "session-revoked"
    assert len(other.fleet.undo()) == 1
    one.knows(0)
    assert one.fleet.health().state == "connected"


def test_a_unix_socket(tmp_path: Path, hire: Hire, issuer: Issuer) -> None:
    with redis_server(tmp_path, "--unixsocket", "redis.sock"):
        works(hire, issuer, f"unix://{tmp_path}/redis.sock?db=0")


def test_a_password_and_a_user(frail: RedisServer, hire: Hire, issuer: Issuer) -> None:
    frail.client.execute_command("ACL", "SETUSER", "wiki", "on", ">p4ssw0rd", "~*", "+@all")
    works(hire, issuer, frail.url.replace("//", "//wiki:p4ssw0rd@"))
    with pytest.raises(FleetError, match="AuthenticationError"):
        Fleet(frail.url.replace("//", "//wiki:wrong@")).revocations()


def test_the_commands_that_the_manual_grants_are_enough(frail: RedisServer, hire: Hire, issuer: Issuer) -> None:
    manual = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = manual.partition("Who uses ACLs grants, on `~<namespace>:*`:")[2].partition(", and `MEMORY USAGE`")[0]
    granted = [f"+{word.lower()}" for word in re.findall(r"[A-Z]+", section)]
    tried = {name for name, _ in Store(frail.client, "wiki").harmless()} - Survey.needless
    assert {f"+{name.lower()}" for name in tried} == set(granted), "what the doctor tries"
    frail.client.execute_command("ACL", "SETUSER", "least", "on", ">p4ssw0rd", "~wiki:*", "-@all", *granted)
    url = frail.url.replace("//", "//least:p4ssw0rd@")
    works(hire, issuer, url, namespace="wiki")
    body = json.dumps(issuer.certs()).encode()
    warm = hire(url, keys=None, fetcher=Fetches(body), namespace="wiki", secret=SECRET)
    warm.protection.hydrate()
    warm.ear.wait("fleet-joined")
    assert eventually(lambda: frail.client.keys("wiki:keys:*")), warm.ear.events
    assert "fleet-value-refused" not in warm.ear.told()


class Fetches:
    """A certs endpoint."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def fetch(self, url: str, *, etag: str | None) -> Document:
        return Document(body=self.body)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def test_tls_and_whom_it_does_not_trust(tmp_path: Path, hire: Hire, issuer: Issuer, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    port = free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", "server.pem", "--tls-key-file", "server.pem")
    try:
        running = redis_server(tmp_path, *options, "--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no")
        with running:
            works(hire, issuer, f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/ca.pem")
            for address in (f"rediss://localhost:{port}", f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}/ca.pem"):
                with pytest.raises(FleetError):
                    Fleet(address).revocations()
    except OSError as error:
        pytest.skip(f"this redis-server has no TLS ({str(error)[-80:]})")


@contextmanager
def sentinel(folder: Path, master: int) -> Iterator[int]:
    """A Sentinel that watches one server under the name ``wiki``."""
    if shutil.which("redis-sentinel") is None:
        pytest.skip("redis-sentinel is not installed")
    port = free_port()
    file = folder / "sentinel.conf"
    file.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor wiki 127.0.0.1 {master} 1\n")
    with (folder / "sentinel.log").open("wb") as log:
        process = subprocess.Popen(["redis-sentinel", str(file)], cwd=folder, stdout=log, stderr=log)
    try:
        assert listens(process, port)
        yield port
    finally:
        process.kill()
        process.wait()


def test_sentinels(tmp_path: Path, frail: RedisServer, hire: Hire, issuer: Issuer) -> None:
    with sentinel(tmp_path, frail.port) as port:
        works(hire, issuer, f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/wiki/0")
        watching: Any = Sentinel
        ready = watching([("127.0.0.1", port)], socket_timeout=1).master_for("wiki")
        works(hire, issuer, ready)
        with pytest.raises(FleetError, match="MasterNotFoundError"):
            Fleet(f"redis+sentinel://127.0.0.1:{port}/other").revocations()


def test_a_cluster(tmp_path: Path, hire: Hire, issuer: Issuer) -> None:
    with redis_server(tmp_path, "--cluster-enabled", "yes") as server:
        client = server.client
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        assert eventually(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        works(hire, issuer, f"redis+cluster://127.0.0.1:{server.port}")
        with pytest.raises(FleetError):
            Fleet(f"redis+cluster://127.0.0.1:{free_port()}").revocations()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("redis://localhost:port", "does not take", id="port"),
        pytest.param("redis://localhost?nonsense=1", "does not take", id="unknown-option"),
        pytest.param("redis://localhost?db=x", "does not take", id="option-of-another-type"),
        pytest.param("redis+sentinel://localhost", "does not take", id="no-service"),
        pytest.param("redis+sentinel://localhost,/wiki", "does not take", id="no-host"),
        pytest.param("redis+sentinel://localhost/wiki/x", "does not take", id="no-database"),
        pytest.param("redis+cluster://localhost/1", "does not take", id="database-of-a-cluster"),
    ],
)
def test_an_address_that_means_nothing_is_one_sentence(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^fleet: url: .*{message}.*; mend its host") as refused:
        Fleet(url).revocations()
    assert url not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("query", "rest"), [pytest.param("", 2, id="ours"), pytest.param("?socket_timeout=1", 0.5, id="the-librarys")]
)
def test_news_are_waited_for_less_long_than_an_answer(query: str, rest: float) -> None:
    fleet = Fleet(f"redis://localhost{query}")
    with fleet.connections.waiting() as client:
        assert fleet.connections.rest_of(client) == rest


@pytest.mark.parametrize(
    ("client", "message"),
    [
        pytest.param(object(), "fleet: client: is a object; give redis.Redis", id="no-client"),
        pytest.param(redis.asyncio.Redis(), "fleet: client: is one of redis.asyncio", id="asyncio"),
        pytest.param(Redis(socket_timeout=None), "fleet: client: may wait for ever; give it socket", id="for-ever"),
        pytest.param(Redis.from_url("redis://h"), "fleet: client: may wait for ever", id="who-knows"),
    ],
)
def test_a_client_that_cannot_serve_is_refused(client: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        Fleet(client)
