"""What policies say of a token that is good, how long that is kept, and what a bypass opens."""

import json
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import pytest

from cfaccess_mw.core.admission import NO_FACTS, Admission, LackingProfile, Verdicts
from cfaccess_mw.core.check import Check
from cfaccess_mw.core.decide import NO_ANSWERS, NOBODY, Decision, Gate, Pass, Refusal
from cfaccess_mw.core.errors import (
    ConfigurationError,
    IdentityUnavailable,
    NoToken,
    NotPermitted,
    Refused,
    SessionEnded,
)
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.freshness import UNAVAILABLE as KEYS_UNAVAILABLE
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.policy import Policy, PolicyDecision
from cfaccess_mw.core.profile import ENDED, Outcome, Profile, ProfileAnswer, found
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD, NOW, Held

CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
UNAVAILABLE = ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=7.0)


def profile(version: int = 1, **fields: Any) -> ProfileAnswer:
    """An answer of the identity lookup."""
    return found(Profile(fetched_at=NOW, version=version, _body=json.dumps(fields).encode()))


@dataclass
class AtHand:
    """What is known of people without asking."""

    answer: ProfileAnswer | None = None
    asked: list[tuple[str | bytes, Identity]] = field(default_factory=list)

    def peek(self, token: str | bytes, identity: Identity) -> ProfileAnswer | None:
        self.asked.append((token, identity))
        return self.answer


@dataclass
class World:
    """A gate, and what it knows of people."""

    issuer: Issuer
    snapshot: KeySnapshot
    at_hand: AtHand = field(default_factory=AtHand)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        sources = {self.issuer.iss: Held(self.snapshot)}
        verifier = Verifier(sources, leeway=30, max_age=None, certificates=False)
        self.gate = Gate(verifier, sources, self.at_hand)

    def ask(
        self, requirement: Requirement, token: str | None, facts: Facts = NO_FACTS, answers: Any = NO_ANSWERS
    ) -> Decision:
        return self.gate.decide(requirement, token, NOW, (), answers, facts)


@pytest.fixture
def world(issuer: Issuer, snapshot: KeySnapshot) -> World:
    return World(issuer, snapshot)


@pytest.fixture
def alice(issuer: Issuer) -> str:
    return issuer.user("alice@example.com", audience=AUD)


@pytest.fixture
def robot(issuer: Issuer) -> str:
    return issuer.service(CLIENT_ID, audience=AUD)


def required(*rules: Rule, path: str = "/a", policies: Any = ()) -> Requirement:
    table = RuleTable(rules, audience=frozenset({AUD}), policies=policies)
    return table.find("GET", path, None, "", None)


def verdict(decision: Decision) -> type[Refused] | str:
    match decision:
        case Refusal(error=error):
            return type(error)
        case Pass(identity=None):
            return "nobody"
        case Pass():
            return "in"
        case _:
            return "lacking"


@pytest.mark.parametrize(
    ("rule", "user", "service", "nobody"),
    [
        pytest.param(Rule.token("/a"), "in", "in", NoToken, id="any-valid-token"),
        pytest.param(Rule.any_user("/a"), "in", NotPermitted, NoToken, id="any-user"),
        pytest.param(Rule.service("/a"), NotPermitted, "in", NoToken, id="any-service"),
        pytest.param(Rule.service("/a", tokens=[CLIENT_ID]), NotPermitted, "in", NoToken, id="this-service"),
        pytest.param(
            Rule.service("/a", tokens="0" * 32 + ".access"), NotPermitted, NotPermitted, NoToken, id="another-service"
        ),
        pytest.param(Rule.allow("/a", emails=["ALICE@example.com"]), "in", NotPermitted, NoToken, id="this-email"),
        pytest.param(Rule.allow("/a", emails="bob@example.com"), NotPermitted, NotPermitted, NoToken, id="another"),
        pytest.param(Rule.allow("/a", email_domains="example.com"), "in", NotPermitted, NoToken, id="this-domain"),
        pytest.param(Rule.deny("/a"), NotPermitted, NotPermitted, NoToken, id="deny"),
        pytest.param(
            Rule.guarded("/a", [{"decision": "bypass", "include": [{"everyone": True}]}]),
            "in",
            "in",
            "nobody",
            id="unconditional-bypass-is-public",
        ),
    ],
)
def test_rules_by_who_asks(
    world: World, alice: str, robot: str, rule: Rule, user: object, service: object, nobody: object
) -> None:
    requirement = required(rule)
    for _ in ("first", "remembered"):
        assert [verdict(world.ask(requirement, token)) for token in (alice, robot, None)] == [user, service, nobody]


def test_who_is_not_permitted_is_known_where_refusals_are_only_reported(world: World, alice: str) -> None:
    decision = world.ask(required(Rule.deny("/a")), alice)
    assert isinstance(decision, Refusal)
    assert decision.passing.identity is not None


def test_policies_hold_where_no_rule_matches(world: World, alice: str, robot: str) -> None:
    requirement = required(path="/elsewhere", policies=Rule.any_user("/x").policies)
    assert [verdict(world.ask(requirement, token)) for token in (alice, robot)] == ["in", NotPermitted]


def test_all_readings_have_to_let_somebody_in(world: World, alice: str) -> None:
    rules = (Rule.allow("/a", emails="alice@example.com"), Rule.allow("/A", emails="bob@example.com"))
    requirement = required(*rules, path="/a")
    assert len(requirement.policies) == 2, "the table that does not mind case adds what the other rule asks"
    assert verdict(world.ask(requirement, alice)) is NotPermitted


class TestVerdictsAreKept:
    """For exactly as long as what they were made of."""

    @pytest.mark.parametrize(
        ("pure", "calls"), [pytest.param(True, 1, id="promised"), pytest.param(False, 3, id="not-promised")]
    )
    def test_callables_are_asked_again_unless_they_promise_to_be_pure(
        self, world: World, alice: str, pure: bool, calls: int
    ) -> None:
        seen: list[Facts] = []

        def check(facts: Facts) -> bool:
            seen.append(facts)
            return True

        condition = Check(function=check, looks_at=Need.TOKEN, pure=pure)
        requirement = required(Rule.guarded("/a", [Policy(decision=PolicyDecision.ALLOW, include=(condition,))]))
        for _ in range(3):
            assert verdict(world.ask(requirement, alice)) == "in"
        assert len(seen) == calls

    def test_the_request_is_looked_at_every_time(self, world: World, alice: str) -> None:
        requirement = required(Rule.allow("/a", ips="192.0.2.0/24"))
        assert requirement.needs & Need.ADDRESS
        for address, expected in (("192.0.2.1", "in"), ("203.0.113.9", NotPermitted), ("192.0.2.2", "in")):
            facts = replace(NO_FACTS, address=ip_address(address))
            assert verdict(world.ask(requirement, alice, facts)) == expected
        assert verdict(world.ask(requirement, alice)) is NotPermitted, "an address that is not known"
        for address, expected in (("192.0.2.1", "in"), ("203.0.113.9", NotPermitted)):
            facts = replace(NO_FACTS, address=ip_address(address))
            decision = world.gate.decide(requirement, None, NOW, (alice,), NO_ANSWERS, facts)
            assert verdict(decision) == expected, "of a cookie"

    def test_of_one_token_only_so_many_are_kept(self, world: World, alice: str) -> None:
        decision = world.ask(required(Rule.any_user("/a")), alice)
        assert isinstance(decision, Pass)
        assert decision.identity is not None
        verdicts: Verdicts = {}
        sizes = set()
        for number in range(40):
            requirement = required(Rule.allow("/a", emails=f"{number}@example.com"))
            refusal = Admission(None).admit(requirement, decision.identity, alice, verdicts, NO_ANSWERS, NO_FACTS)
            assert isinstance(refusal, NotPermitted)
            sizes.add(len(verdicts))
        assert max(sizes) == 16

    def test_each_requirement_has_its_own(self, world: World, alice: str) -> None:
        for number in range(40):
            rule = Rule.allow("/a", emails="alice@example.com" if number % 2 else "bob@example.com")
            assert verdict(world.ask(required(rule), alice)) == ("in" if number % 2 else NotPermitted)


class TestLookups:
    """What a policy cannot know from the token is looked up, when and only when it matters."""

    ADMINS = Rule.allow("/a", groups=["admins"])

    def test_it_is_lacking_until_it_is_known(self, world: World, alice: str) -> None:
        decision = world.ask(required(self.ADMINS), alice)
        assert isinstance(decision, LackingProfile)
        assert decision.identity.email == "alice@example.com"
        assert decision.token == alice
        assert alice not in repr(decision)
        assert world.at_hand.asked == [(alice, decision.identity)]

    def test_where_nothing_is_at_hand_it_is_lacking(self, issuer: Issuer, snapshot: KeySnapshot, alice: str) -> None:
        sources = {issuer.iss: Held(snapshot)}
        gate = Gate(Verifier(sources, leeway=30, max_age=None, certificates=False), sources)
        assert verdict(gate.decide(required(self.ADMINS), alice, NOW)) == "lacking"

    def test_a_callable_knows_that_the_lookup_was_made(self, world: World, alice: str) -> None:
        check = Check(function=lambda facts: facts.looked_up, looks_at=Need.PROFILE)
        rule = Rule.guarded("/a", [Policy(decision=PolicyDecision.ALLOW, include=(check,))])
        world.at_hand.answer = profile()
        assert verdict(world.ask(required(rule), alice)) == "in"

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            pytest.param(profile(groups=["admins"]), "in", id="in"),
            pytest.param(profile(groups=["staff"]), NotPermitted, id="out"),
            pytest.param(profile(), NotPermitted, id="no-groups"),
            pytest.param(profile(groups="admins"), NotPermitted, id="wrong-type"),
            pytest.param(UNAVAILABLE, IdentityUnavailable, id="unavailable"),
            pytest.param(ENDED, SessionEnded, id="ended"),
        ],
    )
    @pytest.mark.parametrize("by", ["answer", "at-hand"])
    def test_what_is_known_decides(
        self, world: World, alice: str, answer: ProfileAnswer, expected: object, by: str
    ) -> None:
        requirement = required(self.ADMINS)
        lacking = world.ask(requirement, alice)
        if by == "answer":
            assert verdict(world.ask(requirement, alice, answers={lacking: answer})) == expected
        else:
            world.at_hand.answer = answer
            assert verdict(world.ask(requirement, alice)) == expected

    def test_a_verdict_ends_with_the_version_of_the_profile(self, world: World, alice: str) -> None:
        requirement = required(self.ADMINS)
        for version, groups, expected in ((1, ["admins"], "in"), (2, ["staff"], NotPermitted), (3, ["admins"], "in")):
            world.at_hand.answer = profile(version, groups=groups)
            for _ in ("first", "kept"):
                assert verdict(world.ask(requirement, alice)) == expected

    def test_a_verdict_on_a_version_of_the_profile_is_kept(self, world: World, alice: str) -> None:
        seen: list[Facts] = []

        def check(facts: Facts) -> bool:
            seen.append(facts)
            return True

        condition = Check(function=check, looks_at=Need.TOKEN | Need.PROFILE, pure=True)
        requirement = required(Rule.guarded("/a", [Policy(decision=PolicyDecision.ALLOW, include=(condition,))]))
        for version in (1, 1, 2, 2):
            world.at_hand.answer = profile(version)
            assert verdict(world.ask(requirement, alice)) == "in"
        assert len(seen) == 2

    def test_a_verdict_does_not_outlive_the_profile(self, world: World, alice: str) -> None:
        requirement = required(self.ADMINS)
        world.at_hand.answer = profile(groups=["admins"])
        assert verdict(world.ask(requirement, alice)) == "in"
        world.at_hand.answer = None
        assert verdict(world.ask(requirement, alice)) == "lacking"

    def test_a_service_is_never_looked_up_for_users(self, world: World, robot: str) -> None:
        assert verdict(world.ask(required(self.ADMINS), robot)) is NotPermitted

    def test_nobody_is_asked_for_where_no_policy_asks(self, world: World, alice: str) -> None:
        world.ask(required(Rule.any_user("/a")), alice)
        assert world.at_hand.asked == []


class TestBypass:
    """Opens under the same conditions as a public rule."""

    OFFICE = Rule.guarded(
        "/a",
        [
            {"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]},
            {"decision": "allow", "include": [{"email": "bob@example.com"}]},
        ],
    )

    @pytest.mark.parametrize(
        ("address", "who", "expected"),
        [
            pytest.param("192.0.2.1", None, "nobody", id="from-there-nobody"),
            pytest.param("192.0.2.1", "alice", "in", id="from-there-somebody"),
            pytest.param("192.0.2.1", "bad", "nobody", id="from-there-bad-token"),
            pytest.param("203.0.113.9", None, NoToken, id="from-elsewhere-nobody"),
            pytest.param("203.0.113.9", "alice", NotPermitted, id="from-elsewhere-somebody"),
            pytest.param(None, None, NoToken, id="from-nobody-knows-where"),
        ],
    )
    def test_by_address(self, world: World, alice: str, address: str | None, who: str | None, expected: object) -> None:
        facts = replace(NO_FACTS, address=None if address is None else ip_address(address))
        token = {"alice": alice, "bad": "x", None: None}[who]
        assert verdict(world.ask(required(self.OFFICE), token, facts)) == expected

    def test_every_reading_has_to_be_open(self, world: World) -> None:
        facts = replace(NO_FACTS, address=ip_address("192.0.2.1"))
        mixed = required(self.OFFICE, Rule.token("/A"))
        assert not mixed.may_open
        assert verdict(world.ask(mixed, None, facts)) is NoToken
        public = required(self.OFFICE, Rule.public("/a/x/*"), path="/a")
        assert world.ask(public, None, facts) is NOBODY


def test_nothing_is_asked_for_twice(world: World, alice: str) -> None:
    requirement = required(Rule.allow("/a", groups=["admins"]))
    lacking = world.ask(requirement, alice)
    refusal = world.ask(requirement, alice, answers={lacking: KEYS_UNAVAILABLE})
    assert verdict(refusal) is IdentityUnavailable
    assert isinstance(refusal, Refusal)
    assert refusal.error.retry_after == 1


WWW_TOKEN = Rule.token("/*", hosts="www.example")
API_TOKEN = Rule.token("/api/*", hosts="api.example")


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([Rule.allow("/admin/*", emails="a@b.example"), WWW_TOKEN, API_TOKEN], id="token"),
        pytest.param([Rule.deny("/admin/*"), Rule.any_user("/*", hosts="www.example"), API_TOKEN], id="weaker"),
        pytest.param([Rule.deny("/a", hosts="a.example"), Rule.deny("/b", hosts="b.example")], id="other-hosts"),
    ],
)
def test_another_host_gets_round_no_policy_unless_the_application_routes_by_host(rules: list[Rule]) -> None:
    with pytest.raises(ConfigurationError, match="host_routing=True"):
        RuleTable(rules, audience=frozenset({AUD}))
    RuleTable(rules, audience=frozenset({AUD}), host_routing=True)


def test_policies_for_one_set_of_hosts_need_no_word() -> None:
    rules = [Rule.deny("/a", hosts="a.example"), Rule.any_user("/*", hosts="a.example")]
    assert RuleTable(rules, audience=frozenset({AUD})).find("GET", "/a", None, "", "b.example").refusal


def test_default_policies_are_not_got_round_by_host_either() -> None:
    with pytest.raises(ConfigurationError, match="host_routing=True"):
        RuleTable(
            [Rule.token("/x"), Rule.token("/*", hosts="a.example")],
            audience=frozenset({AUD}),
            policies=Rule.any_user("/y").policies,
        )
