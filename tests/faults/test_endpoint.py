"""Fault by promise: whatever a team's certs endpoint does, who is let in, who is refused, and for how long?"""

from collections.abc import Callable

import pytest

from cfaccess_mw.core.states import State
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.faults.stage import Stage
from tests.faults.table import FAULTS, MANNERS, Fault
from tests.faults.world import NEVER, NOBODY, PASSED, never
from tests.refresh.servers import Script

every_fault = pytest.mark.parametrize("fault", [pytest.param(fault, id=name) for name, fault in FAULTS.items()])

UNAVAILABLE = {(503, "keys-unavailable")}


@every_fault
def test_cold(stage: Stage, fault: Fault) -> None:
    """Nobody is let in, nobody is told that a good token is bad, and the first try after the pause mends it."""
    world, endpoint = stage.world, stage.endpoint
    stage.spoil(fault)
    assert world.ask(world.token()) == UNAVAILABLE
    assert world.ask(world.unknown()) == UNAVAILABLE
    assert world.ask(world.forged()) == UNAVAILABLE
    assert never(world) == NEVER
    assert world.ask(None, "/healthz") == {(200, NOBODY)}
    assert world.ask(world.token(), "/healthz") == {(200, NOBODY)}, "who could not be verified is nobody"
    assert not world.asgi.protection.ready()
    assert world.told.wait_for("keys-failed").facts["reason"] == fault.reason
    assert [name for name in world.told.names if name.startswith("keys-f")] == ["keys-failed"]
    assert len(endpoint.connections) <= 2, "one attempt, and its second try"

    stage.mend()
    world.clocks.pass_by(2)  # the longest first pause
    assert world.ask(world.token()) == {(200, PASSED)}
    assert world.ask(world.unknown()) == {(401, "unknown-key")}
    assert world.ask(world.forged()) == {(401, "bad-signature")}
    assert world.ask(world.token(), "/healthz") == {(200, PASSED)}
    assert world.asgi.protection.ready()


@every_fault
def test_warm(stage: Stage, fault: Fault, spare: SigningKey) -> None:
    """Who has a key that is known comes in, for a day; nobody else does, and after it a rotation is found at once."""
    world = stage.world
    seen = world.token()
    assert world.ask(seen) == {(200, PASSED)}
    old = world.token(key="previous")

    stage.spoil(fault)
    world.clocks.pass_by(900)  # the lifetime, and what the doors give the driver
    assert world.ask(seen) == {(200, PASSED)}
    told = world.told.wait_for("keys-failed")
    assert told.facts["reason"] == fault.reason
    assert world.keys.health().state is State.STALE
    assert world.ask(seen) == {(200, PASSED)}
    assert world.ask(world.token()) == {(200, PASSED)}
    assert world.ask(old) == {(200, PASSED)}
    assert world.ask(world.forged()) == {(401, "bad-signature")}
    assert world.ask(world.unknown()) == UNAVAILABLE, "it may be a new key"
    assert never(world) == NEVER
    assert world.ask(None, "/healthz") == {(200, NOBODY)}

    stage.mend()
    world.team.rotate(spare)
    world.clocks.pass_by(60)  # the longest pause
    assert world.ask(world.token()) == {(200, PASSED)}, "by the new key"
    assert world.ask(seen) == {(200, PASSED)}, "by the one before it"
    assert world.ask(old) == {(401, "unknown-key")}, "which is not published any more"
    assert world.ask(world.unknown()) == {(401, "unknown-key")}


@pytest.mark.parametrize("fault", [pytest.param(FAULTS[name], id=name) for name in ("refused", "no-keys", "deep-json")])
def test_for_more_than_a_day(stage: Stage, fault: Fault) -> None:
    """What is older than ``hard_ttl`` lets nobody in, remembered or not."""
    world = stage.world
    seen = world.token(expires_in=172_800)
    assert world.ask(seen) == {(200, PASSED)}
    stage.spoil(fault)
    world.clocks.pass_by(86_399)
    assert world.ask(seen) == {(200, PASSED)}
    world.told.wait_for("keys-failed")
    world.clocks.pass_by(2)
    assert world.ask(seen) == UNAVAILABLE
    assert world.ask(world.token()) == UNAVAILABLE
    assert world.ask(seen, "/healthz") == {(200, NOBODY)}
    stage.mend()
    world.clocks.pass_by(60)
    assert world.ask(seen) == {(200, PASSED)}


@pytest.mark.parametrize("manner", [pytest.param(manner, id=name) for name, manner in MANNERS.items()])
def test_what_is_odd_and_no_fault(stage: Stage, manner: Callable[[bytes], Script]) -> None:
    """Nobody is refused for how an honest endpoint speaks."""
    stage.endpoint.manner = manner
    world = stage.world
    assert world.ask(world.token()) == {(200, PASSED)}
    assert world.ask(world.forged()) == {(401, "bad-signature")}
    assert never(world) == NEVER
