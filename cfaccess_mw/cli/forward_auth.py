"""How does a reverse proxy ask for a decision? The command ``forward-auth``."""

import click

from cfaccess_mw.cli.forwarding import CONVENTIONS
from cfaccess_mw.cli.listening import address_of, announce, bind, bind_unix, listen, uvicorn
from cfaccess_mw.cli.mistakes import told_as_mistakes
from cfaccess_mw.cli.options import config_option, configuration_of, examples, json_option
from cfaccess_mw.core.peers import TrustedPeers


@click.command(
    "forward-auth",
    short_help="Decide for nginx, Caddy or Traefik.",
    epilog=examples("cfaccess forward-auth --config access.toml --proxy nginx --trust loopback"),
)
@click.option(
    "--proxy", required=True, type=click.Choice(tuple(CONVENTIONS)), help="Which kind asks; its headers alone are read."
)
@click.option(
    "--trust",
    metavar="PEER",
    multiple=True,
    required=True,
    help="Who may ask: an address, a network, loopback, or unix for whoever may open the socket. May be repeated.",
)
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=9180, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--uds", metavar="PATH", help="A Unix socket to listen at instead.")
@json_option
def forward_auth(
    *, proxy: str, trust: tuple[str, ...], config: str | None, host: str, port: int, uds: str | None, as_json: bool
) -> None:
    """Decide for a reverse proxy: nginx auth_request, Caddy forward_auth, Traefik ForwardAuth.

    It answers 200, with Remote-User, Cf-Access-Authenticated-User-Email, X-Cfaccess-Kind and X-Cfaccess-Id, or the
    refusal as the middleware would send it. Whoever may ask can ask about any path: let nobody but the proxy reach it.
    examples/forward-auth has configurations of each.
    """
    uvicorn()
    settings = configuration_of(config)
    with told_as_mistakes():
        trusted = TrustedPeers(trust)
    with told_as_mistakes(config or ""):
        # Here, since Starlette takes its time, and other commands do without.
        from cfaccess_mw.cli.forward_auth_service import ForwardAuth  # noqa: PLC0415

        service = ForwardAuth(settings, proxy=proxy, trusted=trusted)
    server = bind(host, port) if uds is None else bind_unix(uds)
    address = address_of(server)
    announce(f"deciding for {proxy} at {address}", {"proxy": proxy, "address": address}, as_json=as_json)
    listen(service, server, log_level="warning")
