"""What can go wrong with a team's certs endpoint, and what is only odd?"""

import gzip
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cfaccess_mw.refresh.fetchers import MOST_BYTES
from tests.refresh.servers import Connection, Script, says

JSON: Final = "content-type: application/json"

# Where nobody listens, and where somebody listens who takes no connection. The endpoint itself is at 127.0.0.1.
REFUSING: Final = "127.0.0.2"
SILENT: Final = "127.0.0.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        reason: What is told of the attempt that failed.
        script: What the endpoint does on each connection, after the request; None for nothing unusual.
        tls: Which certificate it shows: a name of the fixture ``tls``; None for an endpoint on plain http.
        hello: What it sends instead of speaking TLS.
        name: What asking for its address gives: another one, or an error.
        limit: Which limit of the fetcher is all that ends it: ``connect`` or ``total``.
    """

    reason: str
    script: Script | None = None
    tls: str | None = None
    hello: Callable[[Connection], None] | None = None
    name: str | OSError | None = None
    limit: str | None = None


def raw(*parts: bytes) -> Script:
    """These bytes, as they are."""

    def script(connection: Connection) -> None:
        for part in parts:
            connection.send(part)

    return script


def chunks_for_ever(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.send(b"1000\r\n" + b" " * 4096 + b"\r\n")


def headers_for_ever(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.send(b"x: " + b"y" * 1000 + b"\r\n")


def hints_for_ever(connection: Connection) -> None:
    while True:
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def drips_its_head(connection: Connection) -> None:
    connection.drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000)


def drips_its_body(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    connection.drip(b" ")


def resets_in_its_body(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
    connection.reset()


def _set_of(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


# What a team's own key would become in a set that somebody has spoilt.
_SYMMETRIC = {"kid": "k", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}
_WEAK = {"kid": "k", "kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256"}

FAULTS: Final[Mapping[str, Fault]] = {
    # no connection, or none that lasts
    "refused": Fault(reason="connect-failed", name=REFUSING),
    "no-answer-to-connecting": Fault(reason="timeout", name=SILENT, limit="connect"),
    "no-such-name": Fault(
        reason="connect-failed", name=socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    ),
    "name-server-down": Fault(reason="connect-failed", name=socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
    "reset": Fault(reason="connection-lost", script=Connection.reset),
    "reset-in-its-body": Fault(reason="connection-lost", script=resets_in_its_body),
    "closed": Fault(reason="connection-lost", script=raw()),
    "cut-short": Fault(reason="connection-lost", script=says(JSON, length=100)),
    # slow
    "never-answers": Fault(reason="timeout", script=Connection.hang, limit="total"),
    "drips-its-head": Fault(reason="timeout", script=drips_its_head, limit="total"),
    "drips-its-body": Fault(reason="timeout", script=drips_its_body, limit="total"),
    "hints-for-ever": Fault(reason="timeout", script=hints_for_ever, limit="total"),
    # another answer
    "500": Fault(reason="status-500", script=says(JSON, status="500 Oh")),
    "404": Fault(reason="status-404", script=says(JSON, status="404 No")),
    "204": Fault(reason="status-204", script=says(JSON, status="204 Nothing", body=b"")),
    "redirects-elsewhere": Fault(
        reason="status-302", script=says("location: http://127.0.0.1:1/", JSON, status="302 Found")
    ),
    "redirects-to-itself": Fault(reason="status-308", script=says("location: /certs", JSON, status="308 Moved")),
    "says-nothing-has-changed": Fault(reason="status-304", script=says(status="304 Not Modified", body=b"", length=-1)),
    "switches-protocols": Fault(
        reason="connection-lost",
        script=says("connection: upgrade", "upgrade: h2c", status="101 Switching", length=-1, body=b""),
    ),
    # garbage
    "not-http": Fault(reason="connection-lost", script=raw(b"SSH-2.0-OpenSSH\r\n")),
    "html": Fault(reason="not-json", script=says("content-type: text/html", body=b"<title>maintenance</title>")),
    "no-type": Fault(reason="not-json", script=says()),
    "html-that-says-it-is-json": Fault(reason="no-usable-key", script=says(JSON, body=b"<title>maintenance</title>")),
    "empty-body": Fault(reason="no-usable-key", script=says(JSON, body=b"")),
    "no-keys": Fault(reason="no-usable-key", script=says(JSON, body=_set_of())),
    "keys-that-are-no-keys": Fault(reason="no-usable-key", script=says(JSON, body=_set_of(_SYMMETRIC, _WEAK))),
    "http-1.0-cut-in-its-document": Fault(
        reason="no-usable-key", script=raw(b'HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"keys": [')
    ),
    # bombs
    "gzip-bomb": Fault(
        reason="encoded", script=says(JSON, "content-encoding: gzip", body=gzip.compress(b"\0" * 20_000_000))
    ),
    "one-byte-too-many": Fault(reason="too-large", script=says(JSON, body=b" " * (MOST_BYTES + 1))),
    "chunks-for-ever": Fault(reason="too-large", script=chunks_for_ever),
    "headers-for-ever": Fault(reason="connection-lost", script=headers_for_ever),
    "deep-json": Fault(reason="no-usable-key", script=says(JSON, body=b'{"keys":' + b"[" * 100_000)),
    # TLS
    "certificate-of-another-host": Fault(reason="connect-failed", tls="another-host"),
    "certificate-of-an-unknown-authority": Fault(reason="connect-failed", tls="unknown-authority"),
    "certificate-that-has-expired": Fault(reason="connect-failed", tls="expired"),
    "no-cipher-in-common": Fault(reason="connect-failed", tls="old-ciphers"),
    "no-tls-at-all": Fault(reason="connect-failed", tls="good", hello=raw(b"HTTP/1.1 200 OK\r\n\r\n")),
    "reset-in-the-handshake": Fault(reason="connect-failed", tls="good", hello=Connection.reset),
    "silence-in-the-handshake": Fault(reason="timeout", tls="good", hello=Connection.hang, limit="connect"),
}


def in_bytes(body: bytes) -> Script:
    """A byte a packet, as far as the kernel lets it."""
    whole = _plain(body)
    return raw(*(whole[at : at + 1] for at in range(len(whole))))


# What is odd and no fault: it is read all the same.
MANNERS: Final[Mapping[str, Callable[[bytes], Script]]] = {
    "http-1.0-without-a-length": lambda body: raw(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body),
    "byte-by-byte": in_bytes,
    "hints-first": lambda body: raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20 + _plain(body)),
    "a-byte-order-mark": lambda body: says(JSON, body=b"\xef\xbb\xbf" + body),
    "spoilt-keys-beside-good-ones": lambda body: says(
        JSON, body=json.dumps({"keys": [_SYMMETRIC, _WEAK, None, *json.loads(body)["keys"]]}).encode()
    ),
    "more-than-it-announced": lambda body: raw(_plain(body) + b"HTTP/1.1 200 OK\r\n\r\n"),
}


def _plain(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
