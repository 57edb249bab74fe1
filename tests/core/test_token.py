"""Is a text taken apart only if it is a signed token, byte for byte?"""

import codecs
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.encoding import decode_base64url
from cfaccess_mw.core.errors import BadEncoding, InvalidToken, MalformedToken, OversizedToken
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.token import MAX_HEADER, MAX_TOKEN, Parts, is_joined, parts_of, read_key_id, take_apart
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import base64url
from tests.tokens import AUD, ISSUER, NOW, outcome

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# More than is tried in a table: everything near a good token is tried, and no list of ideas bounds it.


def test_a_token_is_taken_apart_into_what_was_signed(token: str) -> None:
    header, payload, signature = token.split(".")
    for one in (token, token.encode()):
        parts = parts_of(one)
        assert parts.header == header.encode()
        assert json.loads(parts.decoded_payload())["aud"] == [AUD]
        assert len(parts.decoded_signature()) == 256
        assert parts.signing_input == f"{header}.{payload}".encode()
        assert base64url(parts.decoded_signature()) == signature


@pytest.mark.parametrize("kind", [str, bytes])
def test_the_limits_of_size_are_exact(kind: type) -> None:
    def of(text: str) -> str | bytes:
        return text if kind is str else text.encode()

    parts = parts_of(of("A" * MAX_HEADER + ".." + "A" * (MAX_TOKEN - MAX_HEADER - 2)))
    assert len(parts.header) == MAX_HEADER
    with pytest.raises(OversizedToken):
        parts_of(of("A" * MAX_HEADER + ".." + "A" * (MAX_TOKEN - MAX_HEADER - 1)))
    with pytest.raises(OversizedToken):
        parts_of(of("A" * (MAX_HEADER + 1) + ".."))
    with pytest.raises(MalformedToken):
        parts_of(of("." * MAX_TOKEN))
    assert (MAX_TOKEN, MAX_HEADER) == (16_384, 1_024)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        pytest.param("", MalformedToken, id="empty"),
        pytest.param("e30.e30", MalformedToken, id="one-dot"),
        pytest.param("e30.e30.e30.", MalformedToken, id="three-dots"),
        pytest.param("e30.e30.\u00e9", MalformedToken, id="not-ascii"),
        pytest.param("a" * (MAX_TOKEN + 1), OversizedToken, id="too-long"),
        pytest.param("a" * (MAX_HEADER + 1) + "..", OversizedToken, id="a-header-too-long"),
        pytest.param("e30.e31.e30", BadEncoding, id="payload"),
        pytest.param("e30.e30.e31", BadEncoding, id="signature"),
        pytest.param("e30.e31.e31", BadEncoding, id="payload-and-signature"),
        pytest.param("e30..=", BadEncoding, id="signature-behind-no-payload"),
    ],
)
@pytest.mark.parametrize("kind", [str, bytes])
def test_why_a_text_cannot_be_taken_apart_is_returned_to_one_and_raised_to_the_other(
    text: str, refusal: type[InvalidToken], kind: type
) -> None:
    token = text if kind is str else text.encode()
    assert take_apart(token, Parts) is refusal
    with pytest.raises(refusal) as raised:
        parts_of(token)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_a_header_is_decoded_where_it_is_read() -> None:
    parts = parts_of("e31.e30.")
    with pytest.raises(BadEncoding) as refused:
        read_key_id(parts.header)
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_the_parts_are_of_the_kind_that_is_asked_for() -> None:
    class Own(Parts):
        __slots__ = ()

    assert type(take_apart("e30.e30.", Own)) is Own
    assert type(parts_of("e30.e30.")) is Parts


SEGMENTS = st.binary(max_size=30).map(base64url) | st.text(ALPHABET + "+/=!~ ", max_size=9)


@settings(max_examples=500, deadline=None)
@given(header=SEGMENTS, payload=SEGMENTS, signature=SEGMENTS)
def test_a_text_and_its_bytes_are_taken_apart_alike(header: str, payload: str, signature: str) -> None:
    text = f"{header}.{payload}.{signature}"
    try:
        expected = decode_base64url(payload.encode()), decode_base64url(signature.encode())
    except ValueError:
        assert take_apart(text, Parts) is take_apart(text.encode(), Parts) is BadEncoding
        return
    for parts in (parts_of(text), parts_of(text.encode())):
        assert (parts.decoded_payload(), parts.decoded_signature()) == expected
        assert (parts.header, parts.signing_input) == (header.encode(), f"{header}.{payload}".encode())


@pytest.mark.parametrize("kind", [str, bytes])
def test_as_much_is_looked_at_as_a_cookie_holds_and_what_parts_it_from_the_next(kind: type) -> None:
    for length, joined in ((4_096, True), (4_097, False)):
        text = "a" * length + ",b"
        assert is_joined(text if kind is str else text.encode()) is joined


@pytest.mark.parametrize("kid", ["a", "a" * 256, "a b", "~", "__proto__", "1a1c3986a44ce6390be42ec772b031df"])
@pytest.mark.parametrize(
    "extra", [{}, {"typ": "JWT"}, {"cty": "x", "x5t": "AA", "n": 1, "z": None}], ids=["bare", "typ", "more"]
)
def test_a_key_id_is_read_as_it_stands(kid: str, extra: dict[str, object]) -> None:
    assert read_key_id(base64url(json.dumps({"alg": "RS256", "kid": kid, **extra}).encode()).encode()) == kid


def test_no_bit_of_a_token_can_be_flipped(snapshot: KeySnapshot, token: str) -> None:
    data = token.encode()
    for index in range(len(data)):
        for bit in range(8):
            flipped = data[:index] + bytes([data[index] ^ 1 << bit]) + data[index + 1 :]
            assert outcome(flipped, snapshot) != "accepted", (index, bit)
            assert outcome(flipped.decode("latin-1"), snapshot) != "accepted", (index, bit)


def test_a_token_is_good_whole_only(snapshot: KeySnapshot, token: str) -> None:
    assert outcome(token, snapshot) == outcome(token.encode(), snapshot) == "accepted"
    for cut in range(len(token)):
        assert outcome(token[:cut], snapshot) != "accepted"
        assert outcome(token[cut + 1 :].encode(), snapshot) != "accepted"
        assert outcome(token[:cut] + token[cut + 1 :], snapshot) != "accepted"
        assert outcome(token[:cut] + token[cut] + token[cut:], snapshot) != "accepted"


def test_segments_of_two_good_tokens_do_not_mix(issuer: Issuer, snapshot: KeySnapshot) -> None:
    good = [
        issuer.user(audience=AUD),
        issuer.service(audience=AUD),
        issuer.user("b@example.com", audience=AUD, key="previous"),
    ]
    mixed = {
        f"{header}.{payload}.{signature}"
        for header in (one.split(".")[0] for one in good)
        for payload in (one.split(".")[1] for one in good)
        for signature in (one.split(".")[2] for one in good)
    }
    assert {one for one in mixed if outcome(one, snapshot) == "accepted"} == set(good)


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp037", "rot13"]
)
def test_a_token_in_another_encoding_is_not_a_token(encoding: str, snapshot: KeySnapshot, token: str) -> None:
    written = codecs.encode(token, encoding)
    if written != token.encode():  # UTF-7 writes a token as ASCII does
        assert outcome(written, snapshot) != "accepted"


def garbage() -> Iterator[bytes]:
    """JSON documents and texts that no header and no payload is."""
    scalars = [b"", b"0", b"-", b"1e5", b"null", b"true", b'""', b'"\\ud800"', b'"\\u0000"', b"[]", b"{}", b"[{}]"]
    yield from scalars
    yield from (b'{"alg":' + one + b"}" for one in scalars)
    yield from (b'{"alg":"RS256","kid":' + one + b"}" for one in scalars)
    yield from (b'{"iss":' + one + b"}" for one in scalars)
    yield from (bytes([byte]) for byte in range(256))
    yield from (b'{"' + bytes([byte]) + b'":1}' for byte in range(256))
    yield from (opening * times for opening in (b"[", b'{"a":', b"{", b'[{"":') for times in (10, 100, 1_000, 2_000))
    yield from (b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in (10, 100, 500, 900, 1_000, 5_000))


def test_garbage_in_place_of_header_and_payload_is_refused(issuer: Issuer, snapshot: KeySnapshot, token: str) -> None:
    _, _, signature = token.split(".")
    for junk in garbage():
        segment = base64url(junk)
        for forged in (f"{segment}.{segment}.{signature}", f"{segment}.e30.", issuer.sign(None, junk)):
            assert outcome(forged, snapshot) != "accepted", junk[:40]


def test_signed_claims_of_any_depth_raise_nothing_foreign(issuer: Issuer, snapshot: KeySnapshot) -> None:
    claims = json.dumps(
        {"aud": AUD, "iss": ISSUER, "exp": NOW + 9, "iat": NOW, "type": "app", "email": "a@b.c", "sub": "x"}
    )
    for depth in (1, 50, 5_000):
        nested = claims[:-1] + ',"custom":' + "[" * depth + "]" * depth + "}"
        # how deep is too deep is the interpreter's affair
        assert outcome(issuer.sign(None, nested.encode()), snapshot) in {"accepted", "bad-payload"}
