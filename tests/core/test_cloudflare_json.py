"""Are policies that Cloudflare's API gives read as they are meant, and written back as they were?"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.cloudflare import policies_to_cloudflare
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.policy import decide_policies
from cfaccess_mw.core.policy_explanation import explain_policies
from cfaccess_mw.core.policy_reading import policy_to_mapping, read_policies
from cfaccess_mw.core.selectors import UNKNOWABLE
from cfaccess_mw.core.truth import Truth
from tests.core.policy_parts import (
    CERTIFICATE,
    CLIENT_ID,
    IDP,
    SERVICE,
    facts,
    identity,
    policy,
    profile,
    without_lookup,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "policies"


def load(name: str) -> Any:
    """A file of exports."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


REFERENCES = load("references")
APPLICATION = load("application")
SELECTORS = load("selectors")

PEOPLE: dict[str, Facts] = {
    "an-employee": facts(),
    "an-employee-elsewhere": facts(address="203.0.113.9"),
    "an-employee-before-the-lookup": without_lookup(),
    "a-contractor": facts(
        identity=identity("user", email="c@partner.example"), profile={"groups": ["contractors"], "idp": {"id": IDP}}
    ),
    "a-stranger": facts(identity=identity("user", email="x@evil.test"), profile={}),
    "a-banned-employee": profile(groups=["banned"]),
    "a-robot": facts(identity=SERVICE),
    "another-robot": facts(identity=identity("service", id="f" * 32 + ".access")),
    "a-laptop": facts(identity=CERTIFICATE),
    "a-monitor": facts(identity=None, address="198.51.100.7", profile=None),
    "nobody": facts(identity=None, profile=None),
}


@pytest.mark.parametrize("row", APPLICATION["expected"], ids=lambda row: row["who"])
def test_an_exported_application_decides_as_the_edge_does(row: dict[str, Any]) -> None:
    policies = read_policies(APPLICATION["document"], REFERENCES)
    verdict = decide_policies(policies, PEOPLE[row["who"]])
    assert (verdict.outcome.value, verdict.policy and verdict.policy.name) == (row["outcome"], row["policy"])


def test_every_person_is_expected_somewhere() -> None:
    assert {row["who"] for row in APPLICATION["expected"]} == set(PEOPLE)


@pytest.mark.parametrize("row", SELECTORS, ids=lambda row: row["id"])
def test_each_documented_selector_is_read_and_written_back(row: dict[str, Any]) -> None:
    document = {"decision": row.get("decision", "allow"), "name": "x", "include": [row["rule"]]}
    if "refused" in row:
        with pytest.raises(ConfigurationError, match=row["refused"]):
            read_policies(document, REFERENCES)
        return
    [made] = read_policies(document, REFERENCES)
    [written] = policies_to_cloudflare([made])
    assert written["include"] == [row["rule"]]
    assert read_policies(written, REFERENCES) == (made,)
    assert read_policies(policy_to_mapping(made)) == (made,)


def test_every_documented_selector_is_in_the_vectors() -> None:
    documented = json.loads((VECTORS / "selectors_documented.json").read_text("utf-8"))
    assert {next(iter(row["rule"])) for row in SELECTORS} == set(documented["names"])
    assert set(UNKNOWABLE) < set(documented["names"])


def kept(exported: dict[str, Any]) -> dict[str, Any]:
    """What of an exported policy means something at an origin."""
    return {name: exported[name] for name in ("id", "name", "decision", "include", "require", "exclude")}


def test_an_exported_application_is_written_back_as_it_was() -> None:
    exported = sorted(APPLICATION["document"]["result"]["policies"], key=lambda one: one["precedence"])
    written = policies_to_cloudflare(read_policies(APPLICATION["document"], REFERENCES))
    assert [kept(one) for one in written] == [kept(one) for one in exported]
    assert [one["precedence"] for one in written] == list(range(1, len(exported) + 1))


readable = [row["rule"] for row in SELECTORS if "refused" not in row]
of_requests = [rule for rule in readable if next(iter(rule)) in ("everyone", "ip", "ip_list", "geo", "certificate")]


@st.composite
def documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Policies as the API would give them."""
    policies = []
    for place in range(1, draw(st.integers(1, 4)) + 1):
        decision = draw(st.sampled_from(["allow", "deny", "non_identity", "bypass"]))
        rules = st.sampled_from(of_requests if decision == "bypass" else readable)
        policies.append(
            {
                "id": f"policy-{place}",
                "name": draw(st.text("abc ", max_size=5)),
                "decision": decision,
                "precedence": place,
                "include": draw(st.lists(rules, min_size=1, max_size=3)),
                "require": draw(st.lists(rules, max_size=2)),
                "exclude": draw(st.lists(rules, max_size=2)),
            }
        )
    return draw(st.permutations(policies))


@settings(max_examples=100, deadline=None)
@given(documents())
def test_whatever_the_api_gives_goes_there_and_back(document: list[dict[str, Any]]) -> None:
    made = read_policies({"success": True, "result": document}, REFERENCES)
    written = policies_to_cloudflare(made)
    assert written == sorted(document, key=lambda one: one["precedence"])
    assert read_policies(written, REFERENCES) == made
    assert read_policies([policy_to_mapping(one) for one in made]) == made


def test_several_values_become_several_conditions_where_that_means_the_same() -> None:
    made = policy("allow", {"emails": ["b@x.example", "a@x.example"]}, exclude=[{"countries": ["US", "CA"]}])
    [written] = policies_to_cloudflare([made])
    assert written["include"] == [{"email": {"email": "a@x.example"}}, {"email": {"email": "b@x.example"}}]
    assert written["exclude"] == [{"geo": {"country_code": "CA"}}, {"geo": {"country_code": "US"}}]
    assert "id" not in written


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param({"include": [{"groups": "x"}]}, "groups: has no form at Cloudflare", id="groups"),
        pytest.param({"include": [{"method": "GET"}]}, "method: has no form at Cloudflare", id="method"),
        pytest.param({"include": [{"audience": "x"}]}, "audience: has no form at Cloudflare", id="audience"),
        pytest.param({"include": [{"custom": {"a": "b"}}]}, "custom: has no form at Cloudflare", id="custom"),
        pytest.param({"include": [lambda _: True]}, "check: has no form at Cloudflare", id="check"),
        pytest.param({"include": [{"service_token": CLIENT_ID}]}, "service_token: .* or no id there", id="client-id"),
        pytest.param(
            {"include": [{"login_method": "okta"}]},
            "login_method: names a type, and Cloudflare knows identity providers by id", id="login-type",
        ),
        pytest.param({"include": [{"login_methods": ["okta", IDP]}]}, "login_method: names a type", id="one-type"),
        pytest.param(
            {"include": [{"access_group": {"include": [{"everyone": True}]}}]},
            "access_group: has no form at Cloudflare, or no id", id="group-without-id",
        ),
        pytest.param(
            {"include": [{"everyone": True}], "require": [{"countries": ["DE", "PT"]}]},
            "require: country: has 2 values, and Cloudflare would require all of them; put them into a list or a group",
            id="several-required",
        ),
    ],
)  # fmt: skip
def test_what_has_no_form_at_cloudflare_is_refused_by_name(written: dict[str, Any], message: str) -> None:
    made = read_policies({"decision": "allow", "name": "Staff", **written})
    with pytest.raises(ConfigurationError, match=f"^policies: 'Staff': {message}"):
        policies_to_cloudflare(made)
    with pytest.raises(ConfigurationError, match=f"^policies: '{'x' * 64}': {message}"):
        policies_to_cloudflare([replace(one, name="x" * 65) for one in made])


def test_an_explanation_names_every_condition_of_every_policy_in_order() -> None:
    written = [
        policy("allow", {"email": "a@b.example"}, {"groups": "admins"}, name="A", exclude=[{"ip": "10.0.0.0/8"}]),
        policy("service_auth", {"any_valid_service_token": True}, name="B"),
        policy("bypass", {"country": "DE"}, name="C"),
        policy("deny", {"access_group": {"include": [{"groups": "x"}], "require": [{"everyone": True}]}}, name="D"),
    ]
    told = explain_policies(written, without_lookup(country=None, address=None))
    assert [
        (
            one.policy.name,
            one.is_about,
            one.matched.value,
            [(found.section, found.reason, found.truth.value) for found in one.conditions],
        )
        for one in told
    ] == [
        ("B", True, "false", [("include", "any-service-token", "false")]),
        ("C", True, "false", [("include", "country", "unknown")]),
        (
            "A",
            True,
            "false",
            [("include", "email", "false"), ("include", "group", "waiting"), ("exclude", "ip", "unknown")],
        ),
        ("D", True, "waiting", [("include", "access-group", "waiting")]),
    ]
    [group] = told[-1].conditions
    assert [(found.section, found.reason, found.truth) for found in group.within] == [
        ("include", "group", Truth.WAITING),
        ("require", "everyone", Truth.TRUE),
    ]
    assert [one.is_about for one in explain_policies(written, facts(identity=None))] == [False, True, False, False]


def test_an_identity_provider_is_known_by_its_id_in_any_case() -> None:
    for key in (IDP, IDP.upper()):
        [made] = policies_to_cloudflare(read_policies({"decision": "allow", "include": [{"login_methods": [key]}]}))
        assert made["include"] == [{"login_method": {"id": key}}]
