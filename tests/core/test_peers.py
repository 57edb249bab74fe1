"""Whose word about the client is believed."""

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.peers import TrustedPeers, read_address


@pytest.mark.parametrize(
    ("entries", "peer", "trusted"),
    [
        pytest.param([], "127.0.0.1", False, id="nobody-by-default"),
        pytest.param([], None, False, id="no-unix-socket-by-default"),
        pytest.param(["loopback"], "127.0.0.1", True, id="loopback"),
        pytest.param(["loopback"], "127.8.9.1", True, id="loopback-the-whole-network"),
        pytest.param(["loopback"], "::1", True, id="loopback-6"),
        pytest.param(["loopback"], "::ffff:127.0.0.1", True, id="loopback-mapped"),
        pytest.param(["loopback"], "10.0.0.1", False, id="not-loopback"),
        pytest.param(["loopback"], None, False, id="loopback-is-not-unix"),
        pytest.param(["unix"], None, True, id="unix"),
        pytest.param(["unix"], "", True, id="unix-as-empty-text"),
        pytest.param(["unix"], "127.0.0.1", False, id="unix-is-not-loopback"),
        pytest.param(["10.0.0.0/8"], "10.255.0.1", True, id="network"),
        pytest.param(["10.0.0.0/8"], "11.0.0.1", False, id="outside"),
        pytest.param(["10.0.0.7"], "10.0.0.7", True, id="address"),
        pytest.param(["10.0.0.7"], "10.0.0.8", False, id="another-address"),
        pytest.param(["2001:db8::/32"], "2001:db8::1", True, id="network-6"),
        pytest.param(["2001:db8::/32"], "10.0.0.1", False, id="families-do-not-mix"),
        pytest.param(["0.0.0.0/0"], "testclient", False, id="not-an-address"),
        pytest.param(["fe80::/10"], "fe80::1%eth0", False, id="zone"),
        pytest.param(["0.0.0.0/0"], "10.0.0.1:80", False, id="with-port"),
        pytest.param(["0.0.0.0/0"], "010.0.0.1", False, id="octal"),
        pytest.param(["192.0.2.0/24", "unix", "loopback"], "192.0.2.1", True, id="several"),
    ],
)
def test_who_is_trusted(entries: list[str], peer: str | None, trusted: bool) -> None:
    peers = TrustedPeers(entries)
    assert peers.trust(peer) is trusted
    assert peers.trust(peer) is trusted, "and the same when it is remembered"
    assert bool(peers) is bool(entries)


def test_a_peer_is_parsed_once() -> None:
    peers = TrustedPeers(["loopback"])
    assert (peers.trust("127.0.0.1"), peers.trust("10.0.0.1")) == (True, False)
    assert (peers._known.get("127.0.0.1"), peers._known.get("10.0.0.1")) == (True, False)
    peers._known.put("10.0.0.1", True, 1)
    assert peers.trust("10.0.0.1"), "as it is remembered"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param("10.0.0.1/8", "10.0.0.1/8 has host bits set; did you mean 10.0.0.0/8?", id="host-bits"),
        pytest.param("localhost", "holds text of 9 characters that is no network", id="name"),
        pytest.param("", "holds empty text that is no network", id="empty"),
        pytest.param("10.0.0.0/33", "holds text of 11 characters that is no network", id="prefix"),
        pytest.param(10, "holds a number", id="number"),
        pytest.param("Loopback", "no network; give addresses or networks such as '10.0.0.0/8', 'loopback'", id="case"),
    ],
)
def test_what_is_no_peer_is_said_at_start(entry: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TrustedPeers([entry])
    assert message in str(caught.value)
    assert str(caught.value).startswith("trusted_peers: ")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("203.0.113.9", "203.0.113.9", id="4"),
        pytest.param("2001:DB8::1", "2001:db8::1", id="6"),
        pytest.param("::ffff:203.0.113.9", "203.0.113.9", id="mapped"),
        pytest.param("203.0.113.9, 10.0.0.1", None, id="two"),
        pytest.param(" 203.0.113.9", None, id="white-space"),
        pytest.param("203.0.113.09", None, id="leading-zero"),
        pytest.param("0x7f.1", None, id="hexadecimal"),
        pytest.param("fe80::1%1", None, id="zone"),
        pytest.param("[::1]", None, id="brackets"),
        pytest.param("", None, id="empty"),
    ],
)
def test_addresses_are_read_strictly(text: str, address: str | None) -> None:
    read = read_address(text)
    assert (None if read is None else str(read)) == address
