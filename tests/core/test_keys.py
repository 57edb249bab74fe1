"""Does one bad key never cost the set, and is no bad key ever used?"""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from joserfc.jwk import RSAKey

from cfaccess_mw.core.errors import KeySetError
from cfaccess_mw.core.keys import Key, is_key_id, parse_jwks
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.tokens import NOW
from tests.vectors import Row, rows, value_of


def varied(jwk: dict[str, str], changes: dict[str, Any]) -> dict[str, Any]:
    """A key with members changed, or taken out."""
    return {name: value for name, value in {**jwk, **value_of(changes)}.items() if value is not ABSENT}


def hostile(row: Row, jwk: dict[str, str]) -> bytes:
    """The text of the key that a row describes."""
    if "raw" in row:
        return str(row["raw"]).encode()
    text = json.dumps(varied(jwk, row.get("jwk", {})))
    if "raw_extra" in row:
        text = text[:-1] + "," + row["raw_extra"] + "}"
    if "raw_replace" in row:
        old, new = row["raw_replace"]
        text = text.replace(old, value_of(new))
    data = text.encode()
    if "bad_bytes" in row:
        value = jwk[row["bad_bytes"]].encode()
        data = data.replace(value, value[:-1] + b"\xff")
    return data


def document(*keys: bytes) -> bytes:
    """A certs document with these entries."""
    return b'{"keys":[' + b",".join(keys) + b"]}"


@pytest.fixture(scope="module")
def good(issuer: Issuer) -> bytes:
    """The entry of a good key."""
    return json.dumps(issuer.current.jwk()).encode()


@pytest.mark.parametrize("row", rows("keys/hostile"))
def test_a_hostile_key_is_skipped_with_its_reason_and_the_good_one_lives(
    row: Row, good: bytes, issuer: Issuer, stranger: SigningKey
) -> None:
    bad = hostile(row, {**stranger.jwk(), "kid": "hostile"})
    for entries in ((good, bad), (bad, good), (bad, good, bad)):
        snapshot = parse_jwks(document(*entries))
        assert list(snapshot.keys) == [issuer.current.kid]
        assert snapshot.skipped == {row["reason"]: len(entries) - 1}
    with pytest.raises(KeySetError, match=r"none of the 1 keys"):
        parse_jwks(document(bad))


def test_all_hostile_keys_at_once_leave_the_good_one(good: bytes, issuer: Issuer, stranger: SigningKey) -> None:
    table = [param.values[0] for param in rows("keys/hostile")]
    bad = [hostile(row, {**stranger.jwk(), "kid": "hostile"}) for row in table]
    assert len(bad) > 60
    snapshot = parse_jwks(document(*bad[:40], good, *bad[40:]))
    assert list(snapshot.keys) == [issuer.current.kid]
    assert sum(snapshot.skipped.values()) == len(bad)
    assert snapshot.skipped.keys() == {row["reason"] for row in table}
    with pytest.raises(KeySetError, match=f"none of the {len(bad)} keys"):
        parse_jwks(document(*bad))


@pytest.mark.parametrize("row", rows("keys/good"))
def test_a_good_key_is_taken(row: Row, stranger: SigningKey) -> None:
    jwk = varied(stranger.jwk(), row["jwk"])
    snapshot = parse_jwks(document(json.dumps(jwk).encode()))
    assert list(snapshot.keys) == [jwk["kid"]]
    assert snapshot.keys[jwk["kid"]].kid == jwk["kid"]
    assert snapshot.skipped == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "not a JSON object", id="empty"),
        pytest.param(b"<html>", "not a JSON object", id="html"),
        pytest.param(b"[]", "not a JSON object", id="array"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b"5", "not a JSON object", id="number"),
        pytest.param(b'"keys"', "not a JSON object", id="text"),
        pytest.param(b'{"keys":[', "not a JSON object", id="cut"),
        pytest.param(b'{"keys":[]}{}', "not a JSON object", id="two-documents"),
        pytest.param(b'{"keys":[],"keys":[]}', "more than one list of keys", id="duplicate-keys"),
        pytest.param('{"keys":[]}'.encode("utf-16"), "not a JSON object", id="utf-16"),
        pytest.param(b'{"keys":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "not a JSON object", id="deep"),
        pytest.param(b"{}", "no list of keys", id="no-keys"),
        pytest.param(b'{"keys":null}', "no list of keys", id="null-keys"),
        pytest.param(b'{"keys":{}}', "no list of keys", id="object-keys"),
        pytest.param(b'{"keys":"x"}', "no list of keys", id="text-keys"),
        pytest.param(b'{"Keys":[]}', "no list of keys", id="upper-keys"),
        pytest.param(b'{"keys":[]}', "none of the 0 keys", id="empty-keys"),
        pytest.param(
            b'{"public_cert":{"kid":"a","cert":"x"},"public_certs":[]}', "no list of keys", id="certificates-only"
        ),
    ],
)
def test_a_document_without_keys_is_an_error_that_keeps_nothing_of_it(body: bytes, message: str) -> None:
    with pytest.raises(KeySetError, match=message) as refused:
        parse_jwks(body)
    assert refused.value.code == "no-usable-key"
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_the_document_that_access_publishes_is_read(issuer: Issuer) -> None:
    snapshot = parse_jwks(json.dumps(issuer.certs()).encode())
    assert set(snapshot.keys) == {issuer.current.kid, issuer.previous.kid}
    assert snapshot.skipped == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"\xef\xbb\xbf", b"", id="byte-order-mark"),
        pytest.param(b" \r\n\t", b"\n", id="white-space"),
    ],
)
def test_harmless_surroundings_cost_nothing(before: bytes, after: bytes, good: bytes) -> None:
    assert len(parse_jwks(before + document(good) + after).keys) == 1


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b'"x":NaN', id="nan"),
        pytest.param(b'"x":-Infinity', id="infinity"),
        pytest.param(b'"x":1e9999', id="overflow"),
        pytest.param(b'"x":' + b"9" * 10_000, id="digits"),
        pytest.param(b'"x":"\xff\xfe"', id="not-utf-8"),
        pytest.param(b'"x":"\n\t\x00\x1f"', id="control-characters"),
        pytest.param(b'"x":1,"x":2', id="duplicate-beside"),
        pytest.param(b'"x":{"keys":[]}', id="keys-within"),
        pytest.param(b'"public_cert":{"kid":"a","kid":"b"}', id="duplicate-elsewhere"),
        pytest.param(b'"public_certs":null', id="certificates-null"),
    ],
)
def test_odd_members_beside_the_keys_cost_nothing(rest: bytes, good: bytes) -> None:
    assert len(parse_jwks(document(good)[:-1] + b"," + rest + b"}").keys) == 1


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        pytest.param(b'"kid":"a\nb"', "bad-key-id", id="kid"),
        pytest.param(b'"n":"AQ\x00AB"', "bad-number", id="number"),
    ],
)
def test_a_raw_control_character_costs_the_key_it_stands_in(
    member: bytes, reason: str, good: bytes, issuer: Issuer
) -> None:
    name = member.split(b'"')[1].decode()
    rest = json.dumps({key: value for key, value in issuer.previous.jwk().items() if key != name}).encode()
    snapshot = parse_jwks(document(rest[:-1] + b"," + member + b"}", good))
    assert list(snapshot.keys) == [issuer.current.kid]
    assert snapshot.skipped == {reason: 1}


def test_a_key_given_twice_is_one_key(good: bytes, issuer: Issuer) -> None:
    other = json.dumps({**issuer.current.jwk(), "x5t": "AA"}).encode()
    snapshot = parse_jwks(document(good, other, good))
    assert list(snapshot.keys) == [issuer.current.kid]
    assert snapshot.skipped == {}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_key_id_of_two_keys_is_dropped(times: int, good: bytes, issuer: Issuer, stranger: SigningKey) -> None:
    twin = json.dumps({**stranger.jwk(), "kid": issuer.current.kid}).encode()
    third = json.dumps(issuer.previous.jwk()).encode()
    for entries in (
        (good, *[twin] * times, third),
        (*[twin] * times, third, good),
        (third, good, *[twin] * times, good),
    ):
        snapshot = parse_jwks(document(*entries))
        assert list(snapshot.keys) == [issuer.previous.kid]
        assert snapshot.skipped == {"contradictory-key-id": 1}
    with pytest.raises(KeySetError):
        parse_jwks(document(good, twin))


def test_every_key_id_of_two_keys_is_counted(good: bytes, issuer: Issuer, stranger: SigningKey) -> None:
    other = json.dumps(issuer.previous.jwk()).encode()
    twins = [json.dumps({**stranger.jwk(), "kid": key.kid}).encode() for key in (issuer.current, issuer.previous)]
    snapshot = parse_jwks(document(good, other, *twins, json.dumps(stranger.jwk()).encode()))
    assert list(snapshot.keys) == [stranger.kid]
    assert snapshot.skipped == {"contradictory-key-id": 2}


def test_keys_that_differ_in_their_exponent_only_contradict_each_other(good: bytes, issuer: Issuer) -> None:
    twin = json.dumps({**issuer.current.jwk(), "e": "AQAD"}).encode()
    with pytest.raises(KeySetError):
        parse_jwks(document(good, twin))


@pytest.mark.parametrize(
    "changes", [{"n": "AQ"}, {"use": "enc"}, {"alg": "RS512"}, {"d": "AQAB"}], ids=["n", "use", "alg", "d"]
)
def test_an_unusable_second_key_of_the_same_id_does_not_drop_the_first(
    changes: dict[str, str], good: bytes, issuer: Issuer, stranger: SigningKey
) -> None:
    bad = json.dumps({**stranger.jwk(), "kid": issuer.current.kid, **changes}).encode()
    for entries in ((good, bad), (bad, good)):
        snapshot = parse_jwks(document(*entries))
        assert list(snapshot.keys) == [issuer.current.kid]
        assert sum(snapshot.skipped.values()) == 1


def test_one_key_under_two_ids_is_two_entries_with_one_thumbprint(good: bytes, issuer: Issuer) -> None:
    snapshot = parse_jwks(document(good, json.dumps({**issuer.current.jwk(), "kid": "alias"}).encode()))
    first, second = snapshot.keys.values()
    assert first.thumbprint == second.thumbprint
    assert first != second


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    # RFC 7638 section 3.1
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    key = parse_jwks(document(json.dumps(jwk).encode())).keys["2011-04-29"]
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert key.size == 256


def test_a_snapshot_cannot_be_changed_and_shows_no_keys(good: bytes) -> None:
    snapshot = parse_jwks(document(good))
    for mapping in (snapshot.keys, snapshot.skipped):
        with pytest.raises(TypeError):
            mapping["a"] = 1  # type: ignore[index]  # that it cannot is the test
    with pytest.raises(AttributeError):
        snapshot.keys = {}  # type: ignore[misc]  # that it cannot is the test
    assert "RSAPublicKey" not in repr(snapshot) + repr(list(snapshot.keys.values()))


def test_a_signature_has_exactly_the_length_of_the_modulus() -> None:
    signing = SigningKey.from_private_key(generate_private_key(65537, 2056), now=NOW)
    key = parse_jwks(document(json.dumps(signing.jwk()).encode())).keys[signing.kid]
    signature = signing.sign(b"x")
    assert key.size == len(signature) == 257
    assert key.verifies(signature, b"x")
    assert not key.verifies(signature, b"y")
    for wrong in (b"", signature[:-1], signature[1:], b"\0" + signature, signature + b"\0"):
        assert not key.verifies(wrong, b"x")


def test_the_length_is_our_own_check_and_not_only_the_librarys(issuer: Issuer) -> None:
    signing = issuer.current
    signature, public_key = signing.sign(b"x"), signing.private_key.public_key()
    assert Key(kid="a", thumbprint="", size=256, public_key=public_key).verifies(signature, b"x")
    assert not Key(kid="a", thumbprint="", size=255, public_key=public_key).verifies(signature, b"x")


def test_whatever_a_library_raises_over_a_signature_the_signature_is_bad() -> None:
    # a key of another kind, whose own verify takes other arguments
    other = Ed25519PrivateKey.generate().public_key()
    key = Key(kid="a", thumbprint="", size=64, public_key=other)  # type: ignore[arg-type]  # that it is none is the test
    assert not key.verifies(bytes(64), b"")


def test_a_key_that_the_library_will_not_have_costs_only_itself(
    good: bytes, issuer: Issuer, stranger: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # none of today's releases refuses what passes our own checks; another may, or one built for FIPS
    import_key = RSAKey.import_key

    def choosy(value: dict[str, str | list[str]]) -> RSAKey:
        if value["n"] == stranger.jwk()["n"]:
            raise RuntimeError("not today")
        return import_key(value)

    monkeypatch.setattr(RSAKey, "import_key", choosy)
    snapshot = parse_jwks(document(json.dumps(stranger.jwk()).encode(), good))
    assert list(snapshot.keys) == [issuer.current.kid]
    assert snapshot.skipped == {"not-importable": 1}


@pytest.mark.parametrize(
    ("kid", "usable"),
    [
        ("a", True), ("~", True), (" ", True), ("a" * 256, True), ("a" * 257, False), ("", False), ("\x1f", False),
        ("\x7f", False), ("a\n", False), ("\x80", False), ("é", False), ("\ud800", False), (None, False), (1, False),
        (True, False), (b"a", False), (["a"], False), (frozenset("a"), False),
    ],
    ids=repr,
)  # fmt: skip
def test_a_key_id_is_printable_ascii(kid: object, usable: bool) -> None:
    assert is_key_id(kid) is usable
