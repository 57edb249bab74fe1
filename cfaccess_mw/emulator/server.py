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
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, Self

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.applications import Application, Applications
from cfaccess_mw.emulator.edge import Edge
from cfaccess_mw.emulator.faults import Faults, FaultSwitch
from cfaccess_mw.emulator.file import read_file
from cfaccess_mw.emulator.hosts import split_host
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.rotation import Rotation
from cfaccess_mw.emulator.team import UNKNOWN_COUNTRY, Team
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.users import DEFAULT_USERS, ServiceToken, User, check_address, check_country
from cfaccess_mw.extras import needs

with needs("emulator"):
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
        country: The ``CF-IPCountry`` of every request; with ``XX``, Cloudflare's "unknown", it is that of whoever is
            signed in.
        ip: The ``CF-Connecting-IP`` of every request whose user has none; where empty, the connection's address.
        strict: Whether service tokens are taken strictly, as by organisations since October 2026: they get no cookie,
            and 401 or 403 instead of the way to the login page.
        team_host: A second host name for the team itself, such as ``acme.localhost``: the login page is there, and its
            cookie carries the global session.
        rotate_every: Seconds after which the keys are rotated, again and again. In the long run ``cfaccess_mw`` fetches
            new keys every 30 seconds and no faster: whoever rotates more often sees it answer 503 in between.
        fault: What goes wrong from the start, see ``fault()``.
        allow_remote: Whether ``host`` may be an address that others reach, all of whom may then sign in as anyone.
        clock: Tells the time in seconds since the epoch.

    Attributes:
        url: Where it listens, without a trailing slash: the application's ``team_url``.
        issuer: The team's keys and tokens.
        applications: As given.
        service_tokens: As given.

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
        country: str = UNKNOWN_COUNTRY,
        ip: str = "",
        strict: bool = False,
        team_host: str | None = None,
        rotate_every: float | None = None,
        fault: Mapping[str, object] | None = None,
        allow_remote: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        family = _family(host, allow_remote=allow_remote)
        check_address(ip)
        check_country(country)
        if team_host is not None and not (team_host and split_host(team_host.encode()) == (team_host, "")):
            raise ConfigurationError("team_host: must be a lower-case host name without port, such as 'acme.localhost'")
        table = Applications(applications)
        where = Upstream.parse(upstream)
        self._faults = FaultSwitch()
        self._faults.change(fault or {})
        team_clock = self._faults.clock(clock)
        self.issuer = issuer or Issuer(team, clock=team_clock)
        self.applications = table.all
        self.service_tokens = tuple(service_tokens)
        self._team = Team(
            issuer=self.issuer,
            applications=table,
            users=tuple(users),
            service_tokens=self.service_tokens,
            clock=team_clock,
            ip=ip,
            country=country or UNKNOWN_COUNTRY,
            strict=strict,
            host=team_host,
            faults=self._faults,
        )
        self._rotation = None if rotate_every is None else Rotation(self.issuer, every=rotate_every)
        self._edge = Edge(self._team, where)
        self._socket = socket.create_server((host, port), family=family)
        self._is_remote = not ipaddress.ip_address(host).is_loopback
        self.url = f"http://{_reachable(host)}:{self._socket.getsockname()[1]}"
        self._server = _Server(self._edge)
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="cfaccess-emulator", daemon=True)

    @classmethod
    def from_file(cls, path: str | PathLike[str], /, **options: Any) -> Self:
        """Make one as a TOML file says.

        Args:
            path: The file, as for ``cfaccess emulate --config``.
            **options: Win over the file.

        Raises:
            ConfigurationError: Names the file, the table and the key.
        """
        said = {**read_file(path), **options}
        if "upstream" not in said:
            raise ConfigurationError(
                f"{path}: upstream: is missing; give 'http://host:port', where the application listens"
            )
        return cls(**said)

    @property
    def audience(self) -> str:
        """The AUD tag of the first application."""
        return self.applications[0].audience

    @property
    def certs_url(self) -> str:
        """Where the keys are served."""
        return f"{self.url}/cdn-cgi/access/certs"

    def environment(self, application: Application | None = None) -> dict[str, str]:
        """The variables with which an application finds this team, as ``cfaccess_mw`` reads them.

        Args:
            application: Which; the first where None.
        """
        return {
            "CFACCESS_TEAM": self.issuer.domain,
            "CFACCESS_AUDIENCE": (application or self.applications[0]).audience,
            "CFACCESS_TEAM_URL": self.url,
        }

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
        if self._is_remote:
            _LOGGER.warning("It can be reached from other machines: anybody there may sign in as anyone too.")
        if self._rotation is not None:
            self._rotation.start()
        return self

    def close(self) -> None:
        """Stop serving and wait for the thread; conversations under way are ended. May be called twice."""
        if self._rotation is not None:
            self._rotation.close()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def certs_down(self, *, status: int | None = 503) -> None:
        """Serve no certs from now on.

        Args:
            status: Of the answer instead; None begins an answer and breaks off.
        """
        self.fault(certs="broken" if status is None else f"down:{status}")

    def certs_up(self) -> None:
        """Serve the certs again."""
        self.fault(certs=None)

    @property
    def faults(self) -> Faults:
        """What goes wrong at the moment."""
        return self._faults.now

    def fault(self, **faults: object) -> Faults:
        """Let things go wrong from now on, or no more.

        ::

            emulator.fault(certs="slow:30", identity="down")
            emulator.fault(certs=None, skew=-120)

        Args:
            **faults: ``certs`` and ``identity`` (of ``get-identity``) are ``down``, ``broken``, ``slow``, ``drip``,
                ``garbage``, ``empty`` or ``redirect``, the first with a status behind a colon, and ``slow`` and
                ``drip`` with seconds; ``skew`` is by how many seconds the team's clock is ahead, ``lifetime`` after
                how many seconds each new token expires. None ends one.

        Returns:
            All that go wrong now.

        Raises:
            ConfigurationError: A name or a value that is not understood.
        """
        return self._faults.change(faults)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

    def rotate(self) -> None:
        """Sign with a new key from now on; the one that signed until now stays published."""
        self.issuer.rotate()

    def revoke(self, *, email: str = "", nonce: str = "") -> None:
        """End a user's sessions with all applications, as an administrator does; services are not stopped by it.

        Args:
            email: Whose; tokens that were minted for that address end too.
            nonce: Or the ``identity_nonce`` of one of the user's tokens.

        Raises:
            ConfigurationError: Neither is given, or both.
        """
        self._team.revoke(email=email, nonce=nonce)

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


def _family(host: str, *, allow_remote: bool) -> socket.AddressFamily:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not (address.is_loopback or allow_remote):
        raise ConfigurationError(
            "host: must be a loopback address such as '127.0.0.1': whoever reaches it may be anyone"
        )
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET


def _reachable(host: str) -> str:
    """What somebody on this machine calls the address that is listened on, in a URL."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"[{host}]" if address.version == 6 else host
