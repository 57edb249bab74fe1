"""Is a peer known by the list that ships, and by a fresh one where that is wanted? And never by a broken one?"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError, FetchError, KeysUnavailable
from cfaccess_mw.edge.ranges import shipped
from cfaccess_mw.edge.ranges_peers import CloudflarePeers
from cfaccess_mw.refresh.fetchers import Document
from tests.edge.test_ranges import V4, V6, as_json, as_text
from tests.refresh.parts import Told
from tests.refresh.servers import says, serving
from tests.wire.cost import calls

if TYPE_CHECKING:
    from cfaccess_mw.telemetry.events import Event

NEW = "205.251.192.0/19"
OURS, THEIRS, NEWS = "104.16.0.1", "8.8.8.8", "205.251.200.1"


class Publisher:
    """Gives one document after another, the last for ever."""

    def __init__(self, *bodies: bytes | Exception) -> None:
        self.bodies = list(bodies)
        self.asked = threading.Semaphore(0)

    def fetch(self, url: str, *, etag: str | None) -> Document:
        self.asked.release()
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if isinstance(body, Exception):
            raise body
        return Document(body=body)


@contextmanager
def fresh(*bodies: bytes | Exception, **options: Any) -> Iterator[tuple[CloudflarePeers, Told]]:
    """Peers whose list is fetched."""
    told = Told()
    peers = CloudflarePeers(refresh=True, fetcher=Publisher(*bodies), listeners=[told], **options)
    try:
        yield peers, told
    finally:
        peers.close()


@pytest.mark.parametrize(
    ("also", "peer", "trusted"),
    [
        pytest.param([], OURS, True, id="ipv4"),
        pytest.param([], "2606:4700::1", True, id="ipv6"),
        pytest.param([], f"::ffff:{OURS}", True, id="ipv4-as-ipv6"),
        pytest.param([], "2a06:98c7:ffff::1", True, id="the-end-of-a-network"),
        pytest.param([], "2a06:98c8::1", False, id="past-its-end"),
        pytest.param([], "172.64.0.1", True, id="public-172"),
        pytest.param([], "172.16.0.1", False, id="private-172"),
        pytest.param([], THEIRS, False, id="somebody-else"),
        pytest.param([], "127.0.0.1", False, id="loopback"),
        pytest.param([], None, False, id="no-peer"),
        pytest.param([], "", False, id="an-empty-peer"),
        pytest.param([], f"{OURS}:443", False, id="with-a-port"),
        pytest.param([], f"0{OURS}", False, id="octal"),
        pytest.param([], f" {OURS}", False, id="a-space"),
        pytest.param([], "2606:4700::1%eth0", False, id="a-zone"),
        pytest.param([], "1745879041", False, id="as-a-number"),
        pytest.param([], "cloudflare.com", False, id="a-name"),
        pytest.param(["loopback"], "127.0.0.1", True, id="also-loopback"),
        pytest.param(["loopback", "unix"], None, True, id="also-unix"),
        pytest.param(["10.0.0.0/8"], "10.1.2.3", True, id="also-a-network"),
        pytest.param(["10.0.0.0/8"], OURS, True, id="and-still-cloudflare"),
    ],
)
def test_who_is_trusted(also: list[str], peer: str | None, trusted: bool) -> None:
    peers = CloudflarePeers(also=also)
    assert peers
    assert peers.ranges is shipped()
    assert [peers.trust(peer), peers.trust(peer)] == [trusted, trusted]
    peers.attend(time.monotonic())  # nothing is fetched, and nothing is to be closed
    peers.rest()
    peers.close()
    peers.hydrate()


def test_nothing_is_fetched_unless_that_is_said() -> None:
    before = set(threading.enumerate())
    peers = CloudflarePeers()
    peers.prepare()
    peers.attend(time.monotonic(), blocking=True)
    assert set(threading.enumerate()) <= before


def test_asking_again_is_a_look_up_in_memory() -> None:
    peers = CloudflarePeers(also=["loopback"])
    first, second, third = (calls(lambda: peers.trust(OURS)) for _ in range(3))
    assert second == third <= 8
    assert first > 3 * second


def test_a_fetched_list_counts() -> None:
    with fresh(as_text(*V4, NEW, *V6)) as (peers, told):
        assert not peers.trust(NEWS), "until it has come, the one that ships does"
        peers.hydrate()
        assert peers.trust(NEWS)
        assert peers.trust(OURS)
        assert told.names == ["ranges-fetched"]
        peers.close()
        assert not peers.trust(NEWS)
        assert peers.trust(OURS)


def test_requests_have_it_fetched_and_nobody_waits() -> None:
    with fresh(as_json([*V4, NEW])) as (peers, told):
        peers.attend(time.monotonic(), blocking=True)
        told.wait_for("ranges-fetched")
        assert peers.trust(NEWS)
        peers.rest()
        assert not peers.trust(NEWS), "nobody needs it"
        peers.attend(time.monotonic(), blocking=True)
        assert peers.trust(NEWS), "and somebody does again"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(as_text("0.0.0.0/0", *V4, *V6), "unusable-ranges", id="absurd"),
        pytest.param(as_json([], []), "unusable-ranges", id="empty"),
        pytest.param(b"<html>", "unusable-ranges", id="html"),
        pytest.param(FetchError("status-500"), "status-500", id="an-outage"),
    ],
)
def test_a_bad_list_never_counts(bad: bytes | Exception, reason: str) -> None:
    with fresh(bad) as (peers, told):
        with pytest.raises(KeysUnavailable):
            peers.hydrate()
        assert told.wait_for("ranges-failed").facts["reason"] == reason
        assert [peers.trust(OURS), peers.trust(THEIRS)] == [True, False]
        assert peers.ranges is shipped()


def test_it_is_fetched_over_http_as_the_api_answers() -> None:
    told: list[Event] = []
    body = as_json([*V4, NEW])
    with serving(says("content-type: application/json", 'etag: "1"', body=body)) as server:
        peers = CloudflarePeers(refresh=True, url=server.url, listeners=[told.append])
        try:
            peers.prepare()
            peers.hydrate()
            assert peers.trust(NEWS)
        finally:
            peers.close()
    assert json.loads(body)["success"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"also": "loopback"}, "also: is text of 8 characters", id="also-text"),
        pytest.param({"also": 7}, "also: is a number", id="also-a-number"),
        pytest.param({"also": ["localhost"]}, "also: holds text of 9 characters that is no network", id="a-name"),
        pytest.param({"also": ["10.0.0.1/8"]}, "also: 10.0.0.1/8 has host bits set", id="host-bits"),
        pytest.param({"refresh": 1}, "refresh: is a number", id="refresh-1"),
        pytest.param({"fetcher": Publisher(b"")}, "refresh: is false", id="a-fetcher-for-nothing"),
        pytest.param({"url": "https://example.com/ips"}, "refresh: is false", id="a-url-for-nothing"),
        pytest.param({"refresh": True, "url": "http://example.com/ips"}, "url: is neither https", id="plain-http"),
        pytest.param({"refresh": True, "fetcher": 7}, "fetcher: expected an object", id="no-fetcher"),
    ],
)
def test_a_mistake_is_said_at_start(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CloudflarePeers(**options)
    assert str(caught.value).startswith(message)
    assert caught.value.__context__ is None
