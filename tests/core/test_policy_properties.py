"""What holds of every list of policies and every request?"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.criteria import AccessGroup, Criteria
from cfaccess_mw.core.facts import Certificate, Facts
from cfaccess_mw.core.policy import Policy, PolicyDecision, PolicyOutcome, decide_policies
from cfaccess_mw.core.policy_explanation import REASONS, explain_policies
from cfaccess_mw.core.policy_reading import policy_to_mapping, read_policies
from cfaccess_mw.core.truth import Truth
from tests.core.policy_parts import (
    CERTIFICATE,
    CLIENT_ID,
    IDP,
    OTHER_IDP,
    POSTURE,
    PROFILE,
    SERVICE,
    USER,
    condition,
    facts,
    identity,
)
from tests.tokens import AUD

# Conditions of every kind, each of which some of the requests below meet and some do not.
WRITTEN: list[Any] = [
    {"everyone": True},
    {"email": "user@example.com"},
    {"email_list": {"id": "l", "emails": ["user@example.com", "x@example.org"]}},
    {"email_domains": ["example.com", "example.net"]},
    {"countries": ["DE", "PT"]},
    {"service_token": CLIENT_ID},
    {"service_token": {"client_id": CLIENT_ID, "token_id": "t"}},
    {"any_valid_service_token": True},
    {"audience": AUD},
    {"custom": {"department": ["sales", 1, True]}},
    {"ips": ["192.0.2.0/24", "2001:db8::/32"]},
    {"ip_list": {"id": "l", "ips": ["10.0.0.0/8"]}},
    {"methods": ["GET", "PUT"]},
    {"certificate": True},
    {"common_name": "laptop-7"},
    {"groups": ["admins", "x"]},
    {"azureAD": {"id": "g-1", "identity_provider_id": IDP}},
    {"github-organization": {"name": "admins", "identity_provider_id": IDP}},
    {"gsuite": {"email": "admins@example.com", "identity_provider_id": IDP}},
    {"okta": {"name": "staff", "identity_provider_id": OTHER_IDP}},
    {"login_methods": [IDP, "onetimepin"]},
    {"auth_method": "mfa"},
    {"device_posture": POSTURE},
    {"saml": {"attribute_name": "team", "attribute_value": "red", "identity_provider_id": IDP}},
    {"oidc": {"claim_name": "roles", "claim_value": "reader", "identity_provider_id": IDP}},
]
CONDITIONS = [condition(written) for written in WRITTEN]
of_anybody: st.SearchStrategy[Condition] = st.sampled_from(CONDITIONS)
of_requests: st.SearchStrategy[Condition] = st.sampled_from([one for one in CONDITIONS if one.is_anonymous])


def criteria(members: st.SearchStrategy[Condition]) -> st.SearchStrategy[dict[str, tuple[Condition, ...]]]:
    """The three sections."""
    some = st.lists(members, max_size=2).map(tuple)
    return st.fixed_dictionaries(
        {"include": st.lists(members, min_size=1, max_size=3).map(tuple), "require": some, "exclude": some}
    )


def grouped(members: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    """Conditions, and groups of them."""
    groups = st.builds(lambda sections: AccessGroup(criteria=Criteria(**sections), name="g"), criteria(members))
    return members | groups


def policies_of(*decisions: PolicyDecision) -> st.SearchStrategy[Policy]:
    """Policies with one of some decisions; each strategy is made once, and not while examples are drawn."""
    return st.one_of([POLICIES[decision] for decision in decisions])


def policies_with(decision: PolicyDecision) -> st.SearchStrategy[Policy]:
    """Policies with one decision."""
    members = grouped(of_requests if decision is PolicyDecision.BYPASS else of_anybody)
    return criteria(members).map(lambda sections: Policy(decision=decision, **sections))  # type: ignore[arg-type]


POLICIES = {decision: policies_with(decision) for decision in PolicyDecision}


policies = st.lists(policies_of(*PolicyDecision), max_size=4)
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, 1, True, "x", [], ["x", None], {}, {"id": 1}, [{"name": 1}], {"a": {"b": []}}]
)
profiles: st.SearchStrategy[Mapping[str, Any]] = st.dictionaries(st.sampled_from(sorted(PROFILE)), JUNK).map(
    lambda changes: {**PROFILE, **changes}
)
truths = st.sampled_from([True, False, None])
certificates = st.builds(
    Certificate,
    presented=truths,
    verified=truths,
    revoked=truths,
    common_name=st.sampled_from(["laptop-7", "x", "", None]),
)
identities = st.sampled_from([
    USER, SERVICE, CERTIFICATE, None,
    identity("user", email="x@example.org", country="US", custom={"department": "legal"}),
    identity("user", email="\u212aate@example.com", country=None, custom={"department": {}}),
])  # fmt: skip
requests = st.builds(
    facts,
    identity=identities,
    method=st.sampled_from(["GET", "HEAD", "PUT", "get", "DELETE"]),
    address=st.sampled_from(["192.0.2.1", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", None]),
    country=st.sampled_from(["DE", "US", "XX", "", None]),
    certificate=st.none() | certificates,
    profile=profiles,
)


def is_open(written: list[Policy], seen: Facts) -> bool:
    """Whether a request is let in."""
    return decide_policies(written, seen).outcome in (PolicyOutcome.ADMIT, PolicyOutcome.OPEN)


# What each fact is where it cannot be read.
UNREADABLE: list[dict[str, Any]] = [
    {"address": None},
    {"country": ""},
    {"country": "XX"},
    {"method": "get"},
    {"certificate": Certificate()},
    {"profile": None},
    {"profile": dict.fromkeys(PROFILE, 7)},
]


@settings(max_examples=150, deadline=None)
@given(policies, requests, st.lists(st.sampled_from(UNREADABLE), min_size=1, max_size=4))
def test_what_cannot_be_read_never_opens_anything(
    written: list[Policy], seen: Facts, changes: list[dict[str, Any]]
) -> None:
    less = replace(seen, **{name: value for change in changes for name, value in change.items()})
    if is_open(written, less):
        assert is_open(written, seen)


@settings(max_examples=100, deadline=None)
@given(policies, requests, st.sampled_from([{"address": None}, {"profile": None}, {"identity": None}]))
def test_a_fact_less_never_opens_anything(written: list[Policy], seen: Facts, change: dict[str, Any]) -> None:
    if is_open(written, replace(seen, **change)):
        assert is_open(written, seen)


@settings(max_examples=100, deadline=None)
@given(policies, policies_of(PolicyDecision.DENY), st.integers(0, 4), requests, st.booleans())
def test_a_further_deny_never_opens_anything(
    written: list[Policy], further: Policy, place: int, seen: Facts, looked_up: bool
) -> None:
    if not looked_up:
        seen = replace(seen, profile=None, looked_up=False)
    more = [*written[:place], further, *written[place:]]
    if is_open(more, seen):
        assert is_open(written, seen)


@settings(max_examples=150, deadline=None)
@given(policies, requests)
def test_what_is_decided_before_the_lookup_is_decided_the_same_after_it(written: list[Policy], seen: Facts) -> None:
    waiting = replace(seen, profile=None, looked_up=False)
    if decide_policies(written, waiting).outcome is not PolicyOutcome.WAITING:
        assert is_open(written, waiting) == is_open(written, seen)
    assert decide_policies(written, seen).outcome is not PolicyOutcome.WAITING


@settings(max_examples=100, deadline=None)
@given(policies, requests)
def test_an_explanation_says_what_was_decided(written: list[Policy], seen: Facts) -> None:
    verdict = decide_policies(written, seen)
    told = explain_policies(written, seen)
    first = next((one.policy for one in told if one.is_about and one.matched is Truth.TRUE), None)
    assert first is verdict.policy
    assert set(verdict.reasons) <= set(REASONS)
    assert len(told) == len(written)


@settings(max_examples=100, deadline=None)
@given(policies, st.sampled_from(["", "name"]), st.sampled_from([None, "id"]))
def test_what_is_written_is_read_the_same(written: list[Policy], name: str, key: str | None) -> None:
    assume(written)
    told = [replace(one, name=name, id=key) for one in written]
    assert list(read_policies([policy_to_mapping(one) for one in told])) == told


@settings(max_examples=100, deadline=None)
@given(policies_of(PolicyDecision.ALLOW, PolicyDecision.DENY), requests)
def test_the_order_of_conditions_never_matters(written: Policy, seen: Facts) -> None:
    other = replace(written, **{name: getattr(written, name)[::-1] for name in ("include", "require", "exclude")})
    for looked_up, profile in itertools.product((False, True), (None, seen.profile)):
        asked = replace(seen, looked_up=looked_up, profile=profile)
        assert written.match(asked).truth is other.match(asked).truth
