"""How does a harness say what should have been refused?"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refused_unless(what: str) -> Iterator[None]:
    """Whatever goes wrong within, what was accepted is not ``what``, and should have been refused."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"accepted, and is not {what}") from error
