"""Which keys does this certs document hold? A JWKS to an immutable snapshot of keys by key id, key by key.

Only the ``keys`` member counts: Cloudflare advises against ``public_cert``, which caches may serve stale, and the order
of the keys means nothing. One bad key never costs the set: it is skipped, and counted by reason.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey

from cfaccess_mw.core.encoding import decode_base64url
from cfaccess_mw.core.errors import KeySetError

# What Cloudflare signs with, from 2018 to now; nothing symmetric can be written here.
ALGORITHM = "RS256"

_MODULUS_BITS = range(2048, 8192 + 1)  # RFC 7518 section 3.3 asks for 2048 at least; larger ones verify more slowly
_EXPONENTS = range(65537, 2**32, 2)  # a huge exponent makes each verification slow
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

_PADDING = PKCS1v15()
_HASH = SHA256()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One RSA public key of a team.

    Attributes:
        kid: The key id, used as a dictionary key and nothing else.
        thumbprint: The RFC 7638 SHA-256 thumbprint, base64url: the same key has the same one under any ``kid``.
        size: The modulus length in bytes, which is the length of every signature of this key.
    """

    kid: str
    thumbprint: str
    size: int
    public_key: RSAPublicKey = field(repr=False, compare=False)

    def verifies(self, signature: bytes, signing_input: bytes) -> bool:
        """Say whether ``signature`` is this key's RS256 signature of ``signing_input`` (RFC 7518 section 3.3)."""
        if len(signature) != self.size:
            return False
        try:
            self.public_key.verify(signature, signing_input, _PADDING, _HASH)
        except Exception:  # noqa: BLE001 - whatever a library thinks of a signature, it was not found good
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySnapshot:
    """The usable keys of one certs document, by key id.

    Attributes:
        keys: At least one key.
        skipped: How many keys of the document were not usable, by reason.
    """

    keys: Mapping[str, Key] = field(repr=False)
    skipped: Mapping[str, int]


def is_key_id(kid: object) -> bool:
    """Say whether ``kid`` is 1 to 256 characters of printable ASCII."""
    return type(kid) is str and 0 < len(kid) <= 256 and kid.isascii() and kid.isprintable()


# Each with the reason that is counted where it does not hold.
_CHECKS: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("not-rsa", lambda jwk: jwk.get("kty") == "RSA"),
    ("private-members", _PRIVATE_MEMBERS.isdisjoint),
    ("other-use", lambda jwk: jwk.get("use", "sig") == "sig"),
    ("other-operations", lambda jwk: "key_ops" not in jwk or _lists(jwk["key_ops"], "verify")),
    ("other-algorithm", lambda jwk: jwk.get("alg", ALGORITHM) == ALGORITHM),
    ("bad-key-id", lambda jwk: is_key_id(jwk.get("kid"))),
)


def _lists(value: object, member: str) -> bool:
    return type(value) is list and member in value


def _number(value: object) -> int:
    """Read a Base64urlUInt (RFC 7518 section 2): canonical, and without leading zero bytes."""
    if type(value) is not str:
        raise ValueError("not a string")
    data = decode_base64url(value.encode("ascii"))
    if not data or data[0] == 0:
        raise ValueError("not a minimal number")
    return int.from_bytes(data)


def import_key(jwk: object) -> Key | str:
    """One entry of the set to its key, or to the reason for which it is skipped."""
    if type(jwk) is not dict:
        return "not-an-object"
    for reason, holds in _CHECKS:
        if not holds(jwk):
            return reason
    try:
        modulus, exponent = _number(jwk.get("n")), _number(jwk.get("e"))
    except ValueError:
        return "bad-number"
    if modulus.bit_length() not in _MODULUS_BITS or modulus % 2 == 0:
        return "bad-modulus"
    if exponent not in _EXPONENTS:
        return "bad-exponent"
    try:
        key = RSAKey.import_key({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
        thumbprint, public_key = key.thumbprint(), key.public_key
    except Exception:  # noqa: BLE001 - whatever a library thinks of one key, the others live
        return "not-importable"
    return Key(kid=jwk["kid"], thumbprint=thumbprint, size=(modulus.bit_length() + 7) // 8, public_key=public_key)


@dataclass(frozen=True, slots=True)
class _Repeating:
    """An object with a member given twice is nothing that we know how to read as a key, but it costs only itself."""

    members: list[tuple[str, Any]]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeating:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Repeating(pairs)


def _no_number(_: str) -> None:
    """No member that counts is a number: one never passes for a text, and one of 5,000 digits never costs the set."""


# Not strict: a raw control character makes a bad key id, not a bad document.
_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_no_number, strict=False)


def parse_jwks(body: bytes) -> KeySnapshot:
    """Read a certs document (RFC 7517; Cloudflare, "Validate JWTs").

    Args:
        body: The document. Invalid UTF-8 or a control character costs the keys in which it stands, no others. What is
            nested more deeply than Python's parser follows (some hundred levels; where else, nobody could tell) costs
            the whole document: that fetch has failed, and the last good set is kept.

    Raises:
        KeySetError: Not a JSON object with one list ``keys``, or none of the keys can be used.
    """
    try:
        document = _decoder.decode(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        document = None  # raised outside of this block: these errors keep the whole document
    if type(document) is not dict and type(document) is not _Repeating:
        raise KeySetError("the certs document is not a JSON object")
    members = document.members if isinstance(document, _Repeating) else document.items()
    given = [value for name, value in members if name == "keys"]
    if len(given) > 1:
        raise KeySetError("the certs document has more than one list of keys")
    if not given or type(given[0]) is not list:
        raise KeySetError("the certs document has no list of keys")
    return _snapshot(given[0])


def _snapshot(entries: list[object]) -> KeySnapshot:
    keys: dict[str, Key] = {}
    contradictory: set[str] = set()
    skipped: Counter[str] = Counter()
    for entry in entries:
        key = import_key(entry)
        if isinstance(key, str):
            skipped[key] += 1
        elif keys.setdefault(key.kid, key) != key:
            contradictory.add(key.kid)
    for kid in contradictory:  # one id for two keys: neither can be meant
        del keys[kid]
        skipped["contradictory-key-id"] += 1
    if not keys:
        raise KeySetError(f"none of the {len(entries)} keys of the certs document can be used")
    return KeySnapshot(keys=MappingProxyType(keys), skipped=MappingProxyType(dict(skipped)))
