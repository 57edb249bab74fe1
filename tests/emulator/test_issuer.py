"""The issuer's documents are Cloudflare's, field by field, and everything can be forged."""

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import jwt
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer, new_nonce
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.conftest import NOW, Clock

VECTORS = Path(__file__).parent.parent / "vectors" / "cloudflare"
AUD = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"


def sample(name: str) -> Any:
    document = json.loads((VECTORS / name).read_text())
    document.pop("_source", None)
    return document


def segments(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return json.loads(_bytes(header)), json.loads(_bytes(payload))


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def verified(issuer: Issuer, token: str, /, **options: Any) -> dict[str, Any]:
    """The claims as an unrelated library reads them with the certs document."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(issuer.certs()).keys}
    return jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]], algorithms=["RS256"], **options)


class TestCerts:
    def test_has_the_form_of_the_sample_with_the_current_key_second(self, issuer: Issuer) -> None:
        document, expected = issuer.certs(), sample("certs_response_shape.json")
        assert list(document) == list(expected)
        previous, current = issuer.previous.kid, issuer.current.kid
        assert [key["kid"] for key in document["keys"]] == [previous, current]
        assert [entry["kid"] for entry in document["public_certs"]] == [previous, current]
        assert document["public_cert"] == document["public_certs"][1]
        assert expected["public_cert"]["kid"] == expected["keys"][1]["kid"]
        assert [list(entry) for entry in document["public_certs"]] == [list(one) for one in expected["public_certs"]]
        assert all(entry["cert"].startswith("-----BEGIN CERTIFICATE-----\n") for entry in document["public_certs"])

    def test_rotation_keeps_the_previous_key_and_drops_the_one_before(
        self, issuer: Issuer, signing_keys: list[SigningKey]
    ) -> None:
        first, second, third, _ = signing_keys
        before = issuer.user(audience=AUD)
        assert issuer.rotate(third) is second
        assert (issuer.current, issuer.previous) == (third, first)
        assert [key["kid"] for key in issuer.certs()["keys"]] == [first.kid, third.kid]
        assert issuer.certs()["public_cert"]["kid"] == third.kid
        assert issuer.read(before) is not None
        assert jwt.get_unverified_header(issuer.user(audience=AUD))["kid"] == third.kid

    def test_rotation_makes_a_key_where_none_is_given(self, issuer: Issuer) -> None:
        before = issuer.current
        issuer.rotate()
        assert issuer.previous is before
        assert issuer.current.kid not in {before.kid, issuer.previous.kid}

    def test_keys_are_made_where_none_are_given(self) -> None:
        made = Issuer(clock=Clock())
        assert made.current.kid != made.previous.kid
        assert made.team == "acme"


class TestTokensAreTheSamples:
    def test_header(self, issuer: Issuer) -> None:
        header, _ = segments(issuer.user(audience=AUD))
        assert header == {**sample("jwt_header.json"), "kid": issuer.current.kid}

    def test_user(self, issuer: Issuer, clock: Clock) -> None:
        expected = sample("payload_identity.json")
        clock.now = float(expected["iat"])
        _, claims = segments(
            issuer.user(
                expected["email"],
                audience=expected["aud"],
                expires_in=60,
                sub=expected["sub"],
                identity_nonce=expected["identity_nonce"],
            )
        )
        assert claims == expected
        assert list(claims) == list(expected)

    def test_service(self, issuer: Issuer, clock: Clock) -> None:
        expected = sample("payload_service_token.json")
        clock.now = float(expected["iat"])
        _, claims = segments(issuer.service(expected["common_name"], audience=expected["aud"], expires_in=60))
        assert claims == expected
        assert list(claims) == list(expected)

    def test_organisation(self, issuer: Issuer, clock: Clock) -> None:
        expected = sample("payload_org_token_2022_doc.json")
        clock.now = float(expected["iat"])
        _, claims = segments(issuer.organisation(expected["email"], audience=expected["aud"], expires_in=10))
        assert list(claims) == list(expected)
        assert [type(value) for value in claims.values()] == [type(value) for value in expected.values()]
        same = ("aud", "email", "exp", "iat", "nbf", "type")
        assert {name: claims[name] for name in same} == {name: expected[name] for name in same}
        assert set(claims["identity"]) <= set(expected["identity"])
        assert len(claims["account_id"]) == len(expected["account_id"])
        assert len(claims["identity_nonce"]) == len(expected["identity_nonce"])
        assert claims["sub"] == claims["identity"]["user_uuid"]

    def test_metadata(self, issuer: Issuer) -> None:
        expected = sample("metadata_jwt_claims.json")
        token = issuer.metadata(
            expected["hostname"], audience=expected["aud"], issued_at=expected["iat"], app_hostname="*.example.com"
        )
        _, claims = segments(token)
        assert claims == {**expected, "auth_domain": issuer.domain}
        assert list(claims) == list(expected)

    def test_login_meta_is_all_but_an_application_token(self, issuer: Issuer) -> None:
        claims = verified(
            issuer,
            issuer.login_meta(audience=AUD),
            audience=AUD,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        assert claims["type"] == "meta"
        assert claims["iss"] == issuer.iss
        assert (claims["iat"], claims["nbf"], claims["exp"]) == (NOW, NOW, NOW + 300)
        assert (claims["service_token_status"], claims["auth_status"]) == (False, "NONE")


class TestMinting:
    @pytest.mark.parametrize("kind", ["user", "service", "organisation"])
    def test_an_unrelated_library_verifies_every_kind(self, signing_keys: list[SigningKey], kind: str) -> None:
        issuer = Issuer(current=signing_keys[0], previous=signing_keys[1])
        claims = verified(issuer, getattr(issuer, kind)(audience=AUD), audience=AUD, issuer=issuer.iss)
        assert claims["exp"] - claims["iat"] == 86_400

    @pytest.mark.parametrize("kind", ["user", "service", "organisation"])
    @pytest.mark.parametrize("which", ["current", "previous"])
    def test_signs_with_the_key_that_is_named(self, issuer: Issuer, kind: str, which: str) -> None:
        token = getattr(issuer, kind)(audience=AUD, key=which)
        assert jwt.get_unverified_header(token)["kid"] == getattr(issuer, which).kid
        assert issuer.read(token) is not None

    @pytest.mark.parametrize("kind", ["user", "service", "organisation", "login_meta"])
    def test_claims_are_added_replaced_and_taken_away(self, issuer: Issuer, kind: str) -> None:
        _, claims = segments(getattr(issuer, kind)(audience=AUD, issued_at=5, iss="x", extra={"a": None}, exp=ABSENT))
        assert claims["iss"] == "x"
        assert claims["extra"] == {"a": None}
        assert claims["iat"] == 5
        assert "exp" not in claims

    def test_an_address_may_be_replaced_too(self, issuer: Issuer) -> None:
        assert segments(issuer.user("a@b.example", audience=AUD, email=None))[1]["email"] is None

    def test_a_stranger_s_key_signs_and_is_not_believed(self, issuer: Issuer, signing_keys: list[SigningKey]) -> None:
        token = issuer.user(audience=AUD, key=signing_keys[3])
        assert jwt.get_unverified_header(token)["kid"] == signing_keys[3].kid
        assert issuer.read(token) is None

    def test_several_audiences(self, issuer: Issuer) -> None:
        assert segments(issuer.user(audience=("a", "b")))[1]["aud"] == ["a", "b"]

    def test_times_are_whole_seconds(self, issuer: Issuer) -> None:
        _, claims = segments(issuer.user(audience=AUD, issued_at=10.9, expires_in=0.2))
        assert (claims["iat"], claims["nbf"], claims["exp"]) == (10, 10, 11)

    def test_a_user_keeps_the_subject_and_every_token_gets_a_nonce(self, issuer: Issuer) -> None:
        _, one = segments(issuer.user("Ann@example.com", audience=AUD))
        _, two = segments(issuer.user("ann@example.com", audience=AUD))
        assert one["sub"] == two["sub"] == str(uuid.UUID(one["sub"]))
        assert issuer.subject("bob@example.com") != one["sub"]
        assert one["identity_nonce"] != two["identity_nonce"]

    def test_nonce_is_16_letters_and_digits(self) -> None:
        nonce = new_nonce()
        assert len(nonce) == 16
        assert nonce.isascii()
        assert nonce.isalnum()


class TestForging:
    def test_bytes_are_signed_as_they_are(self, issuer: Issuer) -> None:
        header, payload, signature = issuer.sign(b'{"alg":1,"alg":2}', b"\xff").split(".")
        assert (_bytes(header), _bytes(payload)) == (b'{"alg":1,"alg":2}', b"\xff")
        issuer.current.verify(_bytes(signature), f"{header}.{payload}".encode())

    def test_header_fields_are_added_replaced_and_taken_away(self, issuer: Issuer) -> None:
        header = issuer.header("previous", alg="none", crit=["b64"], typ=ABSENT)
        assert header == {"alg": "none", "kid": issuer.previous.kid, "crit": ["b64"]}

    def test_signature_may_be_anything(self, issuer: Issuer) -> None:
        assert issuer.sign(issuer.header(alg="none"), {"aud": [AUD]}, signature=b"").endswith(".")

    def test_text_that_is_not_unicode(self, issuer: Issuer) -> None:
        assert b"\xed\xa0\x80" in _bytes(issuer.user(audience=AUD, country="\ud800").split(".")[1])

    def test_absent_shows_its_name(self) -> None:
        assert repr(ABSENT) == "ABSENT"


class TestReading:
    def test_claims_of_our_own(self, issuer: Issuer) -> None:
        token = issuer.user(audience=AUD)
        assert issuer.read(token) == segments(token)[1]

    @pytest.mark.parametrize(
        ("later", "good"), [pytest.param(59.9, True, id="before exp"), pytest.param(60, False, id="at exp")]
    )
    def test_expiry(self, issuer: Issuer, clock: Clock, later: float, good: bool) -> None:
        token = issuer.user(audience=AUD, expires_in=60)
        assert (issuer.read(token, now=NOW + later) is not None) is good
        clock.now += later
        assert (issuer.read(token) is not None) is good

    @pytest.mark.parametrize(
        "token",
        [
            pytest.param("", id="nothing"),
            pytest.param("a", id="one segment"),
            pytest.param("a.b", id="two segments"),
            pytest.param("a.b.c.d.e", id="five segments"),
            pytest.param("é.é.é", id="not ASCII"),
            pytest.param("e30.e30.AAAA", id="no kid"),
            pytest.param("W10.e30.AAAA", id="a header that is a list"),
            pytest.param("W" * 200_000 + ".e30.AAAA", id="long"),
        ],
    )
    def test_garbage_is_nobody(self, issuer: Issuer, token: str) -> None:
        assert issuer.read(token) is None

    def test_deep_nesting_is_nobody(self, issuer: Issuer) -> None:
        assert issuer.read(issuer.sign(None, b"[" * 100_000)) is None

    @pytest.mark.parametrize(
        "payload",
        [
            pytest.param(b"{}", id="no exp"),
            pytest.param(b'{"exp":"9999999999"}', id="exp as a text"),
            pytest.param(b"[1]", id="a list"),
        ],
    )
    def test_a_payload_without_a_time_is_nobody(self, issuer: Issuer, payload: bytes) -> None:
        assert issuer.read(issuer.sign(None, payload)) is None

    def test_a_changed_payload_is_nobody(self, issuer: Issuer) -> None:
        header, _, signature = issuer.user(audience=AUD).split(".")
        _, other, _ = issuer.user("mallory@example.com", audience=AUD).split(".")
        assert issuer.read(f"{header}.{other}.{signature}") is None


class TestTeam:
    @pytest.mark.parametrize(
        ("fedramp", "domain"), [(False, "yourteam.cloudflareaccess.com"), (True, "yourteam.fed.cloudflareaccess.com")]
    )
    def test_issuer_is_cloudflare_s_address(self, signing_keys: list[SigningKey], fedramp: bool, domain: str) -> None:
        issuer = Issuer("yourteam", current=signing_keys[0], previous=signing_keys[1], fedramp=fedramp)
        assert issuer.iss == f"https://{domain}"
        assert segments(issuer.user(audience=AUD))[1]["iss"] == issuer.iss

    @pytest.mark.parametrize(
        "team",
        [
            pytest.param("", id="empty"),
            pytest.param("Acme", id="upper case"),
            pytest.param("acme.example", id="a dot"),
            pytest.param("-acme", id="a leading hyphen"),
            pytest.param("acme-", id="a trailing hyphen"),
            pytest.param("acme\n", id="a line break"),
            pytest.param("a" * 64, id="64 characters"),
        ],
    )
    def test_a_name_that_is_no_label_is_refused(self, team: str) -> None:
        with pytest.raises(ConfigurationError, match="team: must be one lower-case DNS label"):
            Issuer(team)

    @pytest.mark.parametrize("team", ["a", "a-1", "a" * 63])
    def test_a_label_is_a_name(self, signing_keys: list[SigningKey], team: str) -> None:
        assert Issuer(team, current=signing_keys[0], previous=signing_keys[1]).domain.startswith(f"{team}.")
