"""What the headers of a trusted peer say of the client, and what those of anybody else do not."""

from ipaddress import ip_address

import pytest

from cfaccess_mw.core.facts import Certificate
from cfaccess_mw.core.peers import TrustedPeers
from cfaccess_mw.wire.client import ClientReader

Sent = dict[str, list[str]]

ADDRESS, COUNTRY = "cf-connecting-ip", "cf-ipcountry"
DN = "cf-cert-subject-dn-rfc2253"


def reader(*, certificates: bool = True) -> ClientReader:
    return ClientReader(peers=TrustedPeers(["loopback"]), certificate_headers=certificates)


@pytest.mark.parametrize(
    ("sent", "address", "country"),
    [
        pytest.param({}, None, "", id="nothing"),
        pytest.param({ADDRESS: ["203.0.113.9"], COUNTRY: ["DE"]}, "203.0.113.9", "DE", id="both"),
        pytest.param({ADDRESS: ["2001:db8::9"]}, "2001:db8::9", "", id="ipv6"),
        pytest.param({ADDRESS: ["203.0.113.9", "203.0.113.9"]}, None, "", id="two-addresses"),
        pytest.param({ADDRESS: ["203.0.113.9, 192.0.2.1"]}, None, "", id="joined-addresses"),
        pytest.param({ADDRESS: ["office"]}, None, "", id="no-address"),
        pytest.param({ADDRESS: [""]}, None, "", id="empty-address"),
        pytest.param({COUNTRY: ["DE", "FR"]}, None, "", id="two-countries"),
        pytest.param({COUNTRY: ["Germany"]}, None, "Germany", id="a-country-as-it-came"),
    ],
)
def test_a_trusted_peer_tells(sent: Sent, address: str | None, country: str) -> None:
    facts = reader().read("GET", "127.0.0.1", lambda name: sent.get(name, []))
    assert facts.address == (None if address is None else ip_address(address))
    assert (facts.method, facts.country, facts.identity) == ("GET", country, None)


@pytest.mark.parametrize("peer", ["203.0.113.9", None, "", "unknown"])
def test_nobody_else_does(peer: str | None) -> None:
    asked: list[str] = []

    def values(name: str) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    facts = reader().read("POST", peer, values)
    assert (facts.address, facts.country, facts.certificate) == (None, "", Certificate())
    assert asked == []


@pytest.mark.parametrize(
    ("sent", "certificate"),
    [
        pytest.param({}, Certificate(), id="nothing"),
        pytest.param(
            {
                "cf-cert-presented": ["true"],
                "cf-cert-verified": ["true"],
                "cf-cert-revoked": ["false"],
                DN: ["CN=laptop,OU=Access Admins,O=Acme"],
            },
            Certificate(presented=True, verified=True, revoked=False, common_name="laptop"),
            id="all",
        ),
        pytest.param(
            {"cf-cert-presented": ["1"], "cf-cert-verified": ["0"]},
            Certificate(presented=True, verified=False),
            id="as-numbers",
        ),
        pytest.param({"cf-cert-verified": ["yes"]}, Certificate(), id="another-word"),
        pytest.param({"cf-cert-verified": ["true", "true"]}, Certificate(), id="double"),
        pytest.param({DN: ["O=Acme"]}, Certificate(common_name=""), id="no-name"),
        pytest.param({DN: ["CN=a,CN=b"]}, Certificate(), id="two-names"),
        pytest.param({DN: ["CN=a", "CN=a"]}, Certificate(), id="two-headers"),
        pytest.param({DN: ["CN=a\\,b,O=Acme"]}, Certificate(common_name="a,b"), id="escaped-comma"),
        pytest.param({DN: ["O=x\\,CN=boss"]}, Certificate(common_name=""), id="a-name-within-another-value"),
        pytest.param({DN: ["CN"]}, Certificate(), id="no-distinguished-name"),
        pytest.param({DN: ["CN=" + "a" * 70_000]}, Certificate(), id="longer-than-x509-allows"),
    ],
)
def test_certificates_are_read_where_the_edge_tells_of_them(sent: Sent, certificate: Certificate) -> None:
    assert reader().read("GET", "::1", lambda name: sent.get(name, [])).certificate == certificate
    assert reader(certificates=False).read("GET", "::1", lambda name: sent.get(name, [])).certificate is None
