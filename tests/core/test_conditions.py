"""Does each selector say true, false, unknown or waiting where it should, and never anything else?"""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from cfaccess_mw.core import (
    certificate_conditions,
    check,
    conditions,
    criteria,
    profile_conditions,
    request_conditions,
    token_conditions,
)
from cfaccess_mw.core.check import Check
from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Certificate, Facts, Need
from cfaccess_mw.core.policy_explanation import REASONS
from cfaccess_mw.core.truth import Truth, all_of, any_of
from tests.core.policy_parts import (
    CERTIFICATE,
    CLIENT_ID,
    GOOD_CERTIFICATE,
    IDP,
    OTHER_CLIENT_ID,
    OTHER_IDP,
    POSTURE,
    PROFILE,
    SERVICE,
    condition,
    facts,
    identity,
    profile,
    without_lookup,
)
from tests.tokens import AUD, OTHER_AUD

TRUE, FALSE, UNKNOWN, WAITING = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN, Truth.WAITING
NOBODY = facts(identity=None)
SERVICE_ASKS = facts(identity=SERVICE)


def of(**changes: Any) -> Facts:
    """A user whose token says otherwise."""
    return facts(identity=identity("user", **changes))


def cert(**changes: Any) -> Facts:
    """A request whose certificate headers say otherwise."""
    return facts(certificate=replace(GOOD_CERTIFICATE, **changes))


WRONG: tuple[Any, ...] = (1, 1.5, True, "text", [1], [None], [[]], {"a": 1}, [{"a": 1}])


def wrong(*right: type) -> list[Any]:
    """Values of every type but the right ones."""
    return [value for value in WRONG if type(value) not in right]


# The condition as it is written, and what it is of which facts.
TABLE: list[tuple[str, Any, list[tuple[str, Facts, Truth]]]] = [
    ("everyone", {"everyone": True}, [
        ("a-user", facts(), TRUE),
        ("a-service", SERVICE_ASKS, TRUE),
        ("nobody", NOBODY, TRUE),
    ]),
    ("email", {"emails": ["user@example.com", "other@example.org"]}, [
        ("the-same", facts(), TRUE),
        ("case", of(email="User@EXAMPLE.com"), TRUE),
        ("another", of(email="third@example.com"), FALSE),
        ("prefix", of(email="user@example.com.evil.test"), FALSE),
        ("suffix", of(email="xuser@example.com"), FALSE),
        ("plus", of(email="user+x@example.com"), FALSE),
        ("a-service-has-none", SERVICE_ASKS, FALSE),
        ("a-certificate-has-none", facts(identity=CERTIFICATE), FALSE),
        ("two-at", of(email="user@example.com@evil.test"), UNKNOWN),
        ("space", of(email="user @example.com"), UNKNOWN),
        ("control", of(email="user@example.com\n"), UNKNOWN),
        ("zero-width", of(email="us\u200ber@example.com"), UNKNOWN),
        ("full-width", of(email="\uff55ser@example.com"), UNKNOWN),
        ("no-at", of(email="user"), UNKNOWN),
        ("nobody", NOBODY, UNKNOWN),
    ]),
    ("email-that-a-look-alike-aims-at", {"email": "kate@example.com"}, [
        ("itself", of(email="KATE@example.com"), TRUE),
        ("kelvin", of(email="\u212aate@example.com"), UNKNOWN),
    ]),
    ("email-beyond-ascii", {"email": "j\u00fcrgen@b\u00fccher.example"}, [
        ("case", of(email="J\u00dcRGEN@B\u00dcCHER.example"), TRUE),
        ("ascii-domain", of(email="j\u00fcrgen@xn--bcher-kva.example"), TRUE),
        ("decomposed", of(email="ju\u0308rgen@xn--bcher-kva.example"), TRUE),
        ("without-dots", of(email="jurgen@b\u00fccher.example"), FALSE),
    ]),
    ("email-list", {"email_list": {"id": "l", "emails": ["user@example.com"]}}, [
        ("on-it", facts(), TRUE),
        ("not-on-it", of(email="x@example.com"), FALSE),
        ("a-service", SERVICE_ASKS, FALSE),
        ("unreadable", of(email="x"), UNKNOWN),
    ]),
    ("email-domain", {"email_domains": ["example.com", "b\u00fccher.example"]}, [
        ("of-it", facts(), TRUE),
        ("case", of(email="a@EXAMPLE.com"), TRUE),
        ("idna", of(email="a@xn--bcher-kva.example"), TRUE),
        ("unicode", of(email="a@B\u00dcCHER.example"), TRUE),
        ("below", of(email="a@sub.example.com"), FALSE),
        ("suffix", of(email="a@notexample.com"), FALSE),
        ("longer", of(email="a@example.com.evil.test"), FALSE),
        ("a-service", SERVICE_ASKS, FALSE),
        ("sharp-s-is-two-domains", of(email="a@stra\u00dfe.example"), UNKNOWN),
        ("other-full-stop", of(email="a@example\u3002com"), UNKNOWN),
        ("two-at", of(email="a@evil.test@example.com"), UNKNOWN),
        ("no-local", of(email="@example.com"), UNKNOWN),
        ("trailing-dot", of(email="a@example.com."), UNKNOWN),
        ("space", of(email="a @example.com"), UNKNOWN),
        ("odd-local-is-no-matter", of(email="stra\u00dfe@example.com"), TRUE),
        ("nobody", NOBODY, UNKNOWN),
    ]),
    ("country", {"countries": ["DE", "pt"]}, [
        ("of-the-request", facts(country="PT"), TRUE),
        ("lower-case", facts(country="pt"), TRUE),
        ("another", facts(country="US"), FALSE),
        ("request-beats-token", facts(country="US", identity=identity("user", country="DE")), FALSE),
        ("tor", facts(country="T1"), FALSE),
        ("of-the-token", facts(country=None), TRUE),
        ("of-the-token-another", facts(country=None, identity=identity("user", country="US")), FALSE),
        ("not-known-to-cloudflare", facts(country="XX"), UNKNOWN),
        ("unreadable", facts(country="Germany"), UNKNOWN),
        ("unreadable-beats-token", facts(country=""), UNKNOWN),
        ("sharp-s-is-no-country", facts(country="\u00df"), UNKNOWN),
        ("token-without", facts(country=None, identity=identity("user", country=None)), UNKNOWN),
        ("nobody", facts(country=None, identity=None), UNKNOWN),
    ]),
    ("country-tor", {"country": "t1"}, [("tor", facts(country="T1"), TRUE)]),
    ("country-not-known", {"country": "XX"}, [("not-known", facts(country="XX"), UNKNOWN)]),
    ("service-token", {"service_tokens": [CLIENT_ID, "1" * 32 + ".access"]}, [
        ("the-same", SERVICE_ASKS, TRUE),
        ("another", facts(identity=identity("service", id=OTHER_CLIENT_ID)), FALSE),
        ("a-user", facts(), FALSE),
        ("a-user-of-that-name", of(id=CLIENT_ID), FALSE),
        ("a-certificate-of-that-name", facts(identity=identity("certificate", id=CLIENT_ID)), FALSE),
        ("nobody", NOBODY, UNKNOWN),
    ]),
    ("service-token-with-id", {"service_token": {"client_id": CLIENT_ID, "token_id": "t"}}, [
        ("the-same", SERVICE_ASKS, TRUE),
        ("a-user", facts(), FALSE),
    ]),
    ("any-service-token", {"any_valid_service_token": True}, [
        ("a-service", SERVICE_ASKS, TRUE),
        ("a-user", facts(), FALSE),
        ("a-certificate", facts(identity=CERTIFICATE), FALSE),
        ("nobody", NOBODY, UNKNOWN),
    ]),
    ("audience", {"audiences": [AUD, "x"]}, [
        ("of-it", facts(), TRUE),
        ("one-of-two", of(audience=(OTHER_AUD, AUD)), TRUE),
        ("another", of(audience=(OTHER_AUD,)), FALSE),
        ("nobody", NOBODY, UNKNOWN),
    ]),
    ("custom-text", {"custom": {"department": ["sales", "support"]}}, [
        ("equal", facts(), TRUE),
        ("another", of(custom={"department": "legal"}), FALSE),
        ("case-counts", of(custom={"department": "Sales"}), FALSE),
        ("in-a-list", of(custom={"department": ["x", "support"]}), TRUE),
        ("not-in-a-list", of(custom={"department": ["x"]}), FALSE),
        ("in-a-list-beside-something-odd", of(custom={"department": [1, "sales"]}), TRUE),
        ("absent", of(custom={}), FALSE),
        ("null", of(custom={"department": None}), FALSE),
        ("empty-list", of(custom={"department": []}), FALSE),
        ("no-claims-at-all", of(custom=7), FALSE),
        ("number", of(custom={"department": 1}), UNKNOWN),
        ("object", of(custom={"department": {"sales": 1}}), UNKNOWN),
        ("odd-in-a-list", of(custom={"department": ["x", 1]}), UNKNOWN),
        ("nobody", NOBODY, UNKNOWN),
    ]),
    ("custom-number", {"custom": {"level": 1}}, [
        ("equal", of(custom={"level": 1}), TRUE),
        ("another", of(custom={"level": 2}), FALSE),
        ("true-is-not-one", of(custom={"level": True}), UNKNOWN),
        ("text-is-not-one", of(custom={"level": "1"}), UNKNOWN),
        ("float-is-not-one", of(custom={"level": 1.0}), UNKNOWN),
    ]),
    ("custom-boolean", {"custom": {"admin": True}}, [
        ("equal", facts(), TRUE),
        ("false", of(custom={"admin": False}), FALSE),
        ("one-is-not-true", of(custom={"admin": 1}), UNKNOWN),
        ("text-is-not-true", of(custom={"admin": "true"}), UNKNOWN),
    ]),
    ("ip", {"ips": ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "10.0.0.0/8"]}, [
        ("in-a-network", facts(address="192.0.2.255"), TRUE),
        ("first-of-it", facts(address="192.0.2.0"), TRUE),
        ("below-it", facts(address="192.0.1.255"), FALSE),
        ("beyond-it", facts(address="192.0.3.0"), FALSE),
        ("one-address", facts(address="198.51.100.7"), TRUE),
        ("beside-it", facts(address="198.51.100.8"), FALSE),
        ("ipv6", facts(address="2001:db8:ffff::1"), TRUE),
        ("ipv6-beside", facts(address="2001:db9::1"), FALSE),
        ("ipv4-written-as-ipv6", facts(address="::ffff:192.0.2.1"), TRUE),
        ("ipv6-of-the-same-number", facts(address="::c000:201"), FALSE),
        ("not-known", facts(address=None), UNKNOWN),
    ]),
    ("ip-all-of-ipv6", {"ip": "::/0"}, [
        ("ipv6", facts(address="::1"), TRUE),
        ("ipv4", facts(address="0.0.0.1"), FALSE),
        ("ipv4-written-as-ipv6", facts(address="::ffff:192.0.2.1"), FALSE),
    ]),
    ("ip-list", {"ip_list": {"id": "l", "ips": ["192.0.2.0/24"]}}, [
        ("on-it", facts(), TRUE),
        ("not-on-it", facts(address="10.0.0.1"), FALSE),
        ("not-known", facts(address=None), UNKNOWN),
    ]),
    ("method", {"methods": ["GET", "POST"]}, [
        ("get", facts(), TRUE),
        ("post", facts(method="POST"), TRUE),
        ("head-is-get", facts(method="HEAD"), TRUE),
        ("another", facts(method="PUT"), FALSE),
        ("lower-case", facts(method="get"), UNKNOWN),
        ("odd", facts(method="M-SEARCH"), UNKNOWN),
        ("empty", facts(method=""), UNKNOWN),
        ("newline", facts(method="GET\n"), UNKNOWN),
    ]),
    ("method-post", {"method": "POST"}, [("head-is-not-post", facts(method="HEAD"), FALSE)]),
    ("groups", {"groups": ["admins", "staff"]}, [
        ("name", profile(groups=[{"id": "1", "name": "admins"}]), TRUE),
        ("id", profile(groups=[{"id": "admins"}]), TRUE),
        ("address", profile(groups=[{"email": "staff"}]), TRUE),
        ("text", profile(groups=["x", "staff"]), TRUE),
        ("beside-something-odd", profile(groups=[None, 1, "staff"]), TRUE),
        ("none-of-them", profile(groups=["x", {"name": "y"}]), FALSE),
        ("case-counts", profile(groups=["Admins"]), FALSE),
        ("spaces-count", profile(groups=["admins "]), FALSE),
        ("part-of-a-name", profile(groups=["admins-of-lunch"]), FALSE),
        ("absent", facts(profile={}), FALSE),
        ("null", profile(groups=None), FALSE),
        ("empty", profile(groups=[]), FALSE),
        ("a-service-has-none-and-needs-no-lookup", without_lookup(identity=SERVICE), FALSE),
        ("a-certificate-has-none", without_lookup(identity=CERTIFICATE), FALSE),
        *((f"wrong-type-{n}", profile(groups=value), UNKNOWN) for n, value in enumerate(wrong(list))),
        *((f"wrong-item-{n}", profile(groups=["x", value]), UNKNOWN) for n, value in enumerate(wrong(str, dict))),
        *((f"wrong-name-{n}", profile(groups=[{"name": v}]), UNKNOWN) for n, v in enumerate(wrong(str))),
        ("null-among-them", profile(groups=["x", None]), UNKNOWN),
        ("a-group-without-anything", profile(groups=[{}]), UNKNOWN),
        ("a-group-without-a-name", profile(groups=[{"id": "x", "name": None, "email": ""}]), FALSE),
        ("no-profile", facts(profile=None), UNKNOWN),
        ("not-looked-up", without_lookup(), WAITING),
        ("huge", profile(groups=["x"] * 100_000), FALSE),
    ]),
    ("groups-by-id", {"groups": "g-1"}, [("id", facts(), TRUE)]),
    *(
        (f"{selector}", {selector: {member: "admins", "identity_provider_id": IDP}}, [
            ("text", profile(groups=["admins"]), TRUE),
            ("its-field", profile(groups=[{member: "admins"}]), TRUE),
            ("another-field", profile(groups=[{member: "x", other: "admins"}]), FALSE),
            ("its-field-is-not-told", profile(groups=[{other: "x"}]), UNKNOWN),
            ("its-field-is-empty", profile(groups=[{member: "", other: "x"}]), UNKNOWN),
            ("another-group", profile(groups=["x"]), FALSE),
            ("another-provider", profile(groups=["admins"], idp={"id": OTHER_IDP}), FALSE),
            ("no-provider-told", profile(groups=["admins"], idp=None), UNKNOWN),
            ("provider-without-id", profile(groups=["admins"], idp={"type": "okta"}), UNKNOWN),
            ("provider-of-a-wrong-type", profile(groups=["admins"], idp="okta"), UNKNOWN),
            ("provider-id-of-a-wrong-type", profile(groups=["admins"], idp={"id": [IDP]}), UNKNOWN),
            ("unreadable", profile(groups={"admins": 1}), UNKNOWN),
            ("unreadable-of-another-provider", profile(groups=7, idp={"id": OTHER_IDP}), FALSE),
            ("absent", profile(groups=None), FALSE),
            ("a-service", without_lookup(identity=SERVICE), FALSE),
            ("not-looked-up", without_lookup(), WAITING),
        ])
        for selector, member, other in (
            ("azureAD", "id", "name"),
            ("github-organization", "name", "id"),
            ("gsuite", "email", "name"),
            ("okta", "name", "email"),
        )
    ),
    ("login-method-id", {"login_methods": [IDP, "x"]}, [
        ("the-same", facts(), TRUE),
        ("another", profile(idp={"id": OTHER_IDP, "type": "okta"}), FALSE),
        ("absent", profile(idp=None), FALSE),
        ("empty", profile(idp={}), FALSE),
        ("wrong-type", profile(idp=IDP), UNKNOWN),
        ("wrong-id", profile(idp={"id": [IDP]}), UNKNOWN),
        ("wrong-type-of-type", profile(idp={"id": OTHER_IDP, "type": 1}), UNKNOWN),
        ("a-service", without_lookup(identity=SERVICE), FALSE),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("login-method-type", {"login_method": "okta"}, [("the-same", facts(), TRUE)]),
    ("login-method-of-cloudflare", {"login_method": {"id": IDP}}, [("the-same", facts(), TRUE)]),
    ("auth-method", {"auth_method": "mfa"}, [
        ("among-them", facts(), TRUE),
        ("alone", profile(amr="mfa"), TRUE),
        ("not-among-them", profile(amr=["pwd"]), FALSE),
        ("absent", profile(amr=None), FALSE),
        *((f"wrong-type-{n}", profile(amr=value), UNKNOWN) for n, value in enumerate(wrong(str))),
        ("a-service", without_lookup(identity=SERVICE), FALSE),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("device-posture", {"device_posture": POSTURE}, [
        ("passed", facts(), TRUE),
        ("failed", profile(devicePosture={POSTURE: {"success": False}}), FALSE),
        ("another-check", profile(devicePosture={"x": {"success": True}}), FALSE),
        ("no-result", profile(devicePosture={POSTURE: {}}), FALSE),
        ("absent", profile(devicePosture=None), FALSE),
        ("wrong-type", profile(devicePosture=[POSTURE]), UNKNOWN),
        ("wrong-check", profile(devicePosture={POSTURE: True}), UNKNOWN),
        ("text-is-not-true", profile(devicePosture={POSTURE: {"success": "true"}}), UNKNOWN),
        ("one-is-not-true", profile(devicePosture={POSTURE: {"success": 1}}), UNKNOWN),
        ("a-service-has-a-device-too", without_lookup(identity=SERVICE), WAITING),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("saml", {"saml": {"attribute_name": "sites", "attribute_value": "lisbon", "identity_provider_id": IDP}}, [
        ("in-a-list", facts(), TRUE),
        ("text", profile(saml_attributes={"sites": "lisbon"}), TRUE),
        ("another", profile(saml_attributes={"sites": "porto"}), FALSE),
        ("another-provider", profile(idp={"id": OTHER_IDP}), FALSE),
        ("no-such-attribute", profile(saml_attributes={}), FALSE),
        ("absent", profile(saml_attributes=None), FALSE),
        ("no-provider-told", profile(idp=None), UNKNOWN),
        ("wrong-type", profile(saml_attributes=["sites"]), UNKNOWN),
        ("wrong-value", profile(saml_attributes={"sites": {"lisbon": 1}}), UNKNOWN),
        ("null-in-a-list", profile(saml_attributes={"sites": ["x", None]}), UNKNOWN),
        ("a-service", without_lookup(identity=SERVICE), FALSE),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("oidc", {"oidc": {"claim_name": "department", "claim_value": "sales", "identity_provider_id": IDP}}, [
        ("text", facts(), TRUE),
        ("in-a-list", profile(oidc_fields={"department": ["sales"]}), TRUE),
        ("another", profile(oidc_fields={"department": "legal"}), FALSE),
        ("absent", profile(oidc_fields=None), FALSE),
        ("wrong-value", profile(oidc_fields={"department": True}), UNKNOWN),
        ("saml-is-not-oidc", profile(oidc_fields=None, saml_attributes={"department": "sales"}), FALSE),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("certificate", {"certificate": True}, [
        ("good", cert(), TRUE),
        ("not-presented", cert(presented=False), FALSE),
        ("not-verified", cert(verified=False), FALSE),
        ("revoked", cert(revoked=True), FALSE),
        ("revoked-and-unreadable", cert(revoked=True, verified=None), FALSE),
        ("presented-unreadable", cert(presented=None), UNKNOWN),
        ("verified-unreadable", cert(verified=None), UNKNOWN),
        ("revoked-unreadable", cert(revoked=None), UNKNOWN),
        ("headers-beat-profile", facts(certificate=Certificate(presented=False)), FALSE),
        ("headers-need-no-lookup", facts(looked_up=False, profile=None), TRUE),
        ("profile", profile(), TRUE),
        ("profile-none", profile(mtls_auth={"auth_status": "NONE", "cert_presented": False}), FALSE),
        ("profile-none-though-presented", profile(mtls_auth={"auth_status": "NONE", "cert_presented": True}), FALSE),
        ("profile-failed", profile(mtls_auth={"auth_status": "FAILED:x", "cert_presented": True}), FALSE),
        ("profile-not-presented", profile(mtls_auth={"auth_status": "SUCCESS", "cert_presented": False}), FALSE),
        ("profile-presented-absent", profile(mtls_auth={"auth_status": "SUCCESS"}), FALSE),
        ("profile-status-absent", profile(mtls_auth={"cert_presented": True}), FALSE),
        ("profile-status-of-another-word", profile(mtls_auth={"auth_status": "OK", "cert_presented": True}), UNKNOWN),
        ("profile-status-of-a-wrong-type", profile(mtls_auth={"auth_status": 1, "cert_presented": True}), UNKNOWN),
        ("profile-absent", profile(mtls_auth=None), FALSE),
        ("profile-of-a-wrong-type", profile(mtls_auth="SUCCESS"), UNKNOWN),
        ("profile-text-is-not-true", profile(mtls_auth={"auth_status": "SUCCESS", "cert_presented": "true"}), UNKNOWN),
        ("a-service-may-have-one", without_lookup(identity=SERVICE), WAITING),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("common-name", {"common_names": ["laptop-7", "laptop-8"]}, [
        ("the-same", cert(), TRUE),
        ("another", cert(common_name="laptop-9"), FALSE),
        ("none", cert(common_name=""), FALSE),
        ("case-counts", cert(common_name="Laptop-7"), FALSE),
        ("of-a-bad-certificate", cert(verified=False), FALSE),
        ("of-a-revoked-certificate", cert(revoked=True), FALSE),
        ("unreadable", cert(common_name=None), UNKNOWN),
        ("profile", profile(), TRUE),
        ("profile-another", profile(common_name="x"), FALSE),
        ("profile-without-good-certificate", profile(mtls_auth=None), FALSE),
        ("profile-absent", profile(common_name=None), FALSE),
        ("profile-of-a-wrong-type", profile(common_name=["laptop-7"]), UNKNOWN),
        ("a-service-may-have-one", without_lookup(identity=SERVICE), WAITING),
        ("not-looked-up", without_lookup(), WAITING),
    ]),
    ("access-group", {"access_group": {
        "name": "staff", "include": [{"groups": "admins"}, {"country": "PT"}], "exclude": [{"ip": "10.0.0.0/8"}],
    }}, [
        ("held", facts(), TRUE),
        ("excluded", facts(address="10.0.0.1"), FALSE),
        ("excluded-without-lookup", without_lookup(address="10.0.0.1"), FALSE),
        ("not-included", profile(groups=[]), FALSE),
        ("included-without-lookup", without_lookup(country="PT"), TRUE),
        ("unreadable", profile(groups=7), UNKNOWN),
        ("exclusion-unreadable", facts(address=None), UNKNOWN),
        ("not-looked-up", without_lookup(), WAITING),
        ("not-looked-up-and-exclusion-unreadable", without_lookup(address=None), WAITING),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "seen", "expected"),
    [
        pytest.param(written, seen, expected, id=f"{name}: {case}")
        for name, written, rows in TABLE
        for case, seen, expected in rows
    ],
)
def test_a_condition_says_what_is_known(written: Any, seen: Facts, expected: Truth) -> None:
    asked = condition(written)
    assert asked.evaluate(seen) is expected
    for unknown in (False, True):
        settled = asked.settle(seen, unknown=unknown)
        if expected is UNKNOWN:
            assert settled is (TRUE if unknown else FALSE)
        elif expected is not WAITING:
            assert settled is expected
        else:
            assert settled is not UNKNOWN


def classes() -> Iterator[type[Condition]]:
    """Every selector there is."""
    for module in (certificate_conditions, check, conditions, criteria, profile_conditions, request_conditions,
                   token_conditions):  # fmt: skip
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Condition) and isinstance(vars(value).get("reason"), str):
                yield value


def test_every_selector_is_in_the_table_with_every_answer_it_can_give() -> None:
    seen: dict[type[Condition], set[Truth]] = {}
    for _, written, rows in TABLE:
        seen.setdefault(type(condition(written)), set()).update(expected for *_, expected in rows)
    assert set(seen) == set(classes()) - {Check}
    for cls, answers in seen.items():
        if cls is not conditions.Everyone:
            assert {TRUE, FALSE} <= answers, cls
            assert UNKNOWN in answers, cls
            assert (WAITING in answers) is (Need.PROFILE in condition_of(cls).needs), cls


def condition_of(cls: type[Condition]) -> Condition:
    """The first condition of a class in the table."""
    return next(found for _, written, _ in TABLE if type(found := condition(written)) is cls)


def test_every_reason_has_its_line_in_the_documentation_and_no_two_are_the_same() -> None:
    reasons = [cls.reason for cls in set(classes())]
    assert len(set(reasons)) == len(reasons)
    assert {*reasons, "no-policy-applies"} == set(REASONS)
    assert all(reason == reason.lower() and " " not in reason for reason in REASONS)


@pytest.mark.parametrize(
    ("written", "needs", "is_anonymous"),
    [
        pytest.param({"everyone": True}, Need.NOTHING, True, id="everyone"),
        pytest.param({"email": "a@b.example"}, Need.TOKEN, False, id="email"),
        pytest.param({"email_domain": "b.example"}, Need.TOKEN, False, id="email-domain"),
        pytest.param({"email_list": {"id": "l", "emails": ["a@b.example"]}}, Need.TOKEN, False, id="email-list"),
        pytest.param({"country": "DE"}, Need.TOKEN | Need.COUNTRY, True, id="country"),
        pytest.param({"service_token": CLIENT_ID}, Need.TOKEN, False, id="service-token"),
        pytest.param({"any_valid_service_token": True}, Need.TOKEN, False, id="any-service-token"),
        pytest.param({"audience": AUD}, Need.TOKEN, False, id="audience"),
        pytest.param({"custom": {"a": "b"}}, Need.TOKEN, False, id="custom"),
        pytest.param({"ip": "10.0.0.0/8"}, Need.ADDRESS, True, id="ip"),
        pytest.param({"ip_list": {"id": "l", "ips": ["10.0.0.0/8"]}}, Need.ADDRESS, True, id="ip-list"),
        pytest.param({"method": "GET"}, Need.METHOD, True, id="method"),
        pytest.param({"groups": "x"}, Need.TOKEN | Need.PROFILE, False, id="groups"),
        pytest.param({"login_method": "x"}, Need.TOKEN | Need.PROFILE, False, id="login-method"),
        pytest.param({"device_posture": "x"}, Need.TOKEN | Need.PROFILE, False, id="device-posture"),
        pytest.param({"certificate": True}, Need.CERTIFICATE | Need.PROFILE, True, id="certificate"),
        pytest.param({"common_name": "x"}, Need.CERTIFICATE | Need.PROFILE, True, id="common-name"),
        pytest.param(
            {"access_group": {"include": [{"ip": "10.0.0.0/8"}], "exclude": [{"method": "GET"}]}},
            Need.ADDRESS | Need.METHOD, True, id="access-group",
        ),
        pytest.param(
            {"access_group": {"include": [{"ip": "10.0.0.0/8"}], "require": [{"email": "a@b.example"}]}},
            Need.ADDRESS | Need.TOKEN, False, id="access-group-of-somebody",
        ),
    ],
)  # fmt: skip
def test_a_condition_says_what_it_looks_at(written: Any, needs: Need, is_anonymous: bool) -> None:
    asked = condition(written)
    assert (asked.needs, asked.is_anonymous) == (needs, is_anonymous)


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        pytest.param({"email": "somebody@example.com"}, "somebody", id="email"),
        pytest.param({"groups": "layoffs"}, "layoffs", id="groups"),
        pytest.param({"okta": {"name": "layoffs", "identity_provider_id": IDP}}, "layoffs", id="okta"),
        pytest.param({"custom": {"a": "layoffs"}}, "layoffs", id="custom"),
        pytest.param(
            {"saml": {"attribute_name": "a", "attribute_value": "layoffs", "identity_provider_id": IDP}},
            "layoffs",
            id="saml",
        ),
        pytest.param({"ip": "0.0.0.77"}, "77", id="ip"),
    ],
)
def test_a_condition_shows_nothing_personal(written: Any, secret: str) -> None:
    assert secret not in repr(condition(written))


def test_facts_show_nothing_personal() -> None:
    seen = facts(peer="192.0.2.8", target=b"/a?secret", mount="/secret")
    shown = repr(seen)
    assert not any(secret in shown for secret in ("192.0.2", "laptop-7", "example.com", "admins", "secret", "verified"))
    assert "laptop-7" not in repr(GOOD_CERTIFICATE)


def test_of_a_request_nothing_is_known_that_nobody_said() -> None:
    seen = Facts(identity=facts().identity, method="GET")
    assert condition({"groups": "admins"}).evaluate(seen) is WAITING
    assert condition({"ip": "0.0.0.0/0"}).evaluate(seen) is UNKNOWN


def raising(_: Facts) -> bool:
    raise LookupError("no such thing")


def recursing(seen: Facts) -> bool:
    return recursing(seen)


ANSWERS = [
    pytest.param(lambda _: True, TRUE, id="true"),
    pytest.param(lambda _: False, FALSE, id="false"),
    pytest.param(lambda _: None, UNKNOWN, id="none"),
    pytest.param(lambda _: 1, UNKNOWN, id="one"),
    pytest.param(lambda _: "yes", UNKNOWN, id="text"),
    pytest.param(lambda _: Truth.TRUE, UNKNOWN, id="a-truth"),
    pytest.param(lambda seen: seen.profile["groups"], UNKNOWN, id="looks-at-what-it-did-not-name"),
    pytest.param(raising, UNKNOWN, id="raises"),
    pytest.param(recursing, UNKNOWN, id="recurses"),
]


@pytest.mark.parametrize(("function", "expected"), ANSWERS)
def test_a_check_is_true_or_false_only_where_it_says_exactly_that(function: Any, expected: Truth) -> None:
    assert condition(function).evaluate(facts()) is expected
    assert condition({"check": function}).evaluate(facts()) is expected


def test_a_check_sees_what_it_says_it_looks_at_and_nothing_else() -> None:
    seen: list[Facts] = []

    def function(given: Facts) -> bool:
        seen.append(given)
        return True

    everything = facts(peer="127.0.0.1", target=b"/m/a?b=c", mount="/m")
    named = {
        Need.TOKEN: {"identity"},
        Need.METHOD: {"method"},
        Need.ADDRESS: {"address"},
        Need.COUNTRY: {"country"},
        Need.CERTIFICATE: {"certificate"},
        Need.PEER: {"peer"},
        Need.TARGET: {"target", "mount"},
        Need.PROFILE: {"profile"},
    }
    for need in named:
        Check(function=function, looks_at=need).evaluate(everything)
    nothing = Facts(identity=None, method="", country="", certificate=Certificate(), looked_up=True)
    for names, given in zip(named.values(), seen, strict=True):
        for other in set().union(*named.values()):
            assert getattr(given, other) == getattr(everything if other in names else nothing, other)
        assert given.looked_up


def test_a_check_on_the_profile_waits_for_it_unasked() -> None:
    asked: list[Facts] = []

    def function(seen: Facts) -> bool:
        asked.append(seen)
        return seen.profile == PROFILE

    waits = Check(function=function, looks_at=Need.PROFILE)
    assert waits.evaluate(without_lookup()) is WAITING
    assert not asked
    assert waits.evaluate(facts()) is TRUE
    assert waits.evaluate(facts(looked_up=False)) is TRUE
    assert Check(function=function).evaluate(without_lookup()) is FALSE


@pytest.mark.parametrize("written", [{"groups": "admins"}, {"device_posture": POSTURE}], ids=["groups", "posture"])
def test_a_profile_that_is_there_is_asked_whoever_brought_it(written: Any) -> None:
    assert condition(written).evaluate(facts(looked_up=False)) is TRUE


async def _asks_slowly(_: Facts) -> bool:
    return True


class _AsksSlowly:
    async def __call__(self, _: Facts) -> bool:
        return True


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param({"function": 7}, "check: is a number; give a function of the facts", id="no-function"),
        pytest.param({"function": _asks_slowly}, "check: is asynchronous, and nobody waits", id="coroutine-function"),
        pytest.param({"function": _AsksSlowly()}, "check: is asynchronous, and nobody waits", id="asynchronous-object"),
        pytest.param({"pure": 1}, "check: pure is a number; give true or false", id="pure"),
        *(
            pytest.param(
                {"looks_at": looks_at},
                f"check: looks_at is {said}; give what it looks at, as a Need",
                id=f"looks-at-{said}".replace(" ", "-"),
            )
            for looks_at, said in (
                ("token", "text of 5 characters"),
                (None, "None"),
                (1, "a number"),
                (["token"], "a list of 1"),
                (Need.TOKEN | Need.EVERY_TIME, "a Need"),
            )
        ),
    ],
)
def test_a_check_that_cannot_be_asked_is_refused_with_its_mend(made: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        Check(**{"function": function_of, **made})


@pytest.mark.parametrize(
    ("made", "needs", "is_anonymous"),
    [
        pytest.param({}, Need.TOKEN | Need.REQUEST | Need.EVERY_TIME, False, id="by-default"),
        pytest.param({"pure": True}, Need.TOKEN | Need.REQUEST, False, id="pure"),
        pytest.param({"looks_at": Need.ADDRESS}, Need.ADDRESS | Need.EVERY_TIME, True, id="request-only"),
        pytest.param(
            {"looks_at": Need.PEER | Need.TARGET, "pure": True}, Need.PEER | Need.TARGET, True, id="peer-and-target"
        ),
        pytest.param(
            {"looks_at": Need.TOKEN | Need.TARGET, "pure": True}, Need.TOKEN | Need.TARGET, False, id="token-and-target"
        ),
        pytest.param({"looks_at": Need.PROFILE, "pure": True}, Need.PROFILE, False, id="profile"),
        pytest.param({"looks_at": Need.NOTHING, "pure": True}, Need.NOTHING, True, id="nothing"),
    ],
)
def test_a_check_says_what_it_was_told_to_say(made: dict[str, Any], needs: Need, is_anonymous: bool) -> None:
    asked = Check(function=lambda _: True, **made)
    assert (asked.needs, asked.is_anonymous) == (needs, is_anonymous)


def function_of(seen: Facts) -> bool:
    """Says yes to some."""
    return seen.method == "GET"


@pytest.mark.parametrize(
    ("made", "value"),
    [
        pytest.param({}, function_of, id="by-default"),
        pytest.param(
            {"pure": True},
            {"function": function_of, "looks_at": Need.TOKEN | Need.REQUEST, "pure": True},
            id="pure",
        ),
        pytest.param(
            {"looks_at": Need.METHOD},
            {"function": function_of, "looks_at": Need.METHOD, "pure": False},
            id="looks-at-less",
        ),
    ],
)
def test_a_check_is_written_as_short_as_it_can_be(made: dict[str, Any], value: object) -> None:
    asked = Check(function=function_of, **made)
    assert asked.to_value() == value
    assert condition(asked.to_mapping()) == asked


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"everyone": True}, id="everyone"),
        pytest.param({"email": "a@b.example"}, id="one-value"),
        pytest.param({"email": ["a@b.example", "b@b.example"]}, id="two-values"),
        pytest.param({"email_domain": "b.example"}, id="email-domain"),
        pytest.param({"audience": AUD}, id="audience"),
        pytest.param({"country": "DE"}, id="country"),
        pytest.param({"ip": "10.0.0.0/8"}, id="ip"),
        pytest.param({"method": "GET"}, id="method"),
        pytest.param({"groups": "x"}, id="groups"),
        pytest.param({"login_method": IDP}, id="login-method"),
        pytest.param({"auth_method": "mfa"}, id="auth-method"),
        pytest.param({"common_name": "x"}, id="common-name"),
        pytest.param({"github-organization": {"name": "x", "identity_provider_id": IDP}}, id="github-organization"),
        pytest.param({"okta": {"name": "x", "identity_provider_id": IDP}}, id="okta"),
        pytest.param({"email_list": {"id": "l", "emails": ["a@b.example", "b@b.example"]}}, id="email-list"),
        pytest.param({"ip_list": {"id": "l", "ips": ["10.0.0.0/8", "192.0.2.0/24"]}}, id="ip-list"),
        pytest.param({"service_token": CLIENT_ID}, id="service-token"),
        pytest.param({"service_token": {"client_id": CLIENT_ID, "token_id": "t"}}, id="service-token-by-id"),
        pytest.param({"any_valid_service_token": True}, id="any-service-token"),
        pytest.param({"custom": {"a": "b"}}, id="custom"),
        pytest.param({"custom": {"a": [1, True]}}, id="custom-values"),
        pytest.param({"certificate": True}, id="certificate"),
        pytest.param({"device_posture": POSTURE}, id="posture"),
        pytest.param({"azureAD": {"id": "x", "identity_provider_id": IDP}}, id="azure"),
        pytest.param({"gsuite": {"email": "x", "identity_provider_id": IDP}}, id="gsuite"),
        pytest.param({"saml": {"attribute_name": "a", "attribute_value": "b", "identity_provider_id": IDP}}, id="saml"),
        pytest.param({"oidc": {"claim_name": "a", "claim_value": "b", "identity_provider_id": IDP}}, id="oidc"),
        pytest.param({"access_group": {"id": "g", "name": "G", "include": [{"everyone": True}]}}, id="access-group"),
    ],
)
def test_a_condition_is_written_as_it_is_read(written: Any) -> None:
    made = condition(written)
    assert made.to_mapping() == written
    assert hash(made) == hash(condition(written))


@pytest.mark.parametrize(
    "written",
    [{"email": "a@b.example"}, {"okta": {"name": "x", "identity_provider_id": IDP}}, {"everyone": True}],
    ids=repr,
)
def test_a_condition_cannot_be_changed(written: Any) -> None:
    asked = condition(written)
    for name in ("values", "value", "anything"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(asked, name, frozenset({"evil@b.example"}))
    assert asked == condition(written)


def test_a_read_only_profile_is_read_as_any_other() -> None:
    frozen = MappingProxyType({"groups": (MappingProxyType({"name": "admins"}),), "idp": MappingProxyType({"id": IDP})})
    assert condition({"groups": "admins"}).evaluate(facts(profile=frozen)) is TRUE
    assert condition({"login_method": IDP}).evaluate(facts(profile=frozen)) is TRUE


@pytest.mark.parametrize(
    ("truths", "for_any", "for_all"),
    [
        pytest.param([], FALSE, TRUE, id="none"),
        pytest.param([TRUE, FALSE], TRUE, FALSE, id="both"),
        pytest.param([TRUE, UNKNOWN], TRUE, UNKNOWN, id="true-and-unknown"),
        pytest.param([FALSE, UNKNOWN], UNKNOWN, FALSE, id="false-and-unknown"),
        pytest.param([UNKNOWN, WAITING], WAITING, WAITING, id="unknown-and-waiting"),
        pytest.param([TRUE, WAITING], TRUE, WAITING, id="true-and-waiting"),
        pytest.param([FALSE, WAITING], WAITING, FALSE, id="false-and-waiting"),
    ],
)
def test_truths_combine_as_logic_has_it(truths: list[Truth], for_any: Truth, for_all: Truth) -> None:
    assert any_of(truths) is any_of(reversed(truths)) is for_any
    assert all_of(truths) is all_of(reversed(truths)) is for_all


@pytest.mark.parametrize("truth", Truth, ids=lambda truth: truth.value)
def test_a_truth_is_never_taken_for_a_boolean(truth: Truth) -> None:
    with pytest.raises(TypeError, match="a Truth has four values"):
        bool(truth)
