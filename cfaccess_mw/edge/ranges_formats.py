"""How do other programs write down that only Cloudflare may come in?

Each of them is told two things where it can be: whom to let in, and to take the client's address from
``CF-Connecting-IP`` when the peer is Cloudflare, and from nobody else.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from cfaccess_mw.edge.ranges import Ranges

PORTS: Final = (80, 443)


def written(ranges: Ranges, form: str, *, ports: Sequence[int] = PORTS) -> str:
    """Return the networks as another program wants them.

    Args:
        ranges: The networks.
        form: One of :data:`FORMATS`.
        ports: Which ports a firewall guards; of no consequence to the others.
    """
    return "\n".join(FORMATS[form](ranges, ports))


def _origin(ranges: Ranges) -> str:
    """What is said of the list at its head."""
    if ranges.date is None:
        return "Cloudflare's networks, as fetched"
    return f"Cloudflare's networks of {ranges.date}, from {' and '.join(ranges.sources)}"


def _text(ranges: Ranges, _: Sequence[int]) -> Iterator[str]:
    yield from ranges


def _json(ranges: Ranges, _: Sequence[int]) -> Iterator[str]:
    document = {
        "date": ranges.date,
        "sources": list(ranges.sources),
        "ipv4_cidrs": list(ranges.ipv4),
        "ipv6_cidrs": list(ranges.ipv6),
    }
    yield json.dumps(document, indent=2)


def _nginx(ranges: Ranges, _: Sequence[int]) -> Iterator[str]:
    """For the http block. "allow" and "deny" would look at the client's address, which has replaced the peer's."""
    yield f"# {_origin(ranges)}"
    yield "# Include this in the http block, and in each server block write:"
    yield "#     if ($not_from_cloudflare) { return 403; }"
    yield "# allow and deny do not do: they see the client's address, which has taken the place of the peer's."
    yield "geo $realip_remote_addr $not_from_cloudflare {"
    yield "    default 1;"
    yield from (f"    {cidr} 0;" for cidr in ranges)
    yield "}"
    yield from (f"set_real_ip_from {cidr};" for cidr in ranges)
    yield "real_ip_header CF-Connecting-IP;"


def _caddy(ranges: Ranges, _: Sequence[int]) -> Iterator[str]:
    """For Caddy 2.7 and later. In its usual order "handle" and "route" come before "abort", and would be a way in."""
    cidrs = " ".join(ranges)
    yield f"# {_origin(ranges)}"
    yield "# Put the first block at the top of the Caddyfile, and in each site write: import only_from_cloudflare"
    yield "{"
    yield "\torder abort first"
    yield "\tservers {"
    yield f"\t\ttrusted_proxies static {cidrs}"
    yield "\t\tclient_ip_headers CF-Connecting-IP"
    yield "\t}"
    yield "}"
    yield ""
    yield "(only_from_cloudflare) {"
    yield f"\t@not_from_cloudflare not remote_ip {cidrs}"
    yield "\tabort @not_from_cloudflare"
    yield "}"


def _ufw(ranges: Ranges, ports: Sequence[int]) -> Iterator[str]:
    yield f"# {_origin(ranges)}"
    yield "# For a shell. It allows, and denies nothing: see to `ufw default deny incoming`, and to other rules."
    listed = ",".join(map(str, ports))
    yield from (f"ufw allow proto tcp from {cidr} to any port {listed} comment 'Cloudflare'" for cidr in ranges)


def _nftables(ranges: Ranges, ports: Sequence[int]) -> Iterator[str]:
    """A table of its own, which can be loaded again and again; what it drops no other table lets in."""
    ours = f'iifname != "lo" meta l4proto {{ tcp, udp }} th dport {{ {", ".join(map(str, ports))} }}'
    yield f"# {_origin(ranges)}"
    yield "# For `nft -f`. This machine itself may come in by its loopback interface."
    yield "table inet only_from_cloudflare"
    yield "delete table inet only_from_cloudflare"
    yield "table inet only_from_cloudflare {"
    for name, kind, cidrs in (("cloudflare4", "ipv4_addr", ranges.ipv4), ("cloudflare6", "ipv6_addr", ranges.ipv6)):
        yield f"    set {name} {{"
        yield f"        type {kind}; flags interval;"
        yield f"        elements = {{ {', '.join(cidrs)} }}"
        yield "    }"
    yield "    chain input {"
    yield "        type filter hook input priority filter; policy accept;"
    for family, name in (("ip", "cloudflare4"), ("ip6", "cloudflare6")):
        yield f"        {ours} {family} saddr != @{name} drop"
    yield "    }"
    yield "}"


FORMATS: Final[Mapping[str, Callable[[Ranges, Sequence[int]], Iterator[str]]]] = {
    "text": _text,
    "json": _json,
    "nginx": _nginx,
    "caddy": _caddy,
    "ufw": _ufw,
    "nftables": _nftables,
}
"""What there is, by name."""
