"""Is the list that ships the one that Cloudflare publishes, and is nothing else ever taken for one?"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.edge.ranges import RangesError, read_ranges, shipped

VECTORS = Path(__file__).parents[1] / "vectors" / "cloudflare"
V4 = (VECTORS / "ips-v4.txt").read_text("ascii").split()
V6 = (VECTORS / "ips-v6.txt").read_text("ascii").split()


def as_json(ipv4: Any = tuple(V4), ipv6: Any = tuple(V6), **more: Any) -> bytes:
    """What the API answers."""
    document = json.loads((VECTORS / "ips_response_shape.json").read_text("utf-8"))
    result = {"etag": "38f79d050aa027e3be3865e495dcc9bc", "ipv4_cidrs": ipv4, "ipv6_cidrs": ipv6}
    return json.dumps({**document, "result": result, **more}).encode()


def as_text(*cidrs: str) -> bytes:
    """What the text endpoints answer, one after the other."""
    return "".join(f"{cidr}\n" for cidr in cidrs).encode()


def test_the_list_that_ships_is_the_published_one() -> None:
    ranges = shipped()
    assert (list(ranges.ipv4), list(ranges.ipv6)) == (V4, V6)
    assert list(ranges) == V4 + V6
    assert ranges.sources == ("https://www.cloudflare.com/ips-v4", "https://www.cloudflare.com/ips-v6")
    assert dt.date(2026, 7, 2) <= dt.date.fromisoformat(ranges.date or "")
    assert shipped() is ranges


def test_the_list_can_be_named_wherever_networks_are() -> None:
    peers = TrustedPeers([*shipped(), "loopback"])
    assert peers.trust("172.64.0.1")
    assert peers.trust("::1")
    assert not peers.trust("172.16.0.1")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(as_json(), id="api"),
        pytest.param(as_json(V4, V6, errors=[], messages=[]), id="api-lists"),
        pytest.param(as_text(*V4, *V6), id="text"),
        pytest.param(as_text(*V6, *V4), id="text-in-another-order"),
        pytest.param("\r\n".join(["", *V4, "", *V6]).encode(), id="text-with-empty-lines"),
        pytest.param(as_text(*V4, *V4, *V6), id="twice-the-same"),
    ],
)
def test_what_cloudflare_publishes_is_read(body: bytes) -> None:
    ranges = read_ranges(body)
    assert (list(ranges.ipv4), list(ranges.ipv6)) == (V4, V6)
    assert (ranges.date, ranges.sources) == (None, ())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(as_text(*V4, "205.251.192.0/19", *V6, "2620:11f:7000::/48"), id="more"),
        pytest.param(as_text(*V4[7:], *V6[3:]), id="half-is-gone"),
        pytest.param(as_text(*V4[:-2], "172.64.0.0/12", *V6), id="two-are-one-now"),
    ],
)
def test_a_list_may_change(body: bytes) -> None:
    assert read_ranges(body).networks != shipped().networks


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "holds 0 networks of IPv4", id="empty"),
        pytest.param(b"{}", "is not the JSON", id="empty-json"),
        pytest.param(b'{"success": true, "result": ', "is not the JSON", id="half-json"),
        pytest.param(as_json(success=False), "is not the JSON", id="no-success"),
        pytest.param(as_json(success="true"), "is not the JSON", id="success-as-text"),
        pytest.param(as_json(result=[]), "is not the JSON", id="no-result"),
        pytest.param(as_json(V4, None), "is not the JSON", id="no-ipv6-list"),
        pytest.param(as_json(V4, []), "holds 0 networks of IPv6", id="empty-ipv6-list"),
        pytest.param(as_json(V4[:4]), "holds 4 networks of IPv4", id="too-few-of-ipv4"),
        pytest.param(as_json(V4, V6[:2]), "holds 2 networks of IPv6", id="too-few-of-ipv6"),
        pytest.param(as_text(*V4), "holds 0 networks of IPv6", id="one-of-two-texts"),
        pytest.param(b"<!doctype html><title>Just a moment</title>", "holds something that is no network", id="html"),
        pytest.param(as_json([*V4, 7]), "holds something that is no network", id="a-number"),
        pytest.param(as_json([*V4, "192.0.2.7"]), "holds something that is no network", id="an-address"),
        pytest.param(as_json([*V4, "104.16.0.1/13"]), "holds something that is no network", id="host-bits"),
        pytest.param(as_text(*V4, *V6, "fe80::/64%eth0"), "holds something that is no network", id="a-zone"),
        pytest.param("¹04.16.0.0/13\n".encode(), "holds something that is no network", id="not-ascii"),
        pytest.param(as_json([*V4, "0.0.0.0/0"]), "holds a network wider than /11", id="everybody"),
        pytest.param(as_json(V4, [*V6, "::/0"]), "holds a network wider than /24", id="everybody-6"),
        pytest.param(as_json([*V4, "128.0.0.0/1"]), "holds a network wider than /11", id="half-of-everybody"),
        pytest.param(as_json([*V4, "10.0.0.0/16"]), "nobody's on the Internet", id="private"),
        pytest.param(as_json([*V4, "172.16.0.0/12"]), "nobody's on the Internet", id="private-172"),
        pytest.param(as_json([*V4, "192.160.0.0/11"]), "nobody's on the Internet", id="private-within"),
        pytest.param(as_json([*V4, "127.0.0.0/16"]), "nobody's on the Internet", id="loopback"),
        pytest.param(as_json([*V4, "100.64.0.0/16"]), "nobody's on the Internet", id="carrier-grade"),
        pytest.param(as_json([*V4, "169.254.0.0/16"]), "nobody's on the Internet", id="link-local"),
        pytest.param(as_json([*V4, "224.0.0.0/16"]), "nobody's on the Internet", id="multicast"),
        pytest.param(as_json([*V4, "203.0.113.0/24"]), "nobody's on the Internet", id="documentation"),
        pytest.param(as_json(V4, [*V6, "fd00::/32"]), "nobody's on the Internet", id="unique-local"),
        pytest.param(as_json(V4, [*V6, "fe80::/64"]), "nobody's on the Internet", id="link-local-6"),
        pytest.param(as_json(V4, [*V6, "::1/128"]), "nobody's on the Internet", id="loopback-6"),
        pytest.param(as_json(V4, [*V6, "::ffff:10.0.0.0/104"]), "nobody's on the Internet", id="mapped"),
        pytest.param(as_json(V4, [*V6, "2002:a00::/32"]), "nobody's on the Internet", id="6to4"),
        pytest.param(as_json(V4, [*V6, "2001:db8::/32"]), "nobody's on the Internet", id="documentation-6"),
        pytest.param(
            as_json([f"8.8.{n}.0/24" for n in range(15)]), "holds 7 of the 22 networks that are known", id="others"
        ),
        pytest.param(
            as_json(V4[:7], [f"2a00:1450:400{n}::/48" for n in range(7)]),
            "holds 7 of the 22 networks that are known",
            id="others-of-ipv6",
        ),
        pytest.param(
            as_json([*V4, *(f"9.{n}.{m}.0/24" for n in range(2) for m in range(250))]),
            "holds 522 networks, and more than 512",
            id="too-many",
        ),
        pytest.param(b"{" * 100_000, "is not the JSON", id="deep"),
    ],
)
def test_what_cannot_be_cloudflares_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(RangesError) as caught:
        read_ranges(body)
    assert message in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
