"""Which commands are there, and what do they take?"""

import os
import sys

import click

from cfaccess_mw.cli.check_url import check_url
from cfaccess_mw.cli.completion import completion
from cfaccess_mw.cli.decode import decode
from cfaccess_mw.cli.doctor import doctor
from cfaccess_mw.cli.emulate import emulate
from cfaccess_mw.cli.explain import explain
from cfaccess_mw.cli.forward_auth import forward_auth
from cfaccess_mw.cli.group import Commands
from cfaccess_mw.cli.keys import keys
from cfaccess_mw.cli.mint import mint
from cfaccess_mw.cli.mistakes import REFUSED, Mistake, needing
from cfaccess_mw.cli.options import examples, json_option
from cfaccess_mw.cli.ranges import ranges
from cfaccess_mw.cli.revoke import revoke
from cfaccess_mw.cli.rules import rules
from cfaccess_mw.cli.serve import serve
from cfaccess_mw.cli.sign_url import sign_url
from cfaccess_mw.cli.verify import verify
from cfaccess_mw.core.errors import ConfigurationError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cfaccess-mw")
def cfaccess() -> None:
    """Refuse every request that did not come through Cloudflare Access.

    Commands that need a configuration take it from --config, or from the environment: CFACCESS_TEAM, CFACCESS_AUDIENCE
    and so on, and the .toml file that CFACCESS_CONFIG names. They exit with 0 if all is well, 1 if something is refused
    or wrong, 2 if the question or the configuration cannot be used, and 3 if somebody cannot be reached.
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org; click does not look
        click.get_current_context().color = False


for command in (
    check_url,
    completion,
    decode,
    doctor,
    emulate,
    explain,
    forward_auth,
    keys,
    mint,
    ranges,
    revoke,
    rules,
    serve,
    sign_url,
    verify,
):
    cfaccess.add_command(command)


@cfaccess.command(short_help="Show two protected applications on a laptop.", epilog=examples("cfaccess demo --check"))
@click.option("--check", is_flag=True, help="Try everything over real sockets, say what was seen, and exit.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Where the emulator listens; 0 lets the system choose."
)
@json_option
def demo(*, check: bool, port: int, as_json: bool) -> None:
    """Show two protected applications, one ASGI and one WSGI, behind an emulated Access on loopback."""
    with needing("the demonstration", "emulator"):  # the other commands do without it
        from cfaccess_mw.cli.check import check_demonstration  # noqa: PLC0415
        from cfaccess_mw.cli.demo import Demonstration, explain_demonstration  # noqa: PLC0415
    try:
        with Demonstration(port=port) as demonstration:
            if check:
                sys.exit(0 if check_demonstration(demonstration, as_json=as_json) else REFUSED)
            explain_demonstration(demonstration, as_json=as_json)
            demonstration.wait()
    except (ConfigurationError, OSError) as error:
        raise Mistake(str(error)) from None
