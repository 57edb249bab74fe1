"""Which commands are there, and what do they take?"""

import sys

import click

from cfaccess_mw.cli.check import check_demonstration
from cfaccess_mw.cli.demo import Demonstration, explain_demonstration
from cfaccess_mw.core.errors import ConfigurationError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cfaccess-mw")
def cfaccess() -> None:
    """Refuse every request that did not come through Cloudflare Access."""


@cfaccess.command()
@click.option("--check", is_flag=True, help="Try everything over real sockets, say what was seen, and exit.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Where the emulator listens; 0 lets the system choose."
)
def demo(*, check: bool, port: int) -> None:
    """Show two protected applications, one ASGI and one WSGI, behind an emulated Access on loopback."""
    try:
        with Demonstration(port=port) as demonstration:
            if check:
                sys.exit(0 if check_demonstration(demonstration) else 1)
            explain_demonstration(demonstration)
            demonstration.wait()
    except (ConfigurationError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo()
