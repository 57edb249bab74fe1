"""From which addresses does Cloudflare reach an origin?

The list ships with the package, with its date and source; it changes rarely, and is published before it is used
(Cloudflare, "Cloudflare IP addresses"). A newer one is read from JSON as ``https://api.cloudflare.com/client/v4/ips``
gives it, or from text with a network a line as ``https://www.cloudflare.com/ips-v4`` and ``ips-v6`` do.

What it proves: that a request came from Cloudflare's network. Not that it came through your account, or through Access:
whoever has a zone or a Worker there can send requests from these addresses.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import AccessError
from cfaccess_mw.core.peers import Network

# A list is refused that is nobody's: the one that ships has 15 and 7 networks, the largest a /13 and a /29.
_FEWEST: Final = {4: 5, 6: 3}
_WIDEST: Final = {4: 11, 6: 24}  # bits of the prefix
_MOST: Final = 512

# What is nobody's address on the Internet (IANA, IPv4 and IPv6 Special-Purpose Address Registries).
_SPECIAL_4: Final = tuple(
    IPv4Network(cidr)
    for cidr in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
_SPECIAL_6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


class RangesError(AccessError):
    """A list that cannot be Cloudflare's."""

    code = "unusable-ranges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """The networks of Cloudflare.

    Iterating gives them as text, so it can be used wherever networks are named: ``trusted_peers=[*shipped()]``.

    Attributes:
        networks: Those of IPv4, then those of IPv6, as published.
        date: The day of the list that ships, in ISO form; None for one that was fetched.
        sources: Where the list that ships was published.
    """

    networks: tuple[Network, ...]
    date: str | None = None
    sources: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        """The networks as text."""
        return map(str, self.networks)

    @property
    def ipv4(self) -> tuple[str, ...]:
        """Those of IPv4."""
        return tuple(str(network) for network in self.networks if network.version == 4)

    @property
    def ipv6(self) -> tuple[str, ...]:
        """Those of IPv6."""
        return tuple(str(network) for network in self.networks if network.version == 6)


@cache
def shipped() -> Ranges:
    """The list that ships with the package."""
    found = decode_json_object(resources.files(__package__).joinpath("cloudflare-ranges.json").read_bytes())
    networks = _sorted(map(_network, _cidrs(found)))
    return Ranges(networks=networks, date=found["date"], sources=tuple(found["sources"]))


def read_ranges(body: bytes) -> Ranges:
    """Read a list, and refuse what cannot be Cloudflare's; so that it never takes the place of a good one.

    A list is refused that has few networks of IPv4 or IPv6, very wide ones, one that is nobody's on the Internet, or
    that has lost more than half of those that ship with the package.

    Args:
        body: JSON as the API gives it, or text with a network a line.

    Raises:
        RangesError: Says what is wrong with it; nothing of it is shown.
    """
    networks = _sorted(map(_network, _cidrs_of(body)))
    if len(networks) > _MOST:
        raise RangesError(f"holds {len(networks)} networks, and more than {_MOST} are not believed")
    for network in networks:
        _check_network(network)
    for version, fewest in _FEWEST.items():
        count = sum(network.version == version for network in networks)
        if count < fewest:
            raise RangesError(f"holds {count} networks of IPv{version}, and fewer than {fewest} are not believed")
    known = shipped().networks
    kept = sum(any(_covers(network, old) for network in networks) for old in known)
    if 2 * kept < len(known):
        raise RangesError(
            f"holds {kept} of the {len(known)} networks that are known, and fewer than half are not believed"
        )
    return Ranges(networks=networks)


def _cidrs_of(body: bytes) -> Iterable[object]:
    text = body.strip()
    if not text.startswith(b"{"):
        return [line.strip() for line in text.decode("ascii", "replace").splitlines() if line.strip()]
    try:
        document = decode_json_object(text)
    except ValueError:
        document = {}
    if document.get("success") is not True or not isinstance(document.get("result"), dict):
        raise RangesError("is not the JSON that Cloudflare's API gives")
    return _cidrs(document["result"])


def _cidrs(document: dict[str, Any]) -> Iterable[object]:
    """The networks of an object that holds them by version."""
    lists = [document.get(name) for name in ("ipv4_cidrs", "ipv6_cidrs")]
    if not all(isinstance(cidrs, list) for cidrs in lists):
        raise RangesError("is not the JSON that Cloudflare's API gives")
    return [cidr for cidrs in lists for cidr in cidrs or ()]


def _network(cidr: object) -> Network:
    network = _read(cidr) if isinstance(cidr, str) else None
    if network is None:
        raise RangesError("holds something that is no network")
    return network


def _read(cidr: str) -> Network | None:
    if "/" not in cidr:
        return None  # an address is a network of one, and Cloudflare publishes none
    try:
        return ip_network(cidr)
    except ValueError:
        return None


def _sorted(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Each once, IPv4 first, else in their order."""
    return tuple(sorted(dict.fromkeys(networks), key=lambda network: network.version))


def _check_network(network: Network) -> None:
    if network.prefixlen < _WIDEST[network.version]:
        raise RangesError(f"holds a network wider than /{_WIDEST[network.version]}")
    if isinstance(network, IPv4Network):
        is_special = any(network.overlaps(special) for special in _SPECIAL_4)
    else:
        is_special = not network.subnet_of(_GLOBAL_6) or any(network.overlaps(special) for special in _SPECIAL_6)
    if is_special:
        raise RangesError("holds a network that is nobody's on the Internet")


def _covers(network: Network, other: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and other.subnet_of(network)
    return isinstance(other, IPv6Network) and other.subnet_of(network)
