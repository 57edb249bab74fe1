"""Do the hot paths stay as short as they are? ``costs`` has the bounds."""

import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from benchmarks.goals.herds import cold, flooded
from benchmarks.ours import Core, asgi_door, expect
from benchmarks.subject import Subject
from benchmarks.traffic import environs, scopes
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.edge.ranges_peers import CloudflarePeers
from cfaccess_mw.wsgi import AccessMiddleware
from tests.benchmarks import costs
from tests.wire.cost import calls


@pytest.fixture(scope="module", params=["user", "service", "large"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(kind=request.param, rules=1_000)


def counted(call: Callable[[], object]) -> int:
    """The calls that ``call`` makes once everything is warm, itself and the end of the profile not counted."""
    for _ in range(3):
        call()
    return calls(call) - calls(lambda: None)


def test_a_remembered_token(subject: Subject) -> None:
    core, now, token = Core(subject), time.time(), subject.token.encode()
    expect(core.gate.decide(core.requirement, token, now), passes=True)
    decide, requirement, copy = core.gate.decide, core.requirement, bytes(bytearray(token))
    assert counted(lambda: decide(requirement, copy, now)) <= costs.REMEMBERED_IN_CORE


def test_a_token_not_seen_before(subject: Subject) -> None:
    core, now = Core(subject), time.time()
    tokens = iter(subject.pool(6))
    decide, requirement = core.gate.decide, core.requirement
    expect(decide(requirement, next(tokens), now), passes=True)
    assert counted(lambda: decide(requirement, next(tokens), now)) <= costs.UNSEEN_IN_CORE


@pytest.mark.parametrize("wrong", costs.REFUSED)
def test_a_token_that_is_refused(wrong: str, subject: Subject) -> None:
    core, now = Core(subject), time.time()
    decide, requirement = core.gate.decide, core.requirement
    expect(decide(requirement, subject.token.encode(), now), passes=True)
    bad = [token for name, token in subject.forged.items() if name.startswith(wrong)]
    for token in bad:
        expect(decide(requirement, token, now), passes=False)
        assert counted(lambda: decide(requirement, token, now)) <= costs.REFUSED[wrong]  # noqa: B023 - called here


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing; without a loop, which would be counted too."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the usual request waited for something")


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Be the smallest ASGI application there is."""
    assert scope["cfaccess.identity"] is not None


def test_an_asgi_request(subject: Subject) -> None:
    path = subject.paths(subject.table(subject.rules), 1)[0]
    requests = iter(scopes(subject, subject.token, path)(4))
    door: Any = asgi_door(nothing, subject)
    assert counted(lambda: run(door(next(requests), None, None))) <= costs.ASGI_REQUEST


def test_a_wsgi_request(subject: Subject) -> None:
    rules = subject.table(subject.rules)
    requests = iter(environs(subject, subject.token, subject.paths(rules, 1)[0])(4))
    answer = [b"hello"]
    door: Any = AccessMiddleware(lambda environ, start_response: answer, **subject.options, rules=rules)
    assert door(environs(subject, subject.token, "/elsewhere")(1)[0], None) is answer
    assert counted(lambda: door(next(requests), None)) <= costs.WSGI_REQUEST


@pytest.mark.parametrize("rules", [10, 10_000])
def test_the_rule_of_a_path_seen_before(rules: int) -> None:
    subject = Subject()
    written = subject.table(rules)
    table = RuleTable(written, audience=frozenset({subject.audience}))
    path = subject.paths(written, 1)[0]
    assert counted(lambda: table.find("GET", path, None, "", None)) <= costs.CACHED_PATH


def test_a_peer_seen_before() -> None:
    peers = CloudflarePeers()
    assert peers.trust("162.158.0.17")
    assert counted(lambda: peers.trust("162.158.0.17")) <= costs.KNOWN_PEER


def test_requests_that_come_at_once_share_one_fetch() -> None:
    _, fetches = cold(Subject(), 100)
    assert fetches == costs.COLD_FETCHES


def test_a_flood_of_unknown_key_ids_causes_few_fetches() -> None:
    assert 1 < flooded(Subject()) <= costs.FLOOD_FETCHES
