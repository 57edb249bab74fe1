"""Which examples are there, and how does each say that it is run?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "examples"

# What is added to a documented command so that it listens on a port of its own, by the command's first word.
_LISTEN: Final[dict[str, Callable[[int], tuple[str, ...]]]] = {
    "gunicorn": lambda port: ("--bind", f"127.0.0.1:{port}", "--no-control-socket"),
    "hypercorn": lambda port: ("--bind", f"127.0.0.1:{port}"),
    "python": lambda port: (f"127.0.0.1:{port}",),
    "uvicorn": lambda port: ("--port", str(port)),
    "waitress-serve": lambda port: (),
}
_DOCUMENTED_PORT: Final = ":8000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One folder under ``examples``, and what it shows.

    Attributes:
        name: The folder.
        needs: What has to be installed, by the name under which it is imported.
        run: The command that its documentation gives; where it names a port, another takes its place.
        file: The file whose docstring has the command.
        group_path: Where the group ``admins`` may go.
        unauthenticated: The status of requests without an assertion.
        has_websocket: Whether ``/ws`` greets.
    """

    name: str
    needs: tuple[str, ...]
    run: str
    file: str = "app.py"
    group_path: str = "/admin"
    unauthenticated: int = 401
    has_websocket: bool = False

    @property
    def folder(self) -> Path:
        """Where it is."""
        return FOLDER / self.name

    def command(self, port: int) -> tuple[str, ...]:
        """The words of its command line, for a port."""
        words = self.run.replace(_DOCUMENTED_PORT, f":{port}").split()
        return (*words, *_LISTEN[words[0]](port))


WAITRESS: Final = "waitress-serve --listen=127.0.0.1:8000 app:app"

EXAMPLES: Final = (
    Example(name="starlette", needs=("starlette", "uvicorn"), run="uvicorn app:app", has_websocket=True),
    Example(name="fastapi", needs=("fastapi", "uvicorn"), run="uvicorn app:app", has_websocket=True),
    Example(name="litestar", needs=("litestar", "uvicorn"), run="uvicorn app:app", has_websocket=True),
    Example(name="quart", needs=("quart", "hypercorn"), run="hypercorn app:app", has_websocket=True),
    Example(name="flask", needs=("flask", "gunicorn"), run="gunicorn app:app"),
    Example(
        name="django",
        needs=("django",),
        run="python manage.py runserver --noreload",
        file="manage.py",
        group_path="/staff",
    ),
    Example(name="bottle", needs=("bottle", "waitress"), run=WAITRESS),
    Example(name="falcon", needs=("falcon", "waitress"), run=WAITRESS),
    Example(name="pyramid", needs=("pyramid", "waitress"), run=WAITRESS),
    Example(
        name="mcp",
        needs=("mcp.server.mcpserver", "uvicorn"),
        run="uvicorn server:app",
        file="server.py",
        unauthenticated=403,
    ),
    Example(
        name="operations",
        needs=("opentelemetry.exporter.prometheus", "uvicorn"),
        run="uvicorn app:app",
    ),
)
