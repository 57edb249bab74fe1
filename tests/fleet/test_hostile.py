"""Does somebody who can write to Redis, and has no secret, let anybody in, stop anybody, or fill a log?"""

import json
import time
from typing import Any

import pytest
from redis import Redis

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.fleet.errors import FleetError
from cfaccess_mw.fleet.ledger import MOST
from cfaccess_mw.fleet.sealing import Refused
from cfaccess_mw.fleet.store import Store
from tests.fleet.conftest import Hire
from tests.fleet.parts import SECRET, signed_in
from tests.fleet.servers import RedisServer


def forged(**more: Any) -> bytes:
    entry = {"subject": "all", "value": "", "issued_before": None, "until": time.time() + 60, "made_at": 1, "id": "x"}
    return b"0" * 64 + b"\n" + json.dumps({**entry, **more}).encode()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"e": "garbage"}, "malformed", id="garbage"),
        pytest.param({"e": ""}, "malformed", id="empty"),
        pytest.param({"x": "y"}, "malformed", id="another-field"),
        pytest.param({"e": forged(), "x": "y"}, "malformed", id="two-fields"),
        pytest.param({"e": b"\xff\xfe\x00"}, "malformed", id="no-text"),
        pytest.param({"e": forged()}, "unauthenticated", id="forged"),
        pytest.param({"e": b'-\n{"undone":"x","until":9e9}'}, "unauthenticated", id="forged-undoing"),
        pytest.param({"e": b"x" * 5_000}, "too-large", id="large"),
    ],
)
def test_a_forged_entry_stops_nobody(
    issuer: Issuer, redis: RedisServer, hire: Hire, fields: dict[str, Any], reason: str
) -> None:
    worker = hire(redis, secret=SECRET)
    for _ in range(3):
        redis.client.xadd(worker.fleet.stream, fields)
    assert worker.ear.wait("fleet-value-refused").facts == {"what": "revocations", "reason": reason}
    worker.fleet.revoke(user="x")
    worker.knows(1)
    assert worker.outcome(signed_in(issuer)) == "accepted"
    assert worker.ear.told().count("fleet-value-refused") == 1, "once a minute, however many there are"
    assert len(hire(redis, secret=SECRET).fleet.revocations()) == 1


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_is_no_text_stops_no_client_that_decodes(
    issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str, protocol: int
) -> None:
    client = Redis(port=redis.port, socket_timeout=5, decode_responses=True, protocol=protocol)
    redis.client.set(f"{namespace}:mark", b"\xff\xfe")
    redis.client.xadd(f"{namespace}:revocations", {"e": b"\xff\xfe", b"\xff": b"\xff"})
    worker = hire(client, secret=SECRET)
    operator = Fleet(client, namespace=namespace, secret=SECRET)
    assert operator.confirm(operator.revoke(email="alice@example.com"), within=20) == "confirmed"
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert len(operator.revocations()) == 1
    assert "fleet-lost" not in worker.ear.told()


def test_what_is_deleted_is_not_undone(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis, secret=SECRET)
    made = worker.elsewhere().revoke(email="alice@example.com")
    worker.knows(1)
    redis.client.delete(worker.fleet.stream)
    worker.ear.wait("revocations-restored")
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
    assert worker.fleet.revocations() == (made,)


def test_what_was_undone_is_not_brought_back(issuer: Issuer, redis: RedisServer, hire: Hire) -> None:
    worker = hire(redis, secret=SECRET)
    worker.fleet.revoke(email="alice@example.com")
    entry = redis.client.xrange(worker.fleet.stream)[0][1]
    worker.fleet.undo()
    redis.client.xadd(worker.fleet.stream, entry)
    assert hire(redis, secret=SECRET).outcome(signed_in(issuer)) == "accepted"
    assert worker.outcome(signed_in(issuer)) == "accepted"
    worker.fleet.revoke(user="x")
    assert redis.client.xlen(worker.fleet.stream) == 3, "what stood there twice was taken away"


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(lambda client, name: client.set(name, "x"), id="a-string"),
        pytest.param(lambda client, name: client.hset(name, "a", "b"), id="a-hash"),
    ],
)
def test_another_type_is_a_loss(issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str, poison: Any) -> None:
    poison(redis.client, f"{namespace}:revocations")
    worker = hire(redis, start_wait=0)
    assert worker.ear.wait("fleet-lost").facts["reason"] == "ResponseError"
    assert worker.outcome(signed_in(issuer)) == "revocations-unavailable"
    redis.client.delete(f"{namespace}:revocations")
    worker.ear.wait("fleet-joined")
    assert worker.outcome(signed_in(issuer)) == "accepted"


def test_a_stream_that_is_too_long_is_not_read(issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str) -> None:
    fill = f"for i = 1, {4 * MOST + 1} do redis.call('XADD', KEYS[1], '*', 'e', 'x') end"
    redis.client.eval(fill, 1, f"{namespace}:revocations")
    worker = hire(redis, start_wait=0)
    assert worker.ear.wait("fleet-lost").facts["reason"] == "too-large"
    assert worker.outcome(signed_in(issuer)) == "revocations-unavailable"
    with pytest.raises(FleetError, match="too-large"):
        worker.fleet.revoke(user="a")


def test_more_than_can_be_known_is_a_loss_and_nothing_is_left_out(
    issuer: Issuer, redis: RedisServer, hire: Hire, namespace: str
) -> None:
    worker = hire(redis)
    made = worker.fleet.revoke(user="u")
    entry = redis.client.xrange(worker.fleet.stream)[0][1][b"e"].decode()
    entry = entry.replace('"u"', "\"u' .. i .. '\"").replace(made.id, "' .. i .. '")
    fill = f"for i = 1, {2 * MOST} do redis.call('XADD', KEYS[1], '*', 'e', '{entry}') end"
    redis.client.eval(fill.replace("\n", "\\n"), 1, worker.fleet.stream)
    assert worker.ear.wait("fleet-lost").facts["reason"] == "too-many"
    worker.ear.wait("fleet-refuses")
    assert worker.outcome(signed_in(issuer)) == "revocations-unavailable"
    with pytest.raises(ConfigurationError, match=r"^fleet: holds 10,000 revocations"):
        worker.fleet.revoke(user="a")


def test_a_stream_that_is_too_large_is_not_read(redis: RedisServer, namespace: str) -> None:
    redis.client.xadd(f"{namespace}:revocations", {"e": "x" * 10_000})
    with pytest.raises(Refused, match="too-large"):
        Store(redis.client, namespace, most_bytes=9_999).all_entries()


def test_who_may_not_ask_for_the_size_does_without(issuer: Issuer, frail: RedisServer, hire: Hire) -> None:
    frail.client.execute_command("ACL", "SETUSER", "some", "on", "nopass", "~*", "+@all", "-memory")
    worker = hire(frail.url.replace("//", "//some:x@"))
    worker.fleet.revoke(email="alice@example.com")
    assert worker.outcome(signed_in(issuer)) == "session-revoked"
