"""What stands in this file, or comes by the pipe? Texts and JSON objects that a command is given."""

import sys
from pathlib import Path
from typing import Any

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import ConfigurationError

_PIPE = "-"


def read_object(what: str, path: str) -> dict[str, Any]:
    """Read a strict JSON object.

    Args:
        what: What it is, for messages.
        path: The file, or ``-`` for standard input.

    Raises:
        ConfigurationError: It cannot be read, or is something else; nothing of it is shown.
    """
    source, body = _read(what, path)
    try:
        return decode_json_object(body)
    except ValueError:
        raise ConfigurationError(f"{what}: {source} is no strict JSON object; give one in UTF-8") from None


def read_token(given: str) -> str:
    """Return a token that was given, or the one line of standard input where ``-`` was."""
    if given != _PIPE:
        return given
    return _read("token", given)[1].decode("utf-8", "replace").strip()


def _read(what: str, path: str) -> tuple[str, bytes]:
    if path == _PIPE:
        return "standard input", sys.stdin.buffer.read()
    try:
        return path, Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "not a path"
    raise ConfigurationError(f"{what}: {path} cannot be read ({reason}); give the path of a file")
