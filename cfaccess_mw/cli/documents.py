"""What stands in this file, or comes by the pipe? Texts and JSON objects that a command is given."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import ConfigurationError

PIPE: Final = "-"

# Of anything that a command is given: a token has 16 KiB at most, what get-identity says 128.
_MOST: Final = 1024 * 1024


def read_object(what: str, path: str) -> dict[str, Any]:
    """Read a strict JSON object.

    Args:
        what: What it is, for messages.
        path: The file, or ``-`` for standard input.

    Raises:
        ConfigurationError: It cannot be read, or is something else; nothing of it is shown.
    """
    source, body = read_bytes(what, path)
    try:
        return decode_json_object(body)
    except ValueError:
        raise ConfigurationError(f"{what}: {source} is no strict JSON object; give one in UTF-8") from None


def read_token(given: str | None) -> str:
    """Return a token that was given, or the one line of standard input where ``-`` or nothing was.

    Raises:
        ConfigurationError: There is none.
    """
    if given is not None and given != PIPE:
        return given
    if given is None and sys.stdin is not None and sys.stdin.isatty():
        click.echo("Paste the token, then press Enter and Ctrl-D:", err=True)
    token = read_bytes("token", PIPE)[1].decode("utf-8", "replace").strip()
    if not token:
        raise ConfigurationError("token: standard input is empty; pipe the token into the command")
    return token


def warn_of_history(given: str | None) -> None:
    """Say what becomes of a token on a command line."""
    if given is not None and given != PIPE:
        click.echo(
            "note: a token is a secret, and one on a command line is kept in the shell's history, and shown to whoever "
            "lists the processes; pipe it into the command instead",
            err=True,
        )


def read_bytes(what: str, path: str) -> tuple[str, bytes]:
    """Return what to call a source, and what stands in it.

    Args:
        what: What it is, for messages.
        path: The file, or ``-`` for standard input.

    Raises:
        ConfigurationError: It cannot be read, or has more than a mebibyte.
    """
    if path == PIPE and sys.stdin is None:
        raise ConfigurationError(f"{what}: standard input is closed; pipe something into the command, or name a file")
    source = "standard input" if path == PIPE else path
    try:
        if path == PIPE:
            body = sys.stdin.buffer.read(_MOST + 1)
        else:
            with Path(path).open("rb") as file:
                body = file.read(_MOST + 1)
        reason = "it has more than 1 MiB" if len(body) > _MOST else ""
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "not a path"
    if reason:
        raise ConfigurationError(f"{what}: {source} cannot be read ({reason}); give the path of a file")
    return source, body
