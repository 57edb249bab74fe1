"""The floors: RSA verification by ``cryptography`` alone, and the least that has to be done around it.

What :func:`whole` and :func:`read` leave out are all checks; nobody should verify like that.
"""

import json
from binascii import a2b_base64
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.subject import Subject
from cfaccess_mw.core.encoding import decode_base64url

_ALPHABET = bytes.maketrans(b"-_", b"+/")
_decode = json.JSONDecoder().decode


def verifier(subject: Subject) -> Callable[[str], object]:
    """A function that verifies the signature of the subject's token, whatever it is given."""
    signed, _, signature = subject.token.encode().rpartition(b".")
    decoded, key, padding, digest = decode_base64url(signature), subject.key.public_key, PKCS1v15(), SHA256()
    return lambda _: key.verify(decoded, signed, padding, digest)


def whole(subject: Subject) -> Callable[[str], object]:
    """A function that takes a token apart, reads it and verifies its signature."""
    key, padding, digest = subject.key.public_key, PKCS1v15(), SHA256()

    def verify(token: str) -> object:
        signed, _, signature = token.encode().rpartition(b".")
        claims = _decode(_bytes(signed.partition(b".")[2]).decode())
        key.verify(_bytes(signature), signed, padding, digest)
        return claims

    return verify


def read(token: bytes) -> object:
    """Take a token apart and read it."""
    signed, _, signature = token.rpartition(b".")
    _bytes(signature)
    return _decode(_bytes(signed.partition(b".")[2]).decode())


def _bytes(segment: bytes) -> bytes:
    return a2b_base64(segment.translate(_ALPHABET) + b"==")
