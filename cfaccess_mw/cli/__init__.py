"""The command ``cfaccess``: what can be asked and tried from a shell?"""

import sys


def main() -> None:
    """Run the command line; a missing extra is one sentence, and exit status 2."""
    try:
        from cfaccess_mw.cli.commands import cfaccess  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cfaccess_mw"):
            raise
        print(f"cfaccess needs {error.name}: pip install 'cfaccess-mw[cli]'", file=sys.stderr)
        sys.exit(2)
    cfaccess(prog_name="cfaccess")
