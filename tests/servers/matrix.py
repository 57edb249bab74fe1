"""Which servers run which applications, and how is each of them started?"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SELECT: Final = "/.select"
"""Where a process is told which of its applications answers (``apps/switchboard.py``)."""

Command = Callable[[str, int, str], list[str]]
"""From an application (``module:name``), a port and a mount to the words of a command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One way to run an application.

    Attributes:
        package: What has to be installed.
        interface: ``asgi`` or ``wsgi``.
        command: Its command line, as an operator writes it.
        mounts_by_variable: Whether the mount is told by the variable ``SCRIPT_NAME``, and not by an option.
    """

    package: str
    interface: str
    command: Command
    mounts_by_variable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A server with an application.

    Attributes:
        server: The server's key in ``SERVERS``.
        application: The module in ``apps``; empty where others are selected.
        mount: Where the server says that the application is mounted.
        naked: Whether the door is left out.
        wide: Whether everything is public but the protected handlers.
    """

    server: str
    application: str
    mount: str = ""
    naked: bool = False
    wide: bool = False

    def __str__(self) -> str:
        """The id of its tests."""
        kinds = [self.mount.strip("/"), "naked" * self.naked, "wide" * self.wide]
        return "-".join(filter(None, [self.server, self.application, *kinds]))

    @property
    def interface(self) -> str:
        """``asgi`` or ``wsgi``."""
        return SERVERS[self.server].interface

    @property
    def packages(self) -> tuple[str, ...]:
        """What has to be installed: the server, and the framework."""
        return SERVERS[self.server].package, self.application.partition("_")[0]

    @property
    def selected(self) -> str:
        """The application's name at the switchboard."""
        variant = "naked" if self.naked else "wide" if self.wide else "narrow"
        return f"apps/{self.application}/{variant}"


def _uvicorn(http: str, ws: str) -> Command:
    def command(app: str, port: int, mount: str) -> list[str]:
        words = [sys.executable, "-m", "uvicorn", app, "--host=127.0.0.1", f"--port={port}", f"--http={http}"]
        words += [f"--ws={ws}", "--no-access-log", "--timeout-graceful-shutdown=1"]
        return [*words, f"--root-path={mount}"] if mount else words

    return command


def _hypercorn(app: str, port: int, mount: str) -> list[str]:
    words = [sys.executable, "-m", "hypercorn", f"--bind=127.0.0.1:{port}", "--graceful-timeout=1"]
    return [*words, f"--root-path={mount}", app] if mount else [*words, app]


def _hypercorn_wsgi(app: str, port: int, mount: str) -> list[str]:
    *words, app = _hypercorn(app, port, mount)
    return [*words, f"wsgi:{app}"]


def _granian(interface: str) -> Command:
    def command(app: str, port: int, mount: str) -> list[str]:
        words = [sys.executable, "-m", "granian", app, "--host=127.0.0.1", f"--port={port}"]
        words += [f"--interface={interface}", "--workers-kill-timeout=1"]
        if interface == "wsgi":
            words.append("--blocking-threads=4")
        return [*words, f"--url-path-prefix={mount}"] if mount else words

    return command


def _gunicorn(*kind: str) -> Command:
    def command(app: str, port: int, mount: str) -> list[str]:
        words = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", *kind]
        return [*words, "--graceful-timeout=1", "--log-level=error", "--no-control-socket", app]

    return command


def _runserver(app: str, port: int, mount: str) -> list[str]:
    words = [sys.executable, "-m", "django", "runserver", "--noreload", "--skip-checks"]
    return [*words, "--settings=tests.servers.apps.django_settings", f"127.0.0.1:{port}"]


def _waitress(app: str, port: int, mount: str) -> list[str]:
    words = [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "--threads=4"]
    return [*words, f"--url-prefix={mount}", app] if mount else [*words, app]


SERVERS: Final = {
    "uvicorn-h11": Server(package="uvicorn", interface="asgi", command=_uvicorn("h11", "wsproto")),
    "uvicorn-httptools": Server(
        package="httptools", interface="asgi", command=_uvicorn("httptools", "websockets-sansio")
    ),
    "hypercorn": Server(package="hypercorn", interface="asgi", command=_hypercorn),
    "granian": Server(package="granian", interface="asgi", command=_granian("asgi")),
    "gunicorn": Server(
        package="gunicorn",
        interface="wsgi",
        command=_gunicorn("--worker-class=gthread", "--threads=4"),
        mounts_by_variable=True,
    ),
    "gunicorn-sync": Server(package="gunicorn", interface="wsgi", command=_gunicorn(), mounts_by_variable=True),
    "runserver": Server(package="django", interface="wsgi", command=_runserver),
    "waitress": Server(package="waitress", interface="wsgi", command=_waitress),
    "granian-wsgi": Server(package="granian", interface="wsgi", command=_granian("wsgi")),
    "hypercorn-wsgi": Server(package="hypercorn", interface="wsgi", command=_hypercorn_wsgi),
}

APPLICATIONS: Final = {
    "asgi": ("starlette_app", "fastapi_app", "django_asgi"),
    "wsgi": ("flask_app", "django_wsgi"),
}

# Answer one request at a time, or are not meant for more than a laptop: an application each is enough.
_SIMPLE: Final = {"gunicorn-sync": ("flask_app",), "runserver": ("django_wsgi",)}

PAIRS: Final = tuple(
    Pair(server=name, application=application)
    for name, server in SERVERS.items()
    if name not in _SIMPLE
    for application in APPLICATIONS[server.interface]
)

EVERY_PAIR: Final = (
    *PAIRS,
    *(Pair(server=name, application=application) for name, listed in _SIMPLE.items() for application in listed),
)
