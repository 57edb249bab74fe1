"""How does any command begin and end? Nobody sees a traceback for a full disk, a closed pipe or Ctrl-C."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from cfaccess_mw.cli.mistakes import INTERRUPTED, MISTAKEN, UNREAD

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Commands(click.Group):
    """A group whose commands end with a status that says what happened."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Read the command line, and answer what is asked of the group itself, such as its help."""
        with _ended_in_words():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with _ended_in_words():
            return super().invoke(ctx)


@contextmanager
def _ended_in_words() -> Iterator[None]:
    """Write out what was printed while somebody can still be told that it cannot be."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal may know fewer characters than a name has
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo(err=True)
        status = INTERRUPTED
    except OSError as error:
        if error.errno == errno.EPIPE:
            status = UNREAD
        elif error.errno in _UNWRITABLE:
            click.echo(f"Error: the output cannot be written ({error.strerror})", err=True)
            status = MISTAKEN
        else:
            raise
        _forget_output()
    else:
        return
    sys.exit(status)


def _forget_output() -> None:
    """Let the interpreter write at its end where it cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
