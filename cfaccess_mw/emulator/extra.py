"""What does someone read who runs the emulator without its extra?"""

from collections.abc import Iterator
from contextlib import contextmanager

_DISTRIBUTIONS = frozenset({"jinja2", "python_multipart", "uvicorn", "websockets"})


@contextmanager
def emulator_extra() -> Iterator[None]:
    """Put around the imports of what the extra installs.

    Raises:
        ImportError: One of them is missing; the message is one sentence that names the mend.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in _DISTRIBUTIONS:
            raise
        raise ImportError(
            f'the emulator needs {name}, which is not installed: pip install "cfaccess-mw[emulator]"', name=name
        ) from missing
