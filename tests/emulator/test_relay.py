"""What HTTP allows between an edge and an application's server, and what servers of other makes do with it."""

import hashlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.application import PATIENCE
from tests.emulator.conftest import Connect, Emulate
from tests.servers.matrix import Pair
from tests.servers.process import running

OPEN = Application(public=("/",))
_MEBIBYTE = 2**20


class Upstream:
    """A server of one's own: each connection is answered by a function that is given its number and the socket."""

    def __init__(self, serve: Callable[[int, socket.socket], None]) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Upstream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(PATIENCE)
                self._serve(self.connections, connection)


def head(connection: socket.socket) -> bytes:
    """Read one request without a body."""
    read = b""
    while not read.endswith(b"\r\n\r\n") and (piece := connection.recv(65_536)):
        read += piece
    return read


def always(answer: bytes) -> Callable[[int, socket.socket], None]:
    def serve(_: int, connection: socket.socket) -> None:
        if head(connection):
            connection.sendall(answer)

    return serve


@contextmanager
def behind(serve: Callable[[int, socket.socket], None], emulate: Emulate) -> Iterator[tuple[Upstream, Emulator]]:
    with Upstream(serve) as upstream:
        emulator = emulate(upstream=upstream.url, applications=[OPEN])
        yield upstream, emulator
        emulator.close()  # and with it the connections that it keeps


def raw(emulator: Emulator, request: str, *, until: bytes = b"") -> bytes:
    """Send a request as it is written, and read until the end, or until something comes."""
    parts = urlsplit(emulator.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        answer = b""
        while not (until and until in answer) and (piece := connection.recv(65_536)):
            answer += piece
    return answer


class TestKeptConnections:
    OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def test_one_that_is_closed_as_it_is_taken_costs_nobody_an_answer(self, emulate: Emulate, connect: Connect) -> None:
        def serve(number: int, connection: socket.socket) -> None:
            head(connection)
            connection.sendall(self.OK)
            if number == 1:
                head(connection)  # and close without a word

        with behind(serve, emulate) as (upstream, emulator):
            client = connect(emulator)
            assert [client.get("/").text for _ in range(2)] == ["ok", "ok"]
            assert upstream.connections == 2

    def test_a_new_one_that_dies_is_not_tried_again(self, emulate: Emulate, connect: Connect) -> None:
        def serve(_: int, connection: socket.socket) -> None:
            head(connection)

        with behind(serve, emulate) as (upstream, emulator):
            assert connect(emulator).get("/").status_code == 502
            assert upstream.connections == 1

    @pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "get"])
    def test_what_may_not_be_asked_twice_is_not(self, emulate: Emulate, method: str) -> None:
        asked: list[int] = []

        def serve(number: int, connection: socket.socket) -> None:
            while head(connection):
                asked.append(number)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        with behind(serve, emulate) as (_, emulator):
            for _ in range(2):
                request = f"{method} / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n"
                assert raw(emulator, request).startswith(b"HTTP/1.1 204 ")
        assert asked == [1, 2]

    def test_the_client_s_own_is_kept(self, emulate: Emulate) -> None:
        with behind(always(self.OK), emulate) as (_, emulator):
            once = "GET / HTTP/1.1\nHost: 127.0.0.1\n\n"
            answer = raw(emulator, once + once.replace("\n\n", "\nConnection: close\n\n"))
            assert answer.count(b"HTTP/1.1 200 OK") == 2


class TestWhoseAnswer:
    """What an application sends behind an answer is nobody's, least of all the next visitor's."""

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param("HTTP/1.1 304 Not Modified\nETag: x\n\n", id="a body with a 304"),
            pytest.param("HTTP/1.1 204 No Content\nContent-Length: 46\n\n", id="a body with a 204"),
            pytest.param("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", id="more than declared"),
            pytest.param("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n", id="more than the last chunk"),
        ],
    )
    def test_surplus(self, emulate: Emulate, connect: Connect, answer: str) -> None:
        surplus = f"{answer}HTTP/1.1 200 OK\nContent-Length: 7\n\nplanted".replace("\n", "\r\n").encode()

        def serve(_: int, connection: socket.socket) -> None:
            while read := head(connection):
                connection.sendall(TestKeptConnections.OK if b" /mine " in read else surplus)

        with behind(serve, emulate) as (_, emulator):
            connect(emulator).get("/careless")
            assert connect(emulator).get("/mine").text == "ok"


class TestEarlyAnswers:
    """An application may answer before it has read everything."""

    @pytest.mark.parametrize("closes", [True, False])
    def test_to_an_upload_that_is_not_read(self, emulate: Emulate, connect: Connect, closes: bool) -> None:
        done = threading.Event()

        def serve(_: int, connection: socket.socket) -> None:
            connection.recv(1)
            connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
            if closes:
                connection.shutdown(socket.SHUT_WR)
            done.wait(PATIENCE)

        with behind(serve, emulate) as (_, emulator):
            response = connect(emulator).post("/", content=bytes(32 * _MEBIBYTE))
            assert (response.status_code, response.text) == (413, "big")
            done.set()

    def test_both_directions_run_at_once(self, emulate: Emulate) -> None:
        def serve(_: int, connection: socket.socket) -> None:
            head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfir")
            connection.sendall(b"st!" if connection.recv(4) == b"more" else b"no!")

        with behind(serve, emulate) as (_, emulator):
            parts = urlsplit(emulator.url)
            with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 4\r\n\r\n")
                with client.makefile("rb") as answer:
                    assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
                    while answer.readline() != b"\r\n":
                        pass
                    assert answer.read(3) == b"fir"
                    client.sendall(b"more")
                    assert answer.read() == b"st!"


class TestForms:
    def test_a_length_beside_chunks_is_dropped_from_an_answer(self, emulate: Emulate, connect: Connect) -> None:
        both = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        with behind(always(both), emulate) as (_, emulator):
            response = connect(emulator).get("/")
            assert response.text == "hello"
            assert "content-length" not in response.headers

    @pytest.mark.parametrize("length", [0, 4, 5, 6])
    def test_a_length_beside_chunks_is_dropped_from_a_request(self, emulator: Emulator, length: int) -> None:
        token = emulator.issuer.user(audience=emulator.audience)
        lines = f"POST / HTTP/1.1\nHost: 127.0.0.1\nCf-Access-Token: {token}\nContent-Length: {length}\n"
        answer = raw(emulator, f"{lines}Transfer-Encoding: chunked\nConnection: close\n\n5\nhello\n0\n\n")
        assert b'"body": "hello"' in answer
        assert b'"content-length"' not in answer

    def test_a_status_that_is_none_is_no_answer(self, emulate: Emulate, connect: Connect) -> None:
        with behind(always(b"HTTP/1.1 999 Hm\r\nContent-Length: 0\r\n\r\n"), emulate) as (_, emulator):
            assert connect(emulator).get("/").status_code == 502

    @pytest.mark.parametrize(
        ("answer", "status", "body"),
        [
            pytest.param(
                "HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok",
                200,
                b"ok",
                id="early hints",
            ),
            pytest.param("HTTP/1.1 204 No Content\nX: 1\n\n", 204, b"", id="no content"),
            pytest.param("HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", 304, b"", id="not modified"),
            pytest.param("HTTP/1.0 200 OK\n\nold", 200, b"old", id="HTTP/1.0 until the end"),
            pytest.param("HTTP/1.1 299 Own Words\nContent-Length: 0\n\n", 299, b"", id="a status of its own"),
        ],
    )
    def test_answers(self, emulate: Emulate, connect: Connect, answer: str, status: int, body: bytes) -> None:
        with behind(always(answer.replace("\n", "\r\n").encode()), emulate) as (_, emulator):
            response = connect(emulator).get("/")
            assert (response.status_code, response.content) == (status, body)

    def test_trailers_are_dropped(self, emulate: Emulate) -> None:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"
        with behind(always(chunked), emulate) as (_, emulator):
            answer = raw(emulator, "GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n")
            assert b"ok" in answer
            assert b"X-T:" not in answer
            assert b"trailer:" not in answer.lower()

    def test_a_request_s_trailers_are_dropped(self, emulator: Emulator) -> None:
        token = emulator.issuer.user(audience=emulator.audience)
        lines = f"POST / HTTP/1.1\nHost: 127.0.0.1\nCf-Access-Token: {token}\nTransfer-Encoding: chunked\n"
        answer = raw(emulator, f"{lines}Trailer: X-T\nConnection: close\n\n2\nok\n0\nX-T: a secret\n\n")
        assert b'"body": "ok"' in answer
        assert b"a secret" not in answer

    def test_head_has_the_length_of_what_get_would_have(self, emulate: Emulate, connect: Connect) -> None:
        with behind(always(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"), emulate) as (_, emulator):
            response = connect(emulator).head("/")
            assert (response.headers["content-length"], response.content) == ("12345", b"")


class TestSize:
    def test_a_large_body_goes_both_ways_whole(self, alice: httpx.Client) -> None:
        piece = os.urandom(_MEBIBYTE)
        expected = hashlib.sha256(piece * 24).hexdigest()
        response = alice.post("/upload", content=(piece for _ in range(24)))
        assert hashlib.sha256(response.content).hexdigest() == expected

    def test_nothing_piles_up_where_the_application_does_not_read(self, emulate: Emulate) -> None:
        done = threading.Event()

        def serve(_: int, connection: socket.socket) -> None:
            connection.recv(1)
            done.wait(PATIENCE)

        with behind(serve, emulate) as (_, emulator):
            parts = urlsplit(emulator.url)
            with socket.create_connection((parts.hostname, parts.port)) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1073741824\r\n\r\n")
                assert _sent_until_it_stops(client) < 64 * _MEBIBYTE  # the buffers of three sockets, and not a GiB
            done.set()

    def test_nothing_piles_up_where_the_client_does_not_read(self, emulate: Emulate) -> None:
        sent: list[int] = []
        read = threading.Event()

        def serve(_: int, connection: socket.socket) -> None:
            head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            sent.append(_sent_until_it_stops(connection))
            read.set()

        with behind(serve, emulate) as (_, emulator):
            parts = urlsplit(emulator.url)
            with socket.create_connection((parts.hostname, parts.port)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert read.wait(4 * PATIENCE)
        assert sent[0] < 64 * _MEBIBYTE


def _sent_until_it_stops(connection: socket.socket) -> int:
    """Send zeros for as long as somebody makes room within half a second."""
    connection.setblocking(False)
    zeros, sent = bytes(_MEBIBYTE), 0
    while sent < 96 * _MEBIBYTE and select.select([], [connection], [], 0.5)[1]:
        sent += connection.send(zeros)
    return sent


@pytest.mark.parametrize(
    "pair",
    [
        Pair(server="uvicorn-h11", application="starlette_app"),
        Pair(server="gunicorn", application="flask_app"),
    ],
    ids=str,
)
def test_real_servers_with_a_real_door(
    pair: Pair, emulate: Emulate, connect: Connect, tmp_path: Path, alone: Path, signing_keys: list[SigningKey]
) -> None:
    team = emulate(clock=time.time)
    with running(pair, team.environment(), tmp_path, alone) as server:
        emulator = emulate(clock=time.time, issuer=team.issuer, upstream=f"http://127.0.0.1:{server.port}")
        browser = connect(emulator)
        authorized = browser.post(browser.get("/whoami").headers["location"], data={"email": "a@b.c"})
        browser.get(authorized.headers["location"])
        assert browser.get("/whoami").text.startswith("SECRET a@b.c ")
        team.issuer.rotate(signing_keys[2])
        assert browser.get("/whoami").text.startswith("SECRET a@b.c ")
        # around the edge, with all that a client could make up
        forged = {"Cf-Access-Authenticated-User-Email": "a@b.c", "Cf-Access-Jwt-Assertion": "x"}
        assert httpx.get(f"http://127.0.0.1:{server.port}/whoami", headers=forged, trust_env=False).status_code == 401
        browser.get("/cdn-cgi/access/logout")
        assert browser.get("/whoami").status_code == 302
        emulator.close()
