"""What is asked about every verified token: was the session revoked here, did Cloudflare end it?"""

from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import pytest

from cfaccess_mw.core.admission import NO_FACTS, LackingProfile
from cfaccess_mw.core.decide import NO_ANSWERS, NOBODY, Decision, Gate, Pass, Refusal
from cfaccess_mw.core.errors import (
    IdentityUnavailable,
    NotPermitted,
    Refused,
    RevocationsUnavailable,
    SessionEnded,
    SessionRevoked,
)
from cfaccess_mw.core.freshness import UNAVAILABLE as KEYS_UNAVAILABLE
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.profile import ENDED, Outcome, Profile, ProfileAnswer, found
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.standing import Standing
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD, NOW, Held

EVERY = 60.0
UNAVAILABLE = ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=7.0)

RULES = (
    Rule.public("/public"),
    Rule.optional("/optional"),
    Rule.any_user("/user"),
    Rule.guarded("/bypass", [{"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]}]),
    Rule.deny("/denied"),
)


def known(at: float = NOW) -> ProfileAnswer:
    """Somebody who was looked up then."""
    return found(Profile(fetched_at=at, version=1, _body=b'{"email":"alice@example.com"}'))


@dataclass
class World:
    """A gate, who was revoked, and what is known of people."""

    issuer: Issuer
    snapshot: KeySnapshot
    every: float | None = None
    error: type[Refused] | None = None
    at_hand: ProfileAnswer | None = None
    asked: list[Identity] = field(default_factory=list)
    peeked: int = 0
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        sources = {self.issuer.iss: Held(self.snapshot)}
        verifier = Verifier(sources, leeway=30, max_age=None, certificates=True)
        self.gate = Gate(verifier, sources, self, Standing(objection=self.object, revalidate_every=self.every))

    def object(self, identity: Identity) -> Refused | None:
        self.asked.append(identity)
        return None if self.error is None else self.error()

    def peek(self, token: str | bytes, identity: Identity) -> ProfileAnswer | None:
        self.peeked += 1
        return self.at_hand

    def ask(
        self, token: str, path: str = "/", *, at: float = NOW, answers: Any = NO_ANSWERS, cookies: tuple[str, ...] = ()
    ) -> Decision:
        requirement = _required(path)
        return self.gate.decide(requirement, None if cookies else token, at, cookies, answers)


def _required(path: str) -> Requirement:
    return RuleTable(RULES, audience=frozenset({AUD})).find("GET", path, None, "", None)


def outcome(decision: Decision) -> object:
    match decision:
        case Refusal(error=error):
            return type(error)
        case Pass(identity=None):
            return "nobody"
        case Pass():
            return "in"
        case lacking:
            assert isinstance(lacking, LackingProfile)
            return "lacking"


@pytest.fixture
def world(issuer: Issuer, snapshot: KeySnapshot) -> World:
    return World(issuer, snapshot)


@pytest.fixture
def timed(issuer: Issuer, snapshot: KeySnapshot) -> World:
    return World(issuer, snapshot, every=EVERY)


@pytest.fixture
def alice(issuer: Issuer) -> str:
    return issuer.user("alice@example.com", audience=AUD, issued_at=NOW)


class TestRevocation:
    """Asked on every hit, whatever the path requires."""

    @pytest.mark.parametrize("error", [SessionRevoked, RevocationsUnavailable])
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            pytest.param("/", "refused", id="token"),
            pytest.param("/optional", "refused", id="optional"),
            pytest.param("/user", "refused", id="policies"),
            pytest.param("/denied", "refused", id="before-policies"),
            pytest.param("/bypass", "refused", id="bypass-not-met"),
            pytest.param("/public", "nobody", id="public"),
        ],
    )
    def test_an_ended_session_is_nobody(
        self, world: World, alice: str, error: type[Refused], path: str, expected: str
    ) -> None:
        for _ in ("first", "remembered"):
            world.error = None
            before = outcome(world.ask(alice, path))
            assert before in ("in", NotPermitted)
            world.error = error
            assert outcome(world.ask(alice, path)) == (error if expected == "refused" else expected)

    def test_it_is_asked_at_the_first_hit_too(self, world: World, alice: str) -> None:
        world.error = SessionRevoked
        assert outcome(world.ask(alice)) is SessionRevoked

    @pytest.mark.parametrize(
        "requirement",
        [
            pytest.param(_required("/public"), id="public"),
            pytest.param(Requirement(access=Access.PUBLIC, audiences=(frozenset({AUD}),)), id="public-by-access-alone"),
            pytest.param(_required("/bypass"), id="bypass-that-is-met"),
        ],
    )
    def test_where_nobody_is_needed_an_ended_session_is_nobody(
        self, world: World, alice: str, requirement: Requirement
    ) -> None:
        facts = replace(NO_FACTS, address=ip_address("192.0.2.1"))
        for error, expected in ((SessionRevoked, "nobody"), (None, "in"), (SessionRevoked, "nobody")):
            world.error = error
            assert outcome(world.gate.decide(requirement, alice, NOW, (), NO_ANSWERS, facts)) == expected

    def test_it_is_asked_once_for_each_hit_that_passes(self, world: World, alice: str) -> None:
        for hits in range(1, 5):
            assert outcome(world.ask(alice, "/user")) == "in"
            assert len(world.asked) == hits

    def test_what_is_asked_about_was_verified(self, world: World, alice: str) -> None:
        world.ask(alice[:-8] + "AAAAAAAA")
        assert world.asked == []
        world.ask(alice)
        assert [identity.email for identity in world.asked] == ["alice@example.com"]

    def test_where_refusals_are_only_reported_a_revoked_session_is_nobody(self, world: World, alice: str) -> None:
        world.error = SessionRevoked
        decision = world.ask(alice)
        assert isinstance(decision, Refusal)
        assert decision.passing is NOBODY

    def test_another_cookie_may_be_of_a_session_that_stands(self, world: World, alice: str, issuer: Issuer) -> None:
        bob = issuer.user("bob@example.com", audience=AUD, issued_at=NOW)

        def objection(identity: Identity) -> Refused | None:
            return SessionRevoked() if identity.email == "alice@example.com" else None

        sources = {issuer.iss: Held(world.snapshot)}
        verifier = Verifier(sources, leeway=30, max_age=None, certificates=False)
        gate = Gate(verifier, sources, standing=Standing(objection=objection))
        decision = gate.decide(_required("/"), None, NOW, (alice, bob))
        assert isinstance(decision, Pass)
        assert decision.identity is not None
        assert decision.identity.email == "bob@example.com"


class TestRevalidation:
    """People are looked up again at intervals."""

    def test_it_is_lacking_until_it_is_known(self, timed: World, alice: str) -> None:
        lacking = timed.ask(alice)
        assert isinstance(lacking, LackingProfile)
        assert (lacking.identity.email, lacking.token) == ("alice@example.com", alice)
        assert outcome(timed.ask(alice, answers={lacking: known()})) == "in"

    @pytest.mark.parametrize("by", ["answer", "at-hand"])
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            pytest.param(known(), "in", id="found"),
            pytest.param(ENDED, SessionEnded, id="ended"),
            pytest.param(UNAVAILABLE, IdentityUnavailable, id="unavailable"),
            pytest.param(KEYS_UNAVAILABLE, IdentityUnavailable, id="something-else"),
        ],
    )
    def test_what_is_known_decides(self, timed: World, alice: str, answer: Any, expected: object, by: str) -> None:
        lacking = timed.ask(alice)
        if by == "at-hand" and isinstance(answer, ProfileAnswer):
            timed.at_hand = answer
            assert outcome(timed.ask(alice)) == expected
        else:
            assert outcome(timed.ask(alice, answers={lacking: answer})) == expected

    def test_how_long_to_wait_is_told(self, timed: World, alice: str) -> None:
        timed.at_hand = UNAVAILABLE
        decision = timed.ask(alice)
        assert isinstance(decision, Refusal)
        assert decision.error.retry_after == UNAVAILABLE.retry_after

    def test_nobody_is_asked_again_before_it_is_time(self, timed: World, alice: str) -> None:
        timed.at_hand = known()
        assert outcome(timed.ask(alice)) == "in"
        timed.at_hand, peeked = ENDED, timed.peeked
        assert outcome(timed.ask(alice, at=NOW + EVERY - 0.001)) == "in"
        assert timed.peeked == peeked
        assert outcome(timed.ask(alice, at=NOW + EVERY)) is SessionEnded

    def test_the_last_answer_of_an_outage_counts_once_only(self, timed: World, alice: str) -> None:
        timed.at_hand = known(NOW - EVERY)
        assert outcome(timed.ask(alice)) == "in"
        timed.at_hand = ENDED
        assert outcome(timed.ask(alice)) is SessionEnded

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            pytest.param(None, "in", id="not-known"),
            pytest.param(known(), "in", id="found"),
            pytest.param(ENDED, "nobody", id="ended"),
            pytest.param(UNAVAILABLE, "nobody", id="unavailable"),
        ],
    )
    def test_on_a_public_path_nobody_is_waited_for(
        self, timed: World, alice: str, answer: ProfileAnswer | None, expected: str
    ) -> None:
        timed.at_hand = answer
        for _ in ("first", "remembered"):
            assert outcome(timed.ask(alice, "/public")) == expected

    @pytest.mark.parametrize("path", ["/", "/user", "/optional", "/denied"])
    def test_an_ended_session_is_refused_as_such(self, timed: World, alice: str, path: str) -> None:
        timed.at_hand = ENDED
        for _ in ("first", "remembered"):
            assert outcome(timed.ask(alice, path)) is SessionEnded

    @pytest.mark.parametrize("kind", ["service", "certificate"])
    def test_who_has_no_session_there_is_not_looked_up(self, timed: World, issuer: Issuer, kind: str) -> None:
        timed.at_hand = ENDED
        names = {"common_name": "laptop-7"} if kind == "certificate" else {}
        token = issuer.service(audience=AUD, issued_at=NOW, **names)  # type: ignore[arg-type]
        assert outcome(timed.ask(token)) == "in"
        assert timed.peeked == 0

    def test_without_it_nobody_is_looked_up(self, world: World, alice: str) -> None:
        world.at_hand = ENDED
        assert outcome(world.ask(alice)) == "in"
        assert world.peeked == 0

    def test_without_profiles_it_stays_lacking(self, issuer: Issuer, snapshot: KeySnapshot, alice: str) -> None:
        sources = {issuer.iss: Held(snapshot)}
        verifier = Verifier(sources, leeway=30, max_age=None, certificates=False)
        gate = Gate(verifier, sources, standing=Standing(revalidate_every=EVERY))
        assert outcome(gate.decide(_required("/"), alice, NOW)) == "lacking"
