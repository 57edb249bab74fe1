"""How does a command end whose question cannot be answered? With one sentence, and exit status 2."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from cfaccess_mw.core.errors import AccessError


class Mistake(click.ClickException):
    """What was asked, or a file that was named, cannot be used."""

    exit_code = 2


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
