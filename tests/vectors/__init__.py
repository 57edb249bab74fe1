"""How do the tables of attacks become tests? Rows of JSON to parameters, and rows to tokens.

A row has an ``id``, its ``origin`` (an RFC's section, an advisory, or ours), what it ``exploits``, and the ``code``
that is expected. Everything else says how the token departs from a good one:

``kind``         which of Access's tokens it starts as; ``user`` where absent
``header``       fields of the JOSE header that differ; ``claims``: claims that do
``raw_header``   the header outright, ``raw_payload`` the payload: a list of texts, ``[text, times]`` and ``{"hex": …}``
``key``          who signs: ``current``, ``previous``, or ``stranger``, a key that the team does not publish
``names``        whose ``kid`` the header has, where it is not the signer's
``signature``    a name of ``SIGNATURES`` below
``text``         the token itself, written with ``{token} {header} {payload} {signature}``, and with what loose decoders
                 take for the same: ``{loose_header} {loose_payload} {loose_signature}`` with other unused bits,
                 ``{standard}`` in the alphabet with ``+`` and ``/``, ``{padded}`` with its ``=``

Within values, ``{"$absent": true}`` takes a member out, ``{"$now": n}`` is n seconds from now, ``{"$times": [x, n]}``
is a text repeated, ``{"$list": [x, n]}`` a list of n times the same, ``{"$nested": n}`` n lists within each other,
``{"$bits": n}`` and ``{"$even": n}`` the base64url of an odd or even number of n bits. Within headers,
``{"$jwk": who}`` is a signer's public key, and ``{"$kid": who}`` its id.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey, base64url
from tests.tokens import AUD, NOW

Row = Mapping[str, Any]


def table(name: str) -> list[Row]:
    """The rows of ``<name>.json``."""
    found: list[Row] = json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
    return found


def rows(name: str) -> list[Any]:
    """The rows of ``<name>.json``, each as a parameter with its id."""
    return [pytest.param(row, id=row["id"]) for row in table(name)]


def value_of(value: Any, now: float = NOW) -> Any:
    """A value of a row, with its shorthands written out."""
    match value:
        case {"$absent": True}:
            return ABSENT
        case {"$now": offset}:
            return now + offset
        case {"$times": [str(text), int(times)]}:
            return text * times
        case {"$list": [item, int(times)]}:
            return [item] * times
        case {"$bits": int(bits)}:
            return base64url((2**bits - 2 ** (bits // 2) + 1).to_bytes((bits + 7) // 8))
        case {"$even": int(bits)}:
            return base64url((2**bits - 2).to_bytes((bits + 7) // 8))
        case {"$nested": int(depth)}:
            nested: list[Any] = []
            for _ in range(depth - 1):
                nested = [nested]
            return nested
        case dict():
            return {name: value_of(member, now) for name, member in value.items()}
        case list():
            return [value_of(member, now) for member in value]
        case _:
            return value


def raw(parts: list[Any]) -> bytes:
    """The bytes that a list of parts spells."""
    data = b""
    for part in parts:
        match part:
            case {"hex": digits}:
                data += bytes.fromhex(digits)
            case [str(text), int(times)]:
                data += text.encode() * times
            case _:
                data += part.encode()
    return data


def _number(issuer: Issuer, change: int) -> bytes:
    return (issuer.current.private_key.public_key().public_numbers().n + change).to_bytes(256)


def _public(encoding: Encoding, form: PublicFormat) -> Callable[[Issuer], bytes]:
    return lambda issuer: issuer.current.private_key.public_key().public_bytes(encoding, form)


# What an attacker knows of the current key, and a verifier that believes ``alg`` takes for the secret of an HMAC.
SECRETS: Mapping[str, Callable[[Issuer], bytes]] = {
    "spki-pem": _public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "spki-pem-stripped": lambda issuer: SECRETS["spki-pem"](issuer).strip(),
    "spki-der": _public(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "pkcs1-pem": _public(Encoding.PEM, PublicFormat.PKCS1),
    "pkcs1-der": _public(Encoding.DER, PublicFormat.PKCS1),
    "openssh": _public(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "certificate": lambda issuer: issuer.certs()["public_cert"]["cert"].encode(),
    "jwk": lambda issuer: json.dumps(issuer.current.jwk()).encode(),
    "jwk-compact": lambda issuer: json.dumps(issuer.current.jwk(), separators=(",", ":"), sort_keys=True).encode(),
    "jwks": lambda issuer: json.dumps(issuer.certs()).encode(),
    "modulus": lambda issuer: _number(issuer, 0),
    "modulus-text": lambda issuer: issuer.current.jwk()["n"].encode(),
    "kid": lambda issuer: issuer.current.kid.encode(),
    "domain": lambda _: b"https://acme.cloudflareaccess.com",
    "empty": lambda _: b"",
    "nul": lambda _: b"\x00",
    "none": lambda _: b"None",
}


def _hmac(secret: str, digest: str) -> Callable[[Issuer, bytes], bytes]:
    return lambda issuer, data: hmac.digest(SECRETS[secret](issuer), data, digest)


# What stands for the signature of the current key over the signing input.
SIGNATURES: Mapping[str, Callable[[Issuer, bytes], bytes]] = {
    "empty": lambda _, __: b"",
    "zeros": lambda _, __: bytes(256),
    "ones": lambda _, __: b"\xff" * 256,
    "one": lambda _, __: bytes(255) + b"\x01",  # 1 to any power is 1
    "modulus": lambda issuer, _: _number(issuer, 0),
    "modulus-less-one": lambda issuer, _: _number(issuer, -1),
    "cut": lambda issuer, data: issuer.current.sign(data)[:-1],
    "longer": lambda issuer, data: issuer.current.sign(data) + b"\x00",
    "leading-zero": lambda issuer, data: b"\x00" + issuer.current.sign(data),
    "twice": lambda issuer, data: issuer.current.sign(data) * 2,
    "reversed": lambda issuer, data: issuer.current.sign(data)[::-1],
    "one-bit": lambda issuer, data: issuer.current.sign(data)[:-1] + bytes([issuer.current.sign(data)[-1] ^ 1]),
    "previous-key": lambda issuer, data: issuer.previous.sign(data),
    "of-payload-only": lambda issuer, data: issuer.current.sign(data.partition(b".")[2]),
    "of-nothing": lambda issuer, _: issuer.current.sign(b""),
    "sha1": lambda issuer, data: issuer.current.private_key.sign(data, padding.PKCS1v15(), SHA1()),
    "sha512": lambda issuer, data: issuer.current.private_key.sign(data, padding.PKCS1v15(), SHA512()),
    "pss": lambda issuer, data: issuer.current.private_key.sign(
        data, padding.PSS(padding.MGF1(SHA256()), 32), SHA256()
    ),
    "hmac-public-pem": _hmac("spki-pem", "sha256"),
    "hmac-empty": _hmac("empty", "sha256"),
    "digest": lambda _, data: hashlib.sha256(data).digest(),
    **{f"hs{size}-{secret}": _hmac(secret, f"sha{size}") for secret in SECRETS for size in (256, 384, 512)},
}


_TIMES = re.compile(rb"(?<!\d)1800\d{6}(?!\d)")  # within outright payloads, which are of NOW


def forge(row: Row, issuer: Issuer, stranger: SigningKey, now: float = NOW) -> str:
    """The token that a row describes.

    Args:
        row: The row.
        issuer: Whose token it starts as; its clock stands at ``now``.
        stranger: The key that the team does not publish.
        now: The moment that the row calls now, in seconds since the epoch.
    """
    keys = {"current": issuer.current, "previous": issuer.previous, "stranger": stranger}
    key = keys[row.get("key", "current")]
    named = keys[row["names"]] if "names" in row else key
    fields = issuer.header(named, **value_of(_with_keys(row.get("header", {}), keys)))
    header = raw(row["raw_header"]) if "raw_header" in row else json.dumps(fields).encode()
    payload = raw(row["raw_payload"]) if "raw_payload" in row else _payload(row, issuer, now)
    if "raw_payload" in row and now != NOW:
        payload = _TIMES.sub(lambda time: b"%d" % (int(time[0]) - int(NOW) + int(now)), payload)
    token = issuer.sign(header, payload, key)
    if "signature" in row:
        data = token.rpartition(".")[0]
        token = f"{data}.{base64url(SIGNATURES[row['signature']](issuer, data.encode()))}"
    first, second, third = token.split(".")
    text = "".join(part * times for part, times in _pieces(row.get("text", "{token}")))
    return text.format(
        token=token,
        header=first,
        payload=second,
        signature=third,
        loose_header=f"{_loose(first)}.{second}.{third}",
        loose_payload=f"{first}.{_loose(second)}.{third}",
        loose_signature=f"{first}.{second}.{_loose(third)}",
        standard=token.translate(_STANDARD),
        padded=".".join(part + "=" * (-len(part) % 4) for part in (first, second, third)),
    )


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STANDARD = str.maketrans("-_", "+/")


def _loose(segment: str) -> str:
    """Another text that a loose decoder reads as the same bytes: with other unused bits, or a line feed without any."""
    return segment[:-1] + _ALPHABET[_ALPHABET.index(segment[-1]) ^ 1] if len(segment) % 4 else segment + "\n"


def _with_keys(value: Any, keys: Mapping[str, SigningKey]) -> Any:
    match value:
        case {"$jwk": str(who)}:
            return keys[who].jwk()
        case {"$kid": str(who)}:
            return keys[who].kid
        case dict():
            return {name: _with_keys(member, keys) for name, member in value.items()}
        case list():
            return [_with_keys(member, keys) for member in value]
        case _:
            return value


def _pieces(text: str | list[Any]) -> list[tuple[str, int]]:
    if isinstance(text, str):
        return [(text, 1)]
    return [(piece, 1) if isinstance(piece, str) else (piece[0], piece[1]) for piece in text]


def _payload(row: Row, issuer: Issuer, now: float) -> bytes:
    claims = value_of(row.get("claims", {}), now)
    match row.get("kind", "user"):
        case "user":
            token = issuer.user(audience=AUD, **claims)
        case "service":
            token = issuer.service(audience=AUD, **claims)
        case "organisation":
            token = issuer.organisation(audience=AUD, **claims)
        case "metadata":
            token = issuer.metadata("app.example.com", audience=AUD, **claims)
        case "login-meta":
            token = issuer.login_meta(audience=AUD, **claims)
        case "external-evaluation":
            bare = {
                "nonce": "9J2E9Xg6wYj8tlnA5MV4Zgp6t8rzmS0Q",
                "exp": now + 60,
                "identity": {"email": "user@example.com"},
            }
            token = issuer.sign(None, {**bare, **claims})
        case kind:
            raise ValueError(f"no kind {kind!r}")
    segment = token.split(".")[1]
    text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode("utf-8", "surrogatepass")
    return json.dumps(
        json.loads(text), separators=(",", ":")
    ).encode()  # lone surrogates become escapes, which are JSON
