"""A key is published as Cloudflare publishes its own."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt import PyJWK

from cfaccess_mw.emulator.signing_key import SigningKey, base64url

VECTORS = Path(__file__).parent.parent / "vectors" / "cloudflare"
NOW = 1_700_000_000.0


def test_jwk_has_the_members_of_the_sample_in_their_order(signing_keys: list[SigningKey]) -> None:
    [sample, _] = json.loads((VECTORS / "certs_response_shape.json").read_text())["keys"]
    jwk = signing_keys[0].jwk()
    assert list(jwk) == list(sample)
    assert {name: jwk[name] for name in ("kty", "alg", "use", "e")} == {
        name: sample[name] for name in ("kty", "alg", "use", "e")
    }


def test_key_id_is_64_hexadecimal_characters_and_stays_with_the_key(signing_keys: list[SigningKey]) -> None:
    again = SigningKey.from_private_key(signing_keys[0].private_key, now=NOW + 1)
    assert again.kid == signing_keys[0].kid
    assert len({key.kid for key in signing_keys}) == len(signing_keys)
    for key in signing_keys:
        assert len(key.kid) == 64
        assert set(key.kid) <= set("0123456789abcdef")


def test_modulus_is_2048_bits_and_minimal(signing_keys: list[SigningKey]) -> None:
    public = PyJWK(signing_keys[0].jwk()).key
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048
    assert public.public_numbers() == signing_keys[0].private_key.public_key().public_numbers()
    assert len(signing_keys[0].jwk()["n"]) == 342  # 256 bytes, no leading zero, no padding


def test_certificate_is_self_signed_for_the_same_key_and_says_what_it_is(signing_keys: list[SigningKey]) -> None:
    published = signing_keys[0].published_certificate()
    assert published["kid"] == signing_keys[0].kid
    certificate = x509.load_pem_x509_certificate(published["cert"].encode())
    certificate.verify_directly_issued_by(certificate)
    assert certificate.public_key() == signing_keys[0].private_key.public_key()
    assert certificate.not_valid_before_utc.timestamp() == NOW
    assert certificate.not_valid_after_utc.timestamp() == NOW + 365 * 86_400
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "emulator" in certificate.subject.rfc4514_string()


def test_verify_takes_its_own_signature_and_no_other(signing_keys: list[SigningKey]) -> None:
    signature = signing_keys[0].sign(b"message")
    signing_keys[0].verify(signature, b"message")
    with pytest.raises(InvalidSignature):
        signing_keys[0].verify(signature, b"another")
    with pytest.raises(InvalidSignature):
        signing_keys[1].verify(signature, b"message")


def test_repr_shows_the_key_id_only(signing_keys: list[SigningKey]) -> None:
    assert repr(signing_keys[0]) == f"SigningKey(kid='{signing_keys[0].kid}')"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"\xfb\xff", "-_8", id="the URL-safe alphabet, no padding"),
    ],
)
def test_base64url(data: bytes, text: str) -> None:
    assert base64url(data) == text
