"""Which commands are there, and what do they take?"""

import sys

import click

from cfaccess_mw.cli.explain import explain
from cfaccess_mw.cli.mistakes import Mistake
from cfaccess_mw.cli.rules import rules
from cfaccess_mw.core.errors import ConfigurationError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cfaccess-mw")
def cfaccess() -> None:
    """Refuse every request that did not come through Cloudflare Access."""


cfaccess.add_command(explain)
cfaccess.add_command(rules)


@cfaccess.command()
@click.option("--check", is_flag=True, help="Try everything over real sockets, say what was seen, and exit.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Where the emulator listens; 0 lets the system choose."
)
def demo(*, check: bool, port: int) -> None:
    """Show two protected applications, one ASGI and one WSGI, behind an emulated Access on loopback."""
    try:  # the other commands do without what this one needs
        from cfaccess_mw.cli.check import check_demonstration  # noqa: PLC0415
        from cfaccess_mw.cli.demo import Demonstration, explain_demonstration  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cfaccess_mw"):
            raise
        raise Mistake(f"the demonstration needs {error.name}: pip install 'cfaccess-mw[emulator]'") from None
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
