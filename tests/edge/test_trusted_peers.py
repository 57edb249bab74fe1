"""Has the list that ships a name among the trusted peers of a configuration?"""

from typing import Any

import pytest

from cfaccess_mw.settings import configure


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("cloudflare", id="alone"),
        pytest.param(["loopback", "cloudflare"], id="among-others"),
        pytest.param(("cloudflare", "10.0.0.0/8"), id="a-tuple"),
    ],
)
def test_the_networks_of_cloudflare_have_a_name(given: Any) -> None:
    config = configure(team="acme", audience="aud", trusted_peers=given)
    assert config.peers.trust("104.16.0.1")
    assert config.peers.trust("2606:4700::1")
    assert not config.peers.trust("198.51.100.7")
    assert config.peers.trust("127.0.0.1") is ("loopback" in given)
