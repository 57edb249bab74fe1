"""What is one signing key of a team, and how does Cloudflare publish it?"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from cfaccess_mw.edge import signing_key as edge
from cfaccess_mw.edge.signing_key import base64url as base64url  # noqa: PLC0414 - also for whoever forges

# The certificate says what it is wherever someone meets it: never Cloudflare's, only of the same form.
_SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cfaccess-mw emulator"),
        x509.NameAttribute(NameOID.COMMON_NAME, "cloudflareaccess.com"),
    ]
)
_VALIDITY = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An RSA key with the id and the certificate under which a team publishes it.

    Attributes:
        private_key: Signs; a public exponent of 65537, as ``AQAB`` in Cloudflare's document.
        kid: 64 lower-case hexadecimal characters; here the SHA-256 of the public key, so that a key keeps its id.
        certificate: A self-signed X.509 certificate in PEM.
    """

    private_key: rsa.RSAPrivateKey = field(repr=False)
    kid: str
    certificate: str = field(repr=False)

    @classmethod
    def generate(cls, *, now: float, bits: int = 2048) -> Self:
        """Make a new key; this takes around a tenth of a second.

        Args:
            now: The time from which the certificate is valid, in seconds since the epoch.
            bits: The length of the modulus; Cloudflare uses 2048.
        """
        return cls.from_private_key(rsa.generate_private_key(public_exponent=65537, key_size=bits), now=now)

    @classmethod
    def from_private_key(cls, private_key: rsa.RSAPrivateKey, *, now: float) -> Self:
        """Publish a key that exists already.

        Args:
            private_key: The RSA key.
            now: The time from which the certificate is valid, in seconds since the epoch.
        """
        start = dt.datetime.fromtimestamp(int(now), tz=dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_SUBJECT)
            .issuer_name(_SUBJECT)
            .public_key(private_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + _VALIDITY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(private_key, hashes.SHA256())
        )
        return cls(
            private_key=private_key,
            kid=edge.SigningKey.of(private_key).kid,
            certificate=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        )

    def jwk(self) -> dict[str, str]:
        """The public key as an entry of ``keys`` (RFC 7517, RFC 7518 section 6.3.1)."""
        return edge.SigningKey.of(self.private_key, kid=self.kid).jwk()

    def published_certificate(self) -> dict[str, str]:
        """The certificate as an entry of ``public_certs``."""
        return {"kid": self.kid, "cert": self.certificate}

    def sign(self, message: bytes) -> bytes:
        """Sign with RSASSA-PKCS1-v1_5 and SHA-256, which is RS256 (RFC 7518 section 3.3)."""
        return self.private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature of this key.

        Raises:
            cryptography.exceptions.InvalidSignature: This key did not sign these bytes.
        """
        self.private_key.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
