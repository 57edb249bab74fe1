"""Do the servers keep those out who show no certificate of the edge, with the settings that we document?"""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.processes import free_port, listens

APPLICATION = """
async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
    await send({"type": "http.response.body", "body": b"reached"})


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "7")])
    return [b"reached"]
"""

SERVERS = {
    "uvicorn": "uvicorn app:asgi --port {port} --ssl-certfile server.pem --ssl-keyfile server.key "
    "--ssl-ca-certs origin-pull-ca.pem --ssl-cert-reqs 2 --log-level warning",
    "gunicorn": "gunicorn app:wsgi -b 127.0.0.1:{port} --certfile server.pem --keyfile server.key "
    "--ca-certs origin-pull-ca.pem --cert-reqs 2",
    "hypercorn": "hypercorn app:asgi -b 127.0.0.1:{port} --certfile server.pem --keyfile server.key "
    "--ca-certs origin-pull-ca.pem --verify-mode CERT_REQUIRED",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a server, those of the edge, and those of somebody else."""
    folder = tmp_path_factory.mktemp("pulls")
    (folder / "app.py").write_text(APPLICATION)
    ours, pulls, stranger = trustme.CA(), trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    pulls.cert_pem.write_to_path(folder / "origin-pull-ca.pem")
    for name, authority in (("server", ours), ("edge", pulls), ("stranger", stranger)):
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return folder


@pytest.mark.parametrize("server", SERVERS)
def test_only_the_edge_is_answered(folder: Path, server: str) -> None:
    with running(folder, server) as port:
        assert ask(folder, port, "edge") == b"reached"
        assert ask(folder, port, "stranger") == b""
        assert ask(folder, port, None) == b""


@contextmanager
def running(folder: Path, server: str) -> Iterator[int]:
    """Run a server until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", *SERVERS[server].format(port=port).split()]
    with (folder / f"{server}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        listens(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(folder: Path, port: int, who: str | None) -> bytes:
    """The body that a client with these files gets; nothing where it is cut off."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if who is not None:
        context.load_cert_chain(folder / f"{who}.pem", folder / f"{who}.key")
    answer = b""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while got := connection.recv(65_536):
                answer += got
    except (ssl.SSLError, ConnectionError):
        return b""
    return answer.partition(b"\r\n\r\n")[2]
