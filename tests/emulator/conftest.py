"""An application on a real socket, an edge before it, and a client: the parts of the emulator's tests."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import uvicorn

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.emulator.users import DEFAULT_USERS, ServiceToken, User
from tests.emulator.application import Mirror

NOW = 1_700_000_000.0
ROBOT = ServiceToken(client_id="e367826f93b8d71185e03fe518aff3b4.access", client_secret="cfast_robot", name="robot")
CAROL = User(
    email="carol@example.com",
    groups=({"id": "g1", "name": "staff", "email": "staff@example.com"},),
    custom={"department": "R&D"},
    profile={"is_warp": True},
)
APPLICATIONS = (
    Application(name="Payroll <&>", public=("/healthz", "/static")),
    Application(name="Admin", path="/admin", audience=audience_for(path="/admin"), path_cookie=True),
    Application(name="API", path="/api", audience=audience_for(path="/api"), preflight_bypass=True, session=60),
    Application(name="Wiki", host="wiki.test", audience=audience_for("wiki.test")),
)


class Clock:
    """A clock that is turned by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def signing_keys() -> list[SigningKey]:
    """Four keys, made once: making one takes a moment."""
    return [SigningKey.generate(now=NOW) for _ in range(4)]


@pytest.fixture
def clock() -> Clock:
    """A clock of this test's own."""
    return Clock()


@pytest.fixture
def issuer(signing_keys: list[SigningKey], clock: Clock) -> Issuer:
    """A team named as in Cloudflare's examples."""
    return Issuer("yourteam", clock=clock, current=signing_keys[0], previous=signing_keys[1])


class _Upstream(uvicorn.Server):
    """The application's server, which says when it is up."""

    def __init__(self, application: Mirror) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http="h11",
                ws="websockets-sansio",
                log_config=None,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture(scope="session")
def mirror_server() -> Iterator[tuple[Mirror, str]]:
    """The application under test on a real socket, and its address."""
    mirror = Mirror()
    server = _Upstream(mirror)
    bound = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    assert server.ready.wait(10)
    yield mirror, f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def mirror(mirror_server: tuple[Mirror, str]) -> Mirror:
    """The application under test, with fresh signals."""
    mirror_server[0].signals = type(mirror_server[0].signals)()
    return mirror_server[0]


@pytest.fixture(scope="session")
def emulator(mirror_server: tuple[Mirror, str], signing_keys: list[SigningKey]) -> Iterator[Emulator]:
    """An edge for every test that does not change it."""
    with Emulator(
        upstream=mirror_server[1],
        issuer=Issuer("acme", current=signing_keys[0], previous=signing_keys[1]),
        applications=APPLICATIONS,
        users=(*DEFAULT_USERS, CAROL),
        service_tokens=[ROBOT],
        country="NZ",
    ) as running:
        yield running


Emulate = Callable[..., Emulator]


@pytest.fixture
def emulate(mirror_server: tuple[Mirror, str], signing_keys: list[SigningKey]) -> Iterator[Emulate]:
    """Start an edge of this test's own; closed when the test is over."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Emulator:
            clock = settings.get("clock", Clock())
            team = Issuer("acme", clock=clock, current=signing_keys[0], previous=signing_keys[1])
            return stack.enter_context(
                Emulator(**{"upstream": mirror_server[1], "issuer": team, "clock": clock, **settings})
            )

        yield start


@pytest.fixture(scope="module")
def share(mirror_server: tuple[Mirror, str], signing_keys: list[SigningKey]) -> Iterator[Emulate]:
    """Start an edge that the tests of a module share; closed when all of them are over."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Emulator:
            team = Issuer("acme", current=signing_keys[0], previous=signing_keys[1])
            return stack.enter_context(Emulator(**{"upstream": mirror_server[1], "issuer": team, **settings}))

        yield start


Connect = Callable[..., httpx.Client]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client of an emulator; it follows no redirect by itself."""
    with ExitStack() as stack:

        def client(emulator: Emulator, **settings: Any) -> httpx.Client:
            return stack.enter_context(httpx.Client(base_url=emulator.url, trust_env=False, **settings))

        yield client


@pytest.fixture
def client(emulator: Emulator, connect: Connect) -> httpx.Client:
    """A client of the shared edge, not signed in."""
    return connect(emulator)


@pytest.fixture
def alice(emulator: Emulator, connect: Connect) -> httpx.Client:
    """A client of the shared edge that brings Alice's cookie for the application at ``/``."""
    token = emulator.issuer.user("alice@example.com", audience=DEFAULT_AUDIENCE)
    return connect(emulator, headers={"Cookie": f"CF_Authorization={token}"})
