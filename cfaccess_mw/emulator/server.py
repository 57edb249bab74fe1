"""Run the edge on loopback.

::

    with Emulator(upstream="http://127.0.0.1:8000") as emulator:
        ...  # the application under it: team="acme", audience=emulator.audience, team_url=emulator.url

The application runs its production code; only its ``team_url`` is a loopback address. A browser that opens
``emulator.url`` meets the login page first, as it would at Cloudflare.
"""

import asyncio
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.applications import Application, Applications
from cfaccess_mw.emulator.edge import Edge
from cfaccess_mw.emulator.extra import emulator_extra
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.team import Team
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.users import DEFAULT_USERS, ServiceToken, User

with emulator_extra():
    import uvicorn

_LOGGER = logging.getLogger("cfaccess_mw.emulator")
_GRACE = 1  # seconds for answers under way; open streams have been told to end by then


class Emulator:
    """Cloudflare Access on this machine: a real HTTP server in a thread of its own.

    Args:
        upstream: Where the application listens, ``http://host:port``.
        host: The loopback address to listen on.
        port: The TCP port; 0 lets the system choose.
        team: The team's name.
        issuer: The team's keys; made where none are given, which takes a moment.
        applications: Which hosts and paths have which audience; one for everything where none are given.
        users: Whom the login page offers.
        service_tokens: Which services may come.
        country: The ``CF-IPCountry`` of every request; ``XX`` is Cloudflare's "unknown".
        clock: Tells the time in seconds since the epoch.

    Attributes:
        url: Where it listens, without a trailing slash: the application's ``team_url``.
        issuer: The team's keys and tokens.
        applications: As given.

    Raises:
        ConfigurationError: ``host`` is not a loopback address, or another value cannot be used.
        OSError: The port is taken.
    """

    def __init__(
        self,
        *,
        upstream: str,
        host: str = "127.0.0.1",
        port: int = 0,
        team: str = "acme",
        issuer: Issuer | None = None,
        applications: Iterable[Application] = (Application(),),
        users: Iterable[User] = DEFAULT_USERS,
        service_tokens: Iterable[ServiceToken] = (),
        country: str = "XX",
        clock: Callable[[], float] = time.time,
    ) -> None:
        address = _loopback(host)
        table = Applications(applications)
        where = Upstream.parse(upstream)
        self.issuer = issuer or Issuer(team, clock=clock)
        self.applications = table.all
        state = Team(
            issuer=self.issuer,
            applications=table,
            users=tuple(users),
            service_tokens=tuple(service_tokens),
            clock=clock,
        )
        self._edge = Edge(state, where, country=country)
        self._socket = socket.create_server((host, port), family=address)
        bound = self._socket.getsockname()[1]
        self.url = f"http://[{host}]:{bound}" if address is socket.AF_INET6 else f"http://{host}:{bound}"
        self._server = _Server(self._edge)
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="cfaccess-emulator", daemon=True)

    @property
    def audience(self) -> str:
        """The AUD tag of the first application."""
        return self.applications[0].audience

    @property
    def certs_url(self) -> str:
        """Where the keys are served."""
        return f"{self.url}/cdn-cgi/access/certs"

    def start(self) -> Self:
        """Serve; returns when requests are answered.

        Raises:
            RuntimeError: It was started before, or could not be; the cause says why.
        """
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            self.close()
            raise RuntimeError("the emulator's server did not start") from self._failure
        _LOGGER.warning(
            "Emulating Cloudflare Access at %s for development: anybody on this machine may sign in as anyone.",
            self.url,
        )
        return self

    def close(self) -> None:
        """Stop serving and wait for the thread; conversations under way are ended. May be called twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def certs_down(self, *, status: int | None = 503) -> None:
        """Serve no certs from now on.

        Args:
            status: Of the answer instead; None begins an answer and breaks off.
        """
        self._edge.certs.down(status)

    def certs_up(self) -> None:
        """Serve the certs again."""
        self._edge.certs.up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            # its own runner, not uvicorn's: no event loop policy and no signal handler is touched
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._server.serve(sockets=[self._socket]))
        except OSError as failure:
            self._failure = failure
        finally:
            self._server.ready.set()


class _Server(uvicorn.Server):
    """A server that says when it is up, and ends what is open before it waits for it."""

    def __init__(self, edge: Edge) -> None:
        super().__init__(
            uvicorn.Config(
                edge,
                # the same parsers whatever else is installed, and the strictest of them
                http="h11",
                ws="websockets-sansio",
                loop="asyncio",
                lifespan="on",
                # logging belongs to the program around us: without these uvicorn would set up its own, for all
                log_config=None,
                log_level=None,
                # the application's own headers are to arrive, and none of this server's
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self.ready = threading.Event()
        self._edge = edge

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._edge.hang_up()
        await super().shutdown(sockets)


def _loopback(host: str) -> socket.AddressFamily:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigurationError(
            "host: must be a loopback address such as '127.0.0.1': whoever reaches it may be anyone"
        )
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET
