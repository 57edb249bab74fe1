"""Which options do several commands take? Each has one name and one meaning everywhere."""

import click

from cfaccess_mw.cli.mistakes import told_as_mistakes
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.settings import configure

config_option = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="A .toml file with the configuration; the environment counts for nothing then.  [default: the environment]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print data instead of lines for people.")


def examples(*lines: str) -> str:
    """Return what stands at the end of a command's help: lines for a shell, which are not to be wrapped."""
    return "\n  ".join(("\b\nExamples:" if len(lines) > 1 else "\b\nExample:", *lines))


def configuration_of(config: str | None) -> AccessConfig:
    """The configuration that a file gives, or the environment.

    Raises:
        Mistake: It cannot be used.
    """
    with told_as_mistakes(config or ""):
        return configure(config)
