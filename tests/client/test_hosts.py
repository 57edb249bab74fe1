"""Which hosts can be named, and which addresses are theirs?"""

import pytest

from cfaccess_mw.client import ForwardedIdentity, ServiceToken, UserToken
from cfaccess_mw.client.hosts import NamedHosts, Origin, origin_of, read_origin
from cfaccess_mw.core.errors import ConfigurationError
from tests.client.conftest import GOOD


@pytest.mark.parametrize(
    ("named", "url", "may"),
    [
        pytest.param("app.example.com", "https://app.example.com/a", True, id="as it is"),
        pytest.param("APP.Example.com.", "https://app.example.com", True, id="case and final dot"),
        pytest.param("app.example.com", "HTTPS://App.Example.COM.:443/a", True, id="the same of an address"),
        pytest.param("app.example.com:443", "https://app.example.com", True, id="the usual port named"),
        pytest.param("app.example.com:8443", "https://app.example.com:8443", True, id="another port"),
        pytest.param("app.example.com", "https://app.example.com:8443", False, id="another port, not named"),
        pytest.param("app.example.com:8443", "https://app.example.com", False, id="no port, one named"),
        pytest.param("app.example.com", "http://app.example.com", False, id="plain http"),
        pytest.param("app.example.com:80", "http://app.example.com", False, id="plain http, named"),
        pytest.param("app.example.com", "ftp://app.example.com", False, id="another scheme"),
        pytest.param("app.example.com", "https://sub.app.example.com", False, id="below"),
        pytest.param("app.example.com", "https://app.example.com.evil.example", False, id="longer"),
        pytest.param("app.example.com", "https://evilapp.example.com", False, id="longer at the front"),
        pytest.param("app.example.com", "https://app.example.com@evil.example", False, id="a user name"),
        pytest.param("app.example.com", "https://evil.example@app.example.com", False, id="with a user name"),
        pytest.param("app.example.com", "https://evil.example\\@app.example.com", False, id="a backslash"),
        pytest.param("app.example.com", "https://evil.example\t@app.example.com", False, id="a tab"),
        pytest.param("app.example.com", "https://app.exam\tple.com", False, id="a tab within"),
        pytest.param("app.example.com", "https://app.example.com\n", False, id="a line end"),
        pytest.param("app.example.com", "https://app.example.com/\u00e9", True, id="letters beyond ASCII in the path"),
        pytest.param("app.example.com", "https://app.example.com%2eevil.example", False, id="an escape"),
        pytest.param("app.example.com", "https://app\u3002example.com", False, id="not ASCII"),
        pytest.param("app.example.com", "https://app.example.com:x", False, id="no port at all"),
        pytest.param("app.example.com", "https://[app.example.com", False, id="half a bracket"),
        pytest.param("app.example.com", "//app.example.com", False, id="no scheme"),
        pytest.param("app.example.com", "", False, id="nothing"),
        pytest.param("127.0.0.1:8000", "http://127.0.0.1:8000", True, id="loopback"),
        pytest.param("localhost:8000", "http://localhost:8000", True, id="localhost"),
        pytest.param("localhost", "http://localhost", True, id="localhost without port"),
        pytest.param("localhost", "http://localhost:8000", False, id="localhost with a port that was not named"),
        pytest.param("app.localhost:8000", "http://app.localhost:8000", False, id="below localhost"),
        pytest.param("[::1]:8000", "http://[0:0::1]:8000", True, id="IPv6 loopback"),
        pytest.param("[2001:db8::1]", "http://[2001:db8::1]", False, id="IPv6 of another machine"),
        pytest.param("[2001:db8::1]", "https://[2001:DB8::1]", True, id="IPv6"),
        pytest.param("128.0.0.1:8000", "http://128.0.0.1:8000", False, id="an address of another machine"),
    ],
)
def test_who_may_get_credentials(named: str, url: str, may: bool) -> None:
    assert NamedHosts([named]).may_get_credentials(read_origin(url)) is may


@pytest.mark.parametrize(
    ("host", "said"),
    [
        pytest.param("", "empty text is no host", id="empty"),
        pytest.param("*.example.com", "no host", id="a wildcard"),
        pytest.param("https://app.example.com", "more than a host", id="an address"),
        pytest.param("app.example.com/a", "more than a host", id="a path"),
        pytest.param("me@app.example.com", "more than a host", id="a user"),
        pytest.param("b\u00fccher.example", "no host", id="not ASCII"),
        pytest.param("app.example.com:", "no host", id="half a port"),
        pytest.param("app.example.com:0", "port", id="no port"),
        pytest.param("app.example.com:65536", "port", id="no port either"),
        pytest.param("::1", "no host", id="IPv6 without brackets"),
        pytest.param(7, "a number", id="a number"),
    ],
)
def test_what_cannot_be_named(host: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        NamedHosts([host])
    assert "app.example.com:8443" in str(raised.value)


@pytest.mark.parametrize("make", [lambda: ServiceToken(credentials=GOOD), ForwardedIdentity])
def test_somebody_has_to_be_named(make: type[ForwardedIdentity]) -> None:
    with pytest.raises(ConfigurationError, match="there is none"):
        make()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_clients_give_addresses_with_brackets_or_without(host: str) -> None:
    assert origin_of("HTTP", host, None) == Origin("http", "[::1]", 80)


def test_names_are_shown() -> None:
    assert (
        repr(ServiceToken("b.example:8443", "a.example", credentials=GOOD)) == "ServiceToken(a.example, b.example:8443)"
    )
    assert repr(UserToken("https://a.example/x")) == "UserToken(a.example)"
    assert repr(ForwardedIdentity("a.example")) == "ForwardedIdentity(a.example)"
