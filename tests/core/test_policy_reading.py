"""Is every way to write policies understood, and every mistake told by its place, its shape and its mend?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cfaccess_mw.core.check import Check
from cfaccess_mw.core.conditions import Everyone
from cfaccess_mw.core.criteria import MAX_DEPTH, AccessGroup
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Need
from cfaccess_mw.core.policy import Policy, PolicyOutcome, decide_policies
from cfaccess_mw.core.policy_reading import (
    conditions_from,
    policy_from,
    policy_to_mapping,
    read_policies,
    service_policy,
)
from cfaccess_mw.core.selectors import SELECTORS, UNKNOWABLE
from cfaccess_mw.core.token_conditions import CustomClaim, ServiceTokens
from cfaccess_mw.core.truth import Truth
from tests.core.policy_parts import ALLOW, BYPASS, CLIENT_ID, DENY, IDP, POSTURE, SERVICE_AUTH, condition, facts, policy

SECRET = "cfast_sup3rs3cr3t0000000000000000000000000"
REFERENCES: Mapping[str, Any] = {
    "groups": {"staff": {"name": "Staff", "include": [{"email_domain": {"domain": "example.com"}}]}},
    "lists": {"board": ["a@example.com", "b@example.com"], "offices": ["192.0.2.0/24"]},
    "service_tokens": {"token": CLIENT_ID},
    "identity_providers": {IDP: "okta"},
    "posture_rules": {POSTURE: "disk"},
}


def everyone_may(**more: Any) -> dict[str, Any]:
    """A policy that means everybody, and more."""
    return {"decision": "allow", "include": [{"everyone": True}], **more}


def answer_true(_: object) -> bool:
    """Says yes."""
    return True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"email": "a@b.example"}, {"emails": ["a@b.example"]}, id="one-email"),
        pytest.param({"email": "A@B.example"}, {"email": {"email": "a@b.example"}}, id="email-of-cloudflare"),
        pytest.param({"email": ["a@b.example", "c@b.example"]}, {"emails": {"c@b.example", "a@b.example"}}, id="two"),
        pytest.param({"email_domain": "b.example"}, {"email_domain": {"domain": "B.example"}}, id="domain"),
        pytest.param({"email_domains": "b.example"}, {"email_domain": "b.example"}, id="domains"),
        pytest.param({"country": "de"}, {"geo": {"country_code": "DE"}}, id="country"),
        pytest.param({"countries": ["DE"]}, {"geo": "DE"}, id="countries"),
        pytest.param({"ip": "192.0.2.1"}, {"ip": {"ip": "192.0.2.1/32"}}, id="ip"),
        pytest.param({"ips": ["192.0.2.1"]}, {"ip": "192.0.2.1"}, id="ips"),
        pytest.param({"common_name": "x"}, {"common_name": {"common_name": "x"}}, id="common-name"),
        pytest.param({"common_names": "x"}, {"common_name": ["x"]}, id="common-names"),
        pytest.param({"auth_method": "mfa"}, {"auth_method": {"auth_method": "mfa"}}, id="auth-method"),
        pytest.param({"auth_methods": ["mfa"]}, {"auth_method": "mfa"}, id="auth-methods"),
        pytest.param({"login_method": IDP}, {"login_method": {"id": IDP}}, id="login-method"),
        pytest.param({"login_methods": [IDP]}, {"login_method": IDP}, id="login-methods"),
        pytest.param({"method": "GET"}, {"methods": ["GET"]}, id="method"),
        pytest.param({"audience": "x"}, {"audiences": ["x"]}, id="audience"),
        pytest.param({"service_token": CLIENT_ID}, {"service_tokens": [CLIENT_ID]}, id="service-tokens"),
        pytest.param({"everyone": True}, {"everyone": {}}, id="everyone"),
        pytest.param({"certificate": True}, {"certificate": {}}, id="certificate"),
        pytest.param({"any_valid_service_token": True}, {"any_valid_service_token": {}}, id="any-service-token"),
        pytest.param({"device_posture": POSTURE}, {"device_posture": {"integration_uid": POSTURE}}, id="posture"),
        pytest.param(
            {"device_posture": POSTURE}, {"device_posture": {"integration_uid": POSTURE, "account_id": "x"}},
            id="posture-with-account",
        ),
        pytest.param({"email_list": "board"}, {"email_list": {"id": "board"}}, id="email-list"),
        pytest.param(
            {"email_list": "board"}, {"email_list": {"id": "board", "emails": ["b@example.com", "A@example.com"]}},
            id="email-list-written-out",
        ),
        pytest.param({"ip_list": "offices"}, {"ip_list": {"id": "offices"}}, id="ip-list"),
        pytest.param({"ip_list": "offices"}, {"ip_list": {"id": "offices", "ips": "192.0.2.0/24"}}, id="ip-list-out"),
        pytest.param(
            {"service_token": {"token_id": "token"}}, {"service_token": {"client_id": CLIENT_ID, "token_id": "token"}},
            id="service-token-by-id",
        ),
        pytest.param({"access_group": "staff"}, {"group": {"id": "staff"}}, id="group"),
        pytest.param({"access_group": "staff"}, {"access_group": {"id": "staff"}}, id="group-by-id"),
        pytest.param(
            {"access_group": {"include": [{"group": {"id": "staff"}}]}},
            {"access_group": {"include": [{"access_group": "staff"}]}}, id="group-within-one-that-is-written-out",
        ),
        pytest.param(
            {"access_group": "staff"},
            {"access_group": {"id": "staff", "name": "Staff", "include": [{"email_domain": "example.com"}]}},
            id="group-written-out",
        ),
        pytest.param(
            {"github-organization": {"name": "x", "identity_provider_id": IDP}},
            {"github-organization": {"name": "x", "identity_provider_id": IDP, "team": None}},
            id="organization-without-team",
        ),
        pytest.param(answer_true, {"check": answer_true}, id="check"),
        pytest.param(answer_true, {"check": {"function": answer_true}}, id="check-in-words"),
        pytest.param(
            {"check": {"function": answer_true, "looks_at": ["address", "country"], "pure": True}},
            Check(function=answer_true, looks_at=Need.ADDRESS | Need.COUNTRY, pure=True), id="check-with-more-words",
        ),
        pytest.param(
            {"check": {"function": answer_true, "looks_at": "profile"}},
            Check(function=answer_true, looks_at=Need.PROFILE), id="check-with-one-word",
        ),
        pytest.param({"custom": {"a": "b"}}, {"custom": {"a": ["b"]}}, id="custom"),
        pytest.param({"custom": {"a": [1, True]}}, CustomClaim(name="a", values=(1, True)), id="custom-values"),
        pytest.param(Everyone(), {"everyone": True}, id="a-condition-as-it-is"),
    ],
)  # fmt: skip
def test_forms_that_mean_the_same_are_read_the_same(one: Any, other: Any) -> None:
    assert condition(one, REFERENCES) == condition(other, REFERENCES)


@pytest.mark.parametrize(
    ("word", "need"),
    [
        ("token", Need.TOKEN),
        ("request", Need.REQUEST),
        ("method", Need.METHOD),
        ("address", Need.ADDRESS),
        ("country", Need.COUNTRY),
        ("certificate", Need.CERTIFICATE),
        ("peer", Need.PEER),
        ("target", Need.TARGET),
        ("profile", Need.PROFILE),
    ],
)
def test_a_check_says_in_words_what_it_looks_at(word: str, need: Need) -> None:
    written = {"check": {"function": answer_true, "looks_at": word}}
    assert condition(written) == Check(function=answer_true, looks_at=need)


@pytest.mark.parametrize(
    "name",
    [
        *("emails", "email_domains", "country", "countries", "service_tokens", "audience", "audiences", "ips"),
        *("method", "methods", "common_names", "groups", "login_methods", "auth_methods"),
    ],
)
def test_a_name_of_ours_has_values_beside_it_and_no_object(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"has a dict; write a text, or a list of texts$"):
        condition({name: {"id": "x"}})


def test_every_name_of_a_condition_is_tried_somewhere() -> None:
    assert len(SELECTORS) == 38
    assert not SELECTORS.keys() & UNKNOWABLE.keys()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(everyone_may(), id="one"),
        pytest.param([everyone_may()], id="a-list"),
        pytest.param((everyone_may(),), id="a-tuple"),
        pytest.param([policy("allow", {"everyone": True})], id="as-it-is"),
        pytest.param(policy("allow", {"everyone": True}), id="one-as-it-is"),
        pytest.param({"result": everyone_may(), "success": True}, id="an-answer-with-one"),
        pytest.param({"result": everyone_may(), "result_info": {"total_count": 9}}, id="an-answer-with-one-of-nine"),
        pytest.param({"result": [everyone_may()], "result_info": {"total_count": "9"}}, id="an-odd-answer"),
        pytest.param(everyone_may(name="", id=""), id="empty-names"),
        pytest.param({"result": [everyone_may()], "result_info": {"total_count": 1}}, id="an-answer-with-a-list"),
        pytest.param({"name": "app", "aud": "x", "policies": [everyone_may()]}, id="an-application"),
        pytest.param(
            {"result": {"policies": [everyone_may(precedence=1)]}, "success": True}, id="an-answer-with-an-app"
        ),
        pytest.param(everyone_may(require=None, exclude=[]), id="empty-sections"),
        pytest.param(everyone_may(name=None, id=None), id="null-names"),
        pytest.param(
            everyone_may(session_duration="24h", approval_required=False, reusable=True), id="fields-of-theirs"
        ),
        pytest.param(
            everyone_may(
                app_count=1,
                approval_groups=[],
                connection_rules={},
                isolation_required=False,
                mfa_config={},
                uid="x",
                purpose_justification_prompt="x",
                purpose_justification_required=False,
                updated_at="2026-01-01",
            ),
            id="more-fields-of-theirs",
        ),
        pytest.param(everyone_may(created_at="2026-01-01T00:00:00Z", something_new=1), id="new-fields-of-theirs"),
        pytest.param(everyone_may(created_at="2026-01-01T00:00:00Z", resource="x"), id="hardly-like-a-section"),
    ],
)
def test_policies_are_found_wherever_they_stand(document: Any) -> None:
    assert read_policies(document) == (policy("allow", {"everyone": True}),)


@pytest.mark.parametrize("document", [[], {"result": []}, {"policies": []}], ids=repr)
def test_policies_that_are_empty_are_not_mistaken_for_none(document: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^policies: is empty, which at Cloudflare lets nobody in"):
        read_policies(document)


@pytest.mark.parametrize("name", ["EXCLUDE", "Exclude", "excluded", "REQUIRE", "Includes"])
def test_a_section_under_another_spelling_is_never_overlooked(name: str) -> None:
    theirs = everyone_may(created_at="2026-01-01T00:00:00Z") | {name: [{"everyone": {}}]}
    with pytest.raises(ConfigurationError, match="did you mean"):
        read_policies([theirs])


def test_no_policies_let_nobody_in() -> None:
    assert read_policies(()) == ()
    assert decide_policies((), facts()).outcome is PolicyOutcome.REFUSE


def nested(levels: int) -> dict[str, Any]:
    """A policy with groups within groups, all written out."""
    written: dict[str, Any] = {"include": [{"everyone": True}]}
    for _ in range(levels):
        written = {"include": [{"access_group": written}]}
    return {"decision": "allow", **written}


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 150])
def test_groups_that_are_written_out_are_not_nested_without_end(levels: int) -> None:
    assert read_policies(nested(MAX_DEPTH))
    with pytest.raises(ConfigurationError, match=f"more than {MAX_DEPTH} groups within groups"):
        read_policies(nested(levels))


@pytest.mark.parametrize(
    ("word", "decision"),
    [
        ("allow", ALLOW),
        ("deny", DENY),
        ("bypass", BYPASS),
        ("service_auth", SERVICE_AUTH),
        ("non_identity", SERVICE_AUTH),
    ],
)
def test_decisions_have_our_words_and_theirs(word: str, decision: Any) -> None:
    assert read_policies(everyone_may(decision=word))[0].decision is decision


def test_a_policy_is_written_without_what_it_has_not() -> None:
    written = [
        {"everyone": True},
        {"ip": ["10.0.0.1/32", "192.0.2.0/24"]},
        {"service_token": CLIENT_ID},
        {"custom": {"a": "b"}},
        {"access_group": {"include": [{"everyone": True}]}},
    ]
    made = policy("service_auth", *written, name="x")
    plain = {"decision": "service_auth", "name": "x", "include": written}
    assert policy_to_mapping(made) == plain
    assert policy_to_mapping(replace(made, id="y")) == plain | {"id": "y"}


def test_precedence_is_the_order() -> None:
    written = [everyone_may(name="second", precedence=7), everyone_may(name="first", precedence=2)]
    assert [one.name for one in read_policies(written)] == ["first", "second"]


def including(written: Any) -> dict[str, Any]:
    """A policy with one condition."""
    return {"decision": "allow", "include": [written]}


AT = "policies: number 1: include: "
MISTAKES: list[tuple[str, Any, str]] = [
    ("nothing", None, "policies: is None; give a policy, or a list"),
    ("text", "allow", "policies: is text of 5 characters; give a policy"),
    ("item", [everyone_may(), 7], "policies: number 2 is a number; give a mapping with 'decision'"),
    ("failed-answer", {"result": [], "success": False}, "policies: is an answer of the API that says it failed"),
    ("odd-answer", {"result": [], "success": 1}, "policies: is an answer of the API that says it failed"),
    ("first-page", {"result": [everyone_may()], "result_info": {"total_count": 2}}, "policies: is 1 of 2; save all"),
    ("null-answer", {"result": None, "success": True}, "policies: is None; give"),
    ("ids-only", {"policies": ["uuid"]}, "policies: number 1 is text of 4 characters; give a mapping"),
    ("policy-with-policies", everyone_may(policies=[]), "policies: number 1: 'policies' is not known here"),
    ("empty-name", everyone_may(name="", exclude=[7]), "policies: number 1: exclude: has a number"),
    ("some-precedence", [everyone_may(precedence=1), everyone_may()], "policies: not every policy has a precedence"),
    ("same-precedence", [everyone_may(precedence=1)] * 2, "policies: .* or leave precedence out and write them in"),
    ("odd-precedence", [everyone_may(precedence=True)], "policies: not every policy has a precedence of its own"),
    ("text-precedence", [everyone_may(precedence="1")], "policies: not every policy has a precedence of its own"),
    ("no-decision", {"include": [{"everyone": True}]}, "number 1: decision: is None; give one of allow, deny"),
    ("near-decision", everyone_may(decision="alow"), "decision: 'alow' is not known; did you mean 'allow'?"),
    ("far-decision", everyone_may(decision="x"), "decision: 'x' is not known; it is one of allow, deny, service_auth"),
    ("odd-decision", everyone_may(decision=["allow"]), "decision: is a list of 1; give one of"),
    ("near-key", everyone_may(exlude=[]), "'exlude' is not known here; did you mean 'exclude'?"),
    ("far-key", everyone_may(x=1), "'x' is not known here; known are decision, name, id, include, require, exclude"),
    ("near-key-of-theirs", everyone_may(create_at=1), "'create_at' is not known here; did you mean 'created_at'?"),
    ("odd-key", {**everyone_may(), 7: 1}, "'7' is not known here; known are"),
    ("near-key-of-an-answer", everyone_may(created_at="x", excluded=[]), "'excluded' .*; did you mean 'exclude'?"),
    ("no-include", {"decision": "allow"}, "include: is empty, so that it would mean nobody"),
    ("text-section", {"decision": "allow", "include": "everyone"}, "include: is text of 8 characters; give a list"),
    ("mapping-section", {"decision": "allow", "include": {"everyone": True}}, "include: is a dict; give a list"),
    ("odd-name", everyone_may(name=7), "policies: number 1: name: is a number; give a text, or leave it out"),
    ("odd-id", everyone_may(id=7), "id: is a number; give a text, or leave it out"),
    ("named", everyone_may(name="Admins", exclude=[7]), "policies: 'Admins': exclude: has a number; a condition is"),
    ("no-condition", including({}), AT + "has a dict; a condition is a mapping with one name"),
    ("two-names", including({"email": "a@b.example", "ip": "10.0.0.0/8"}), AT + "has a dict; a condition is a mapping"),
    ("text-condition", including("everyone"), AT + "has text of 8 characters; a condition is a mapping with one name"),
    ("class", including(Everyone), AT + "has a ABCMeta; a condition is a mapping with one name"),
    ("near-condition", including({"emial": "x"}), AT + "'emial' is not a condition; did you mean 'email'?"),
    ("far-condition", including({"qqqq": "x"}), AT + "'qqqq' is not a condition; known are everyone, email, emails"),
    ("odd-condition", including({7: "x"}), AT + "'7' is not a condition; known are"),
    ("flag-false", including({"everyone": False}), AT + "everyone: is a boolean; write true, or leave it out"),
    ("flag-null", including({"everyone": None}), AT + "everyone: is None; write true"),
    ("flag-with-members", including({"certificate": {"x": 1}}), AT + "certificate: is a dict; write true"),
    ("empty-list", including({"emails": []}), AT + "email: is empty; name at least one"),
    ("null-value", including({"groups": None}), AT + "groups: has None; write a text, or a list of texts"),
    ("mapping-value", including({"emails": {"email": "a@b.example"}}), AT + "email: has a dict; write a text"),
    ("no-member", including({"email": {}}), AT + "email: lacks 'email'; write an object with email"),
    ("null-member", including({"email": {"email": None}}), AT + "email: lacks 'email'"),
    ("near-member", including({"email": {"emial": "x"}}), AT + "email: 'emial' .*; did you mean 'email'?"),
    ("far-member", including({"ip": {"ip": "10.0.0.0/8", "qq": 1}}), AT + "ip: 'qq' is not known here; known are ip"),
    ("number-member", including({"geo": {"country_code": 7}}), AT + "country: country_code: is a number; write a text"),
    ("host-bits", including({"ip": "192.0.2.1/24"}), AT + "ip: .* did you mean '192.0.2.0/24'?"),
    ("secret", including({"service_token": SECRET}), AT + "service_token: .* never its secret"),
    ("secret-in-a-list", including({"service_tokens": [CLIENT_ID, SECRET]}), AT + "service_token: .* never its secret"),
    ("token-member", including({"service_token": {"clientid": "x"}}), AT + "service_token: 'clientid' .*'client_id'?"),
    ("token-without-id", including({"service_token": {"client_id": CLIENT_ID}}), AT + "service_token: is None"),
    ("two-tokens-one-id", including({"service_token": {"client_id": [CLIENT_ID, CLIENT_ID[::-1][7:] + "x"],
                                                       "token_id": "t"}}), AT + "service_token: has text of"),
    ("head", including({"method": "HEAD"}), AT + "method: .*name GET"),
    ("team", including({"github-organization": {"name": "x", "identity_provider_id": IDP, "team": "y"}}),
     AT + "github-organization: asks for a team.* use 'groups' with a group that you see there"),
    ("text-group", including({"group": "admins"}), AT + "group: is text of 6 .* write 'groups', .* .'id': '...'.$"),
    ("number-of-a-group", including({"group": {"id": 7}}), AT + "group: id: is a number; write a text"),
    ("okta-text", including({"okta": "admins"}), AT + "okta: is text of 6 .*; write an object with name, identity_pr"),
    ("okta-team", including({"okta": {"name": "x", "identity_provider_id": IDP, "team": "y"}}), "'team' is not known"),
    ("okta-lacks", including({"okta": {"name": "x"}}), AT + "okta: lacks 'identity_provider_id'; .* with name, id"),
    ("okta-empty", including({"okta": {"name": "", "identity_provider_id": IDP}}), AT + "okta: name: is empty text"),
    ("okta-control", including({"okta": {"name": "x\n", "identity_provider_id": IDP}}),
     AT + "okta: has text of 2 characters: write a text without control"),
    ("saml-lacks", including({"saml": {"attribute_name": "x", "identity_provider_id": IDP}}), AT + "saml: lacks 'attr"),
    ("oidc-control", including({"oidc": {"claim_name": "x\n", "claim_value": "y", "identity_provider_id": IDP}}),
     AT + "oidc: has text of 2 characters: write a text without control"),
    ("posture-empty", including({"device_posture": ""}), AT + "device_posture: has empty text"),
    ("posture-number", including({"device_posture": 7}), AT + "device_posture: has a number"),
    ("posture-member", including({"device_posture": {"uid": "x"}}), AT + "device_posture: 'uid' is not known here"),
    ("login-member", including({"login_method": {"idd": "x"}}), AT + "login_method: 'idd' .*; did you mean 'id'?"),
    ("list-member", including({"email_list": {"idd": "x"}}), AT + "email_list: 'idd' .*; did you mean 'id'?"),
    ("list-number", including({"email_list": 7}), AT + "email_list: is a number; write a text"),
    ("list-without-id", including({"ip_list": {"ips": ["10.0.0.0/8"]}}), AT + "ip_list: is None; write a text"),
    ("list-with-more", including({"ip_list": {"id": "x", "ips": [], "emails": []}}), "ip_list: .* known are id, ips"),
    ("custom-text", including({"custom": "x"}), AT + "custom: is text of 1 characters; write one claim"),
    ("custom-two", including({"custom": {"a": "b", "c": "d"}}), AT + "custom: is a dict; write one claim"),
    ("custom-empty", including({"custom": {"a": []}}), AT + "custom: is empty; name at least one value"),
    ("custom-float", including({"custom": {"a": 1.5}}), AT + "custom: has a number; write texts, whole numbers or"),
    ("custom-null", including({"custom": {"a": None}}), AT + "custom: has None; write texts"),
    ("custom-name", including({"custom": {"": "x"}}), AT + "custom: has empty text"),
    ("check-text", including({"check": "os.system"}), AT + "check: is text of 9 characters; give a function"),
    ("check-empty", including({"check": {}}), AT + "check: is None; give a function of the facts"),
    ("check-key", including({"check": {"function": answer_true, "lookat": 1}}), AT + "check: 'lookat' .*'looks_at'"),
    ("check-word", including({"check": {"function": answer_true, "looks_at": ["x"]}}),
     AT + "check: looks_at has text of 1 characters; name some of token, request"),
    ("check-odd-word", including({"check": {"function": answer_true, "looks_at": [["x"]]}}), "looks_at has a list"),
    ("check-every-time", including({"check": {"function": answer_true, "looks_at": ["every_time"]}}), "looks_at has"),
    ("check-need", including({"check": {"function": answer_true, "looks_at": Need.EVERY_TIME}}), "looks_at is a Need"),
    ("check-pure", including({"check": {"function": answer_true, "pure": 1}}), AT + "check: pure is a number"),
    ("group-key", including({"access_group": {"include": [{"everyone": True}], "exlude": []}}), "mean 'exclude'"),
    ("group-empty", including({"access_group": {"include": []}}), AT + "access_group: include: is empty"),
    ("group-odd", including({"access_group": 7}), AT + "access_group: is a number; write a text"),
    ("group-odd-id", including({"access_group": {"id": 7}}), AT + "access_group: id: is a number; write a text"),
    ("group-name", including({"access_group": {"name": 7, "include": [{"everyone": True}]}}), AT + "name: is a number"),
    ("bypass", {"decision": "bypass", "include": [{"groups": "x"}]}, "number 1: groups: asks who somebody is"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), [pytest.param(*row, id=name) for name, *row in MISTAKES])
def test_a_mistake_is_told_by_place_shape_and_mend(document: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("?", "[?]")) as refused:
        read_policies(document)
    assert str(refused.value).startswith("policies: ")
    assert "sup3rs3cr3t" not in f"{refused.value!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize("selector", UNKNOWABLE)
@pytest.mark.parametrize("section", ["include", "require", "exclude"])
def test_what_an_origin_cannot_know_is_refused_by_name(selector: str, section: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{section}: {selector}: cannot be .* what else has to be true$"):
        read_policies({"decision": "allow", "include": [{"everyone": True}], section: [{selector: {"id": "x"}}]})


async def answer_later(_: object) -> bool:
    """Says yes, later."""
    return True


class AnswersLater:
    """Says yes, later, when called."""

    async def __call__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize("function", [answer_later, AnswersLater()], ids=["function", "object"])
def test_an_asynchronous_check_is_refused_since_nobody_waits_for_it(function: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"check: is asynchronous, and nobody waits for it here"):
        read_policies(including(function))


def test_an_id_stands_for_one_service_token() -> None:
    with pytest.raises(ConfigurationError, match="one id for several Client IDs"):
        ServiceTokens(values=frozenset({CLIENT_ID, CLIENT_ID.replace("8", "9")}), token_id="t")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param({"group": {"id": "x"}}, "'x' is not among the groups of references", id="group"),
        pytest.param({"access_group": "x"}, "'x' is not among the groups of references", id="our-group"),
        pytest.param({"email_list": {"id": "x"}}, "'x' is not among the lists of references", id="email-list"),
        pytest.param({"ip_list": {"id": "x"}}, "'x' is not among the lists of references", id="ip-list"),
        pytest.param({"service_token": {"token_id": "x"}}, "'x' is not among the service_tokens", id="service-token"),
        pytest.param({"login_method": {"id": "x"}}, "'x' is not among the identity_providers", id="login-method"),
        pytest.param({"okta": {"name": "g", "identity_provider_id": "x"}}, "'x' .* identity_providers", id="okta"),
        pytest.param({"azureAD": {"id": "g", "identity_provider_id": "x"}}, "'x' .* identity_providers", id="azure"),
        pytest.param(
            {"saml": {"attribute_name": "a", "attribute_value": "b", "identity_provider_id": "x"}},
            "'x' is not among the identity_providers", id="saml",
        ),
        pytest.param(
            {"oidc": {"claim_name": "a", "claim_value": "b", "identity_provider_id": "x"}},
            "'x' is not among the identity_providers", id="oidc",
        ),
        pytest.param({"device_posture": {"integration_uid": "x"}}, "'x' is not among the posture_rules", id="posture"),
    ],
)  # fmt: skip
def test_an_unresolved_id_is_named(written: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        condition(written, REFERENCES)


def test_without_references_ids_that_the_profile_uses_are_taken_as_they_are() -> None:
    assert condition({"login_method": {"id": "x"}}) == condition({"login_method": "x"})
    with pytest.raises(ConfigurationError, match="'x' is not among the identity_providers"):
        condition({"login_method": {"id": "x"}}, {})


def test_lists_are_checked_as_what_they_are_used_for() -> None:
    with pytest.raises(ConfigurationError, match=r"email_list: has text of 12 characters: write one e-mail"):
        condition({"email_list": "offices"}, REFERENCES)


@pytest.mark.parametrize(
    ("references", "written", "expected"),
    [
        pytest.param(
            {"lists": [{"id": "l", "type": "EMAIL", "count": 1, "items": [{"value": "a@b.example", "x": "y"}]}]},
            {"email_list": "l"}, {"email_list": {"id": "l", "emails": "a@b.example"}}, id="list-as-exported",
        ),
        pytest.param(
            {"lists": {"success": True, "result": [{"id": "l", "items": ["10.0.0.0/8"]}]}},
            {"ip_list": "l"}, {"ip_list": {"id": "l", "ips": "10.0.0.0/8"}}, id="list-in-an-answer",
        ),
        pytest.param(
            {"service_tokens": [{"id": "t", "client_id": CLIENT_ID, "name": "ci"}]},
            {"service_token": {"token_id": "t"}}, {"service_token": {"client_id": CLIENT_ID, "token_id": "t"}},
            id="service-token-as-exported",
        ),
        pytest.param(
            {"identity_providers": [{"id": IDP, "name": "okta", "config": {}}]},
            {"login_method": {"id": IDP}}, {"login_method": IDP}, id="identity-provider-as-exported",
        ),
        pytest.param(
            {"posture_rules": {"p": {"name": "disk"}}},
            {"device_posture": {"integration_uid": "p"}}, {"device_posture": "p"}, id="posture-rule-as-exported",
        ),
        pytest.param(
            {"groups": [{"id": "g", "include": [{"group": {"id": "h"}}]}, {"id": "h", "name": "H", "exclude": [],
                         "include": [{"everyone": {}}], "created_at": "x", "is_default": True}]},
            {"access_group": "g"},
            {"access_group": {"id": "g", "include": [
                {"access_group": {"id": "h", "name": "H", "include": [{"everyone": True}]}},
            ]}}, id="groups-within-groups",
        ),
    ],
)  # fmt: skip
def test_references_are_read_as_they_were_exported(references: Any, written: Any, expected: Any) -> None:
    assert condition(written, references) == condition(expected)


@pytest.mark.parametrize(
    ("references", "message"),
    [
        pytest.param([], "references: is a list of 0; give a mapping of groups, lists", id="a-list"),
        pytest.param({"group": {}}, "references: 'group' is not known; did you mean 'groups'", id="near"),
        pytest.param({"x": {}}, "references: 'x' is not known; known are groups, lists", id="far"),
        pytest.param({"groups": 7}, "references: groups: is a number; give a mapping by id", id="number"),
        pytest.param({"groups": [{"name": "x"}]}, "references: groups: has an entry without id", id="no-id"),
        pytest.param({"groups": ["x"]}, "references: groups: has an entry without id", id="text-entry"),
        pytest.param({"groups": {"": {}}}, "references: groups: has an entry without id", id="empty-id"),
        pytest.param({"groups": {7: {}}}, "references: groups: has an entry without id", id="number-id"),
        pytest.param({"lists": [{"id": "l", "items": []}] * 2}, "references: lists: has 'l' twice", id="twice"),
        pytest.param({"groups": {"g": []}}, "references: groups: 'g': is a list of 0; give a mapping", id="odd-group"),
        pytest.param({"lists": {"l": "a@b.example"}}, "references: lists: 'l': has no items", id="text-list"),
        pytest.param({"lists": {"l": {"name": "x"}}}, "references: lists: 'l': has no items", id="list-without-items"),
        pytest.param({"lists": {"l": {"items": ["x"], "count": 2}}}, "'l': has 1 of 2 items; save all", id="one-page"),
        pytest.param({"lists": {"l": [{"value": 7}]}}, "references: lists: 'l': has a number; give texts", id="item"),
        pytest.param({"service_tokens": {"t": {"name": "x"}}}, "'t': has no client_id; give it as a text", id="token"),
        pytest.param({"service_tokens": {"t": 7}}, "'t': has no client_id; give it as a text", id="number-token"),
        pytest.param({"service_tokens": {"t": ""}}, "references: service_tokens: 't': has no client_id", id="empty"),
        pytest.param({"groups": {"result": [], "success": False}}, "references: groups: .* it failed", id="failed"),
    ],
)
def test_references_that_are_not_understood_or_not_complete_are_refused(references: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{message}"):
        read_policies([], references)


def chain(length: int) -> dict[str, Any]:
    """Groups of which each has the next within."""
    groups = {f"g{n}": {"include": [{"group": {"id": f"g{n + 1}"}}]} for n in range(length - 1)}
    return {"groups": {**groups, f"g{length - 1}": {"include": [{"everyone": {}}]}}}


def test_groups_of_references_nest_so_far_and_no_further() -> None:
    assert condition({"access_group": "g0"}, chain(MAX_DEPTH)).evaluate(facts()) is Truth.TRUE
    for length in (MAX_DEPTH + 1, 10_000):
        with pytest.raises(ConfigurationError, match=f"more than {MAX_DEPTH} groups within groups"):
            condition({"access_group": "g0"}, chain(length))


def fan(width: int) -> dict[str, Any]:
    """Groups of which each has the next within, so many times."""
    groups = {f"g{n}": {"include": [{"group": {"id": f"g{n + 1}"}}] * width} for n in range(MAX_DEPTH - 1)}
    return {"groups": {**groups, f"g{MAX_DEPTH - 1}": {"include": [{"everyone": {}}]}}}


def test_groups_that_name_each_other_often_do_not_multiply_for_ever() -> None:
    assert condition({"access_group": "g0"}, fan(3)).evaluate(facts()) is Truth.TRUE  # 3 to the 7th: 2,187
    for width in (4, 1_000):
        with pytest.raises(ConfigurationError, match="more than 10000 conditions once groups are written out"):
            condition({"access_group": "g0"}, fan(width))


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        pytest.param({"a": "a"}, "a > a", id="itself"),
        pytest.param({"a": "b", "b": "a"}, "a > b > a", id="each-other"),
        pytest.param({"a": "b", "b": "c", "c": "b"}, "a > b > c > b", id="further-down"),
    ],
)
@pytest.mark.parametrize("section", ["require", "exclude"])
def test_a_group_that_has_itself_within_is_refused(groups: dict[str, str], path: str, section: str) -> None:
    references = {
        "groups": {
            key: {"include": [{"everyone": {}}], section: [{"group": {"id": other}}]} for key, other in groups.items()
        }
    }
    with pytest.raises(ConfigurationError, match=rf"has itself within \({path}\); take one of them out"):
        condition({"group": {"id": "a"}}, references)


def test_a_group_that_has_itself_within_is_told_by_the_groups_without_a_name_too() -> None:
    references = {"groups": {"a": {"include": [{"access_group": {"include": [{"group": {"id": "a"}}]}}]}}}
    with pytest.raises(ConfigurationError, match=r"has itself within \(a > \(inline\) > a\)"):
        condition({"group": {"id": "a"}}, references)


def test_a_group_is_read_once_however_it_is_come_by() -> None:
    """Else groups that name the same ones would take a time that multiplies with each level."""
    last = {"group": {"id": "last"}}
    references = {
        "groups": {
            "last": {"include": [{"everyone": {}}]},
            "other": {"include": [last]},
            "all": {"include": [last, {"group": {"id": "other"}}, {"access_group": {"include": [last]}}]},
        }
    }
    group = condition({"group": {"id": "all"}}, references)
    assert isinstance(group, AccessGroup)
    direct, *others = group.criteria.include
    for other in others:
        assert isinstance(other, AccessGroup)
        assert other.criteria.include[0] is direct


LONG = "x" * 65


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        pytest.param(everyone_may(name=LONG, exclude=[7]), {}, id="policy"),
        pytest.param(everyone_may(**{LONG: 1}), {}, id="key"),
        pytest.param(everyone_may(decision=LONG), {}, id="decision"),
        pytest.param(including({LONG: 1}), {}, id="condition"),
        pytest.param(including({"email": {LONG: 1}}), {}, id="member"),
        pytest.param(including({"group": {"id": LONG}}), {}, id="group-that-is-not-there"),
        pytest.param(including({"group": {"id": LONG}}), {LONG: {"include": [7]}}, id="group"),
        pytest.param(
            including({"group": {"id": LONG}}), {LONG: {"include": [{"group": {"id": LONG}}]}}, id="group-in-itself"
        ),
    ],
)
def test_a_long_name_is_shown_by_its_beginning(written: Any, groups: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_policies(written, {"groups": groups})
    assert LONG[:64] in str(refused.value)
    assert LONG not in str(refused.value)


def test_a_mistake_within_a_group_is_told_by_its_path() -> None:
    references = {"groups": {"a": {"include": [{"group": {"id": "b"}}]}, "b": {"include": [{"ip": "x"}]}}}
    with pytest.raises(
        ConfigurationError, match=r"^policies: number 1: include: group 'a': include: group 'b': include: ip: has text"
    ):
        condition({"group": {"id": "a"}}, references)


def test_short_forms_ask_for_one_value_of_each_argument() -> None:
    made = policy_from(ALLOW, groups=["admins", "other"], ips=["192.0.2.0/24"], countries=None)
    assert made == policy("allow", {"groups": ["admins", "other"]}, require=[{"ip": "192.0.2.0/24"}])
    assert decide_policies([made], facts()).outcome is PolicyOutcome.ADMIT
    assert decide_policies([made], facts(address="10.0.0.1")).outcome is PolicyOutcome.REFUSE


def test_short_forms_have_the_names_of_a_configuration() -> None:
    assert conditions_from() == ()
    assert conditions_from(everyone=True, service_tokens=[CLIENT_ID]) == (
        condition({"everyone": True}),
        condition({"service_token": CLIENT_ID}),
    )
    assert policy_from(DENY, name="x", check=answer_true) == Policy(
        decision=DENY, name="x", include=(Check(function=answer_true),)
    )


@pytest.mark.parametrize(
    ("tokens", "written"),
    [
        pytest.param(None, {"any_valid_service_token": True}, id="every-service"),
        pytest.param([CLIENT_ID], {"service_tokens": [CLIENT_ID]}, id="one"),
    ],
)
def test_a_policy_for_services_asks_for_their_tokens(tokens: Any, written: Any) -> None:
    assert service_policy(tokens) == policy("service_auth", written)


@pytest.mark.parametrize(
    ("short", "message"),
    [
        pytest.param({}, "say who is meant, with everyone=True if everybody is", id="nothing"),
        pytest.param({"groups": None}, "say who is meant", id="not-given"),
        pytest.param({"emails": []}, "email: is empty; name at least one", id="empty-is-not-everybody"),
        pytest.param({"emials": ["a@b.example"]}, "'emials' is not a condition; did you mean 'emails'", id="near"),
        pytest.param({"everyone": False}, "everyone: is a boolean; write true, or leave it out", id="not-everyone"),
        pytest.param({"access_group": "x"}, "'x' is not among the groups of references", id="no-references"),
    ],
)
def test_short_forms_that_name_nobody_are_refused(short: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        policy_from(ALLOW, **short)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"check": answer_true}, id="check"),
        pytest.param(
            {"check": Check(function=answer_true, looks_at=Need.METHOD, pure=True).to_value()}, id="pure-check"
        ),
        pytest.param({"custom": {"a": [1, True, "x"]}}, id="custom"),
    ],
)
def test_what_no_file_can_hold_is_written_and_read_as_well(written: Any) -> None:
    made = policy("allow", written)
    assert read_policies(policy_to_mapping(made)) == (made,)
    assert isinstance(made, Policy)
