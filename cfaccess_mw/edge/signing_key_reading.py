"""Which signing keys does this text hold? A PEM private key, a JWK, or a JWK set with private keys."""

from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cfaccess_mw.core.encoding import decode_base64url, decode_json_object
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.keys import ALGORITHM, is_key_id
from cfaccess_mw.edge.signing_key import SigningKey

_BITS: Final = range(2048, 8192 + 1)  # RFC 7518 section 3.3 asks for 2048 at least
_NUMBERS: Final = ("p", "q", "d", "dp", "dq", "qi")
_LATEST: Final = 253402300799  # the end of the year 9999
_MOST_KEYS: Final = 16

_MEND: Final = "give an RSA private key as PEM (`openssl genrsa 2048` prints one), as a JWK, or several as a JWK set"


def read_signing_keys(text: bytes, *, key: str = "signing_keys") -> tuple[SigningKey, ...]:
    """Read private keys.

    Args:
        text: What a file holds.
        key: The name of the configuration key, for messages. No message quotes the text.

    Raises:
        ConfigurationError: It holds no usable key, or one that cannot be used: a private key that is skipped in silence
            would be missed when it is needed.
    """
    if text.lstrip().startswith(b"{"):
        entries = _entries(text, key)
        keys = tuple(_from_jwk(entry, key) for entry in entries)
    else:
        keys = (SigningKey.of(_checked(_from_pem(text, key), key)),)
    if len({one.kid for one in keys}) < len(keys):
        raise ConfigurationError(f"{key}: holds two keys with the same id; give each a kid of its own")
    return keys


def _entries(text: bytes, key: str) -> list[Any]:
    document = _object(text)
    if document is None:
        raise ConfigurationError(f"{key}: is not a JSON object that every reader would read alike; {_MEND}")
    entries = document.get("keys", [document])
    if type(entries) is not list or not 0 < len(entries) <= _MOST_KEYS:
        raise ConfigurationError(f"{key}: the set must hold 1 to {_MOST_KEYS} keys; {_MEND}")
    return entries


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        return decode_json_object(text)
    except ValueError:
        return None


def _from_pem(text: bytes, key: str) -> object:
    problem = "is not a private key"
    if text.count(b"-----BEGIN ") > 1:
        raise ConfigurationError(f"{key}: holds more than one PEM block; for several keys give a JWK set")
    try:
        return load_pem_private_key(text, password=None)
    except TypeError:
        problem = "is encrypted with a password"
    except (ValueError, UnsupportedAlgorithm):
        if b"PUBLIC KEY" in text or b"CERTIFICATE" in text:
            problem = "is public, and nothing can be signed with it"
    raise ConfigurationError(f"{key}: {problem}; {_MEND}")  # not in the block: a chained error might quote the key


def _from_jwk(jwk: Any, key: str) -> SigningKey:
    if type(jwk) is not dict or jwk.get("kty") != "RSA":
        raise ConfigurationError(f"{key}: holds something that is not an RSA key; {_MEND}")
    if jwk.get("alg", ALGORITHM) != ALGORITHM or jwk.get("use", "sig") != "sig" or not _may_sign(jwk):
        raise ConfigurationError(f"{key}: holds a key that is not for signing with {ALGORITHM}; {_MEND}")
    kid, signs_from = jwk.get("kid"), jwk.get("nbf", 0)
    if kid is not None and not is_key_id(kid):
        raise ConfigurationError(f"{key}: holds a kid that is not 1 to 256 characters of ASCII; leave it out")
    if type(signs_from) not in (int, float) or not 0 <= signs_from <= _LATEST:
        raise ConfigurationError(f"{key}: holds an nbf that is not a time in seconds since 1970; leave it out")
    private = _from_numbers(jwk)
    if private is None:
        raise ConfigurationError(f"{key}: holds a key without all of n, e, {', '.join(_NUMBERS)}, or with others'")
    return SigningKey.of(_checked(private, key), kid=kid, signs_from=signs_from)


def _may_sign(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["sign"])
    return type(operations) is list and "sign" in operations


def _from_numbers(jwk: Mapping[str, Any]) -> rsa.RSAPrivateKey | None:
    try:
        n, e, p, q, d, dp, dq, qi = (
            int.from_bytes(decode_base64url(jwk[name].encode("ascii"))) for name in ("n", "e", *_NUMBERS)
        )
        public = rsa.RSAPublicNumbers(e, n)
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()  # it checks that they belong together
    except (ValueError, KeyError, AttributeError):
        return None


def _checked(private_key: object, key: str) -> rsa.RSAPrivateKey:
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{key}: holds a key that is not RSA, which is all that Access takes; {_MEND}")
    if private_key.key_size not in _BITS or private_key.public_key().public_numbers().e < 65537:
        raise ConfigurationError(f"{key}: holds a key that is too weak or too long; give one of 2048 to 8192 bits")
    return private_key
