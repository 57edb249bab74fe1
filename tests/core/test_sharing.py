"""Which sessions does a revocation end, and which does it leave alone?"""

import re
from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing import NONE_REVOKED, SUBJECTS, Revocation, Revocations, read_value
from tests.tokens import ISSUER

CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
OTHER_ID = "0" * 32 + ".access"
SUB = "7335d417-61da-459d-899c-0a01c76a2f94"
SECRET = "sup3rs3cr3t"


def revocation(subject: str, value: str = "", issued_before: float | None = None, **more: Any) -> Revocation:
    rest: dict[str, Any] = {"until": 9_000, "made_at": 2_000, "id": "a1", **more}
    return Revocation(subject=subject, value=value, issued_before=issued_before, **rest)  # type: ignore[arg-type]


def identity(**more: Any) -> Identity:
    who: dict[str, Any] = {"kind": "user", "id": SUB, "email": "Alice@Example.com", "subject": SUB, "common_name": None}
    rest: dict[str, Any] = {"country": None, "issuer": ISSUER, "audience": ("a",), "nonce": "n1", "key_thumbprint": "t"}
    times: dict[str, Any] = {"issued_at": 1_000.0, "expires_at": 2_000.0, "_payload": b"{}"}
    return Identity(**{**who, **rest, **times, **more})


ALICE = identity()
HOOK = identity(kind="service", id=CLIENT_ID, common_name=CLIENT_ID, email=None, subject="", nonce=None)
CERTIFICATE = identity(kind="certificate", id="cn=x", common_name="x", email=None, subject="", nonce=None)


@pytest.mark.parametrize(
    ("who", "revoked", "covered"),
    [
        pytest.param(ALICE, [], False, id="nothing"),
        pytest.param(ALICE, [revocation("user", SUB)], True, id="user"),
        pytest.param(ALICE, [revocation("user", SUB.upper())], False, id="user-by-case"),
        pytest.param(ALICE, [revocation("user", "other")], False, id="another-user"),
        pytest.param(ALICE, [revocation("user", SUB, 1_000.5)], True, id="begun-before"),
        pytest.param(ALICE, [revocation("user", SUB, 1_000)], False, id="begun-at-that-moment"),
        pytest.param(ALICE, [revocation("user", SUB, 999)], False, id="begun-after"),
        pytest.param(ALICE, [revocation("user", SUB, 999), revocation("user", SUB)], True, id="the-longer-one-first"),
        pytest.param(ALICE, [revocation("user", SUB), revocation("user", SUB, 999)], True, id="the-longer-one-last"),
        pytest.param(ALICE, [revocation("email", "alice@example.com")], True, id="email"),
        pytest.param(ALICE, [revocation("email", "ALICE@EXAMPLE.COM", 1_001)], True, id="email-by-case"),
        pytest.param(ALICE, [revocation("email", "alice@example.com", 1_000)], False, id="email-after"),
        pytest.param(ALICE, [revocation("email", "alice@example.org")], False, id="another-email"),
        pytest.param(identity(email="a b@x"), [revocation("email", "alice@example.com")], False, id="unreadable-email"),
        pytest.param(ALICE, [revocation("nonce", "n1")], True, id="nonce"),
        pytest.param(ALICE, [revocation("nonce", "n1", 999)], False, id="nonce-after"),
        pytest.param(ALICE, [revocation("nonce", "n1", 1_000)], False, id="nonce-at-that-moment"),
        pytest.param(ALICE, [revocation("nonce", "n2")], False, id="another-nonce"),
        pytest.param(identity(nonce=None), [revocation("nonce", "n1")], False, id="no-nonce"),
        pytest.param(identity(nonce=None), [revocation("user", SUB)], True, id="no-nonce-and-user"),
        pytest.param(ALICE, [revocation("all")], True, id="all"),
        pytest.param(ALICE, [revocation("all", "", 1_000)], False, id="all-before"),
        pytest.param(ALICE, [revocation("all", ISSUER, 1_001)], True, id="a-team"),
        pytest.param(ALICE, [revocation("all", ISSUER, 1_000)], False, id="a-team-before"),
        pytest.param(ALICE, [revocation("all", "https://other.cloudflareaccess.com")], False, id="another-team"),
        pytest.param(ALICE, [revocation("service", CLIENT_ID)], False, id="a-service-is-nobody-else"),
        pytest.param(HOOK, [revocation("service", CLIENT_ID)], True, id="service"),
        pytest.param(HOOK, [revocation("service", CLIENT_ID, 1_000)], False, id="service-after"),
        pytest.param(HOOK, [revocation("service", OTHER_ID)], False, id="another-service"),
        pytest.param(HOOK, [revocation("user", SUB), revocation("email", "a@b.example")], False, id="not-a-service"),
        pytest.param(HOOK, [revocation("all")], True, id="all-and-services"),
        pytest.param(CERTIFICATE, [revocation("service", CLIENT_ID)], False, id="certificate"),
        pytest.param(CERTIFICATE, [revocation("email", "a@b.example")], False, id="certificate-and-email"),
        pytest.param(CERTIFICATE, [revocation("all")], True, id="all-and-certificates"),
    ],
)
def test_who_is_covered(who: Identity, revoked: list[Revocation], covered: bool) -> None:
    assert Revocations.of(revoked).cover(who) is covered


def test_none_is_none() -> None:
    assert Revocations.of([]) is NONE_REVOKED
    assert NONE_REVOKED.count == 0
    assert Revocations.of([revocation("user", "a"), revocation("user", "a", 3), revocation("all")]).count == 3


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ("user", ""),
        ("user", "a\nb"),
        ("user", "x" * 513),
        ("user", 7),
        ("user", None),
        ("email", ""),
        ("email", SECRET),
        ("email", "a@b@c"),
        ("service", ""),
        ("service", SECRET),
        ("service", CLIENT_ID.upper()),
        ("nonce", ""),
        ("all", SECRET),
    ],
)
def test_what_names_nobody_is_refused_by_its_name(subject: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{subject}: is {re.escape(shape(value))}; give ") as refused:
        revocation(subject, value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "users"),
        ("id", ""),
        ("id", "a-b"),
        ("id", "é"),
        ("id", "a" * 65),
        ("id", 1),
        ("until", None),
        ("until", True),
        ("until", -1),
        ("until", float("nan")),
        ("until", 1e12),
        ("made_at", "now"),
        ("issued_before", float("inf")),
        ("issued_before", False),
        ("until", 253_402_300_800),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(name: str, value: Any) -> None:
    given: dict[str, Any] = {"subject": "user", "value": "a", "until": 1, "made_at": 1, "id": "a", name: value}
    with pytest.raises(ConfigurationError, match=f"^{name}: is {re.escape(shape(value))}; give "):
        Revocation(**given)


def test_what_can_just_be_is_taken() -> None:
    last = 253_402_300_799
    made = revocation("user", "x" * 512, 0, id="a" * 64, until=last, made_at=0)
    assert (made.value, made.issued_before, made.id, made.until, made.made_at) == ("x" * 512, 0, "a" * 64, last, 0)
    assert read_value("all", "http://localhost:8787") == "http://localhost:8787"
    made = Revocation(subject="all", until=last, made_at=0, id="a")
    assert (made.value, made.issued_before) == ("", None)


def test_every_subject_has_a_form() -> None:
    values = {"email": "a@b.example", "service": CLIENT_ID, "all": ISSUER}
    assert {read_value(subject, values.get(subject, "x")) for subject in SUBJECTS} == {*values.values(), "x"}


def test_a_revocation_tells_nobody_whom() -> None:
    assert repr(revocation("email", "alice@example.com")) == "<Revocation a1 by email>"


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        pytest.param(subject, value, id=f"{subject}-{name}")
        for subject in ("user", "nonce")
        for name, value in {
            "a-client-id": "e367826f93b8d71185e03fe518aff3b4.access",
            "an-address": "alice@example.com",
            "a-blank": " 7335d417-61da-459d-899c-0a01c76a2f94",
        }.items()
    ],
)
def test_what_names_somebody_else_would_end_nothing(subject: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{subject}: "):
        read_value(subject, value)
