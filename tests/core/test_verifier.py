"""Is every check of a token made, in the normative order, and does nothing but a refusal ever come out?"""

import gc
import json
import sys
from types import FrameType
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.errors import BadSignature
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.verifier import Candidate, Verifier
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey, base64url
from tests.tokens import AUD, ISSUER, NOW, OTHER_AUD, Held, good, outcome, verify
from tests.vectors import Row, forge, rows

# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(param.values[0], id=f"{name}-{param.id}")
        for name in ("shape", "header", "claims", "signature", "other_kinds", "order", "emails")
        for param in rows(f"tokens/{name}")
    ],
)
def test_departures_from_a_good_token_are_refused_with_their_code(
    row: Row, issuer: Issuer, stranger: SigningKey, snapshot: KeySnapshot
) -> None:
    forged = forge(row, issuer, stranger)
    assert outcome(forged, snapshot) == row["code"]
    if forged.isascii():
        assert outcome(forged.encode(), snapshot) == row["code"]


@pytest.mark.parametrize("row", rows("tokens/principals"))
@pytest.mark.parametrize("certificates", [False, True], ids=["plain", "certificates"])
def test_a_principal_is_a_user_or_a_service_and_a_certificate_only_where_configured(
    row: Row, certificates: bool, issuer: Issuer, stranger: SigningKey, snapshot: KeySnapshot
) -> None:
    forged = forge(row, issuer, stranger)
    code = row["code_with_certificates" if certificates else "code"]
    assert outcome(forged, snapshot, certificates=certificates) == code
    if code == "accepted":
        identity = verify(forged, snapshot, certificates=certificates).identity
        assert [identity.kind, identity.id] == row["who"]


@pytest.mark.parametrize(
    ("issued", "now", "leeway", "max_age", "code"),
    [
        pytest.param(0, 100, 0, None, "accepted", id="no-max-age"),
        pytest.param(0, 99, 0, 100, "accepted", id="younger"),
        pytest.param(0, 100, 0, 100, "too-old", id="exactly-as-old"),
        pytest.param(0, 129.5, 30, 100, "accepted", id="within-leeway"),
        pytest.param(0, 130, 30, 100, "too-old", id="at-the-end-of-leeway"),
        pytest.param(20, 10, 30, 1, "accepted", id="issued-within-the-leeway-ahead"),
        pytest.param(0, 86_400, 0, None, "expired", id="expiry-without-leeway"),
        pytest.param(0, 86_399.9, 0, None, "accepted", id="expiry-without-leeway-before"),
        pytest.param(0, 86_400, 300, None, "accepted", id="expiry-with-the-largest-leeway"),
        pytest.param(0, 86_700, 300, None, "expired", id="expiry-beyond-the-largest-leeway"),
        pytest.param(1, 0, 0, None, "not-yet-valid", id="future-without-leeway"),
        pytest.param(1, 1, 0, None, "accepted", id="no-longer-future"),
        pytest.param(0, 90_000, 0, 100, "expired", id="expired-before-too-old"),
    ],
)
def test_ages_are_measured_with_leeway(
    issued: float, now: float, leeway: float, max_age: float | None, code: str, issuer: Issuer, snapshot: KeySnapshot
) -> None:
    signed = issuer.user(audience=AUD, issued_at=NOW + issued)
    assert outcome(signed, snapshot, now=NOW + now, leeway=leeway, max_age=max_age) == code


@pytest.mark.parametrize(
    ("issued", "claims", "leeway", "max_age", "bounds"),
    [
        pytest.param(0, {}, 30, None, (-30, 86_430), id="user"),
        pytest.param(0, {"nbf": NOW + 20}, 30, None, (-10, 86_430), id="nbf-is-later"),
        pytest.param(0, {"nbf": NOW - 20}, 30, None, (-30, 86_430), id="iat-is-later"),
        pytest.param(0, {"nbf": ABSENT}, 0, None, (0, 86_400), id="no-nbf"),
        pytest.param(0, {}, 30, 100, (-30, 130), id="max-age-is-earlier"),
        pytest.param(0, {"exp": NOW + 50}, 30, 100, (-30, 80), id="exp-is-earlier"),
    ],
)
def test_a_proof_says_from_when_to_when_it_counts(
    issued: float,
    claims: dict[str, Any],
    leeway: float,
    max_age: float | None,
    bounds: tuple[float, float],
    issuer: Issuer,
    snapshot: KeySnapshot,
) -> None:
    signed = issuer.user(audience=AUD, issued_at=NOW + issued, **claims)
    proof = verify(signed, snapshot, leeway=leeway, max_age=max_age)
    assert (proof.valid_from - NOW, proof.valid_until - NOW) == bounds
    for now, code in [(bounds[0] - 1, "not-yet-valid"), (bounds[0], "accepted"), (bounds[1] - 1, "accepted")]:
        assert outcome(signed, snapshot, now=NOW + now, leeway=leeway, max_age=max_age) == code
    assert outcome(signed, snapshot, now=NOW + bounds[1], leeway=leeway, max_age=max_age) in {"expired", "too-old"}


@pytest.mark.parametrize(
    ("audiences", "claim", "code"),
    [
        pytest.param([{AUD}], [AUD], "accepted", id="one"),
        pytest.param([{AUD, OTHER_AUD}], [OTHER_AUD], "accepted", id="any-of-a-set"),
        pytest.param([{AUD}, {AUD, OTHER_AUD}], [AUD], "accepted", id="one-of-each-set"),
        pytest.param([{AUD}, {OTHER_AUD}], [AUD], "wrong-audience", id="not-of-the-second-set"),
        pytest.param([{AUD}, {OTHER_AUD}], [OTHER_AUD], "wrong-audience", id="not-of-the-first-set"),
        pytest.param([{AUD}, {OTHER_AUD}], [AUD, OTHER_AUD], "accepted", id="both-sets"),
        pytest.param([set()], [AUD], "wrong-audience", id="an-empty-set-accepts-nothing"),
        pytest.param([], [AUD], "wrong-audience", id="nothing-configured-accepts-nothing"),
    ],
)
def test_a_token_names_an_audience_of_each_set(
    audiences: list[set[str]], claim: list[str], code: str, issuer: Issuer, snapshot: KeySnapshot
) -> None:
    sets = tuple(frozenset(accepted) for accepted in audiences)
    assert outcome(issuer.user(audience=claim), snapshot, audiences=sets) == code


def test_with_several_teams_the_exact_issuer_is_the_one_that_is_named(issuer: Issuer, snapshot: KeySnapshot) -> None:
    renamed = "https://acme-corp.cloudflareaccess.com"
    signed = issuer.user(audience=AUD, iss=renamed)
    assert verify(signed, snapshot, issuers=(ISSUER, renamed)).identity.issuer == renamed
    assert outcome(signed, snapshot, issuers=(ISSUER,)) == "wrong-issuer"
    assert outcome(signed, snapshot, issuers=()) == "wrong-issuer"


# --- the result -------------------------------------------------------------------------------------------------------


def test_the_identity_of_a_user_says_what_the_token_says(issuer: Issuer, snapshot: KeySnapshot, token: str) -> None:
    identity = verify(token, snapshot).identity
    assert (identity.kind, identity.email, identity.country) == ("user", "user@example.com", "US")
    assert identity.id == identity.subject == issuer.subject("user@example.com")
    assert (identity.issuer, identity.audience, identity.common_name) == (ISSUER, (AUD,), None)
    assert (identity.issued_at, identity.expires_at, identity.nonce) == (NOW, NOW + 86_400, "6ei69kawdKzMIAPF")
    assert identity.key_thumbprint == snapshot.keys[issuer.current.kid].thumbprint


def test_the_identity_of_a_service_has_neither_email_nor_subject(issuer: Issuer, snapshot: KeySnapshot) -> None:
    identity = verify(issuer.service(audience=AUD), snapshot).identity
    assert (identity.kind, identity.id) == ("service", "e367826f93b8d71185e03fe518aff3b4.access")
    assert (identity.email, identity.subject, identity.country, identity.nonce) == (None, "", None, None)
    assert identity.common_name == identity.id


# --- properties -------------------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NEAR_MISSES = st.sampled_from(
    [
        AUD,
        [AUD],
        [AUD, None],
        ISSUER,
        [ISSUER],
        "app",
        ["app"],
        NOW,
        NOW + 60,
        -NOW,
        1e308,
        str(NOW),
        True,
        "",
        [],
        {},
        "a@b.c",
    ]
)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
@example(text="\ud800.\ud800.\ud800")
@example(text="." * 16_384)
@example(text="é" * 70_000)
def test_any_text_is_refused_and_nothing_else(text: str, snapshot: KeySnapshot) -> None:
    assert outcome(text, snapshot) != "accepted"
    assert outcome(text.encode("utf-8", "surrogatepass"), snapshot) != "accepted"


@settings(max_examples=300, deadline=None)
@given(header=st.binary(max_size=200), payload=st.binary(max_size=200), signature=st.binary(max_size=260))
def test_any_bytes_in_three_segments_are_refused_and_nothing_else(
    header: bytes, payload: bytes, signature: bytes, snapshot: KeySnapshot
) -> None:
    assert outcome(f"{base64url(header)}.{base64url(payload)}.{base64url(signature)}", snapshot) != "accepted"


@settings(max_examples=300, deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x"]), JSON_VALUES))
def test_any_json_as_header_fields_is_refused_unless_it_changes_nothing(
    header: dict[str, Any], issuer: Issuer, snapshot: KeySnapshot
) -> None:
    forged = issuer.sign(json.dumps({**issuer.header(), **header}).encode(), {"iss": "https://evil.example"})
    harmless = header.keys() <= {"x"} and not isinstance(header.get("x"), dict | list)
    if harmless:
        assert outcome(forged, snapshot) == "wrong-issuer"
    else:
        codes = {
            "bad-header",
            "forbidden-header",
            "algorithm-not-allowed",
            "bad-key-id",
            "oversized-token",
            "wrong-issuer",
        }
        assert outcome(forged, snapshot) in codes


@settings(max_examples=400, deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(
            ["iss", "aud", "exp", "iat", "nbf", "type", "email", "sub", "common_name", "country", "identity_nonce"]
        ),
        JSON_VALUES | NEAR_MISSES,
        min_size=1,
        max_size=3,
    ),
)
def test_whatever_type_a_claim_has_what_is_accepted_is_what_it_must_be(
    changes: dict[str, Any], issuer: Issuer, snapshot: KeySnapshot
) -> None:
    claims = {
        "iss": ISSUER, "aud": [AUD], "exp": NOW + 60, "iat": NOW, "type": "app", "email": "a@b.c", "sub": "x", **changes
    }  # fmt: skip
    signed = issuer.sign(None, json.dumps(claims).encode())
    if outcome(signed, snapshot) != "accepted":
        return
    identity = verify(signed, snapshot).identity
    assert claims["iss"] == ISSUER
    assert claims["aud"] == AUD or AUD in claims["aud"]
    assert claims["type"] == "app"
    for name in ("exp", "iat", "nbf"):
        assert type(claims.get(name, 0)) in (int, float) or claims[name] is None
    assert claims["exp"] + 30 > NOW
    assert claims["iat"] <= NOW + 30
    assert (claims.get("nbf") or 0) <= NOW + 30
    for name in ("email", "sub", "common_name", "country", "identity_nonce"):
        assert claims.get(name) is None or isinstance(claims[name], str)
    assert identity.id in (claims["sub"], claims.get("common_name"))


# --- what must not cost -----------------------------------------------------------------------------------------------

EARLY = frozenset({"iss", "aud", "exp"})
LATE = frozenset({"accepted", "unknown-key", "wrong-token-type"})


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(param.values[0], id=f"{name}-{param.id}")
        for name in ("shape", "header", "claims")
        for param in rows(f"tokens/{name}")
        if param.values[0]["code"] not in LATE and param.values[0].get("claims", {}).keys() <= EARLY
    ],
)
def test_garbage_is_refused_before_any_key_is_looked_for(row: Row, issuer: Issuer, stranger: SigningKey) -> None:
    verifier = Verifier({ISSUER: Held(None)}, leeway=30, max_age=None, certificates=False)
    refused = verifier.read(forge(row, issuer, stranger), (frozenset({AUD}),), NOW)
    assert isinstance(refused, type)
    assert refused.code == row["code"]


def calls(verifier: Verifier, snapshot: KeySnapshot, token: str) -> int:
    """How many Python functions one verification calls; the number repeats exactly, as no time does."""
    count = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    gc.collect()  # what others left behind is called when it is collected, and must not be counted here
    before = sys.getprofile()
    gc.disable()
    sys.setprofile(note)
    try:
        candidate = cast("Candidate", verifier.read(token, (frozenset({AUD}),), NOW))
        verifier.prove(candidate, snapshot.keys[candidate.kid], NOW)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def test_a_token_cannot_choose_what_it_costs_beyond_its_length(issuer: Issuer, snapshot: KeySnapshot) -> None:
    verifier = Verifier({ISSUER: Held(snapshot)}, leeway=30, max_age=None, certificates=False)
    first = calls(verifier, snapshot, issuer.user(audience=AUD))
    usual = calls(verifier, snapshot, issuer.user(audience=AUD))
    assert usual < first < 60  # the header is read once for all tokens of a key
    assert calls(verifier, snapshot, issuer.user(audience=["x"] * 2_000 + [AUD])) == usual
    assert calls(verifier, snapshot, issuer.user(audience=AUD, custom={"groups": ["x"] * 2_000})) == usual + 1


def test_a_header_is_remembered_only_after_a_good_signature(issuer: Issuer, snapshot: KeySnapshot) -> None:
    verifier = Verifier({ISSUER: Held(snapshot)}, leeway=30, max_age=None, certificates=False)
    key = snapshot.keys[issuer.current.kid]
    audiences = (frozenset({AUD}),)

    def remembered() -> int:
        return len(verifier._headers)

    for number in range(200):
        unsigned = issuer.sign(issuer.header(x=number), {"iss": ISSUER, "aud": AUD, "exp": NOW + 9}, signature=b"")
        assert verifier.prove(good(verifier.read(unsigned, audiences, NOW)), key, NOW) is BadSignature
    assert remembered() == 0
    assert verifier._unproven.get(unsigned.split(".")[0].encode()) == key.kid
    for number in range(200):
        good(verifier.prove(good(verifier.read(issuer.user(audience=AUD, n=number), audiences, NOW)), key, NOW))
    assert remembered() == 1
    assert verifier._headers.get(issuer.user(audience=AUD).split(".")[0].encode()) == key.kid
    # and one that is remembered is refused as ever when only its beginning is the same
    header = issuer.user(audience=AUD).split(".")[0]
    assert isinstance(verifier.read(f"{header}A.e30.", audiences, NOW), type)


@pytest.mark.parametrize("proven", [True, False], ids=["proven", "unproven"])
def test_a_header_is_read_once(proven: bool, issuer: Issuer, snapshot: KeySnapshot, token: str) -> None:
    verifier = Verifier({ISSUER: Held(snapshot)}, leeway=30, max_age=None, certificates=False)
    memory = verifier._headers if proven else verifier._unproven
    memory.put(token.split(".", maxsplit=1)[0].encode(), "as-remembered", 1)
    assert good(verifier.read(token, (frozenset({AUD}),), NOW)).kid == "as-remembered"


def test_a_remembered_header_still_names_its_key(issuer: Issuer, snapshot: KeySnapshot) -> None:
    verifier = Verifier({ISSUER: Held(snapshot)}, leeway=30, max_age=None, certificates=False)
    for which in ("current", "previous", "current"):
        signed = issuer.user(audience=AUD, key=which)
        candidate = good(verifier.read(signed, (frozenset({AUD}),), NOW))
        assert candidate.kid == getattr(issuer, which).kid
        good(verifier.prove(candidate, snapshot.keys[candidate.kid], NOW))
