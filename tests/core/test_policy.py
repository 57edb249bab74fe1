"""Do policies mean what they mean in Cloudflare Access, and does what cannot be known count against the request?"""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from cfaccess_mw.core.conditions import Everyone
from cfaccess_mw.core.criteria import MAX_CONDITIONS, MAX_DEPTH, AccessGroup, Criteria
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.policy import (
    Policy,
    PolicyDecision,
    PolicyOutcome,
    decide_policies,
    in_order,
    needs_of,
)
from cfaccess_mw.core.truth import Truth
from tests.core.policy_parts import (
    ALLOW,
    BYPASS,
    CERTIFICATE,
    CLIENT_ID,
    DENY,
    SERVICE,
    SERVICE_AUTH,
    USER,
    condition,
    facts,
    fixed,
    identity,
    policy,
    profile,
    without_lookup,
)

TRUE, FALSE, UNKNOWN, WAITING = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN, Truth.WAITING
ADMIT, REFUSE, OPEN, WAIT = PolicyOutcome.ADMIT, PolicyOutcome.REFUSE, PolicyOutcome.OPEN, PolicyOutcome.WAITING
NOBODY = facts(identity=None, profile=None)


def named(decision: PolicyDecision, name: str, truth: Truth = TRUE) -> Policy:
    """A policy of one condition that says what it was told to."""
    return Policy(decision=decision, name=name, include=fixed(truth))


def matches_by_the_book(decision: PolicyDecision, include: Truth, require: Truth, exclude: Truth) -> bool:
    """What the specification says of a policy with one condition in each section, known or not."""
    if decision is DENY:
        return include is not FALSE and require is not FALSE and exclude is not TRUE
    return include is TRUE and require is TRUE and exclude is FALSE


def possible(truth: Truth) -> tuple[Truth, ...]:
    """What may come of an answer once the lookup is made."""
    return (TRUE, FALSE, UNKNOWN) if truth is WAITING else (truth,)


@pytest.mark.parametrize("exclude", Truth, ids=lambda truth: f"exclude-{truth.value}")
@pytest.mark.parametrize("require", Truth, ids=lambda truth: f"require-{truth.value}")
@pytest.mark.parametrize("include", Truth, ids=lambda truth: f"include-{truth.value}")
@pytest.mark.parametrize("decision", PolicyDecision, ids=lambda decision: decision.value)
def test_the_whole_truth_table(decision: PolicyDecision, include: Truth, require: Truth, exclude: Truth) -> None:
    made = Policy(decision=decision, include=fixed(include), require=fixed(require), exclude=fixed(exclude))
    outcomes = {
        matches_by_the_book(decision, *answers)
        for answers in itertools.product(possible(include), possible(require), possible(exclude))
    }
    found = made.match(facts()).truth
    if len(outcomes) == 2:
        assert found is WAITING
    else:
        assert found is (TRUE if outcomes == {True} else FALSE)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        pytest.param({"include": [FALSE, TRUE]}, TRUE, id="one-of-include-is-enough"),
        pytest.param({"include": [FALSE, FALSE]}, FALSE, id="none-of-include-is-not"),
        pytest.param({"include": [TRUE], "require": [TRUE, FALSE]}, FALSE, id="all-of-require-are-needed"),
        pytest.param({"include": [TRUE], "require": [TRUE, TRUE]}, TRUE, id="all-of-require-are-there"),
        pytest.param({"include": [TRUE], "exclude": [FALSE, TRUE]}, FALSE, id="one-of-exclude-is-too-many"),
        pytest.param({"include": [TRUE], "exclude": [FALSE, FALSE]}, TRUE, id="none-of-exclude"),
        pytest.param({"include": [WAITING, TRUE]}, TRUE, id="include-that-holds-waits-for-nothing"),
        pytest.param({"include": [WAITING, FALSE]}, WAITING, id="include-waits"),
        pytest.param({"include": [WAITING], "require": [FALSE]}, FALSE, id="require-that-fails-waits-for-nothing"),
        pytest.param({"include": [WAITING], "exclude": [TRUE]}, FALSE, id="exclude-that-holds-waits-for-nothing"),
        pytest.param({"include": [TRUE], "require": [WAITING, FALSE]}, FALSE, id="require-fails-behind-one-that-waits"),
        pytest.param({"include": [TRUE], "exclude": [WAITING, TRUE]}, FALSE, id="exclude-holds-behind-one-that-waits"),
        pytest.param({"include": [UNKNOWN, TRUE]}, TRUE, id="include-that-holds-beside-unknown"),
    ],
)
def test_sections_mean_any_all_and_none(sections: dict[str, list[Truth]], expected: Truth) -> None:
    conditions: dict[str, Any] = {section: fixed(*truths) for section, truths in sections.items()}
    made = Policy(decision=ALLOW, **conditions)
    assert made.match(facts()).truth is expected


def test_the_documented_order_of_evaluation() -> None:
    written = [named(ALLOW, "A"), named(DENY, "B"), named(SERVICE_AUTH, "C"), named(BYPASS, "D"), named(ALLOW, "E")]
    assert "".join(one.name for one in in_order(written)) == "CDABE"


P = tuple[PolicyDecision, Truth]


@pytest.mark.parametrize(
    ("written", "outcome", "decider"),
    [
        pytest.param([], REFUSE, None, id="no-policies"),
        pytest.param([(ALLOW, FALSE)], REFUSE, None, id="nothing-matches"),
        pytest.param([(ALLOW, TRUE)], ADMIT, 0, id="allow"),
        pytest.param([(DENY, TRUE), (ALLOW, TRUE)], REFUSE, 0, id="deny-first"),
        pytest.param([(ALLOW, TRUE), (DENY, TRUE)], ADMIT, 0, id="allow-first"),
        pytest.param([(ALLOW, FALSE), (DENY, FALSE), (ALLOW, TRUE)], ADMIT, 2, id="the-third"),
        pytest.param([(DENY, TRUE), (BYPASS, TRUE)], OPEN, 1, id="bypass-comes-before-deny"),
        pytest.param([(DENY, TRUE), (SERVICE_AUTH, TRUE)], ADMIT, 1, id="service-auth-comes-before-deny"),
        pytest.param([(SERVICE_AUTH, TRUE), (BYPASS, TRUE)], ADMIT, 0, id="service-auth-and-bypass-as-written"),
        pytest.param([(BYPASS, TRUE), (SERVICE_AUTH, TRUE)], OPEN, 0, id="bypass-and-service-auth-as-written"),
        pytest.param([(ALLOW, UNKNOWN)], REFUSE, None, id="unknown-allow"),
        pytest.param([(SERVICE_AUTH, UNKNOWN)], REFUSE, None, id="unknown-service-auth"),
        pytest.param([(BYPASS, UNKNOWN)], REFUSE, None, id="unknown-bypass"),
        pytest.param([(DENY, UNKNOWN), (ALLOW, TRUE)], REFUSE, 0, id="unknown-deny"),
        pytest.param([(ALLOW, WAITING)], WAIT, 0, id="allow-waits"),
        pytest.param([(DENY, WAITING), (ALLOW, TRUE)], WAIT, 0, id="deny-waits-before-allow"),
        pytest.param([(DENY, WAITING)], REFUSE, None, id="a-deny-before-nothing-waits-for-nothing"),
        pytest.param([(DENY, WAITING), (DENY, TRUE), (ALLOW, TRUE)], REFUSE, 1, id="a-deny-before-deny"),
        pytest.param([(ALLOW, WAITING), (ALLOW, TRUE)], ADMIT, 1, id="an-allow-before-allow"),
        pytest.param([(ALLOW, WAITING), (DENY, TRUE), (ALLOW, TRUE)], WAIT, 0, id="allow-waits-before-deny"),
        pytest.param([(DENY, WAITING), (ALLOW, WAITING)], WAIT, 1, id="both-wait"),
        pytest.param([(SERVICE_AUTH, WAITING), (ALLOW, FALSE)], WAIT, 0, id="service-auth-waits"),
        pytest.param([(SERVICE_AUTH, WAITING), (BYPASS, TRUE)], OPEN, 1, id="service-auth-before-bypass"),
        pytest.param([(ALLOW, WAITING), (BYPASS, TRUE)], OPEN, 1, id="bypass-is-asked-before-what-waits"),
    ],
)
def test_the_first_match_ends_it(written: list[P], outcome: PolicyOutcome, decider: int | None) -> None:
    policies = [named(decision, str(place), truth) for place, (decision, truth) in enumerate(written)]
    verdict = decide_policies(policies, facts())
    assert verdict.outcome is outcome
    assert (int(verdict.policy.name) if verdict.policy else None) == decider


@pytest.mark.parametrize(
    ("decision", "seen", "outcome"),
    [
        pytest.param(ALLOW, facts(), ADMIT, id="allow-a-user"),
        pytest.param(ALLOW, facts(identity=SERVICE), REFUSE, id="allow-no-service"),
        pytest.param(ALLOW, facts(identity=CERTIFICATE), REFUSE, id="allow-no-certificate"),
        pytest.param(ALLOW, NOBODY, REFUSE, id="allow-not-nobody"),
        pytest.param(SERVICE_AUTH, facts(), ADMIT, id="service-auth-a-user"),
        pytest.param(SERVICE_AUTH, facts(identity=SERVICE), ADMIT, id="service-auth-a-service"),
        pytest.param(SERVICE_AUTH, facts(identity=CERTIFICATE), ADMIT, id="service-auth-a-certificate"),
        pytest.param(SERVICE_AUTH, NOBODY, REFUSE, id="service-auth-not-nobody"),
        pytest.param(BYPASS, facts(), OPEN, id="bypass-a-user"),
        pytest.param(BYPASS, facts(identity=SERVICE), OPEN, id="bypass-a-service"),
        pytest.param(BYPASS, NOBODY, OPEN, id="bypass-nobody"),
    ],
)
def test_each_decision_is_about_its_own_kind(decision: PolicyDecision, seen: Facts, outcome: PolicyOutcome) -> None:
    assert decide_policies([named(decision, "x")], seen).outcome is outcome


def test_a_policy_about_somebody_does_not_stop_a_bypass_behind_it() -> None:
    written = [named(SERVICE_AUTH, "service"), named(BYPASS, "open")]
    assert decide_policies(written, NOBODY).policy is written[1]


def test_a_deny_decides_users_only() -> None:
    written = [named(DENY, "all"), named(SERVICE_AUTH, "service", FALSE)]
    assert decide_policies(written, facts()).policy is written[0]
    assert decide_policies(written, facts(identity=SERVICE)).policy is None


@pytest.mark.parametrize(
    ("written", "seen", "reasons"),
    [
        pytest.param([policy("allow", {"groups": "x"}, {"groups": "admins"})], facts(), ("group",), id="include"),
        pytest.param(
            [policy("allow", {"everyone": True}, require=[{"ip": "192.0.2.0/24"}, {"country": "DE"}])],
            facts(), ("everyone", "ip", "country"), id="include-and-require",
        ),
        pytest.param(
            [policy("allow", {"everyone": True}, require=[{"country": "DE"}, {"ip": "10.0.0.0/8"}])],
            facts(), ("ip",), id="what-was-required",
        ),
        pytest.param(
            [policy("allow", {"everyone": True}, exclude=[{"country": "US"}, {"country": "DE"}])],
            facts(), ("country",), id="what-excluded",
        ),
        pytest.param(
            [policy("allow", {"email": "a@b.example"}, {"groups": "x"}), policy("allow", {"groups": "y"})],
            facts(), ("email", "group"), id="each-once",
        ),
        pytest.param(
            [policy("allow", {"everyone": True}, exclude=[{"country": "US"}])], facts(), ("everyone",), id="spared"
        ),
        pytest.param([policy("deny", {"email": "user@example.com"})], facts(), ("email",), id="deny"),
        pytest.param(
            [policy("allow", {"email": "a@b.example"}, {"groups": "x"}, {"auth_method": "mfa"})],
            without_lookup(), ("group", "auth-method"), id="what-waits",
        ),
        pytest.param([policy("allow", {"everyone": True})], NOBODY, ("no-policy-applies",), id="nobody"),
        pytest.param(
            [policy("deny", {"everyone": True})], facts(identity=SERVICE), ("no-policy-applies",), id="service"
        ),
        pytest.param([], facts(), ("no-policy-applies",), id="no-policies"),
    ],
)  # fmt: skip
def test_a_verdict_says_which_conditions_decided(written: list[Policy], seen: Facts, reasons: tuple[str, ...]) -> None:
    assert decide_policies(written, seen).reasons == reasons


def test_a_bypass_never_looks_at_who_is_asking() -> None:
    by_country = policy("bypass", {"country": "DE"})
    assert decide_policies([by_country], facts(country=None)).outcome is REFUSE  # the token's country is somebody's
    assert decide_policies([by_country], facts(country="DE")).outcome is OPEN
    by_certificate = policy("bypass", {"certificate": True})
    assert decide_policies([by_certificate], profile()).outcome is REFUSE  # so is the profile's certificate
    assert decide_policies([by_certificate], without_lookup()).outcome is REFUSE  # and nothing waits for it
    assert decide_policies([by_certificate], facts()).outcome is OPEN


def test_a_bypass_gets_no_identity_into_its_checks() -> None:
    seen: list[Facts] = []

    def function(given: Facts) -> bool:
        seen.append(given)
        return True

    made = policy("bypass", {"check": {"function": function, "looks_at": ["request"]}})
    assert decide_policies([made], facts()).outcome is OPEN
    assert [(given.identity, given.profile) for given in seen] == [(None, None)]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"email": "a@b.example"}, id="email"),
        pytest.param({"groups": "x"}, id="groups"),
        pytest.param({"service_token": CLIENT_ID}, id="service-token"),
        pytest.param({"any_valid_service_token": True}, id="any-service-token"),
        pytest.param({"device_posture": "x"}, id="device-posture"),
        pytest.param({"audience": "x"}, id="audience"),
        pytest.param({"check": lambda _: True}, id="check"),
        pytest.param({"access_group": {"include": [{"everyone": True}, {"email": "a@b.example"}]}}, id="in-a-group"),
    ],
)
@pytest.mark.parametrize("section", ["include", "require", "exclude"])
def test_a_bypass_with_a_condition_on_somebody_is_a_mistake(written: Any, section: str) -> None:
    sections: dict[str, Any] = {"include": (Everyone(),), section: (condition(written),)}
    with pytest.raises(ConfigurationError, match="a bypass lets in whoever it is; take it out, or make"):
        Policy(decision=BYPASS, **sections)


@pytest.mark.parametrize(
    ("made", "is_public"),
    [
        pytest.param(policy("bypass", {"everyone": True}), True, id="everyone"),
        pytest.param(policy("bypass", {"ip": "10.0.0.0/8"}, {"everyone": True}), True, id="everyone-among-others"),
        pytest.param(policy("bypass", {"everyone": True}, require=[{"everyone": True}]), True, id="twice"),
        pytest.param(policy("bypass", {"access_group": {"include": [{"everyone": True}]}}), True, id="a-group-of-all"),
        pytest.param(
            policy("bypass", {"access_group": {"include": [{"everyone": True}], "require": [{"ip": "::/0"}]}}),
            False, id="a-group-of-some",
        ),
        pytest.param(policy("bypass", {"ip": "0.0.0.0/0"}), False, id="by-address"),
        pytest.param(policy("bypass", {"everyone": True}, require=[{"method": "GET"}]), False, id="required"),
        pytest.param(policy("bypass", {"everyone": True}, exclude=[{"method": "GET"}]), False, id="excluded"),
        pytest.param(policy("allow", {"everyone": True}), False, id="allow"),
        pytest.param(policy("service_auth", {"everyone": True}), False, id="service-auth"),
    ],
)  # fmt: skip
def test_an_unconditional_bypass_is_public(made: Policy, is_public: bool) -> None:
    assert made.is_public is is_public


@pytest.mark.parametrize(
    ("written", "needs"),
    [
        pytest.param([], Need.NOTHING, id="nothing"),
        pytest.param([policy("bypass", {"everyone": True})], Need.NOTHING, id="public"),
        pytest.param([policy("allow", {"everyone": True})], Need.TOKEN, id="any-user"),
        pytest.param([policy("service_auth", {"ip": "10.0.0.0/8"})], Need.TOKEN | Need.ADDRESS, id="somebody-there"),
        pytest.param([policy("bypass", {"country": "DE"})], Need.COUNTRY, id="bypass-has-no-token"),
        pytest.param([policy("bypass", {"certificate": True})], Need.CERTIFICATE, id="bypass-has-no-profile"),
        pytest.param(
            [policy("allow", {"groups": "x"}, exclude=[{"country": "DE"}]), policy("bypass", {"method": "GET"})],
            Need.TOKEN | Need.PROFILE | Need.COUNTRY | Need.METHOD, id="several",
        ),
        pytest.param(
            [policy("allow", {"check": lambda _: True})], Need.TOKEN | Need.REQUEST | Need.EVERY_TIME, id="check"
        ),
    ],
)  # fmt: skip
def test_policies_say_what_they_look_at_in_all(written: Sequence[Policy], needs: Need) -> None:
    assert needs_of(written) == needs


def test_policies_can_be_compared_and_serve_as_keys() -> None:
    one, other = (policy("allow", {"ips": ["10.0.0.0/8", "192.0.2.0/24"]}, {"email": "A@b.example"}) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != policy("allow", {"ips": ["10.0.0.0/8"]}, {"email": "a@b.example"})
    assert policy("allow", {"custom": {"a": [1, "x"]}}) == policy("allow", {"custom": {"a": ["x", 1]}})
    assert policy("allow", {"custom": {"a": 1}}) != policy("allow", {"custom": {"a": True}})


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param({"include": ()}, "include: is empty, so that it would mean nobody", id="no-include"),
        pytest.param({"include": [Everyone()]}, "include: is a list of 1; give a tuple", id="a-list"),
        pytest.param({"include": ("everyone",)}, "include: has text of 8 characters; give conditions", id="a-text"),
        pytest.param({"include": (Everyone(),), "exclude": (None,)}, "exclude: has None", id="nothing"),
        pytest.param({"include": (Everyone(),), "decision": "allow"}, "decision: is text of 5 .*; give", id="a-word"),
    ],
)
def test_a_policy_is_not_made_of_something_else(made: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Policy(**{"decision": ALLOW, **made})


def nest(depth: int) -> Criteria:
    """Groups within groups."""
    criteria = Criteria(include=(Everyone(),))
    for _ in range(depth):
        criteria = Criteria(include=(AccessGroup(criteria=criteria),))
    return criteria


def test_conditions_are_counted_with_groups_written_out() -> None:
    group = AccessGroup(criteria=Criteria(include=fixed(TRUE, TRUE)))
    assert group.criteria.size == 2
    assert Criteria(include=(Everyone(), group), exclude=(group,)).size == 5
    assert Criteria(include=(Everyone(),) * MAX_CONDITIONS).size == MAX_CONDITIONS
    with pytest.raises(ConfigurationError, match=f"more than {MAX_CONDITIONS} conditions once groups are written out"):
        Criteria(include=(Everyone(),) * (MAX_CONDITIONS + 1))


def test_a_group_is_written_as_it_is_read() -> None:
    group = AccessGroup(criteria=Criteria(include=(Everyone(),)), id="g1", name="Admins")
    assert group.to_value() == {"id": "g1", "name": "Admins", "include": [{"everyone": True}]}


def test_everything_that_is_waited_for_is_named() -> None:
    made = policy("allow", {"device_posture": "x"}, require=[{"login_method": "y"}])
    assert made.match(without_lookup()).reasons == ("device-posture", "login-method")


def test_groups_nest_so_far_and_no_further() -> None:
    assert decide_policies([Policy(decision=ALLOW, include=nest(MAX_DEPTH).include)], facts()).outcome is ADMIT
    with pytest.raises(ConfigurationError, match=f"more than {MAX_DEPTH} groups"):
        nest(MAX_DEPTH + 1)


@pytest.mark.parametrize("decision", [ALLOW, DENY], ids=["allow", "deny"])
@pytest.mark.parametrize("section", ["include", "exclude"])
@pytest.mark.parametrize("within", ["include", "exclude"])
def test_what_is_unknown_counts_against_the_request_within_groups_too(
    decision: PolicyDecision, section: str, within: str
) -> None:
    everyone: dict[str, Any] = {"include": (Everyone(),)}
    group = AccessGroup(criteria=Criteria(**{**everyone, within: fixed(UNKNOWN)}))
    made = Policy(decision=decision, **{**everyone, section: (group,)})
    assert made.match(facts()).truth is (TRUE if decision is DENY else FALSE)
    assert group.evaluate(facts()) is UNKNOWN


def test_a_short_evaluation_asks_no_more_functions_than_it_must() -> None:
    asked: list[str] = []

    def says(name: str, answer: bool) -> Any:
        def function(_: Facts) -> bool:
            asked.append(name)
            return answer

        return function

    required = [says("d", False), says("e", True)]
    made = policy("allow", says("a", False), says("b", True), says("c", True), require=required)
    assert decide_policies([made], facts()).outcome is REFUSE
    assert asked == ["a", "b", "d"]


def test_a_user_who_is_a_service_by_no_means() -> None:
    written = [policy("service_auth", {"service_token": CLIENT_ID}), policy("allow", {"email_domain": "example.com"})]
    assert decide_policies(written, facts(identity=SERVICE)).policy is written[0]
    assert decide_policies(written, facts()).policy is written[1]
    assert decide_policies(written, facts(identity=identity("user", id=CLIENT_ID))).policy is written[1]
    assert USER.email is not None
