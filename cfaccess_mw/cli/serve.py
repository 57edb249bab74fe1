"""How is an application protected whose code nobody wants to change? The command ``serve``."""

import json
import os
from typing import TYPE_CHECKING, Any, Final

import click

from cfaccess_mw.cli.application import interface_of, load_application
from cfaccess_mw.cli.listening import OPTIONS, address_of, announce, bind, bind_unix, listen, uvicorn
from cfaccess_mw.cli.mistakes import Mistake, told_as_mistakes
from cfaccess_mw.cli.options import config_option, examples, json_option

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# How a process that is started anew, by --reload or --workers, learns what to serve. Not of our own prefix, which
# names keys of the configuration.
_VARIABLE: Final = "_CFACCESS_MW_SERVE"


@click.command(
    short_help="Serve any application behind Access.",
    epilog=examples("cfaccess serve main:app --config access.toml --port 8000"),
)
@click.argument("app", metavar="MODULE:NAME")
@config_option
@click.option("--factory", is_flag=True, help="What is so named returns the application.")
@click.option(
    "--interface",
    type=click.Choice(("auto", "asgi", "wsgi")),
    default="auto",
    show_default=True,
    help="What the application is, where that cannot be seen.",
)
@click.option("--app-dir", metavar="FOLDER", default=".", help="Where its module is.  [default: this folder]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--uds", metavar="PATH", help="A Unix socket to listen at instead.")
@click.option(
    "--threads", default=40, show_default=True, type=click.IntRange(1, 10_000), help="For a WSGI application."
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 1_000), help="How many processes.")
@click.option("--reload", "reloads", is_flag=True, help="Start anew when a file changes; for development.")
@click.option(
    "--log-level",
    type=click.Choice(("critical", "error", "warning", "info", "debug")),
    default="info",
    show_default=True,
    help="Of the server.",
)
@json_option
def serve(
    *,
    app: str,
    config: str | None,
    host: str,
    port: int,
    uds: str | None,
    workers: int,
    reloads: bool,
    log_level: str,
    as_json: bool,
    **how: Any,
) -> None:
    """Serve an application of ASGI or WSGI behind Access, without a change of its code.

    It runs on uvicorn, inside of the same middleware that one line of code would put around it; what that is to
    require, the configuration says.
    """
    if uds is not None and (workers > 1 or reloads):
        raise click.UsageError("--uds goes with one process; leave --workers and --reload out")
    uvicorn()
    what = {"spec": app, "config": config, **how}
    protected, interface = protect(**what)
    server = bind(host, port) if uds is None else bind_unix(uds)
    address = address_of(server)
    announce(
        f"{app} ({interface.upper()}) is protected, and listens at {address}",
        {"app": app, "interface": interface, "address": address},
        as_json=as_json,
    )
    if workers == 1 and not reloads:
        listen(protected, server, log_level=log_level)
        return
    server.close()
    os.environ[_VARIABLE] = json.dumps(what)
    try:
        uvicorn().run(
            f"{__name__}:application",
            factory=True,
            host=host,
            port=int(address.rpartition(":")[2]),
            workers=workers,
            reload=reloads,
            log_level=log_level,
            **OPTIONS,
        )
    except SystemExit:
        raise Mistake("the application did not start; what it says is above") from None


def protect(
    *, spec: str, config: str | None, factory: bool, interface: str, app_dir: str, threads: int
) -> tuple["ASGIApp", str]:
    """Put the door of its kind before an application.

    Returns:
        What a server of ASGI runs, and which kind the application is of.

    Raises:
        Mistake: One of the two cannot be used.
    """
    from cfaccess_mw import asgi, wsgi  # noqa: PLC0415 - Starlette takes its time, and other commands do without
    from cfaccess_mw.cli.wsgi_bridge import WsgiBridge  # noqa: PLC0415

    with told_as_mistakes():
        application = load_application(spec, folder=os.path.abspath(app_dir), factory=factory)
        kind = interface_of(application, spec) if interface == "auto" else interface
    with told_as_mistakes(config or ""):
        if kind == "asgi":
            return asgi.AccessMiddleware(application, config), kind
        return WsgiBridge(wsgi.AccessMiddleware(application, config), threads=threads), kind


def application() -> "ASGIApp":
    """What a process serves that was started by --reload or --workers."""
    return protect(**json.loads(os.environ[_VARIABLE]))[0]
