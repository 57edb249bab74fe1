"""Does a certs document give keys that it does not have, or lose a good key to what stands beside it?"""

import base64
import json
from typing import Any

from cfaccess_mw.core.errors import KeySetError
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from tests.fuzz.reading import refused_unless

# 2,048 bits, odd; that nobody knows its factors is of no consequence here.
GOOD = {
    "kty": "RSA",
    "kid": "good",
    "use": "sig",
    "alg": "RS256",
    "e": "AQAB",
    "n": base64.urlsafe_b64encode(b"\xc3" * 256).rstrip(b"=").decode(),
}

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def read(body: bytes) -> KeySnapshot | None:
    """The keys, or None for a failed fetch."""
    try:
        return parse_jwks(body)
    except KeySetError:
        return None


def run(data: bytes) -> object:
    """Read one input, and compare."""
    found = read(data)
    try:
        document = json.loads(data, object_pairs_hook=once)
        entries = document["keys"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None  # nothing to compare with: we read a few documents that a strict reader does not
    if found is not None:
        with refused_unless("a list of keys as RFC 7517 and our specification have them"):
            for kid, key in found.keys.items():
                check(kid, key.size, [entry for entry in entries if claims(entry, kid)])
    if isinstance(entries, list) and not any(claims(entry, "good") for entry in entries):
        beside = read(json.dumps({"keys": [*entries, GOOD]}).encode())
        assert beside is not None, "a good key was lost to what stands beside it"
        assert beside.keys.keys() >= {"good", *(found.keys if found is not None else ())}
    return None if found is None else frozenset(found.skipped)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members each stand there once."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("two readers could keep different ones")
    return dict(pairs)


def claims(entry: Any, kid: str) -> bool:
    """Whether an entry is an object of this id."""
    return isinstance(entry, dict) and entry.get("kid") == kid


def check(kid: str, size: int, entries: list[dict[str, Any]]) -> None:
    """Some entry of this id is a key for RS256 of that size."""
    assert kid.isprintable()
    assert 0 < len(kid) <= 256
    assert size in {(number(entry["n"]).bit_length() + 7) // 8 for entry in entries if is_usable(entry)}


def is_usable(entry: dict[str, Any]) -> bool:
    """Whether an entry is a key for RS256 by the letter of the specification."""
    meant = (entry.get("kty"), entry.get("use", "sig"), entry.get("alg", "RS256")) == ("RSA", "sig", "RS256")
    modulus, exponent = number(entry.get("n")), number(entry.get("e"))
    strong = 2_048 <= modulus.bit_length() <= 8_192 and 65_537 <= exponent < 2**32
    operations = entry.get("key_ops", ["verify"])
    free = isinstance(operations, list) and "verify" in operations
    return meant and strong and free and modulus % 2 == exponent % 2 == 1 and not entry.keys() & PRIVATE


def number(text: Any) -> int:
    """A number in base64url, 0 where it is none."""
    if not isinstance(text, str):
        return 0
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return 0
