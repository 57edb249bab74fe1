"""How does a command end that cannot do what it was asked? With one sentence, and a status that programs can tell.

======  =========================================================================
0       what was asked for is so
1       refused: the token, the request or the configuration is not as it should be
2       the question, or a file that it names, cannot be used
3       the team, or another address that was asked, cannot be reached
130     interrupted from the keyboard
141     whoever read the output has left
======  =========================================================================
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from cfaccess_mw.cli.rendering import shown
from cfaccess_mw.core.errors import AccessError

REFUSED: Final = 1
MISTAKEN: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130  # 128 and the number of the signal, as shells count
UNREAD: Final = 141


class Mistake(click.ClickException):
    """What was asked, or a file that was named, cannot be used."""

    exit_code = MISTAKEN

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))  # it may quote a file name or a key, which may hold anything


class NotSo(Mistake):
    """What was to be shown is not as it should be."""

    exit_code = REFUSED


class Unreachable(Mistake):
    """Somebody who had to be asked did not answer."""

    exit_code = UNREACHABLE


@contextmanager
def told_as_mistakes(where: str = "") -> Iterator[None]:
    """Turn what the package raises on purpose into one sentence.

    Args:
        where: The file that the sentence names, unless it does so by itself.
    """
    try:
        yield
    except AccessError as error:
        text = str(error)
        raise Mistake(text if where in text else f"{where}: {text}") from None


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Put around the imports of what an extra installs.

    Args:
        what: What cannot be had without it, as the sentence begins.
        extra: The extra's name.

    Raises:
        Mistake: Something that is not ours is missing.
    """
    try:
        yield
    except ImportError as error:
        if error.name is None or error.name.startswith("cfaccess_mw"):
            raise
        raise Mistake(f"{what} needs {error.name}: pip install 'cfaccess-mw[{extra}]'") from None
