"""How do real reverse proxies come up for a test, as the examples configure them, before an application that tells?"""

import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from tests.cli.team import end
from tests.processes import free_port, listens

EXAMPLES = Path(__file__).parents[2] / "examples" / "forward-auth"

# What stands around the example on a machine where nginx runs as whoever tests.
_NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/example.conf;
}}
"""


def _tell(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application behind: it tells what reached it, and believes all of it."""
    told = {key: value for key, value in environ.items() if key.startswith("HTTP_")}
    told |= {name: environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")}
    told["body"] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def telling() -> Iterator[int]:
    """Run the application behind, and give its port."""
    with _Server(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(_tell)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def proxying(
    kind: str, folder: Path, *, service: int, upstream: int, change: Callable[[str], str] = str
) -> Iterator[int]:
    """Run a proxy as its example says, on other ports and with a change, and give its own."""
    program = shutil.which(kind, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip(f"{kind} is not installed")
    port = free_port()
    name = {"nginx": "nginx.conf", "caddy": "Caddyfile"}[kind]
    text = change((EXAMPLES / name).read_text(encoding="utf-8"))
    for there, here in (("9180", service), ("8000", upstream), ("8080", port)):
        assert there in text
        text = text.replace(there, str(here))
    (folder / "cfaccess_question.conf").write_text((EXAMPLES / "cfaccess_question.conf").read_text(encoding="utf-8"))
    command = _nginx(program, folder, text) if kind == "nginx" else _caddy(program, folder, text)
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={"HOME": str(folder)}, stdout=log, stderr=log)
    try:
        _wait(process, port, folder / f"{kind}.log")
        yield port
    finally:
        end(process)


def _nginx(program: str, folder: Path, text: str) -> tuple[str, ...]:
    (folder / "example.conf").write_text(text)
    (folder / "main.conf").write_text(_NGINX.format(folder=folder))
    return (program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "main.conf"))


def _caddy(program: str, folder: Path, text: str) -> tuple[str, ...]:
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    return (program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile")


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    if not listens(process, port):
        raise AssertionError(log.read_text(errors="replace"))
