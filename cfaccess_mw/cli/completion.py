"""How does a shell learn to complete our words? The command ``completion``."""

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

from cfaccess_mw.cli.options import examples

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    short_help="Print the script by which a shell completes.",
    epilog=examples(
        "cfaccess completion bash > ~/.local/share/bash-completion/completions/cfaccess",
        "cfaccess completion zsh > ~/.zfunc/_cfaccess",
        "cfaccess completion fish > ~/.config/fish/completions/cfaccess.fish",
    ),
)
@click.argument("shell", required=False, type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, shell: str | None) -> None:
    """Print the script with which a shell completes commands and options.

    For the shell of the environment variable SHELL, unless one is named.
    """
    shell = shell or PurePath(os.environ.get("SHELL", "")).name
    script = get_completion_class(shell) if shell in _SHELLS else None
    if script is None:
        raise click.UsageError(f"name a shell: {', '.join(_SHELLS)}")
    root = ctx.find_root().command
    click.echo(script(root, {}, "cfaccess", "_CFACCESS_COMPLETE").source())
