"""Is there one way only to write a segment, and no JSON that two readers would understand differently?"""

import base64
import json
from binascii import Error, a2b_base64
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.encoding import decode_base64url, decode_json_object, read_json_object, standard_base64
from cfaccess_mw.emulator.signing_key import base64url

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    ("segment", "data"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"Zg", b"f", id="one"),
        pytest.param(b"Zm8", b"fo", id="two"),
        pytest.param(b"Zm9v", b"foo", id="three"),
        pytest.param(b"Zm9vYg", b"foob", id="four"),
        pytest.param(b"Zm9vYmE", b"fooba", id="five"),
        pytest.param(b"Zm9vYmFy", b"foobar", id="six"),
        pytest.param(b"-_-_", b"\xfb\xff\xbf", id="url-safe"),
        pytest.param(b"A-z_4ME", b"\x03\xec\xff\xe0\xc1", id="rfc-7515-appendix-c"),
    ],
)
def test_base64url_is_read(segment: bytes, data: bytes) -> None:
    assert decode_base64url(segment) == data


@pytest.mark.parametrize("length", range(1, 9))
def test_one_character_outside_the_alphabet_spoils_a_segment(length: int) -> None:
    for position in range(length):
        for byte in set(range(256)) - set(ALPHABET.encode()):
            segment = b"A" * position + bytes([byte]) + b"A" * (length - position - 1)
            with pytest.raises(ValueError, match=r"base64url"):
                decode_base64url(segment)


@pytest.mark.parametrize("position", range(5))
def test_four_of_them_are_not_passed_over_either(position: int) -> None:
    for byte in set(range(256)) - set(ALPHABET.encode()):
        with pytest.raises(ValueError, match=r"base64url"):
            decode_base64url(b"A" * position + bytes([byte]) * 4 + b"A" * (4 - position))


@pytest.mark.parametrize("prefix", [b"", b"AAAA", b"A" * 16_000])
def test_of_all_last_characters_only_the_canonical_ones_are_read(prefix: bytes) -> None:
    for body in (b"A", b"AA"):
        for last in ALPHABET.encode():
            segment = prefix + body + bytes([last])
            padded = segment + b"=" * (-len(segment) % 4)
            canonical = base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)).rstrip(b"=") == segment
            if canonical:
                assert base64url(decode_base64url(segment)) == segment.decode()
            else:
                with pytest.raises(ValueError, match=r"canonical"):
                    decode_base64url(segment)


@pytest.mark.parametrize("length", [1, 5, 9, 1_025, 16_381])
def test_no_bytes_have_a_length_of_one_over_four(length: int) -> None:
    with pytest.raises(ValueError, match=r"canonical"):
        decode_base64url(b"A" * length)


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"Zg", b"Zg==", id="one-byte"),
        pytest.param(b"Zm8", b"Zm8=", id="two-bytes"),
        pytest.param(b"Zm9v", b"Zm9v", id="three-bytes"),
        pytest.param(b"-_-_-w", b"+/+/+w==", id="the-other-alphabet"),
        pytest.param(ALPHABET.encode(), ALPHABET[:-2].encode() + b"+/", id="every-character"),
        pytest.param(b"=", None, id="padding"),
        pytest.param(b"Zg==", None, id="padded"),
        pytest.param(b"+/+/", None, id="already-standard"),
        pytest.param(b"!!!!", None, id="foreign"),
        pytest.param(b"A", None, id="one-over-four"),
        pytest.param(b"Zh", None, id="unused-bits-of-two"),
        pytest.param(b"Zm9", None, id="unused-bits-of-three"),
    ],
)
def test_a_segment_is_written_as_others_read_it_or_is_none(segment: bytes, text: bytes | None) -> None:
    assert standard_base64(segment) == text


def leniently(segment: bytes) -> bytes | None:
    """What a decoder makes of it that takes either alphabet, any padding and any unused bits, and skips the rest."""
    try:
        return a2b_base64(segment.replace(b"-", b"+").replace(b"_", b"/") + b"==")
    except Error:
        return None


def with_another(segment: bytes, place: int, byte: int) -> bytes:
    """The same but for one byte, or longer by it."""
    place %= len(segment) + 1
    return segment[:place] + bytes([byte]) + segment[place + 1 :]


def near_misses() -> st.SearchStrategy[bytes]:
    """What is base64url, and what is not quite: an ending, or a character somewhere that is another."""
    good = st.binary(max_size=40).map(lambda data: base64url(data).encode())
    endings = st.sampled_from([b"", b"=", b"==", b"\n", b"A", b"B", b"_", b"AB"])
    replaced = st.builds(with_another, good, st.integers(0, 60), st.integers(0, 255))
    return good | replaced | st.tuples(good | replaced, endings).map(b"".join) | st.binary(max_size=40)


@settings(max_examples=1_000, deadline=None)
@given(near_misses())
@example(b"AA==")
@example(b"AA\n")
@example(b"AAAAA")
@example(b"AB")
@example(b"+/+/")
def test_what_is_taken_is_what_encoding_again_would_give(segment: bytes) -> None:
    data = leniently(segment)
    text = standard_base64(segment)
    assert (text is not None) is (data is not None and base64url(data).encode() == segment)
    if text is not None:
        assert a2b_base64(text) == a2b_base64(text, strict_mode=True) == decode_base64url(segment) == data
    else:
        with pytest.raises(ValueError, match=r"^not canonical base64url$"):
            decode_base64url(segment)


@given(st.binary(max_size=300))
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    assert decode_base64url(base64url(data).encode()) == data


@given(st.binary(max_size=12) | st.text(ALPHABET, max_size=12).map(str.encode))
@example(b"AA==")
@example(b"A\n")
@example(b"=")
def test_what_is_decoded_was_the_only_way_to_write_it(segment: bytes) -> None:
    try:
        data = decode_base64url(segment)
    except ValueError:
        return
    assert base64url(data).encode() == segment


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(b' {\t"a"\r:\n1 } ', {"a": 1}, id="white-space"),
        pytest.param(b'{"a":{"b":1},"c":{"b":2}}', {"a": {"b": 1}, "c": {"b": 2}}, id="one-name-in-two-objects"),
        pytest.param(b'{"a":1,"A":2,"a ":3}', {"a": 1, "A": 2, "a ": 3}, id="names-that-differ"),
        pytest.param(b'{"\\u0000":"\\ud83d\\ude00"}', {"\0": "\U0001f600"}, id="escapes"),
        pytest.param('{"\u00e9":"\u65e5"}'.encode(), {"\u00e9": "\u65e5"}, id="utf-8"),
        pytest.param(b'{"a":1e308,"b":-0.0,"c":1E-400}', {"a": 1e308, "b": 0, "c": 0}, id="floats"),
        pytest.param(b'{"a":' + b"9" * 4_000 + b"}", {"a": int("9" * 4_000)}, id="long-integer"),
        pytest.param(b'{"a":"NaN"}', {"a": "NaN"}, id="nan-as-text"),
    ],
)
def test_an_object_is_read(text: bytes, value: dict[str, Any]) -> None:
    assert decode_json_object(text) == read_json_object(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"1", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"{}"', id="text"),
        pytest.param(b"{}{}", id="two-documents"),
        pytest.param(b"{}\x00", id="nul-behind"),
        pytest.param(b"X{}", id="letter-before"),
        pytest.param(b"{}X", id="letter-behind"),
        pytest.param(b'{"a":1,}', id="trailing-comma"),
        pytest.param(b"{a:1}", id="bare-name"),
        pytest.param(b'{"a":01}', id="leading-zero"),
        pytest.param(b'{"a":+1}', id="plus"),
        pytest.param(b'{"a":0x1}', id="hex"),
        pytest.param(b'{"a":1.}', id="dot"),
        pytest.param('{"a":\u0661}'.encode(), id="unicode-digit"),
        pytest.param(b'{"a":"\x01"}', id="control"),
        pytest.param(b'{"a":"\\x41"}', id="escape"),
        pytest.param(b'{"a":"\\u00"}', id="short-escape"),
        pytest.param(b'\xa0{"a":1}', id="no-break-space"),
        pytest.param("\u00a0{}".encode(), id="no-break-space-in-utf-8"),
        pytest.param(b"{}\x0b", id="vertical-tab"),
        pytest.param(b"\x1f{}", id="unit-separator"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="utf-16"),
        pytest.param('{"a":1}'.encode("utf-32-le"), id="utf-32"),
        pytest.param(b'{"a":"\xff"}', id="not-utf-8"),
        pytest.param(b'{"a":"\xc0\x80"}', id="overlong"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate"),
        pytest.param(b'{"a":NaN}', id="nan"),
        pytest.param(b'{"a":Infinity}', id="infinity"),
        pytest.param(b'{"a":-Infinity}', id="minus-infinity"),
        pytest.param(b'{"a":1e309}', id="overflow"),
        pytest.param(b'{"a":-1e999999999}', id="minus-overflow"),
        pytest.param(b'{"a":[[1e400]]}', id="overflow-inside"),
        pytest.param(b'{"a":' + b"9" * 5_000 + b"}", id="5000-digits"),
        pytest.param(b'{"a":1,"a":1}', id="duplicate"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="duplicate-escaped"),
        pytest.param(b'{"a":[{"b":1,"b":2}]}', id="duplicate-inside"),
        pytest.param(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", id="deep"),
        pytest.param(b'{"a":' * 200_000, id="deep-objects"),
        pytest.param(b"[" * 200_000, id="deep-unclosed"),
    ],
)
def test_whatever_is_no_strict_object_is_one_plain_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a strict JSON object") as refused:
        decode_json_object(text)
    assert read_json_object(text) is None
    # json's own errors keep the text that they were given
    assert refused.type is ValueError
    assert refused.value.__cause__ is refused.value.__context__ is None


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5)).map(lambda v: json.dumps(v).encode())
    | st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=5).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_an_object_or_a_plain_error(text: bytes) -> None:
    value = read_json_object(text)
    if value is None:
        with pytest.raises(ValueError, match=r"^not a strict JSON object$"):
            decode_json_object(text)
        return
    assert value == decode_json_object(text) == json.loads(text)


@pytest.mark.parametrize("opening", ['{"a":', "["], ids=["objects", "lists"])
def test_nesting_ends_at_64_levels(opening: str) -> None:
    closing = "}" if opening[0] == "{" else "]"

    def nested(levels: int) -> bytes:
        return f'{{"custom":{opening * (levels - 1)}1{closing * (levels - 1)}}}'.encode()

    assert decode_json_object(nested(64))
    assert decode_json_object(nested(64)[:-1] + b',"beside":[]}')  # more brackets than levels
    with pytest.raises(ValueError, match="strict JSON"):
        decode_json_object(nested(65))


def test_many_side_by_side_are_not_deep() -> None:
    assert len(decode_json_object(b'{"groups":[' + b",".join([b"{}"] * 500) + b"]}")["groups"]) == 500
