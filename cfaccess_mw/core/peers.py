"""Whose word about the client is believed? The peers that the operator named, and nobody by default.

Behind a local proxy or a tunnel every peer is loopback, an attacker's requests too, so even loopback is to be named.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.shape import shape

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_MEND: Final = "give addresses or networks such as '10.0.0.0/8', 'loopback' or 'unix'"


class TrustedPeers:
    """The peers whose ``CF-Connecting-IP`` and other such headers count.

    Args:
        entries: Addresses, networks, ``loopback``, and ``unix`` for a socket without address.

    Raises:
        ConfigurationError: Something else, or a network with host bits set.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[Network] = []
        self._unix = False
        for entry in entries:
            if entry == "unix":
                self._unix = True
            elif entry == "loopback":
                self._networks += _LOOPBACK
            else:
                self._networks.append(_network(entry))
        # Peers are few and come again; to parse an address takes longer than all else.
        self._known: Memory[str, bool] = Memory(count=1_024, weight=64 * 1024)

    def __bool__(self) -> bool:
        """Whether any peer is trusted."""
        return self._unix or bool(self._networks)

    def trust(self, peer: str | None) -> bool:
        """Say whether a peer's word counts.

        Args:
            peer: Its address as the server gives it; None or empty for a Unix socket.
        """
        if not peer:
            return self._unix
        trusted = self._known.get(peer)
        if trusted is None:
            address = read_address(peer)
            trusted = address is not None and any(address in network for network in self._networks)
            self._known.put(peer, trusted, len(peer))
        return trusted


def read_address(text: str) -> Address | None:
    """An IP address, an IPv4 one also where it comes as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2); else None."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None  # a zone is of one machine, and no client's
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
    return address


def _network(entry: object) -> Network:
    if not isinstance(entry, str):
        raise ConfigurationError(f"trusted_peers: holds {shape(entry)}; {_MEND}")
    near = _near(entry)  # what it raises shows the text, and would be chained to ours
    if near is None:
        raise ConfigurationError(f"trusted_peers: holds {shape(entry)} that is no network; {_MEND}")
    if ip_address(entry.partition("/")[0]) != near.network_address:
        raise ConfigurationError(f"trusted_peers: {entry} has host bits set; did you mean {near}?")
    return near


def _near(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
