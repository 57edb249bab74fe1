"""Which servers are measured, and how is each started?"""

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

Command = Callable[[str, int, int], list[str]]
"""From an application (``module:name``), a port and a number of workers to the words of a command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One way to run an application.

    Attributes:
        interface: ``asgi`` or ``wsgi``.
        command: Its command line, as an operator writes it; logs of single requests are off.
        packages: What has to be installed: the server, and what it, or our application, takes.
    """

    interface: str
    command: Command
    packages: tuple[str, ...]

    @property
    def is_installed(self) -> bool:
        """Whether it can be measured here."""
        return not _absent(self.packages)

    @property
    def version(self) -> str:
        """Which is measured."""
        return version(self.packages[0])

    def words(self, port: int, workers: int, application: str = "") -> list[str]:
        """The command line.

        Args:
            port: On 127.0.0.1.
            workers: How many processes serve.
            application: ``module:name``; the measured one of its interface by default.
        """
        return self.command(application or f"benchmarks.servers.apps.{self.interface}:application", port, workers)


def _uvicorn(app: str, port: int, workers: int) -> list[str]:
    words = [sys.executable, "-m", "uvicorn", app, "--host=127.0.0.1", f"--port={port}", f"--workers={workers}"]
    return [*words, "--http=httptools", "--loop=asyncio", "--no-access-log", "--log-level=warning"]


def _granian(app: str, port: int, workers: int) -> list[str]:
    words = [sys.executable, "-m", "granian", app, "--host=127.0.0.1", f"--port={port}", f"--workers={workers}"]
    return [*words, "--interface=asgi", "--log-level=warning", "--workers-kill-timeout=1"]


def _gunicorn(*kind: str) -> Command:
    def command(app: str, port: int, workers: int) -> list[str]:
        words = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", f"--workers={workers}", *kind]
        return [*words, "--log-level=warning", "--graceful-timeout=1", "--no-control-socket", app]

    return command


SERVERS: Final[Mapping[str, Server]] = {
    "uvicorn": Server(interface="asgi", command=_uvicorn, packages=("uvicorn", "httptools")),
    "granian": Server(interface="asgi", command=_granian, packages=("granian",)),
    "gunicorn-sync": Server(interface="wsgi", command=_gunicorn(), packages=("gunicorn", "flask")),
    "gunicorn-gthread": Server(
        interface="wsgi",
        command=_gunicorn("--worker-class=gthread", "--threads=8"),
        packages=("gunicorn", "flask"),
    ),
}


def versions() -> dict[str, str]:
    """Which servers are installed, and in which version."""
    return {server.packages[0]: server.version for server in SERVERS.values() if server.is_installed}


VARIANTS: Final[Mapping[str, str]] = {
    "bare": "nothing before the application",
    "ours": "cfaccess_mw",
    "pyjwt": "PyJWT, keys at hand",
    "pyjwkclient": "PyJWT with PyJWKClient",
}
_OF_PYJWT: Final = ("pyjwt", "pyjwkclient")


def missing(server: str, variant: str = "ours") -> str:
    """Which package is not installed that a measurement takes; nothing where it can be made.

    Args:
        server: A key of ``SERVERS``.
        variant: A key of ``VARIANTS``.
    """
    return ", ".join(_absent((*SERVERS[server].packages, *(["jwt"] * (variant in _OF_PYJWT)))))


def _absent(packages: Iterable[str]) -> list[str]:
    return [package for package in packages if importlib.util.find_spec(package) is None]
