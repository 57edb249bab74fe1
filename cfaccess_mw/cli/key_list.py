"""Which keys does this certs document hold, and why is one of them of no use?"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from cfaccess_mw.core.errors import KeySetError
from cfaccess_mw.core.keys import Key, import_key, parse_jwks


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """One entry of a key set.

    Attributes:
        kid: Its key id; empty where it has none.
        thumbprint: RFC 7638, of a key that can be used.
        bits: The length of its modulus, likewise.
        made_at: Since when its certificate is valid, in seconds since the epoch; None where the document does not say.
        reason: Why it is skipped; empty where it is used.
    """

    kid: str
    thumbprint: str = ""
    bits: int = 0
    made_at: float | None = None
    reason: str = ""


def list_keys(body: bytes) -> list[ListedKey]:
    """List the keys of a document in its own order, each with the verdict that a door comes to.

    Raises:
        KeySetError: It is no key set at all.
    """
    document = _document(body)
    try:
        used: Mapping[str, Key] = parse_jwks(body).keys
    except KeySetError:
        if not isinstance(document.get("keys"), list):
            raise
        used = {}
    certificates = dict(_certificates(document))
    return [_listed(entry, used, certificates) for entry in document["keys"]]


def _document(body: bytes) -> dict[str, Any]:
    """Read leniently, as the door does: an object in which a name stands twice is kept as a list, which no key is."""
    try:
        document = json.loads(
            body.decode("utf-8-sig", "replace"),
            object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else pairs,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            strict=False,
        )
        return dict(document)
    except (ValueError, TypeError, RecursionError):
        return {}


def _listed(entry: Any, used: Mapping[str, Key], certificates: Mapping[str, x509.Certificate]) -> ListedKey:
    found = import_key(entry)
    if isinstance(found, str):
        kid = entry.get("kid") if isinstance(entry, dict) else None
        return ListedKey(kid=kid if isinstance(kid, str) else "", reason=found)
    return ListedKey(
        kid=found.kid,
        thumbprint=found.thumbprint,
        bits=found.public_key.key_size,
        made_at=_made_at(found, certificates.get(found.kid)),
        reason="" if found.kid in used else "contradictory-key-id",
    )


def _made_at(key: Key, certificate: x509.Certificate | None) -> float | None:
    """Since when a certificate is valid, if it is that key's."""
    try:
        if certificate is None or certificate.public_key() != key.public_key:
            return None
    except (ValueError, UnsupportedAlgorithm):
        return None
    return certificate.not_valid_before_utc.timestamp()


def _certificates(document: Mapping[str, Any]) -> Iterator[tuple[str, x509.Certificate]]:
    published = document.get("public_certs")
    for entry in published if isinstance(published, list) else ():
        match entry:
            case {"kid": str(kid), "cert": str(pem)}:
                try:
                    yield kid, x509.load_pem_x509_certificate(pem.encode())
                except ValueError:
                    continue  # it says nothing about a key's age then
            case _:
                continue
