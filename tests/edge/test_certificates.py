"""Is the certificate that Cloudflare forwards read as it is, and believed from nobody else?"""

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.edge.certificates import (
    DER_HEADER,
    SHA256_HEADER,
    ClientCertificate,
    certificate_of_environ,
    certificate_of_scope,
)
from cfaccess_mw.edge.ranges_peers import CloudflarePeers

PEERS = CloudflarePeers()
OURS = "104.16.0.1"
DAY = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


def made(padding: int = 0) -> x509.Certificate:
    """A certificate of a device, and so many bytes more."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=laptop,O=Acme")
    builder = x509.CertificateBuilder(issuer_name=x509.Name.from_rfc4514_string("CN=Acme CA"), subject_name=name)
    builder = builder.public_key(key.public_key()).serial_number(7)
    if padding:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(padding))
        builder = builder.add_extension(extension, critical=False)
    return builder.not_valid_before(DAY).not_valid_after(DAY + dt.timedelta(days=1)).sign(key, hashes.SHA256())


CERTIFICATE = made()
DER = CERTIFICATE.public_bytes(Encoding.DER)
LARGE = base64.b64encode(made(12_288).public_bytes(Encoding.DER)).decode()
TEXT = base64.b64encode(DER).decode()
SHA256 = CERTIFICATE.fingerprint(hashes.SHA256()).hex()
WHOLE = ClientCertificate(
    sha256=SHA256,
    subject="CN=laptop,O=Acme",
    issuer="CN=Acme CA",
    serial_number=7,
    not_before=DAY,
    not_after=DAY + dt.timedelta(days=1),
    der=DER,
)

Sent = Mapping[str, list[str]]
Read = Callable[..., ClientCertificate | None]


@pytest.fixture(params=["asgi", "wsgi"])
def read(request: pytest.FixtureRequest) -> Read:
    """Read a certificate from a scope, or from an environ."""

    def from_scope(sent: Sent, peer: str | None = OURS, peers: Any = PEERS, **more: Any) -> ClientCertificate | None:
        headers = [(name.encode(), value.encode()) for name, values in sent.items() for value in values]
        return certificate_of_scope({"headers": headers, "client": (peer, 1) if peer else None, **more}, peers)

    def from_environ(sent: Sent, peer: str | None = OURS, peers: Any = PEERS, **more: Any) -> ClientCertificate | None:
        headers = {"HTTP_" + name.upper().replace("-", "_"): ",".join(values) for name, values in sent.items()}
        more = {key: {"REMOTE_ADDR": pair[0]} for key, pair in more.items()}
        return certificate_of_environ({**headers, "REMOTE_ADDR": peer or "", **more}, peers)

    return from_scope if request.param == "asgi" else from_environ


@pytest.mark.parametrize(
    ("sent", "certificate"),
    [
        pytest.param({DER_HEADER: [TEXT], SHA256_HEADER: [SHA256]}, WHOLE, id="both"),
        pytest.param({DER_HEADER: [TEXT], SHA256_HEADER: [SHA256.upper()]}, WHOLE, id="capitals"),
        pytest.param({DER_HEADER: [TEXT]}, WHOLE, id="the-certificate-alone"),
        pytest.param({SHA256_HEADER: [SHA256]}, ClientCertificate(sha256=SHA256), id="the-fingerprint-alone"),
        pytest.param({}, None, id="a-later-request-of-the-connection"),
        pytest.param({DER_HEADER: [TEXT, TEXT]}, None, id="double"),
        pytest.param({SHA256_HEADER: [SHA256, SHA256]}, None, id="double-fingerprint"),
        pytest.param({DER_HEADER: [TEXT], SHA256_HEADER: ["0" * 64]}, None, id="they-disagree"),
        pytest.param({DER_HEADER: [TEXT], SHA256_HEADER: ["x"]}, None, id="no-fingerprint"),
        pytest.param({DER_HEADER: [TEXT[:-1]], SHA256_HEADER: [SHA256]}, None, id="no-base64"),
        pytest.param({DER_HEADER: [f"{TEXT[:8]}\n{TEXT[8:]}"]}, None, id="a-line-end"),
        pytest.param({DER_HEADER: [base64.b64encode(DER[:-1]).decode()]}, None, id="a-part-of-it"),
        pytest.param({DER_HEADER: [base64.b64encode(DER + b"x").decode()]}, None, id="more-than-it"),
        pytest.param({DER_HEADER: [base64.b64encode(b"laptop").decode()]}, None, id="something-else"),
        pytest.param({DER_HEADER: [""]}, None, id="empty"),
        pytest.param({DER_HEADER: ["é"]}, None, id="not-ascii"),
        pytest.param({DER_HEADER: [LARGE]}, None, id="too-long"),
    ],
)
def test_what_is_forwarded_is_read(read: Read, sent: Sent, certificate: ClientCertificate | None) -> None:
    assert read(sent) == certificate


@pytest.mark.parametrize("peer", ["198.51.100.7", "127.0.0.1", None, "unknown"])
def test_nobody_else_is_believed(read: Read, peer: str | None) -> None:
    assert read({DER_HEADER: [TEXT], SHA256_HEADER: [SHA256]}, peer) is None


def test_whoever_the_operator_trusts_is_believed(read: Read) -> None:
    assert read({SHA256_HEADER: [SHA256]}, "127.0.0.1", TrustedPeers(["loopback"])) is not None


def test_the_peer_is_the_one_of_the_connection_where_the_client_has_taken_its_place(read: Read) -> None:
    sent = {SHA256_HEADER: [SHA256]}
    assert read(sent, "203.0.113.9", **{"cfaccess.peer": (OURS, 1)}) is not None
    assert read(sent, OURS, **{"cfaccess.peer": ("203.0.113.9", 1)}) is None


def test_people_are_in_no_repr() -> None:
    assert "laptop" not in repr(WHOLE)
