"""Cloudflare Access on this machine, in front of an application. The command ``emulate``."""

import json
import signal
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cfaccess_mw.cli.mistakes import Mistake, needing, told_as_mistakes

if TYPE_CHECKING:
    from cfaccess_mw.emulator.applications import Application
    from cfaccess_mw.emulator.server import Emulator

_UPSTREAM = "http://localhost:8000"
_PORT = 8001
_LOUD = "FOR DEVELOPMENT ONLY: anybody who reaches this may sign in as anyone."
_ONCE_MORE = (
    "host: others may reach it, and sign in as anyone; if that is meant, say it twice: "
    "--allow-remote and --anyone-may-sign-in"
)


@click.command()
@click.option("--upstream", metavar="URL", help=f"Where the application listens.  [default: {_UPSTREAM}]")
@click.option("--config", metavar="FILE", type=click.Path(), help="A .toml file with applications, users and policies.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Where the emulator listens; 0 lets the system choose.  [default: {_PORT}]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--allow-remote", is_flag=True, help="Let --host be an address that others reach.")
@click.option("--anyone-may-sign-in", is_flag=True, help="Say it a second time: they may sign in as anyone.")
@click.option("--team", help="The team's name.  [default: acme]")
@click.option("--team-host", metavar="NAME", help="A second host name, for the login page and the global session.")
@click.option("--session", metavar="SECONDS", type=click.FloatRange(0, min_open=True), help="How long tokens are good.")
@click.option("--rotate-every", metavar="SECONDS", type=float, help="Rotate the keys again and again.")
@click.option("--strict", is_flag=True, default=None, help="Take service tokens strictly: no cookie, no redirect.")
@click.option("--country", metavar="XX", help="Where requests come from.")
@click.option("--ip", metavar="ADDRESS", help="Likewise.  [default: the connection's]")
@click.option(
    "--fault",
    "faults",
    metavar="NAME=FAULT",
    multiple=True,
    help="What goes wrong: certs or identity =down|broken|slow|drip|garbage|empty|redirect, skew or lifetime =SECONDS.",
)
@click.option("--json", "as_json", is_flag=True, help="Print data instead of lines for people.")
def emulate(
    *,
    config: str | None,
    session: float | None,
    faults: tuple[str, ...],
    anyone_may_sign_in: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Emulate Cloudflare Access in front of an application on this machine, for development.

    Without a file there is one application, two people and one service token, and all of them may come in.
    """
    with needing("the emulator", "emulator"):
        from cfaccess_mw.emulator.file import read_file  # noqa: PLC0415 - the other commands do without it
        from cfaccess_mw.emulator.server import Emulator  # noqa: PLC0415
    if options["allow_remote"] is not anyone_may_sign_in:
        raise Mistake(_ONCE_MORE)
    with told_as_mistakes():
        found = _defaults(session) if config is None else read_file(config, session=session)
        given = {name: value for name, value in options.items() if value is not None}
        said = {"upstream": _UPSTREAM, "port": _PORT, **found, **given}
        said["fault"] = {**found.get("fault", {}), **_faults(faults)}
        try:
            emulator = Emulator(**said)
        except OSError as error:
            where = f"{said['host']} port {said['port']}"
            raise Mistake(f"cannot listen on {where}: {error.strerror}; give another --port") from None
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with emulator:
        click.echo(click.style(_LOUD, fg="yellow", bold=True), err=True)
        click.echo(json.dumps(_as_data(emulator, said)) if as_json else _as_text(emulator, said))
        ended.wait()


def _defaults(session: float | None) -> dict[str, Any]:
    """One application for everybody, and a service to try it with."""
    from cfaccess_mw.emulator.applications import Application  # noqa: PLC0415 - as above
    from cfaccess_mw.emulator.users import ServiceToken  # noqa: PLC0415

    application = Application() if session is None else Application(session=session)
    return {"applications": [application], "service_tokens": [ServiceToken.generate("robot")]}


def _faults(given: tuple[str, ...]) -> dict[str, str]:
    read: dict[str, str] = {}
    for one in given:
        name, sign, fault = one.partition("=")
        if not sign:
            raise Mistake(f"--fault: {one[:64]!r} has no '='; write it as in 'certs=slow'")
        read[name] = fault
    return read


def _behind(emulator: "Emulator") -> list[list["Application"]]:
    """Return what each process behind the edge serves: the paths of one host and upstream, the widest first."""
    groups: dict[object, list[Application]] = {}
    for application in sorted(emulator.applications, key=lambda one: len(one.path)):
        groups.setdefault((application.host, application.upstream), []).append(application)
    return list(groups.values())


def _address(emulator: "Emulator", application: "Application") -> str:
    """Where a browser finds an application."""
    if application.host is None:
        return f"{emulator.url}{application.path}"
    return f"http://{application.host}:{emulator.url.rpartition(':')[2]}{application.path}"


def _as_data(emulator: "Emulator", said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "url": emulator.url,
        "certs_url": emulator.certs_url,
        "control_url": f"{emulator.url}/cdn-cgi/emulator",
        "team": emulator.issuer.team,
        "issuer": emulator.issuer.iss,
        "upstream": said["upstream"],
        "applications": [
            {
                **application.as_data(),
                "url": _address(emulator, application),
                "environment": emulator.environment(application),
            }
            for application in emulator.applications
        ],
        "service_tokens": [
            {"name": token.name, "client_id": token.client_id, "client_secret": token.client_secret}
            for token in emulator.service_tokens
        ],
        "fault": emulator.faults.as_data(),
    }


def _as_text(emulator: "Emulator", said: Mapping[str, Any]) -> str:
    lines = [f"Cloudflare Access is emulated at {emulator.url}, in front of {said['upstream']}."]
    for application, *below in _behind(emulator):
        lines += ["", f"{application.name}: open {_address(emulator, application)} in a browser."]
        lines += ["Give the application behind it:", ""]
        lines += [f"    export {name}={value}" for name, value in emulator.environment(application).items()]
        if below:
            lines += ["", "and, as below these paths every token has another audience, these rules:", ""]
            lines += [f'    Rule.token("{one.path.rstrip("/")}/*", audience="{one.audience}")' for one in below]
    for token in emulator.service_tokens:
        lines += ["", f"The service token {token.name or token.client_id}:", ""]
        lines += [f"    CF-Access-Client-Id: {token.client_id}", f"    CF-Access-Client-Secret: {token.client_secret}"]
    going_wrong = {name: fault for name, fault in emulator.faults.as_data().items() if fault}
    if going_wrong:
        lines += ["", f"What goes wrong: {', '.join(f'{name}={fault}' for name, fault in going_wrong.items())}"]
    lines += [
        "",
        "While it runs, let the keys rotate, or the certs be slow:",
        "",
        f"    curl --json '{{}}' {emulator.url}/cdn-cgi/emulator/rotate",
        f"""    curl --json '{{"certs": "slow"}}' {emulator.url}/cdn-cgi/emulator/fault""",
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)
