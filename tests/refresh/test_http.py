"""The fetcher on httpx against real endpoints on loopback: good ones, broken ones and hostile ones."""

import email.utils
import gzip
import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import anyio.to_thread
import h11
import httpx
import pytest
import trustme

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.freshness import ABSENT, PRESENT, Availability
from cfaccess_mw.core.keys import parse_jwks
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.refresh.fetchers import MOST_BYTES, Document
from cfaccess_mw.refresh.http import HttpxFetcher, max_age, retry_after
from cfaccess_mw.refresh.refresher import Refresher
from tests.refresh.parts import PATIENT, Told, holds, parse
from tests.refresh.servers import Connection, Script, says, serving

JSON = "content-type: application/json"
WALL = 1_795_000_000.0


def fetcher(**more: object) -> HttpxFetcher:
    return HttpxFetcher(wall=lambda: WALL, **{"total": PATIENT, **more})  # type: ignore[arg-type]


def test_what_it_asks_and_what_it_brings() -> None:
    with serving(says(JSON, 'etag: "1"', "cache-control: public, max-age=900", "age: 100")) as server:
        found = fetcher().fetch(server.url, etag=None)
    assert found == Document(body=b'["known"]', etag='"1"', max_age=800)
    lines = server.connections[0].request.decode().lower().split("\r\n")
    assert lines[0] == "get /certs http/1.1"
    assert "accept-encoding: identity" in lines
    assert "accept: application/json" in lines
    assert not any(line.startswith(("if-none-match", "authorization", "cookie")) for line in lines)


def test_one_fetcher_serves_threads_beside_each_other_and_one_after_the_other() -> None:
    one = fetcher()
    with serving(says(JSON)) as server, ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            fetches = [pool.submit(one.fetch, server.url, etag=None) for _ in range(3)]
            assert [fetch.result(PATIENT).body for fetch in fetches] == [b'["known"]'] * 3


def test_a_304_to_our_etag() -> None:
    with serving(
        says('etag: "1"', "cache-control: max-age=900", status="304 Not Modified", length=-1, body=b"")
    ) as server:
        found = fetcher().fetch(server.url, etag='"1"')
    assert found == Document(body=None, etag='"1"', max_age=900)
    assert b'if-none-match: "1"\r\n' in server.connections[0].request.lower()


BOMB = gzip.compress(b"\0" * 60_000_000)


def chunked(connection: Connection) -> None:
    connection.send(f"HTTP/1.1 200 OK\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
    while True:
        connection.send(b"1000\r\n" + b" " * 4096 + b"\r\n")


def endless_headers(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.send(b"x: " + b"y" * 1000 + b"\r\n")


def endless_informational(connection: Connection) -> None:
    while True:
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(says(JSON, status="500 Oh"), "status-500", id="500"),
        pytest.param(says(JSON, status="404 No"), "status-404", id="404"),
        pytest.param(says(JSON, status="204 Nothing", body=b""), "status-204", id="204"),
        pytest.param(says(JSON, status="206 Part"), "status-206", id="206"),
        pytest.param(says("location: http://127.0.0.1:1/", JSON, status="302 Found"), "status-302", id="302"),
        pytest.param(says("location: /certs", JSON, status="308 Moved"), "status-308", id="308"),
        pytest.param(says(status="304 Not Modified", body=b"", length=-1), "status-304", id="304-to-nothing"),
        pytest.param(says("content-type: text/html"), "not-json", id="html"),
        pytest.param(says(), "not-json", id="no-type"),
        pytest.param(says("content-type: application/jsonp"), "not-json", id="jsonp"),
        pytest.param(says("content-type: text/x+json"), "not-json", id="text-json"),
        pytest.param(says(JSON, "content-encoding: gzip", body=BOMB), "encoded", id="gzip-bomb"),
        pytest.param(says(JSON, "content-encoding: br"), "encoded", id="brotli"),
        pytest.param(says(JSON, "content-encoding: identity, gzip"), "encoded", id="two-encodings"),
        pytest.param(says(JSON, body=b" " * 200_000), "too-large", id="200-KB"),
        pytest.param(says(JSON, body=b" " * (MOST_BYTES + 1)), "too-large", id="one-byte-too-many"),
        pytest.param(chunked, "too-large", id="endless"),
        pytest.param(endless_headers, "connection-lost", id="endless-headers"),
        pytest.param(says(JSON, length=100), "connection-lost", id="cut-short"),
        pytest.param(lambda c: c.send(b"SSH-2.0-OpenSSH\r\n"), "connection-lost", id="not-http"),
        pytest.param(Connection.reset, "connection-lost", id="reset"),
        pytest.param(lambda _: None, "connection-lost", id="closed"),
    ],
)
def test_what_is_refused(script: Script, reason: str) -> None:
    with serving(script) as server, pytest.raises(FetchError) as refused:
        fetcher().fetch(server.url, etag=None)
    assert refused.value.reason == reason
    tries = 2 if reason == "connection-lost" else 1
    assert len(server.connections) == tries, "once more when the connection is lost, and for nothing else"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("content-type: application/json; charset=utf-8", id="parameter"),
        pytest.param("content-type: Application/JSON", id="case"),
        pytest.param("content-type: application/jwk-set+json", id="jwk-set"),
        pytest.param("content-type: application/json\r\ncontent-encoding: Identity", id="identity"),
    ],
)
def test_what_is_accepted(line: str) -> None:
    with serving(says(line, body=b" " * MOST_BYTES)) as server:
        found = fetcher().fetch(server.url, etag=None)
    assert found == Document(body=b" " * MOST_BYTES)


@pytest.mark.parametrize("first", [Connection.reset, lambda _: None], ids=["reset", "closed"])
def test_a_connection_that_is_lost_is_tried_once_more(first: Script) -> None:
    with serving(first, says(JSON)) as server:
        assert fetcher().fetch(server.url, etag=None).body == b'["known"]'
    assert len(server.connections) == 2


def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(FetchError) as refused:
        fetcher().fetch(f"http://127.0.0.1:{port}/certs", etag=None)
    assert refused.value.reason == "connect-failed"


def test_silence_ends_after_the_time_for_reading() -> None:
    with serving(Connection.hang) as server, pytest.raises(FetchError) as refused:
        fetcher(read=0.05).fetch(server.url, etag=None)
    assert refused.value.reason == "timeout"
    assert len(server.connections) == 1


def drip_head(connection: Connection) -> None:
    connection.drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000)


def drip_body(connection: Connection) -> None:
    connection.send(f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: 100000\r\n\r\n".encode())
    connection.drip(b" ")


endless = pytest.mark.parametrize(
    "script",
    [
        pytest.param(Connection.hang, id="never-answers"),
        pytest.param(drip_head, id="drips-its-headers"),
        pytest.param(drip_body, id="drips-its-body"),
        pytest.param(endless_informational, id="has-hints-for-ever"),
    ],
)


@endless
def test_a_fetch_bounds_itself(script: Script) -> None:
    """The time for reading begins anew with each byte; that for all of it does not."""
    endpoint = fetcher(read=PATIENT, total=0.3)
    with serving(script) as server, pytest.raises(FetchError) as refused:
        endpoint.fetch(server.url, etag=None)
    assert refused.value.reason == "timeout"


@endless
@pytest.mark.anyio
async def test_nothing_outlasts_the_deadline(script: Script) -> None:
    """A flight is bounded as well, for fetchers that do not bound themselves."""
    endpoint = fetcher(read=PATIENT, total=1.0)
    with serving(script) as server:
        refresher = Refresher(
            url=server.url, fetcher=endpoint, parse=parse, holds=holds, timing=Timing(deadline=0.3), random=lambda: 0.5
        )
        try:
            answer = await refresher.obtain("known", patience=PATIENT)
            assert answer.availability is Availability.UNAVAILABLE
            assert refresher.health().reason == "timeout"
        finally:
            refresher.close()


def chunks_of_one_byte(connection: Connection) -> None:
    head = f"HTTP/1.1 200 OK\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    connection.send(head + b"".join(b"1\r\n%c\r\n" % byte for byte in b'["known"]' + b" " * 1000) + b"0\r\n\r\n")


def hints_before_it_answers(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
    says(JSON)(connection)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(says(JSON), id="honest"),
        pytest.param(chunks_of_one_byte, id="chunks-of-one-byte"),
        pytest.param(hints_before_it_answers, id="thousand-hints"),
        pytest.param(says(JSON, *(f"a{n}: " for n in range(1000))), id="thousand-headers"),
    ],
)
async def test_nothing_is_read_on_the_loop_that_asks(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it keeps the parser busy, no request is kept waiting by it."""
    threads: list[int] = []
    next_event = h11.Connection.next_event

    def watched(connection: h11.Connection) -> object:
        threads.append(threading.get_ident())
        return next_event(connection)

    monkeypatch.setattr(h11.Connection, "next_event", watched)
    with serving(script) as server:
        refresher = Refresher(url=server.url, fetcher=fetcher(), parse=parse, holds=holds)
        try:
            assert await refresher.obtain("known", patience=PATIENT) == PRESENT
        finally:
            refresher.close()
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://acme.cloudflareaccess.com/cdn-cgi/access/certs", id="http"),
        pytest.param("http://10.0.0.1/certs", id="private"),
        pytest.param("http://localhost.example/certs", id="localhost-as-a-label"),
        pytest.param("http://127.0.0.1@evil.example/certs", id="userinfo"),
        pytest.param("ftp://localhost/certs", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("/certs", id="no-host"),
        pytest.param("http://", id="empty"),
    ],
)
def test_an_insecure_url_is_not_fetched(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        fetcher().fetch(url, etag=None)
    assert refused.value.reason == "insecure-url"


@contextmanager
def serving_tls(authority: trustme.CA) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while True:
            raw, _ = listening.accept()
            if ended.is_set():
                raw.close()
                return
            try:
                with raw, context.wrap_socket(raw, server_side=True) as sock:
                    connection = Connection(sock, ended)
                    connection.read_request()
                    says(JSON)(connection)
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://localhost:{listening.getsockname()[1]}/certs"
    finally:
        ended.set()
        with socket.create_connection(listening.getsockname()):
            pass
        thread.join(PATIENT)
        listening.close()


def test_tls_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serving_tls(authority) as url:
        assert fetcher(verify=trusting).fetch(url, etag=None).body == b'["known"]'
        with pytest.raises(FetchError) as refused:
            fetcher().fetch(url, etag=None)
        assert refused.value.reason == "connect-failed"


def test_proxies_of_the_environment_serve_https_and_never_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says(status="502 No")) as proxy, serving(says(JSON)) as server:
        at = proxy.url.removesuffix("/certs")
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, at)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        fetcher().fetch(server.url, etag=None)
        assert proxy.connections == []
        with pytest.raises(FetchError):
            fetcher().fetch("https://acme.cloudflareaccess.com/cdn-cgi/access/certs", etag=None)
        assert proxy.connections[0].request.startswith(b"CONNECT acme.cloudflareaccess.com:443 ")


@pytest.mark.anyio
async def test_a_client_is_loaded_once_and_off_the_loop() -> None:
    where: list[int] = []

    class Watching(HttpxFetcher):
        def _load(self) -> tuple[ssl.SSLContext, object]:
            where.append(threading.get_ident())
            return super()._load()

    one = Watching()
    with serving(says(JSON)) as server:
        for _ in range(2):
            refresher = Refresher(url=server.url, fetcher=one, parse=parse, holds=holds)
            await refresher.ahydrate(patience=PATIENT)
            refresher.close()
    assert len(where) == 1
    assert where != [threading.get_ident()]
    assert sys.modules["httpx"] is httpx


@pytest.mark.anyio
async def test_a_rotation_from_end_to_end() -> None:
    """Real keys, the real parser, a real endpoint."""
    issuer = Issuer(team="acme")

    def certs(connection: Connection) -> None:
        says(JSON, body=json.dumps(issuer.certs()).encode())(connection)

    def kids() -> set[str]:
        return {key["kid"] for key in issuer.certs()["keys"]}

    told = Told()
    before = kids()
    with serving(certs) as server:
        refresher = Refresher(
            url=server.url, fetcher=HttpxFetcher(), parse=parse_jwks, holds=lambda held, kid: kid in held.keys
        )
        refresher.listen((told,))
        try:
            await refresher.ahydrate(patience=PATIENT)
            issuer.rotate()
            (new,) = kids() - before
            assert await refresher.obtain(new, patience=PATIENT) == PRESENT
            assert refresher.snapshot is not None
            assert set(refresher.snapshot.keys) == kids()
            (gone,) = before - kids()
            assert await refresher.obtain(gone, patience=PATIENT) == ABSENT
        finally:
            refresher.close()
    await anyio.to_thread.run_sync(told.wait_for, "keys-fetched", 3)
    assert [event.facts for event in told.events] == [{"keys": 2, "skipped": {}}] * 3


class TestHeaders:
    @pytest.mark.parametrize(
        ("cache_control", "age", "expected"),
        [
            pytest.param(None, None, None, id="none"),
            pytest.param("max-age=600", None, 600, id="alone"),
            pytest.param("public, Max-Age=600, must-revalidate", None, 600, id="among-others"),
            pytest.param('max-age="600"', None, 600, id="quoted"),
            pytest.param("max-age=600", "100", 500, id="less-age"),
            pytest.param("max-age=600", "700", 0, id="never-negative"),
            pytest.param("max-age=600", "soon", 600, id="age-is-not-a-number"),
            pytest.param("s-maxage=600", None, None, id="another-directive"),
            pytest.param("x-max-age=600", None, None, id="another-name"),
            pytest.param("max-age=-600", None, None, id="negative"),
            pytest.param("max-age=600.5", None, None, id="fraction"),
            pytest.param("max-age=999999999999", None, None, id="too-long"),
            pytest.param("max-age=٦٠٠", None, None, id="other-digits"),
            pytest.param("max-age", None, None, id="no-value"),
            pytest.param("no-store", "5", None, id="no-store"),
        ],
    )
    def test_max_age(self, cache_control: str | None, age: str | None, expected: float | None) -> None:
        named = {"cache-control": cache_control, "age": age}
        assert max_age({name: value for name, value in named.items() if value is not None}) == expected

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(None, None, id="none"),
            pytest.param("120", 120, id="seconds"),
            pytest.param(" 5 ", 5, id="spaces"),
            pytest.param(email.utils.formatdate(WALL + 90, usegmt=True), 90, id="date"),
            pytest.param(email.utils.formatdate(WALL - 90, usegmt=True), 0, id="date-that-is-past"),
            pytest.param("-5", None, id="negative"),
            pytest.param("1e9", None, id="exponent"),
            pytest.param("9" * 5000, None, id="long"),
            pytest.param("soon", None, id="word"),
            pytest.param("Fri, 31 Feb 9999 99:99:99 GMT", None, id="no-such-date"),
            pytest.param("Mon, 01 Jan 0001 00:00:00 +2359", 0, id="before-all-time"),
        ],
    )
    def test_retry_after(self, value: str | None, expected: float | None) -> None:
        assert retry_after({} if value is None else {"retry-after": value}, WALL) == expected

    @pytest.mark.parametrize(
        ("etag", "kept"),
        [
            pytest.param('"1"', True, id="strong"),
            pytest.param('W/"a-b"', True, id="weak"),
            pytest.param('"' + "x" * 256 + '"', True, id="longest"),
            pytest.param('"' + "x" * 257 + '"', False, id="too-long"),
            pytest.param("1", False, id="unquoted"),
            pytest.param('"a"\r\nx: y', False, id="another-header"),
            pytest.param('"é"', False, id="not-ascii"),
            pytest.param('"1"\n', False, id="newline"),
        ],
    )
    def test_etag(self, etag: str, kept: bool) -> None:
        assert Document(body=b"", etag=etag).etag == (etag if kept else None)


def test_a_retry_after_is_handed_on() -> None:
    with serving(says("retry-after: 77", status="503 Busy")) as server, pytest.raises(FetchError) as refused:
        fetcher().fetch(server.url, etag=None)
    assert (refused.value.reason, refused.value.retry_after) == ("status-503", 77)
