"""Teams with their keys, clocks that can be set, and certificates that are right and wrong."""

import datetime as dt
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import trustme

import cfaccess_mw.asgi
import cfaccess_mw.protection
import cfaccess_mw.wsgi
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.telemetry.events import Listener
from tests.faults.endpoint import HOST, Endpoint
from tests.faults.stage import Fetching, Names, Stage, silent
from tests.faults.table import SILENT, Fault
from tests.faults.world import Clocks, world_of
from tests.tokens import NOW

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(scope="session")
def spare() -> SigningKey:
    """The key that a team rotates to."""
    return SigningKey.generate(now=NOW)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """The clocks of the doors, however they import them."""
    clocks = Clocks()
    for module in (cfaccess_mw.asgi, cfaccess_mw.wsgi, cfaccess_mw.protection):
        for name, value in list(vars(module).items()):
            for real, ours in ((time, clocks), (time.time, clocks.time), (time.monotonic, clocks.monotonic)):
                if value is real:
                    monkeypatch.setattr(module, name, ours)
    return clocks


@pytest.fixture
def team(issuer: Issuer, clocks: Clocks) -> Issuer:
    """A team with the keys of the session, its own rotation and the doors' clock."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous, clock=clocks.time)


@pytest.fixture
def live(issuer: Issuer) -> Issuer:
    """The same team on the clock of other processes, which is the real one."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous)


@pytest.fixture
def endpoint(live: Issuer) -> Iterator[Endpoint]:
    """Its certs endpoint."""
    endpoint = Endpoint(live)
    try:
        yield endpoint
    finally:
        endpoint.close()


@dataclass(frozen=True)
class Tls:
    """Whom we trust, and what an endpoint shows."""

    trusting: ssl.SSLContext
    shown: Mapping[str, ssl.SSLContext]


@pytest.fixture(scope="session")
def tls() -> Tls:
    """One authority that is trusted, and one that is not."""
    authority, unknown = trustme.CA(), trustme.CA()
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    shown = {
        "good": authority.issue_cert(HOST),
        "another-host": authority.issue_cert("other.example"),
        "unknown-authority": unknown.issue_cert(HOST),
        "expired": authority.issue_cert(HOST, not_before=yesterday - dt.timedelta(days=1), not_after=yesterday),
        "old-ciphers": authority.issue_cert(HOST),
    }
    contexts = {name: _server(certificate) for name, certificate in shown.items()}
    # Without forward secrecy, which clients of our day do not offer.
    contexts["old-ciphers"].maximum_version = ssl.TLSVersion.TLSv1_2
    contexts["old-ciphers"].set_ciphers("AES128-SHA:@SECLEVEL=0")
    return Tls(trusting, contexts)


def _server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def fault() -> Fault:
    """Nothing, where a test is not about a fault of the table."""
    return Fault(reason="")


@pytest.fixture
def listeners() -> tuple[Listener, ...]:
    """Who else listens to what happens."""
    return ()


@pytest.fixture
def stage(
    fault: Fault,
    listeners: tuple[Listener, ...],
    team: Issuer,
    stranger: SigningKey,
    clocks: Clocks,
    tls: Tls,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    """A stage for the fault of the test's parameter; nothing is wrong yet."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
    fetching = Fetching(tls.trusting)
    with ExitStack() as stack:
        endpoint = Endpoint(team, None if fault.tls is None else tls.shown)
        stack.callback(endpoint.close)
        if fault.name == SILENT:
            stack.enter_context(silent(endpoint))
        world = stack.enter_context(world_of(endpoint.url, fetching, team, stranger, clocks, *listeners))
        yield Stage(world, endpoint, names, fetching)
