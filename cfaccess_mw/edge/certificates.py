"""Which client certificate did the browser or device show to Cloudflare?

Where forwarding is turned on for a host name (``client_certificate_forwarding``), Cloudflare sends the certificate
along as ``Cf-Client-Cert-Der-Base64`` and ``Cf-Client-Cert-Sha256``, but only with the first request of a connection
between the client and the edge (Cloudflare, "Forward a client certificate"). So:

- None means "not told with this request", never "without certificate", and a request must not be refused for it. What
  can be asked of every request are the ``cf-cert-*`` headers of the managed transform, which policies read
  (``certificate_headers=True``).
- A certificate that is told is one that was shown. Whether Cloudflare verified it depends on its rules for the host;
  ask ``cf-cert-verified``, or an Access policy with the selector "Valid certificate".
- The headers count only from a peer that the operator trusts, such as ``CloudflarePeers`` or ``TrustedPeers``.

The certificate of the connection between Cloudflare and the origin (Authenticated Origin Pulls) is not seen here, and
need not be: whoever ends that TLS refuses a connection without it, before there is a request. None of the servers that
this package is tested with tells an application about it. The settings::

    nginx      ssl_client_certificate origin-pull-ca.pem;  ssl_verify_client on;
    uvicorn    --ssl-ca-certs origin-pull-ca.pem --ssl-cert-reqs 2
    gunicorn   --ca-certs origin-pull-ca.pem --cert-reqs 2
    hypercorn  --ca-certs origin-pull-ca.pem --verify-mode CERT_REQUIRED
    Caddy      tls { client_auth { mode require_and_verify; trust_pool file origin-pull-ca.pem } }

Cloudflare's shared certificate proves "from Cloudflare" and no more; one of your own, by zone or host name, proves
your account.
"""

import hashlib
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from cryptography.x509 import InvalidVersion, load_der_x509_certificate

from cfaccess_mw.wire.environ import values_of as environ_values
from cfaccess_mw.wire.scope import values_of as scope_values
from cfaccess_mw.wire.target import PEER_KEY

DER_HEADER: Final = "cf-client-cert-der-base64"
SHA256_HEADER: Final = "cf-client-cert-sha256"

_LONGEST: Final = 16_384  # characters; Cloudflare sends no chain of more bytes in its other headers either
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")


class Peers(Protocol):
    """Whose word about the client counts."""

    def trust(self, peer: str | None) -> bool:
        """Say whether a peer's does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate that was shown to the edge.

    Attributes:
        sha256: The fingerprint, 64 lower-case hexadecimal digits.
        subject: The distinguished name (RFC 4514); None where only the fingerprint was told, as below.
        issuer: Likewise, of who signed it.
        serial_number: As the issuer numbers it.
        not_before: From when on it is valid.
        not_after: Until when.
        der: The certificate itself.
    """

    sha256: str
    subject: str | None = field(default=None, repr=False)
    issuer: str | None = field(default=None, repr=False)
    serial_number: int | None = field(default=None, repr=False)
    not_before: datetime | None = None
    not_after: datetime | None = None
    der: bytes | None = field(default=None, repr=False)


def certificate_of_scope(scope: Mapping[str, Any], peers: Peers) -> ClientCertificate | None:
    """The certificate that an ASGI request tells of; None where it tells of none that can be read and believed.

    Args:
        scope: Of the request, in front of or behind :class:`~cfaccess_mw.edge.ranges_asgi.FromCloudflare`.
        peers: Whose word counts.
    """
    pair = scope.get(PEER_KEY, scope.get("client"))
    return read_certificate(pair[0] if pair else None, lambda name: scope_values(dict(scope), name), peers)


def certificate_of_environ(environ: Mapping[str, Any], peers: Peers) -> ClientCertificate | None:
    """The certificate that a WSGI request tells of; None where it tells of none that can be read and believed.

    Args:
        environ: Of the request, in front of or behind :class:`~cfaccess_mw.edge.ranges_wsgi.FromCloudflare`.
        peers: Whose word counts.
    """
    peer = environ.get(PEER_KEY, environ).get("REMOTE_ADDR")
    return read_certificate(peer, lambda name: environ_values(dict(environ), name), peers)


def read_certificate(
    peer: str | None, values: Callable[[str], Sequence[str]], peers: Peers
) -> ClientCertificate | None:
    """Read the forwarded certificate; a header that is double or malformed, or two that disagree, tell nothing.

    Args:
        peer: Who is connected, as the server gives it.
        values: Gives the values of a header by its lower-case name, one for each line.
        peers: Whose word counts.
    """
    if not peers.trust(peer):
        return None
    shown, named = values(DER_HEADER), values(SHA256_HEADER)
    if len(shown) > 1 or len(named) > 1:
        return None
    if named and not _SHA256.fullmatch(named[0]):
        return None
    told = named[0].lower() if named else None
    if not shown:
        return None if told is None else ClientCertificate(sha256=told)
    der = _decode(shown[0])
    certificate = None if der is None else _parse(der)
    return certificate if certificate is not None and told in (None, certificate.sha256) else None


def _decode(text: str) -> bytes | None:
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        return a2b_base64(text, strict_mode=True)
    except Base64Error:
        return None


def _parse(der: bytes) -> ClientCertificate | None:
    try:
        certificate = load_der_x509_certificate(der)
        return ClientCertificate(
            sha256=hashlib.sha256(der).hexdigest(),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            serial_number=certificate.serial_number,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            der=der,
        )
    except (ValueError, InvalidVersion):  # some of it is read when it is asked for
        return None
