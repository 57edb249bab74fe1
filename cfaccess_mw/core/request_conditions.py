"""Is this true of the request itself, whoever sent it?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_network
from typing import ClassVar

from cfaccess_mw.core.conditions import OneOf
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.selector_values import Read, read_country, read_method, read_network
from cfaccess_mw.core.truth import Truth, truth_of

_NO_COUNTRY = "XX"  # what Cloudflare says where it does not know (Cloudflare, "HTTP headers", CF-IPCountry)


class Countries(OneOf):
    """True of a request from one of these countries, else of a token whose holder signed in there."""

    __slots__ = ()

    key: ClassVar[str] = "country"
    reason: ClassVar[str] = "country"
    read: ClassVar[Read] = staticmethod(read_country)
    _needs: ClassVar[Need] = Need.COUNTRY | Need.TOKEN

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the request's country, or the token's where no peer can tell the request's."""
        country = facts.country
        if country is None and facts.identity is not None:
            country = facts.identity.country
        try:
            country = read_country(country or "")
        except ValueError:
            return Truth.UNKNOWN
        return Truth.UNKNOWN if country == _NO_COUNTRY else truth_of(country in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks(OneOf):
    """True of a request from one of these networks."""

    key: ClassVar[str] = "ip"
    reason: ClassVar[str] = "ip"
    read: ClassVar[Read] = staticmethod(read_network)
    _needs: ClassVar[Need] = Need.ADDRESS

    _by_size: Mapping[tuple[int, int], set[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Bring the networks into their one form, and sort them so that one look finds among thousands."""
        OneOf.__post_init__(self)
        by_size: dict[tuple[int, int], set[int]] = {}
        for network in map(ip_network, self.values):
            host_bits = network.max_prefixlen - network.prefixlen
            by_size.setdefault((network.version, host_bits), set()).add(int(network.network_address) >> host_bits)
        object.__setattr__(self, "_by_size", by_size)

    def evaluate(self, facts: Facts) -> Truth:
        """Look the client's address up; what is IPv4 written as IPv6 is IPv4."""
        address = facts.address
        if address is None:
            return Truth.UNKNOWN
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        number = int(address)
        return truth_of(
            any(
                version == address.version and number >> host_bits in networks
                for (version, host_bits), networks in self._by_size.items()
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IpList(Networks):
    """True of a request from a network on a list that has a name of its own.

    Attributes:
        id: The list's, by which Cloudflare's policies name it.
    """

    key: ClassVar[str] = "ip_list"
    reason: ClassVar[str] = "ip-list"

    id: str

    def to_value(self) -> object:
        """Return the id and the networks."""
        return {"id": self.id, "ips": sorted(self.values)}


class Methods(OneOf):
    """True of a request with one of these methods."""

    __slots__ = ()

    key: ClassVar[str] = "method"
    reason: ClassVar[str] = "method"
    read: ClassVar[Read] = staticmethod(read_method)
    _needs: ClassVar[Need] = Need.METHOD

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the method as sent; what is not upper-case letters, servers read in more ways than one."""
        try:
            method = "GET" if facts.method == "HEAD" else read_method(facts.method)
        except ValueError:
            return Truth.UNKNOWN
        return truth_of(method in self.values)
