"""Is every claim read as what it is, and as nothing else?"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cfaccess_mw.core.claims import (
    check_type,
    read_audience,
    read_email,
    read_expiry,
    read_issuer,
    read_lifetime,
    read_principal,
    read_text,
)
from cfaccess_mw.core.errors import InvalidToken, UnknownPrincipal

OURS = (frozenset({"ours"}),)
LATEST = 253402300799

# How each reader is asked, all else being equal.
READERS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "issuer": read_issuer,
    "audience": lambda claims: read_audience(claims, OURS),
    "expiry": lambda claims: read_expiry(claims, 100, 30),
    "type": check_type,
    "lifetime": lambda claims: read_lifetime(claims, 100, 30, None),
    "age": lambda claims: read_lifetime(claims, 100, 30, 50),
    "text": lambda claims: read_text(claims, "x"),
    "email": read_email,
}


def told(reader: str, claims: dict[str, Any]) -> object:
    """What a reader returns, or the code of its refusal."""
    try:
        return READERS[reader](claims)
    except InvalidToken as refusal:
        return refusal.code


@pytest.mark.parametrize(
    ("reader", "claims", "expected"),
    [
        pytest.param("issuer", {"iss": "x"}, "x", id="issuer"),
        pytest.param("issuer", {"iss": ""}, "", id="issuer-empty"),
        pytest.param("issuer", {}, "missing-claim", id="issuer-absent"),
        pytest.param("issuer", {"iss": ["x"]}, "invalid-claim", id="issuer-list"),
        pytest.param("audience", {"aud": "ours"}, ("ours",), id="audience-text"),
        pytest.param("audience", {"aud": ["ours"]}, ("ours",), id="audience-list"),
        pytest.param("audience", {"aud": ["x", "ours", "x"]}, ("x", "ours", "x"), id="audience-as-it-stands"),
        pytest.param("audience", {"aud": ["x"] * 9_999 + ["ours"]}, ("x",) * 9_999 + ("ours",), id="audience-of-10000"),
        pytest.param("audience", {"aud": ["x"] * 10_000}, "wrong-audience", id="audience-of-10000-others"),
        pytest.param("audience", {"aud": ["ours"] * 9_999 + [1]}, "invalid-claim", id="audience-of-10000-one-bad"),
        pytest.param("audience", {"aud": "our"}, "wrong-audience", id="audience-prefix"),
        pytest.param("audience", {"aud": "xoursx"}, "wrong-audience", id="audience-superstring"),
        pytest.param("audience", {"aud": ("ours",)}, "invalid-claim", id="audience-tuple-is-not-json"),
        pytest.param("audience", {"aud": {"ours": 1}}, "invalid-claim", id="audience-object"),
        pytest.param("expiry", {"exp": 71}, 71, id="expiry-within-leeway"),
        pytest.param("expiry", {"exp": 70}, "expired", id="expiry-at-leeway"),
        pytest.param("expiry", {"exp": 70.25}, 70.25, id="expiry-fraction"),
        pytest.param("expiry", {"exp": LATEST}, LATEST, id="expiry-latest"),
        pytest.param("expiry", {"exp": LATEST + 1}, "invalid-claim", id="expiry-after-latest"),
        pytest.param("expiry", {"exp": True}, "invalid-claim", id="expiry-bool"),
        pytest.param("expiry", {"exp": float("nan")}, "invalid-claim", id="expiry-nan"),
        pytest.param("expiry", {"exp": float("inf")}, "invalid-claim", id="expiry-infinite"),
        pytest.param("expiry", {"exp": float("-inf")}, "invalid-claim", id="expiry-minus-infinite"),
        pytest.param("expiry", {"exp": 10**400}, "invalid-claim", id="expiry-beyond-floats"),
        pytest.param("expiry", {"exp": -1}, "invalid-claim", id="expiry-negative"),
        pytest.param("type", {"type": "app"}, None, id="type-app"),
        pytest.param("type", {"type": "org"}, "wrong-token-type", id="type-org"),
        pytest.param("type", {"type": ["app"]}, "wrong-token-type", id="type-list"),
        pytest.param("type", {}, "wrong-token-type", id="type-absent"),
        pytest.param("lifetime", {"iat": 90}, (90, 90), id="lifetime-iat"),
        pytest.param("lifetime", {"iat": 90, "nbf": 95}, (90, 95), id="lifetime-nbf-later"),
        pytest.param("lifetime", {"iat": 90, "nbf": 85}, (90, 90), id="lifetime-nbf-earlier"),
        pytest.param("lifetime", {"iat": 130}, (130, 130), id="lifetime-at-leeway"),
        pytest.param("lifetime", {"iat": 130.5}, "not-yet-valid", id="lifetime-beyond-leeway"),
        pytest.param("lifetime", {"iat": 90, "nbf": 131}, "not-yet-valid", id="lifetime-nbf-beyond-leeway"),
        pytest.param("lifetime", {"nbf": 90}, "missing-claim", id="lifetime-no-iat"),
        pytest.param("lifetime", {"iat": 0}, (0, 0), id="lifetime-zero-without-max-age"),
        pytest.param("age", {"iat": 21}, (21, 21), id="age-within-leeway"),
        pytest.param("age", {"iat": 20}, "too-old", id="age-at-leeway"),
        pytest.param("age", {"iat": 20, "nbf": 99}, "too-old", id="age-is-from-iat"),
        pytest.param("text", {"x": "a b"}, "a b", id="text"),
        pytest.param("text", {"x": " "}, " ", id="text-space"),
        pytest.param("text", {"x": "é日"}, "é日", id="text-unicode"),
        pytest.param("text", {"x": ""}, None, id="text-empty"),
        pytest.param("text", {"x": None}, None, id="text-null"),
        pytest.param("text", {}, None, id="text-absent"),
        pytest.param("text", {"x": 0}, "invalid-claim", id="text-zero"),
        pytest.param("text", {"x": False}, "invalid-claim", id="text-false"),
        pytest.param("text", {"x": []}, "invalid-claim", id="text-empty-list"),
        pytest.param("text", {"x": "a\n"}, "invalid-claim", id="text-line-feed"),
        pytest.param("email", {"email": "a@b"}, "a@b", id="email"),
        pytest.param("email", {"email": "a@b@c"}, "invalid-claim", id="email-two-ats"),
        pytest.param("email", {}, None, id="email-absent"),
    ],
)
def test_a_claim_is_read_or_refused(reader: str, claims: dict[str, Any], expected: object) -> None:
    assert told(reader, claims) == expected


CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"


@pytest.mark.parametrize("certificates", [False, True])
@pytest.mark.parametrize("email", [None, "a@b"])
@pytest.mark.parametrize("subject", [None, "x"])
@pytest.mark.parametrize("name", [None, CLIENT_ID, CLIENT_ID + ".a-1.example.com", "laptop"])
def test_every_combination_of_names_has_one_meaning(
    email: str | None, subject: str | None, name: str | None, certificates: bool
) -> None:
    is_service = name is not None and name.startswith(CLIENT_ID)
    match (email, subject, name):
        case ("a@b", "x", None):
            expected: tuple[str, str] | None = ("user", "x")
        case ("a@b", "x", "laptop") if certificates:
            expected = ("user", "x")
        case (None, None, str()) if is_service:
            expected = ("service", name)
        case (None, None, "laptop") if certificates:
            expected = ("certificate", "cn=laptop")
        case _:
            expected = None
    if expected is None:
        with pytest.raises(UnknownPrincipal):
            read_principal(email, subject, name, certificates=certificates)
    else:
        assert read_principal(email, subject, name, certificates=certificates) == expected
