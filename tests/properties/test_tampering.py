"""Is whatever was changed in a good token refused, also by a gate that remembers the good one?"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfaccess_mw.core.admission import LackingKey
from cfaccess_mw.core.decide import Decision, Gate, Pass, Refusal
from cfaccess_mw.core.errors import InvalidToken
from cfaccess_mw.core.freshness import ABSENT
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer
from tests.properties.examples import examples
from tests.tokens import AUD, ISSUER, NOW, Held

TOKEN = Requirement(access=Access.TOKEN, audiences=(frozenset({AUD}),))

# What other readers of base64, of text or of headers pass over, or take for something else.
ODD = b"\x00\t\n\r \"%&'+,-./=:;\\_~\x7f\x80\xa0\xc3\xff0AZaz"


@pytest.fixture(scope="module")
def good(issuer: Issuer) -> dict[str, bytes]:
    """Tokens that pass."""
    return {
        "user": issuer.user("user@example.com", audience=AUD).encode(),
        "service": issuer.service(audience=AUD, key="previous").encode(),
    }


@pytest.fixture(scope="module")
def gate(snapshot: KeySnapshot, good: dict[str, bytes]) -> Gate:
    """A gate that has let each of them pass."""
    sources = {ISSUER: Held(snapshot)}
    made = Gate(Verifier(sources, leeway=30, max_age=None, certificates=False), sources)
    for token in good.values():
        assert isinstance(made.decide(TOKEN, token, NOW), Pass)
    return made


def refused(gate: Gate, token: bytes) -> bool:
    """Whether a token is refused as such; one that names another key is, once it is known that there is none."""
    for given_as in (token, token.decode("latin-1")):
        decision: Decision = gate.decide(TOKEN, given_as, NOW)
        if isinstance(decision, LackingKey):
            decision = gate.decide(TOKEN, given_as, NOW, answers={decision: ABSENT})
        if not (isinstance(decision, Refusal) and isinstance(decision.error, InvalidToken)):
            return False
    return True


def flipped(token: bytes) -> Iterator[bytes]:
    """Every token that differs in one bit."""
    for at, byte in enumerate(token):
        for bit in range(8):
            yield token[:at] + bytes([byte ^ 1 << bit]) + token[at + 1 :]


def without(token: bytes) -> Iterator[bytes]:
    """Every token that lacks a byte, the beginning, or the end."""
    for at in range(len(token)):
        yield token[:at] + token[at + 1 :]
        yield token[:at]
        yield token[at + 1 :]


def doubled(token: bytes) -> Iterator[bytes]:
    """Every token with a byte twice, and with two bytes in the other order."""
    for at in range(len(token)):
        yield token[: at + 1] + token[at:]
        exchanged = token[:at] + token[at : at + 2][::-1] + token[at + 2 :]
        if exchanged != token:
            yield exchanged


@pytest.mark.parametrize("kind", ["user", "service"])
@pytest.mark.parametrize("change", [flipped, without, doubled])
def test_no_single_change_passes(gate: Gate, good: dict[str, bytes], kind: str, change: object) -> None:
    assert callable(change)
    passed = [token for token in change(good[kind]) if not refused(gate, token)]
    assert passed == []
    assert isinstance(gate.decide(TOKEN, good[kind], NOW), Pass), "and the good one is still good"


@examples(300)
@given(data=st.data())
def test_no_bytes_put_in_or_exchanged_pass(gate: Gate, good: dict[str, bytes], data: st.DataObject) -> None:
    token = good[data.draw(st.sampled_from(sorted(good)))]
    at = data.draw(st.integers(0, len(token)))
    until = data.draw(st.integers(at, min(at + 3, len(token))))
    put = bytes(data.draw(st.lists(st.sampled_from(ODD) | st.integers(0, 255), max_size=3)))
    changed = token[:at] + put + token[until:]
    assert changed == token or refused(gate, changed)


@examples(300)
@given(data=st.data())
def test_no_mixture_of_good_tokens_passes(gate: Gate, good: dict[str, bytes], data: st.DataObject) -> None:
    segments = [token.split(b".") for token in good.values()]
    chosen = [data.draw(st.sampled_from(segments))[data.draw(st.sampled_from([at, at, 0, 1, 2]))] for at in range(3)]
    mixed = data.draw(st.sampled_from([b".", b".", b"..", b"", b". ", b"%2e", b","])).join(chosen)
    assert mixed in good.values() or refused(gate, mixed)
