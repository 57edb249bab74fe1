"""What does someone read who uses a part of the package without what its extra installs?"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType

# What each extra installs, by the names under which it is imported.
EXTRAS = MappingProxyType(
    {
        "django": frozenset({"django"}),
        "drf": frozenset({"django", "rest_framework"}),
        "emulator": frozenset({"h11", "jinja2", "python_multipart", "uvicorn", "websockets"}),
        "fastapi": frozenset({"fastapi"}),
        "flask": frozenset({"flask"}),
        "httpx2": frozenset({"httpx2"}),
        "litestar": frozenset({"litestar"}),
        "mcp": frozenset({"mcp"}),
        "otel": frozenset({"opentelemetry"}),
        "quart": frozenset({"quart"}),
        "redis": frozenset({"redis"}),
        "requests": frozenset({"requests"}),
    }
)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Put around the imports of what an extra installs: ``with needs("flask"): import flask``.

    Args:
        extra: The name of the extra, one of :data:`EXTRAS`.

    Raises:
        ImportError: It is missing; the message is one sentence that names the mend.
    """
    brought = EXTRAS[extra]
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in brought:
            raise
        raise ImportError(
            f"cfaccess_mw needs {name} for this, which is not installed: pip install 'cfaccess-mw[{extra}]'", name=name
        ) from missing
