"""Does a gate that remembers tokens ever answer otherwise than one that has just been born?

The gate under test lives through everything: requests with tokens of several people, applications and keys, in the
header and in cookies, time that passes and a wall clock that is set back, keys that are withdrawn, replaced under the
same id, and come back. After each event it is asked beside a gate without a past; both must say the same.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from cfaccess_mw.core.admission import LackingKey
from cfaccess_mw.core.decide import Decision, Gate, Pass, Refusal
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.token import parts_of
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.properties.examples import examples
from tests.tokens import AUD, ISSUER, NOW, OTHER_AUD

OURS, OTHERS = frozenset({AUD}), frozenset({OTHER_AUD})
REQUIREMENTS = tuple(
    Requirement(access=access, audiences=audiences)
    for access in (Access.TOKEN, Access.OPTIONAL, Access.PUBLIC)
    for audiences in ((OURS,), (OTHERS,), (OURS, OTHERS), (OURS | OTHERS,))
)


@dataclass
class Source:
    """Keys that come and go."""

    snapshot: KeySnapshot | None


@dataclass(frozen=True)
class Material:
    """What takes long to make: keys and tokens."""

    documents: Sequence[dict[str, str]]  # each key as it is published
    tokens: Sequence[str]


@pytest.fixture(scope="module")
def material(issuer: Issuer, stranger: SigningKey) -> Material:
    """Good tokens of three keys, and near misses of each."""
    keys = (issuer.current, issuer.previous, stranger)
    tokens = [
        issuer.user(email, audience=audience, key=key, issued_at=NOW - begins, expires_in=lives)
        for email in ("alice@example.com", "bob@example.com")
        for key in keys
        for audience, begins, lives in ((AUD, 0, 600), ([AUD, OTHER_AUD], 60, 120), (OTHER_AUD, -300, 7_200))
    ]
    tokens += [issuer.service(audience=AUD, key=key, issued_at=NOW, expires_in=300) for key in keys]
    # One's signature under another's claims; the other letter of one signature.
    head, tail = tokens[0].rpartition(".")[0], tokens[9].rpartition(".")[2]
    tokens += [f"{head}.{tail}", tokens[0][:-3] + ("A" if tokens[0][-3] != "A" else "B") + tokens[0][-2:]]
    # A stranger's key that is published under the id of the current one, and what it signs.
    usurped = {**stranger.jwk(), "kid": issuer.current.kid}
    tokens.append(
        issuer.sign({**issuer.header(), "kid": issuer.current.kid}, parts_of(tokens[0]).decoded_payload(), stranger)
    )
    return Material([*(key.jwk() for key in keys), usurped], tokens)


def gate_on(source: Source) -> Gate:
    """A gate without a past."""
    sources = {ISSUER: source}
    return Gate(Verifier(sources, leeway=30, max_age=3_600, certificates=False), sources)


def told(decision: Decision) -> tuple[object, ...]:
    """All that can be told of a decision."""
    match decision:
        case Pass(identity=identity, token=token):
            return ("pass", token, identity and (identity.id, identity.audience, identity.expires_at, identity.claims))
        case Refusal(error=error):
            return ("refusal", error.code)
        case LackingKey(issuer=issuer, kid=kid):
            return ("lacking", issuer, kid)
        case _:
            raise AssertionError(decision)


def machine_on(material: Material) -> type[RuleBasedStateMachine]:
    """The machine, with what it needs of this run's fixtures."""
    tokens = st.sampled_from(material.tokens)

    class GateMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.source = Source(None)
            self.gate = gate_on(self.source)
            self.now = NOW

        @rule(seconds=st.sampled_from([0, 1, 29, 30, 31, 60, 120, 300, 600, 3_600, -1, -60, -600, -10_000]))
        def the_wall_clock_moves(self, seconds: int) -> None:
            self.now += seconds

        @rule(number=st.integers(0, 1))
        def the_clock_is_set(self, number: int) -> None:
            self.now = (NOW, NOW + 45)[number]

        @rule(published=st.lists(st.sampled_from(material.documents), max_size=3))
        def the_keys_change(self, published: list[dict[str, str]]) -> None:
            one_each = list({key["kid"]: key for key in published}.values())
            self.source.snapshot = parse_jwks(json.dumps({"keys": one_each}).encode()) if one_each else None

        @rule()
        def all_keys_are_there(self) -> None:
            self.source.snapshot = parse_jwks(json.dumps({"keys": material.documents[:3]}).encode())

        @rule(token=tokens, as_text=st.booleans(), requirement=st.sampled_from(REQUIREMENTS), times=st.integers(1, 2))
        def a_request_has_a_header(self, token: str, as_text: bool, requirement: Requirement, times: int) -> None:
            given = token if as_text else token.encode()
            fresh = gate_on(self.source).decide(requirement, given, self.now)
            for _ in range(times):
                assert told(self.gate.decide(requirement, given, self.now)) == told(fresh)

        @rule(requirement=st.sampled_from(REQUIREMENTS[:4]))
        def everybody_comes(self, requirement: Requirement) -> None:
            fresh = gate_on(self.source)
            for token in material.tokens:
                expected = told(fresh.decide(requirement, token, self.now))
                assert told(self.gate.decide(requirement, token, self.now)) == expected

        @rule(cookies=st.lists(tokens, max_size=4), requirement=st.sampled_from(REQUIREMENTS))
        def a_request_has_cookies(self, cookies: list[str], requirement: Requirement) -> None:
            fresh = gate_on(self.source).decide(requirement, None, self.now, cookies)
            assert told(self.gate.decide(requirement, None, self.now, cookies)) == told(fresh)

    return GateMachine


def test_a_gate_with_a_past_says_what_one_without_says(material: Material) -> None:
    run_state_machine_as_test(machine_on(material), settings=examples(80, steps=40))


class MemoryMachine(RuleBasedStateMachine):
    """A memory beside a dictionary that never forgets."""

    COUNT, WEIGHT = 6, 40

    def __init__(self) -> None:
        super().__init__()
        self.memory: Memory[int, object] = Memory(count=self.COUNT, weight=self.WEIGHT)
        self.all: dict[int, tuple[object, int]] = {}
        self.recent: list[int] = []  # keys, the last put or found last

    @rule(key=st.integers(0, 12), weight=st.integers(1, 30))
    def put(self, key: int, weight: int) -> None:
        value = object()
        self.memory.put(key, value, weight)
        self.all[key] = (value, weight)
        self._use(key)
        self._bounded()

    @rule(key=st.integers(0, 12))
    def get(self, key: int) -> None:
        found = self.memory.get(key)
        assert found is None or found is self.all[key][0]
        if found is not None:
            self._use(key)
        self._bounded()

    @rule()
    def clear(self) -> None:
        self.memory.clear()
        assert len(self.memory) == 0
        self.all.clear()
        self.recent.clear()

    def _use(self, key: int) -> None:
        self.recent = [*(other for other in self.recent if other != key), key]

    def _bounded(self) -> None:
        assert len(self.memory) <= self.COUNT
        # What was used last is there, unless it is too heavy to be kept.
        if self.recent and self.all[self.recent[-1]][1] <= self.WEIGHT // 2:
            assert self.memory.get(self.recent[-1]) is self.all[self.recent[-1]][0]


TestMemory = MemoryMachine.TestCase
TestMemory.settings = examples(100, steps=50)
