"""Where does a command's server listen, and how does it end? On uvicorn, whose own options are left at their safest."""

import json
import os
import signal
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cfaccess_mw.cli.mistakes import Mistake, needing

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Whoever is believed about the client is named in the configuration, and nowhere else.
OPTIONS: Final[dict[str, Any]] = {"proxy_headers": False, "server_header": False, "timeout_graceful_shutdown": 5}

_MODE: Final = 0o660  # of a Unix socket: its group may ask too


def uvicorn() -> Any:
    """The module of that name.

    Raises:
        Mistake: It is not installed.
    """
    with needing("serving", "serve"):
        import uvicorn  # noqa: PLC0415 - an extra
    return uvicorn


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Raises:
        Mistake: Somebody else does, or it is none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not an address"
    raise Mistake(f"{host}, port {port}: cannot be listened at ({reason}); choose another by --host and --port")


def bind_unix(path: str) -> socket.socket:
    """Listen at a Unix socket; one that nobody listens at any more is replaced.

    Raises:
        Mistake: Somebody listens there, or something else is there.
    """
    server = socket.socket(socket.AF_UNIX)
    try:
        if Path(path).exists() and stat.S_ISSOCK(os.stat(path).st_mode) and not _is_alive(path):
            os.unlink(path)
        server.bind(path)
        os.chmod(path, _MODE)
        server.listen()
    except (OSError, ValueError) as error:
        server.close()
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a path for a socket"
    else:
        return server
    raise Mistake(f"{path}: cannot be listened at ({reason}); choose another by --uds")


def _is_alive(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client, suppress(ConnectionRefusedError):
        client.connect(path)
        return True
    return False


def address_of(server: socket.socket) -> str:
    """Name a socket as a client would."""
    name = server.getsockname()
    if server.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if server.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}"


def announce(sentence: str, told: Mapping[str, str], *, as_json: bool) -> None:
    """Say what listens where: to people on standard error, to programs as a line of JSON on standard output.

    Args:
        sentence: For people.
        told: The same as data.
        as_json: Whether for programs.
    """
    if as_json:
        click.echo(json.dumps(dict(told)))
    else:
        click.echo(sentence, err=True)


def listen(application: "ASGIApp", server: socket.socket, *, log_level: str) -> None:
    """Serve until somebody interrupts or ends the process.

    Raises:
        Mistake: The application does not start.
    """
    config = uvicorn().Config(application, log_level=log_level, **OPTIONS)
    has_started, path = True, server.getsockname() if server.family == socket.AF_UNIX else None
    # uvicorn ends in order, and then sends itself the signal once more, as it found it: by its default nothing below
    # would be reached.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        uvicorn().Server(config).run(sockets=[server])
    except KeyboardInterrupt:
        return
    except SystemExit:  # said by uvicorn, after the application's own words
        has_started = False
    finally:
        signal.signal(signal.SIGTERM, before)
        if path is not None:
            with suppress(OSError):
                os.unlink(path)
        server.close()
    if not has_started:
        raise Mistake("the application did not start; what it says is above")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
