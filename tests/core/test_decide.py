"""The decision over a request: what it answers at once, what it says it lacks, and what it remembers."""

import gc
import json
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

import pytest

from cfaccess_mw.core.admission import Answers, Lacking, LackingKey
from cfaccess_mw.core.decide import (
    MEMORY_COUNT,
    MEMORY_WEIGHT,
    NO_ANSWERS,
    NOBODY,
    Decision,
    Gate,
    Given,
    Pass,
    Refusal,
)
from cfaccess_mw.core.errors import (
    AlgorithmNotAllowed,
    AmbiguousPath,
    BadEncoding,
    BadSignature,
    DuplicateToken,
    Expired,
    KeysUnavailable,
    MalformedToken,
    NoToken,
    NotYetValid,
    OversizedToken,
    Refused,
    TooManyTokens,
    TooOld,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
)
from cfaccess_mw.core.freshness import Availability, KeyAnswer
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.requirement import Requirement, refused
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer

NOW = 1_700_000_000.0
HOUR = 3_600
AUD = "a" * 64
OTHER_AUD = "b" * 64

TOKEN = Requirement(access=Access.TOKEN, audiences=(frozenset({AUD}),))
OPTIONAL = Requirement(access=Access.OPTIONAL, audiences=(frozenset({AUD}),))
PUBLIC = Requirement(access=Access.PUBLIC, audiences=(frozenset({AUD}),))
OTHER = Requirement(access=Access.TOKEN, audiences=(frozenset({OTHER_AUD}),))
BOTH = Requirement(access=Access.TOKEN, audiences=(frozenset({AUD}), frozenset({OTHER_AUD})))

ABSENT = KeyAnswer(availability=Availability.ABSENT)
PRESENT = KeyAnswer(availability=Availability.PRESENT)
UNAVAILABLE = KeyAnswer(availability=Availability.UNAVAILABLE, retry_after=17.0)


def snapshot_of(issuer: Issuer) -> KeySnapshot:
    return parse_jwks(json.dumps(issuer.certs()).encode())


@dataclass
class Source:
    """Keys that a test can take away and change."""

    snapshot: KeySnapshot | None


@dataclass
class World:
    """A gate, the team that it believes, and the team's keys as the gate sees them."""

    team: Issuer
    source: Source
    max_age: float | None = None
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        sources = {self.team.iss: self.source}
        verifier = Verifier(sources, leeway=30, max_age=self.max_age, certificates=False)
        self.gate = Gate(verifier, sources)

    def user(self, **options: object) -> bytes:
        options = {"audience": AUD, "issued_at": NOW, "expires_in": HOUR} | options
        return self.team.user("alice@example.com", **options).encode()  # type: ignore[arg-type]

    def decide(
        self,
        requirement: Requirement,
        token: Given,
        *,
        at: float = NOW,
        cookies: Sequence[str | bytes] = (),
        answers: Answers = NO_ANSWERS,
    ) -> Decision:
        return self.gate.decide(requirement, token, at, cookies, answers)

    def lacking(self, token: bytes) -> Lacking:
        decision = self.decide(TOKEN, token)
        assert isinstance(decision, Lacking)
        return decision


@pytest.fixture
def world(issuer: Issuer) -> World:
    return World(issuer, Source(snapshot_of(issuer)))


@pytest.fixture(scope="session")
def other_team() -> Issuer:
    return Issuer("umbrella")


def refusal(decision: Decision) -> type[Refused]:
    assert isinstance(decision, Refusal), decision
    return type(decision.error)


def identity_of(decision: Decision) -> str | None:
    assert isinstance(decision, Pass), decision
    return None if decision.identity is None else decision.identity.email


def loose(segment: str) -> str:
    """Another text that a loose decoder reads as the same bytes: with other unused bits, or with padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1] if len(segment) % 4 else segment + "="


Make = Callable[[World], Given]


@pytest.mark.parametrize(
    ("requirement", "token", "expected"),
    [
        pytest.param(TOKEN, lambda w: w.user(), "alice@example.com", id="token-good"),
        pytest.param(TOKEN, lambda _: None, NoToken, id="token-none"),
        pytest.param(TOKEN, lambda _: b"x", MalformedToken, id="token-bad"),
        pytest.param(TOKEN, lambda _: DuplicateToken, DuplicateToken, id="token-two-headers"),
        pytest.param(TOKEN, lambda w: w.user(audience=OTHER_AUD), WrongAudience, id="token-other-application"),
        pytest.param(OPTIONAL, lambda w: w.user(), "alice@example.com", id="optional-good"),
        pytest.param(OPTIONAL, lambda _: None, None, id="optional-none"),
        pytest.param(OPTIONAL, lambda _: b"x", MalformedToken, id="optional-bad"),
        pytest.param(OPTIONAL, lambda _: DuplicateToken, DuplicateToken, id="optional-two-headers"),
        pytest.param(PUBLIC, lambda w: w.user(), "alice@example.com", id="public-good"),
        pytest.param(PUBLIC, lambda _: None, None, id="public-none"),
        pytest.param(PUBLIC, lambda _: b"x", None, id="public-bad"),
        pytest.param(PUBLIC, lambda _: DuplicateToken, None, id="public-two-headers"),
        pytest.param(PUBLIC, lambda w: w.user(audience=OTHER_AUD), None, id="public-other-application"),
        pytest.param(OTHER, lambda w: w.user(audience=OTHER_AUD), "alice@example.com", id="own-audience-good"),
        pytest.param(OTHER, lambda w: w.user(), WrongAudience, id="own-audience-the-usual-token"),
        pytest.param(BOTH, lambda w: w.user(audience=[AUD, OTHER_AUD]), "alice@example.com", id="two-readings-good"),
        pytest.param(BOTH, lambda w: w.user(), WrongAudience, id="two-readings-one-audience"),
        pytest.param(refused(AmbiguousPath), lambda w: w.user(), AmbiguousPath, id="ambiguous-good-token"),
        pytest.param(refused(AmbiguousPath), lambda _: None, AmbiguousPath, id="ambiguous-none"),
    ],
)
@pytest.mark.parametrize("warmed", [False, True], ids=["first", "remembered"])
def test_requirement_by_token(
    world: World, requirement: Requirement, token: Make, expected: type[Refused] | str | None, warmed: bool
) -> None:
    given = token(world)
    if warmed:
        for everything in (TOKEN, OTHER, BOTH):
            world.decide(everything, given)
    decision = world.decide(requirement, given)
    if isinstance(expected, type):
        assert refusal(decision) is expected
    else:
        assert identity_of(decision) == expected
        if expected is not None:
            assert isinstance(decision, Pass)
            assert decision.token == given


def test_no_value_shows_a_token(world: World) -> None:
    token = world.user()
    assert token.decode() not in repr(world.decide(TOKEN, token))


def test_a_permission_shows_no_token_to_whoever_writes_it_down(world: World) -> None:
    token = world.user().decode()
    passing = world.decide(TOKEN, token)
    assert isinstance(passing, Pass)
    assert token not in json.dumps({"decision": passing}, default=repr)
    assert token not in "decided: %s" % passing  # noqa: UP031 - a tuple would be the arguments


class Text(str):
    """A text that can be looked for once nobody should have it any more."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda w: w.user(audience=OTHER_AUD), "wrong-audience", id="claims"),
        pytest.param(lambda w: w.user(iss=w.team.iss + "/"), "wrong-issuer", id="issuer"),
        pytest.param(lambda w: w.user() + b"=", "bad-encoding", id="encoding"),
        pytest.param(lambda w: w.user() + b".A", "malformed-token", id="shape"),
        pytest.param(lambda w: b"A." + w.user().partition(b".")[2], "bad-encoding", id="header-encoding"),
        pytest.param(lambda w: b"e30." + w.user().partition(b".")[2], "algorithm-not-allowed", id="header"),
        pytest.param(lambda w: w.team.sign(None, b"x").encode(), "bad-payload", id="payload"),
        pytest.param(lambda w: w.user().rpartition(b".")[0] + b".", "bad-signature", id="signature"),
        pytest.param(lambda w: w.user(type="org"), "wrong-token-type", id="type"),
        pytest.param(lambda w: w.user(issued_at=NOW + HOUR), "not-yet-valid", id="not-yet-valid"),
        pytest.param(lambda w: w.user(sub=""), "unknown-principal", id="principal"),
    ],
)
def test_a_refusal_keeps_nothing_of_the_way_to_it(world: World, make: Callable[[World], bytes], code: str) -> None:
    token = Text(make(world).decode())
    found = weakref.ref(token)
    decision = world.decide(TOKEN, token)
    assert isinstance(decision, Refusal)
    error = decision.error
    assert error.code == code
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)
    del token
    gc.collect()
    assert found() is None, "nor does the gate, which is asked again for every request"


def test_a_requirement_without_audience_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="audiences"):
        Requirement(access=Access.TOKEN, audiences=())


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("{0},{0}", id="joined"),
        pytest.param("{0}, {0}", id="joined-with-space"),
        pytest.param("{0} {0}", id="space"),
        pytest.param("{0}\t", id="tab"),
        pytest.param(" {0}", id="nothing-is-stripped"),
        pytest.param("{0}\n", id="newline"),
        pytest.param("," * 20_000, id="before-its-size"),
        pytest.param("a, b", id="garbage"),
    ],
)
@pytest.mark.parametrize("kind", [str, bytes])
def test_what_a_server_joined_is_two_tokens(world: World, spoil: str, kind: type) -> None:
    text = spoil.format(world.user().decode())
    assert refusal(world.decide(TOKEN, text if kind is str else text.encode())) is DuplicateToken


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "\u00e9", "a" * 20_000])
def test_what_is_merely_bad_is_not(world: World, text: str) -> None:
    assert refusal(world.decide(TOKEN, text)) is not DuplicateToken


def test_nobody_is_one_value(world: World) -> None:
    assert world.decide(PUBLIC, None) is NOBODY
    assert NOBODY.identity is None
    assert NOBODY.token is None


class TestMemory:
    """What is remembered is asked again at every hit for everything that may have changed."""

    def test_a_remembered_token_gives_the_same_answer_object(self, world: World) -> None:
        token = world.user()
        assert world.decide(TOKEN, token) is world.decide(TOKEN, bytes(bytearray(token)))

    def test_texts_are_remembered_like_bytes(self, world: World) -> None:
        token = world.user().decode()
        assert world.decide(TOKEN, token) is world.decide(TOKEN, token)

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            pytest.param(NOW + HOUR + 29.9, None, id="within-the-leeway"),
            pytest.param(NOW + HOUR + 30, Expired, id="expired"),
            pytest.param(NOW - 30, None, id="clock-turned-back-within-the-leeway"),
            pytest.param(NOW - 30.1, NotYetValid, id="clock-turned-back"),
        ],
    )
    def test_time_is_asked_again(self, world: World, at: float, expected: type[Refused] | None) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        decision = world.decide(TOKEN, token, at=at)
        assert (refusal(decision) if expected else None) is expected

    def test_max_age_is_asked_again(self, issuer: Issuer) -> None:
        world = World(issuer, Source(snapshot_of(issuer)), max_age=600)
        token = world.user()
        assert identity_of(world.decide(TOKEN, token, at=NOW + 629)) == "alice@example.com"
        assert refusal(world.decide(TOKEN, token, at=NOW + 630)) is TooOld

    def test_audience_is_asked_again(self, world: World) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        assert refusal(world.decide(OTHER, token)) is WrongAudience
        assert identity_of(world.decide(TOKEN, token)) == "alice@example.com"

    def test_a_removed_key_takes_its_tokens_along(self, world: World, other_team: Issuer) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        world.source.snapshot = snapshot_of(other_team)
        assert isinstance(world.decide(TOKEN, token), Lacking)

    def test_a_key_that_stays_keeps_them(self, world: World) -> None:
        token = world.user()
        first = world.decide(TOKEN, token)
        world.source.snapshot = snapshot_of(world.team)
        assert world.decide(TOKEN, token) is first, "another document, the same key"
        assert world.decide(TOKEN, token) is first

    def test_another_key_under_the_same_id_does_not(self, world: World, other_team: Issuer) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        certs = other_team.certs()
        for key in certs["keys"]:
            key["kid"] = world.team.current.kid
        certs["keys"].pop()
        world.source.snapshot = parse_jwks(json.dumps(certs).encode())
        assert refusal(world.decide(TOKEN, token)) is BadSignature

    def test_no_keys_at_all_mean_that_nothing_holds(self, world: World) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        world.source.snapshot = None
        assert isinstance(world.decide(TOKEN, token), Lacking)

    def test_refusals_are_not_remembered(self, world: World) -> None:
        token = world.user(issued_at=NOW + HOUR)
        assert refusal(world.decide(TOKEN, token)) is NotYetValid
        assert identity_of(world.decide(TOKEN, token, at=NOW + HOUR)) == "alice@example.com"

    def test_it_is_bounded(self, world: World) -> None:
        assert MEMORY_COUNT == 10_000
        assert "10000" in repr(world.gate._memory)
        assert world.gate._memory._weight == MEMORY_WEIGHT / 2 == 32 * 1024 * 1024

    def test_a_token_weighs_twice_itself_and_what_is_made_of_it(self, world: World) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        assert world.gate._memory._held == 2 * len(token) + 1_024

    def test_what_is_too_long_is_not_even_looked_up(self, world: World) -> None:
        class Unhashable(str):
            __hash__ = None  # type: ignore[assignment]  # that it cannot be looked up is the test

        assert refusal(world.decide(TOKEN, Unhashable("a" * 16_385))) is OversizedToken
        with pytest.raises(TypeError, match="unhashable"):
            world.decide(TOKEN, Unhashable("a" * 16_384))

    def test_a_cookie_is_remembered_like_a_header(self, world: World) -> None:
        token = world.user()
        first = world.decide(TOKEN, None, cookies=[token])
        assert world.decide(TOKEN, None, cookies=[b"x", token]) is first
        assert world.decide(TOKEN, token) is first

    def test_the_usual_request_is_two_calls(self, world: World) -> None:
        token = world.user()
        world.decide(TOKEN, token)
        calls: list[str] = []

        def count(frame: FrameType, event: str, _: object) -> None:
            if event == "call":
                calls.append(frame.f_code.co_qualname)

        sys.setprofile(count)
        try:
            world.gate.decide(TOKEN, token, NOW)
        finally:
            sys.setprofile(None)
        assert calls == ["Gate.decide", "Memory.get"]


class TestLacking:
    """A decision that needs a key says which, and takes the answer."""

    def test_an_unknown_key_is_named(self, world: World, other_team: Issuer) -> None:
        token = world.user(key=other_team.current)
        assert world.lacking(token) == LackingKey(issuer=world.team.iss, kid=other_team.current.kid)

    def test_so_is_any_key_where_there_are_none(self, world: World) -> None:
        world.source.snapshot = None
        assert world.lacking(world.user()) == LackingKey(issuer=world.team.iss, kid=world.team.current.kid)

    @pytest.mark.parametrize(
        ("answer", "expected", "retry_after"),
        [
            pytest.param(ABSENT, UnknownKey, None, id="proved-absent"),
            pytest.param(UNAVAILABLE, KeysUnavailable, 17.0, id="unavailable"),
            pytest.param(PRESENT, KeysUnavailable, 0.0, id="present-and-gone-again"),
        ],
    )
    def test_the_answer_decides(
        self, world: World, other_team: Issuer, answer: KeyAnswer, expected: type[Refused], retry_after: float | None
    ) -> None:
        token = world.user(key=other_team.current)
        decision = world.decide(TOKEN, token, answers={world.lacking(token): answer})
        assert refusal(decision) is expected
        assert isinstance(decision, Refusal)
        assert decision.error.retry_after == retry_after

    def test_an_answer_is_for_the_key_that_it_names(self, world: World, other_team: Issuer) -> None:
        token = world.user(key=other_team.current)
        answers: Answers = {LackingKey(issuer=world.team.iss, kid="another"): ABSENT}
        assert isinstance(world.decide(TOKEN, token, answers=answers), Lacking)

    def test_a_key_that_came_is_used(self, world: World, other_team: Issuer) -> None:
        world.source.snapshot = snapshot_of(other_team)
        token = world.user()
        lacking = world.lacking(token)
        world.source.snapshot = snapshot_of(world.team)
        assert identity_of(world.decide(TOKEN, token, answers={lacking: PRESENT})) == "alice@example.com"

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param({"iss": "https://evil.cloudflareaccess.com"}, WrongIssuer, id="issuer"),
            pytest.param({"audience": OTHER_AUD}, WrongAudience, id="audience"),
            pytest.param({"expires_in": -HOUR}, Expired, id="expired"),
        ],
    )
    def test_garbage_never_lacks_anything(
        self, world: World, other_team: Issuer, change: dict[str, object], expected: type[Refused]
    ) -> None:
        world.source.snapshot = None
        assert refusal(world.decide(TOKEN, world.user(key=other_team.current, **change))) is expected

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({}, id="nothing"),
            pytest.param({"iss": "https://evil.cloudflareaccess.com"}, id="issuer"),
            pytest.param({"audience": OTHER_AUD}, id="audience"),
            pytest.param({"expires_in": -HOUR}, id="expired"),
            pytest.param({"type": "org"}, id="type"),
        ],
    )
    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda h, p, s: f"{h}.{p}.{loose(s)}", id="signature"),
            pytest.param(lambda h, p, s: f"{h}.{loose(p)}.{s}", id="payload"),
            pytest.param(lambda h, p, s: f"{loose(h)}.{p}.{s}", id="header"),
            pytest.param(lambda _, p, s: f"e30.{p}.{loose(s)}", id="signature-before-header"),
            pytest.param(lambda _, p, s: f"e30.{loose(p)}.{s}", id="payload-before-header"),
            pytest.param(lambda h, _, s: f"{h}.eA.{loose(s)}", id="signature-before-payload"),
            pytest.param(lambda h, p, _: f"{h}.{p}.A", id="signature-of-an-impossible-length"),
            pytest.param(lambda h, p, s: f"{h}.{p}.{s}==", id="signature-with-padding"),
        ],
    )
    @pytest.mark.parametrize("kind", [str, bytes])
    @pytest.mark.parametrize("known", [True, False], ids=["known-key", "no-keys"])
    def test_nothing_is_believed_that_can_be_written_in_two_ways(
        self, world: World, change: dict[str, object], spoil: Callable[[str, str, str], str], kind: type, known: bool
    ) -> None:
        forged = spoil(*world.user(**change).decode().split("."))
        if not known:
            world.source.snapshot = None
        assert refusal(world.decide(TOKEN, forged if kind is str else forged.encode())) is BadEncoding

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({}, id="nothing"),
            pytest.param({"iss": "https://evil.cloudflareaccess.com"}, id="issuer"),
            pytest.param({"audience": OTHER_AUD}, id="audience"),
            pytest.param({"expires_in": -HOUR}, id="expired"),
        ],
    )
    def test_no_claim_is_read_before_the_header(self, world: World, change: dict[str, object]) -> None:
        world.source.snapshot = None
        _, payload, signature = world.user(**change).split(b".")
        assert refusal(world.decide(TOKEN, b"e30." + payload + b"." + signature)) is AlgorithmNotAllowed

    def test_a_public_path_never_lacks_anything(self, world: World, other_team: Issuer) -> None:
        assert world.decide(PUBLIC, world.user(key=other_team.current)) is NOBODY
        world.source.snapshot = None
        assert world.decide(PUBLIC, world.user()) is NOBODY


class TestCookies:
    """Path-scoped cookies come in pairs: the first that verifies counts."""

    def test_a_good_one_passes(self, world: World) -> None:
        assert identity_of(world.decide(TOKEN, None, cookies=[world.user()])) == "alice@example.com"

    def test_the_second_may_be_the_good_one(self, world: World) -> None:
        cookies = [world.user(audience=OTHER_AUD), b"x", world.user()]
        assert identity_of(world.decide(TOKEN, None, cookies=cookies)) == "alice@example.com"

    def test_the_first_failure_is_the_answer(self, world: World) -> None:
        cookies = [world.user(audience=OTHER_AUD), b"x"]
        assert refusal(world.decide(TOKEN, None, cookies=cookies)) is WrongAudience

    def test_one_that_lacks_a_key_may_still_be_good(self, world: World, other_team: Issuer) -> None:
        cookies = [b"x", world.user(key=other_team.current)]
        assert isinstance(world.decide(TOKEN, None, cookies=cookies), Lacking)

    def test_what_cannot_be_known_comes_before_what_is_bad(self, world: World, other_team: Issuer) -> None:
        unknown = world.user(key=other_team.current)
        answers: Answers = {world.lacking(unknown): UNAVAILABLE}
        decision = world.decide(TOKEN, None, cookies=[b"x", unknown, b"y"], answers=answers)
        assert refusal(decision) is KeysUnavailable

    def test_what_can_still_be_known_comes_before_what_cannot(self, world: World, other_team: Issuer) -> None:
        unknown, lacking = (world.user(key=key) for key in (other_team.current, other_team.previous))
        answers: Answers = {world.lacking(unknown): UNAVAILABLE}
        for cookies in ([unknown, lacking], [lacking, unknown]):
            decision = world.decide(TOKEN, None, cookies=cookies, answers=answers)
            assert decision == LackingKey(issuer=world.team.iss, kid=other_team.previous.kid)

    def test_a_good_one_needs_no_other_key(self, world: World, other_team: Issuer) -> None:
        cookies = [world.user(key=other_team.current), world.user()]
        assert identity_of(world.decide(TOKEN, None, cookies=cookies)) == "alice@example.com"

    def test_a_header_is_never_replaced_by_a_cookie(self, world: World) -> None:
        assert refusal(world.decide(TOKEN, b"x", cookies=[world.user()])) is MalformedToken
        assert refusal(world.decide(TOKEN, TooManyTokens, cookies=[world.user()])) is TooManyTokens

    @pytest.mark.parametrize("requirement", [OPTIONAL, TOKEN], ids=["optional", "token"])
    def test_a_bad_one_is_refused(self, world: World, requirement: Requirement) -> None:
        assert refusal(world.decide(requirement, None, cookies=[b"x"])) is MalformedToken

    def test_on_a_public_path_a_bad_one_is_nobody(self, world: World) -> None:
        assert world.decide(PUBLIC, None, cookies=[b"x"]) is NOBODY


def test_several_teams_are_told_apart_by_the_exact_issuer(issuer: Issuer, other_team: Issuer) -> None:
    sources = {issuer.iss: Source(snapshot_of(issuer)), other_team.iss: Source(snapshot_of(other_team))}
    gate = Gate(Verifier(sources, leeway=30, max_age=None, certificates=False), sources)

    def ask(signer: Issuer, says: Issuer) -> Decision:
        token = signer.user(audience=AUD, issued_at=NOW, expires_in=HOUR, iss=says.iss)
        return gate.decide(TOKEN, token, NOW)

    assert identity_of(ask(issuer, issuer)) == identity_of(ask(other_team, other_team)) == "user@example.com"
    assert isinstance(ask(issuer, other_team), Lacking), "a key of one team proves nothing about another"


def test_a_refusal_knows_whether_it_is_about_who_asks() -> None:
    assert Refusal(error=NoToken()).is_unauthenticated
    assert Refusal(error=Expired()).is_unauthenticated
    assert not Refusal(error=AmbiguousPath()).is_unauthenticated
    assert not Refusal(error=KeysUnavailable()).is_unauthenticated
