"""The main job, shown on a laptop: an emulated Access in front of two protected applications."""

import contextlib
import json
import signal
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import click

from cfaccess_mw.cli.origins import PAYROLL_PATH, PUBLIC_PATH, Listening, asgi_application, rules, wsgi_application
from cfaccess_mw.emulator.applications import Application, audience_for
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.users import ServiceToken

TEAM = "acme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One of the two applications.

    Attributes:
        kind: ``ASGI`` or ``WSGI``.
        host: The name under which the edge serves it.
        audience: Its AUD tag.
        payroll_audience: The AUD tag of the path that is an Access application of its own.
        origin: Where it listens itself, which nobody should know.
    """

    kind: str
    host: str
    audience: str
    payroll_audience: str
    origin: str


class Demonstration:
    """Runs everything while it is entered.

    Args:
        port: Where the emulator listens; 0 lets the system choose.

    Attributes:
        emulator: The edge.
        sites: The two applications.
        robot: A service that may come.
    """

    def __init__(self, *, port: int = 0) -> None:
        self._listening = {"ASGI": Listening(), "WSGI": Listening()}
        self.sites = tuple(
            Site(
                kind=kind,
                host=host,
                audience=audience_for(host),
                payroll_audience=audience_for(host, PAYROLL_PATH),
                origin=self._listening[kind].url,
            )
            for kind, host in (("ASGI", "asgi.localhost"), ("WSGI", "wsgi.localhost"))
        )
        self.robot = ServiceToken.generate("robot")
        with contextlib.ExitStack() as unless_it_runs:
            for listening in self._listening.values():
                unless_it_runs.callback(listening.close)
            self.emulator = Emulator(
                upstream=self.sites[0].origin,
                port=port,
                team=TEAM,
                applications=[application for site in self.sites for application in _applications(site)],
                service_tokens=[self.robot],
            )
            unless_it_runs.pop_all()
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.emulator)
            asgi, wsgi = self.sites
            stack.enter_context(self._listening["ASGI"].asgi(asgi_application(**self.options(asgi))))
            stack.enter_context(self._listening["WSGI"].wsgi(wsgi_application(**self.options(wsgi))))
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()

    def options(self, site: Site) -> dict[str, object]:
        """What a site's door is configured with: as it would be in production, and where the emulated team is."""
        return {
            "team": TEAM,
            "audience": site.audience,
            "team_url": self.emulator.url,
            "rules": rules(site.payroll_audience),
        }

    def address(self, site: Site) -> str:
        """Where a browser finds a site."""
        return f"http://{site.host}:{self.emulator.url.rpartition(':')[2]}"

    def wait(self) -> None:
        """Go on until somebody interrupts or ends the process; in the main thread."""
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        ended.wait()


def _applications(site: Site) -> tuple[Application, Application]:
    return (
        Application(
            name=f"The {site.kind} application",
            host=site.host,
            audience=site.audience,
            public=(PUBLIC_PATH,),
            upstream=Upstream.parse(site.origin),
        ),
        Application(
            name=f"Payroll of the {site.kind} application",
            host=site.host,
            path=PAYROLL_PATH,
            audience=site.payroll_audience,
            upstream=Upstream.parse(site.origin),
        ),
    )


def explain_demonstration(demonstration: Demonstration, *, as_json: bool = False) -> None:
    """Say where to point a browser, and what to try with ``curl``; or where everything is, for programs."""
    asgi, wsgi = demonstration.sites
    robot = demonstration.robot
    if as_json:
        sites = {
            site.kind.lower(): {"url": demonstration.address(site), "origin": site.origin, "audience": site.audience}
            for site in demonstration.sites
        }
        service = {"client_id": robot.client_id, "client_secret": robot.client_secret}
        told = {"team_url": demonstration.emulator.url, "sites": sites, "service_token": service}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"""
Two applications stand behind an emulated Cloudflare Access. Point a browser at

    {demonstration.address(asgi)}/    ASGI
    {demonstration.address(wsgi)}/    WSGI

and sign in as whom you like. {PUBLIC_PATH} is for everybody; {PAYROLL_PATH} is an Access application of its own.

Around the edge, straight to the applications, these are refused:

    curl -i {asgi.origin}/
    curl -i -H 'Cf-Access-Authenticated-User-Email: alice@example.com' {wsgi.origin}/

Through the edge, with a service token, this passes:

    curl -i -H 'CF-Access-Client-Id: {robot.client_id}' \\
            -H 'CF-Access-Client-Secret: {robot.client_secret}' {demonstration.address(asgi)}/

Ctrl-C ends it.""")
