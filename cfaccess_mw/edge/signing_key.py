"""What is one key that we sign with, and how do others get to know it? RSA with RS256: Access takes nothing else."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cfaccess_mw.core.keys import ALGORITHM

_PADDING: Final = padding.PKCS1v15()
_HASH: Final = hashes.SHA256()


def base64url(data: bytes) -> str:
    """Encode as JOSE does (RFC 7515 section 2): the URL-safe alphabet without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _number(number: int) -> str:
    """Write a Base64urlUInt (RFC 7518 section 2)."""
    return base64url(number.to_bytes((number.bit_length() + 7) // 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An RSA key of ours.

    Attributes:
        private_key: Signs.
        kid: The key id under which it is published.
        signs_from: When it begins to sign, in seconds since the epoch. It is published before.
    """

    private_key: rsa.RSAPrivateKey = field(repr=False, compare=False)
    kid: str
    signs_from: float = 0.0

    @classmethod
    def generate(cls, *, signs_from: float = 0.0) -> Self:
        """Make a new key of 2,048 bits; this takes around a tenth of a second.

        Args:
            signs_from: When it begins to sign, in seconds since the epoch.
        """
        return cls.of(rsa.generate_private_key(public_exponent=65537, key_size=2048), signs_from=signs_from)

    @classmethod
    def of(cls, private_key: rsa.RSAPrivateKey, *, kid: str | None = None, signs_from: float = 0.0) -> Self:
        """Take a key that exists already.

        Args:
            private_key: It.
            kid: Its id; the SHA-256 of the public key by default, so that a key keeps its id.
            signs_from: When it begins to sign, in seconds since the epoch.
        """
        if kid is None:
            public = private_key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            kid = hashlib.sha256(public).hexdigest()
        return cls(private_key=private_key, kid=kid, signs_from=signs_from)

    def jwk(self) -> dict[str, str]:
        """The public key as an entry of ``keys`` (RFC 7517; RFC 7518 section 6.3.1)."""
        numbers = self.private_key.public_key().public_numbers()
        return {
            "kid": self.kid,
            "kty": "RSA",
            "alg": ALGORITHM,
            "use": "sig",
            "e": _number(numbers.e),
            "n": _number(numbers.n),
        }

    def private_jwk(self) -> dict[str, object]:
        """The whole key for a file of ours; ``nbf`` says when it begins to sign (RFC 7518 section 6.3.2)."""
        numbers = self.private_key.private_numbers()
        return {
            **self.jwk(),
            "nbf": int(self.signs_from),
            "d": _number(numbers.d),
            "p": _number(numbers.p),
            "q": _number(numbers.q),
            "dp": _number(numbers.dmp1),
            "dq": _number(numbers.dmq1),
            "qi": _number(numbers.iqmp),
        }

    def sign(self, claims: Mapping[str, object]) -> str:
        """Sign claims, as a compact serialisation (RFC 7515 section 7.1); the header has ``alg`` and ``kid``."""
        message = f"{_segment({'alg': ALGORITHM, 'kid': self.kid})}.{_segment(claims)}"
        return f"{message}.{base64url(self.private_key.sign(message.encode('ascii'), _PADDING, _HASH))}"


def _segment(members: Mapping[str, object]) -> str:
    return base64url(json.dumps(members, separators=(",", ":")).encode("ascii"))
