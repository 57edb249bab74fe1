"""Which application does a server run? One process has them all, and is told which one answers from now on.

``GET /.select?apps/flask_app/wide`` chooses an application of this folder and its variant, ``GET
/.select?subjects/flask/cookie`` a subject of the conformance table and its configuration. What is sent after that
reaches that application alone, byte by byte as the server hands it on.
"""

import importlib
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from tests.conformance.configurations import options_of
from tests.conformance.subjects import SUBJECTS
from tests.servers.matrix import SELECT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


class Switchboard:
    """The application that answers, and how another takes its place."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._name = ""
        self.application: Any = None

    def select(self, name: str) -> None:
        """Let an application answer from now on; the one before it ends.

        Args:
            name: As above; where it is empty or the one that answers, nothing changes.
        """
        if name in ("", self._name):
            return
        self._open.close()
        self._name = name
        kind, which, how = name.split("/")
        made = _of_this_folder(which, how) if kind == "apps" else _of_the_table(which, how)
        self.application = self._open.enter_context(made) if isinstance(made, AbstractContextManager) else made


def _of_this_folder(module: str, variant: str) -> Any:
    return importlib.import_module(f"tests.servers.apps.{module}").make(variant)


def _of_the_table(subject: str, configuration: str) -> Any:
    found = next(one for one in SUBJECTS if one.name == subject)
    return found.running(options_of(configuration, os.environ["CFACCESS_KEYS"]))


_board = Switchboard()


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """For ASGI servers; their lifespan is that of one application."""
    if scope["type"] == "lifespan":
        _board.select("apps/starlette_app/narrow")
    elif scope["path"].endswith(SELECT):
        _board.select(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        return
    await _board.application(scope, receive, send)


def wsgi(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
    """For WSGI servers."""
    if environ["PATH_INFO"].endswith(SELECT):
        _board.select(environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
    answer: Iterable[bytes] = _board.application(environ, start_response)
    return answer
