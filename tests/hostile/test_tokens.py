"""Is every token of the tables refused with its code, by the core and through both doors?"""

import json
from collections.abc import Callable, Mapping

import pytest

from cfaccess_mw.core.errors import MalformedToken
from cfaccess_mw.core.keys import Key, KeySnapshot, parse_jwks
from cfaccess_mw.core.token import parts_of
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.hostile.asking import INTERFACES, Asked, Doors
from tests.tokens import outcome
from tests.vectors import Row, forge, table

ASSERTION = "Cf-Access-Jwt-Assertion"

# What the core makes of the first of them row by row is asked in ``tests/core/test_verifier.py``.
OLD = tuple(
    f"tokens/{name}"
    for name in ("shape", "header", "claims", "signature", "other_kinds", "order", "emails", "principals")
)
NEW = ("tokens/confusion", "tokens/canonical", "tokens/addresses")
TABLES = (*OLD, *NEW, "tokens/rfc")

Forged = Mapping[str, str]


@pytest.fixture
def forged(team: Issuer, stranger: SigningKey, now: float) -> Callable[[str], Forged]:
    """The tokens of a table by their ids; each is signed once a test."""
    signing = Issuer("acme", current=team.current, previous=team.previous, clock=lambda: now)
    made: dict[str, Forged] = {}

    def of(name: str) -> Forged:
        if name not in made:
            rows = (row for row in table(name) if not _hangs_on_seconds(row))
            made[name] = {row["id"]: forge(row, signing, stranger, now) for row in rows}
        return made[name]

    return of


def _hangs_on_seconds(row: Row) -> bool:
    """Whether a slow machine would see another outcome: the ends of the leeway are the core's, which gets the time.

    Whatever ends within the leeway may have ended when its turn comes.
    """
    return any(
        isinstance(claim, dict) and "$now" in claim and (0 if name == "exp" else 20) <= abs(claim["$now"]) < 300
        for name, claim in row.get("claims", {}).items()
    )


@pytest.mark.parametrize("name", NEW)
def test_the_core_refuses_with_the_code(
    name: str, forged: Callable[[str], Forged], snapshot: KeySnapshot, now: float
) -> None:
    codes = {row["id"]: row["code"] for row in table(name)}
    assert {id_: outcome(token, snapshot, now=now) for id_, token in forged(name).items()} == codes
    as_bytes = {id_: token.encode() for id_, token in forged(name).items() if token.isascii()}
    found = {id_: outcome(token, snapshot, now=now) for id_, token in as_bytes.items()}
    assert found == {id_: codes[id_] for id_ in as_bytes}


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("name", [*OLD, *NEW])
def test_the_doors_refuse_with_the_code(
    name: str, interface: str, forged: Callable[[str], Forged], doors: Callable[[str], Doors]
) -> None:
    found = {}
    for id_, token in forged(name).items():
        value = _as_header(token)
        reached = doors("plain").ask(interface, Asked(headers=((ASSERTION, value),)))
        found[id_] = "accepted" if reached.status == 200 else reached.outcome
        assert token not in reached.body.decode("utf-8", "replace") or len(token) < 3
    codes = {row["id"]: row["code"] for row in table(name)}
    assert found == {id_: _told(codes[id_], token) for id_, token in forged(name).items()}


def _as_header(token: str) -> str:
    """A header's value as servers give it: each byte a character."""
    return token.encode("utf-8", "surrogatepass").decode("latin-1")


def _told(code: str, token: str) -> str:
    """What a door calls it: a server may have joined two headers where there is a comma, or white space."""
    value = _as_header(token)
    joined = any(character in value for character in ", \t\n")
    return "duplicate-token" if joined and code != "accepted" else code


# --- the examples of RFC 7515, RFC 7520 and RFC 7797 ------------------------------------------------------------------

BILBO = "bilbo.baggins@hobbiton.example"


def _key_of(row: Row) -> Key:
    jwk = {"kty": "RSA", "kid": BILBO, "n": row["n"], "e": "AQAB"}
    return parse_jwks(json.dumps({"keys": [jwk]}).encode()).keys[BILBO]


def test_the_signatures_of_the_examples_are_what_the_rfcs_say() -> None:
    """It is not the signature for which we refuse those that are good."""
    found = {}
    for row in table("tokens/rfc"):
        if "n" in row:
            header, payload, _ = row["token"].split(".")
            parts = parts_of(row["token"])
            found[row["id"]] = _key_of(row).verifies(parts.decoded_signature(), f"{header}.{payload}".encode())
    assert found == {row["id"]: row["verifies"] for row in table("tokens/rfc") if "n" in row}
    assert set(found.values()) == {True, False}


def test_no_example_is_a_token_of_ours(snapshot: KeySnapshot) -> None:
    rows = table("tokens/rfc")
    assert {row["id"]: outcome(row["token"], snapshot) for row in rows} == {row["id"]: row["code"] for row in rows}
    for row in rows:
        if row["code"] == "malformed-token":
            with pytest.raises(MalformedToken):
                parts_of(row["token"])


@pytest.mark.parametrize("interface", INTERFACES)
def test_no_example_comes_through_a_door(interface: str, doors: Callable[[str], Doors]) -> None:
    rows = table("tokens/rfc")
    found = {
        row["id"]: doors("plain").ask(interface, Asked(headers=((ASSERTION, row["token"]),))).outcome for row in rows
    }
    assert found == {row["id"]: _told(row["code"], row["token"]) for row in rows}


def test_a_thumbprint_is_that_of_rfc_7638() -> None:
    """Of the RSA key of its section 3.1, beside the elliptic one with which RFC 7517 publishes it (appendix A.1)."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    elliptic = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "use": "enc", "kid": "1"}
    rsa = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    read = parse_jwks(json.dumps({"keys": [elliptic, rsa]}).encode())
    assert read.keys["2011-04-29"].thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert read.skipped == {"not-rsa": 1}
