"""What is wrong here, and what mends it? The command ``doctor``."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import click

from cfaccess_mw.cli.doctor_configuration import examine_configuration, examine_rules
from cfaccess_mw.cli.doctor_environment import examine_environment
from cfaccess_mw.cli.doctor_fleet import examine_fleet
from cfaccess_mw.cli.documents import read_token, warn_of_history
from cfaccess_mw.cli.findings import Finding, Level, as_data, as_line, mistaken, status_of
from cfaccess_mw.cli.mistakes import told_as_mistakes
from cfaccess_mw.cli.options import config_option, examples, json_option
from cfaccess_mw.cli.rendering import as_json_text
from cfaccess_mw.cli.team_keys import TeamKeys, keys_of
from cfaccess_mw.cli.verdict import judge
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.settings import configure

_COLOURS = {
    Level.GOOD: "green",
    Level.NOTE: "yellow",
    Level.WRONG: "red",
    Level.UNUSABLE: "red",
    Level.LACKING: "magenta",
}

# A key id that no team publishes, for where none could be learned.
_NO_KID = "0" * 64


@click.command(
    short_help="Find what is wrong, and say what mends it.",
    epilog=examples("cfaccess doctor --config access.toml --origin http://127.0.0.1:8000/"),
)
@config_option
@click.option("--origin", metavar="URL", help="Where the application listens itself; it is asked around Cloudflare.")
@click.option("--host", metavar="NAME", help="The Host header for --origin.  [default: that of the URL]")
@click.option("--websocket", is_flag=True, help="Try a WebSocket handshake at --origin too.")
@click.option("--token", metavar="TOKEN|-", help="Say what becomes of this token; - for standard input.")
@json_option
def doctor(
    *, config: str | None, origin: str | None, host: str | None, websocket: bool, token: str | None, as_json: bool
) -> None:
    """Look for what is wrong, and say what mends it, in one line each.

    The environment, the configuration, its rules, whether the team can be reached, its keys and this machine's clock,
    and the fleet if there is one;
    with --origin, whether the application answers somebody who did not come through Access. Exits with 1 if something
    is wrong, with 2 if the configuration cannot be used at all, and with 3 if somebody cannot be reached and nothing
    else is wrong as far as can be known.
    """
    if origin is None and (host is not None or websocket):
        raise click.UsageError("--host and --websocket are about --origin; give that too")
    path = None if origin is None else _path_of(origin)
    warn_of_history(token)
    with told_as_mistakes():
        given = None if token is None else read_token(token)
    findings = []
    for finding in examine(config, origin=origin, path=path, host=host, websocket=websocket, token=given):
        findings.append(finding)
        if not as_json:
            click.echo(click.style(f"{finding.level.value:<11} ", fg=_COLOURS[finding.level]) + as_line(finding))
    if as_json:
        click.echo(as_json_text(as_data(findings)))
    sys.exit(status_of(findings))


def examine(
    config: str | None,
    *,
    origin: str | None,
    path: str | None,
    host: str | None,
    websocket: bool,
    token: str | None,
) -> Iterator[Finding]:
    """Look at everything, in an order in which what comes first explains what comes later."""
    # Here, since an HTTP client is slow to import, and the other commands do without.
    from cfaccess_mw.cli.doctor_origin import examine_origin  # noqa: PLC0415
    from cfaccess_mw.cli.doctor_team import examine_teams, examine_token  # noqa: PLC0415

    yield from examine_environment(os.environ, config)
    try:
        settings = configure(config)
    except ConfigurationError as mistake:
        yield replace(mistaken("configuration", mistake), level=Level.UNUSABLE)
        return
    yield from examine_configuration(settings, config or os.environ.get("CFACCESS_CONFIG") or "the environment")
    yield from examine_rules(settings)
    sources = keys_of(settings)
    yield from examine_teams(settings, sources)
    yield from examine_fleet(settings)
    if token is not None:
        try:
            yield examine_token(judge(token, settings, sources, settings.audiences))
        except ConfigurationError as mistake:  # a file of keys that cannot be read
            yield mistaken("token", mistake)
    if origin is not None and path is not None:
        yield from examine_origin(origin, settings, host=host, path=path, kid=_published(sources), websocket=websocket)


def _path_of(origin: str) -> str:
    """The path of an address, percent-decoded."""
    with suppress(ValueError):
        parts = urlsplit(origin)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0:
            return unquote(parts.path) or "/"
    raise click.UsageError("--origin is the address of the application, such as http://127.0.0.1:8000/")


def _published(sources: dict[str, TeamKeys]) -> str:
    """A key id that the first team publishes, so that a forged token costs the origin no fetch."""
    snapshot = next(iter(sources.values())).known
    return next(iter(snapshot.keys)) if snapshot is not None else _NO_KID
