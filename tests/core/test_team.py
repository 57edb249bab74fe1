"""Can a team's name or a URL make us believe somebody else's keys?"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.team import Team, read_team, read_url


def team(value: object, **given: str | None) -> Team:
    """A team with what is given and nothing else."""
    addresses: dict[str, str | None] = {"team_url": None, "certs_url": None, "issuer": None}
    return read_team(value, **{**addresses, **given})


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        pytest.param("acme", "acme.cloudflareaccess.com", id="name"),
        pytest.param("ACME", "acme.cloudflareaccess.com", id="upper"),
        pytest.param("a", "a.cloudflareaccess.com", id="one-letter"),
        pytest.param("ab", "ab.cloudflareaccess.com", id="two-letters"),
        pytest.param("1-a", "1-a.cloudflareaccess.com", id="digit-first"),
        pytest.param("a-1a", "a-1a.cloudflareaccess.com", id="digit-inside"),
        pytest.param("a-1", "a-1.cloudflareaccess.com", id="digit-last"),
        pytest.param("a" * 63, "a" * 63 + ".cloudflareaccess.com", id="63-characters"),
        pytest.param("xn--caf-dma", "xn--caf-dma.cloudflareaccess.com", id="punycode"),
        pytest.param("acme.cloudflareaccess.com", "acme.cloudflareaccess.com", id="domain"),
        pytest.param("Acme.CloudflareAccess.com", "acme.cloudflareaccess.com", id="domain-upper"),
        pytest.param("https://acme.cloudflareaccess.com", "acme.cloudflareaccess.com", id="https"),
        pytest.param("https://acme.cloudflareaccess.com/", "acme.cloudflareaccess.com", id="https-slash"),
        pytest.param("HTTPS://ACME.CLOUDFLAREACCESS.COM", "acme.cloudflareaccess.com", id="https-upper"),
        pytest.param("acme.fed", "acme.fed.cloudflareaccess.com", id="fed-name"),
        pytest.param("acme.fed.cloudflareaccess.com", "acme.fed.cloudflareaccess.com", id="fed-domain"),
        pytest.param("https://acme.fed.cloudflareaccess.com", "acme.fed.cloudflareaccess.com", id="fed-https"),
        pytest.param("fed", "fed.cloudflareaccess.com", id="a-team-called-fed"),
        pytest.param("fed.cloudflareaccess.com", "fed.cloudflareaccess.com", id="the-domain-of-a-team-called-fed"),
        pytest.param("fed.fed", "fed.fed.cloudflareaccess.com", id="a-fedramp-team-called-fed"),
        pytest.param("https", "https.cloudflareaccess.com", id="a-team-called-https"),
    ],
)
def test_a_team_is_named_in_any_of_its_forms(value: str, domain: str) -> None:
    assert team(value) == Team(
        domain=domain,
        issuer=f"https://{domain}",
        base_url=f"https://{domain}",
        certs_url=f"https://{domain}/cdn-cgi/access/certs",
    )


# The first ones are cloudflared's (token/jwks.go parseAuthDomain, and its tests).
INJECTIONS = [
    "evilcloudflareaccess.com",
    "keys.evil.example#.cloudflareaccess.com",
    "keys.evil.example/x.cloudflareaccess.com",
    "keys.evil.example?x=.cloudflareaccess.com",
    "team.cloudflareaccess.com@evil.example",
    "",
    "https://evil.example#.cloudflareaccess.com",
    "https://evil.example/.cloudflareaccess.com",
    "https://evil.example\\.cloudflareaccess.com",
    "https://user:pass@acme.cloudflareaccess.com",
    "user@acme.cloudflareaccess.com",
    "acme@evil.example",
    "acme.cloudflareaccess.com:8443",
    "https://acme.cloudflareaccess.com:443",
    "https://acme.cloudflareaccess.com/cdn-cgi/access/certs",
    "https://acme.cloudflareaccess.com//",
    "https://acme.cloudflareaccess.com?",
    "https://acme.cloudflareaccess.com#",
    "https://acme.cloudflareaccess.com.",
    "acme.cloudflareaccess.com.evil.example",
    "acme.cloudflareaccess.com.cloudflareaccess.com",
    "acme.cloudflareaccess.org",
    ".cloudflareaccess.com",
    "cloudflareaccess.com",
    "https://cloudflareaccess.com",
    ".fed.cloudflareaccess.com",
    "a.b.cloudflareaccess.com",
    "a.b",
    "acme.fed.fed",
    "acme/fed",
    "acme@fed",
    "acme_fed",
    "acme.fed@cloudflareaccess.com",
    "acme.cloudflareaccess_com",
    "acme.",
    ".acme",
    ".fed",
    "acme/",
    "acme/x",
    "/acme",
    "//acme.cloudflareaccess.com",
    "http://acme.cloudflareaccess.com",
    "ftp://acme.cloudflareaccess.com",
    "https:acme.cloudflareaccess.com",
    "https:/acme.cloudflareaccess.com",
    "https://acme",
    "https://acme.fed",
    "https://https://acme.cloudflareaccess.com",
    "https://",
    "-acme",
    "acme-",
    "ac_me",
    "ac me",
    " acme",
    "acme ",
    "acme\n",
    "acme\t",
    "acme\r\nHost: evil.example",
    "\nacme",
    "ac\tme",
    "acme\x00",
    "acme.cloudflareaccess.com\n",
    "acme.cloudflareaccess.com/\n",
    "acme%00",
    "acme%2eevil",
    "a" * 64,
    "a" * 100_000,
    "*",
    "*.cloudflareaccess.com",
    "acme,other",
    "{team}",
    "${TEAM}",
    "../acme",
    "127.0.0.1",
    "[::1]",
    "acmé",
    "аcme",  # noqa: RUF001 - a Cyrillic a is the point
    "ａcme",  # noqa: RUF001 - a full-width a is the point
    "acme。cloudflareaccess.com",
    "acme．cloudflareaccess.com",  # noqa: RUF001 - a full-width dot is the point
    "\u212aey",  # the Kelvin sign, which is k in lower case
    "key.cloudflareacce\u017f\u017f.com",  # the long s, which is S in upper case
    "ac\u00adme",
    "ac\u200bme",
    "\ufeffacme",
    "acme\ud800",
    "\u0661cme",
]


@pytest.mark.parametrize("value", INJECTIONS, ids=lambda value: ascii(value)[:40])
def test_what_is_no_team_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^team: (text of \d+ characters|empty text) is not the name"
    ) as refused:
        team(value)
    assert "such as 'acme'" in str(refused.value)
    assert len(str(refused.value)) < 250
    shown = str(refused.value).replace("acme.cloudflareaccess.com", "").replace("https://", "")
    assert len(value) < 12 or value not in shown


@pytest.mark.parametrize(
    "value", [None, 1, True, b"acme", ["acme"], {"acme": 1}, object()], ids=lambda value: type(value).__name__
)
def test_what_is_no_text_is_no_team(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^team: is .*, not text; give"):
        team(value)


@given(st.text(max_size=80) | st.from_regex(r"(https?://)?[a-z.@#/:?-]{0,12}\.cloudflareaccess\.com[/.:@a-z]{0,5}"))
def test_whatever_the_text_the_host_is_cloudflares(value: str) -> None:
    try:
        found = team(value)
    except ConfigurationError:
        return
    host = found.domain.removesuffix(".cloudflareaccess.com")
    assert host != found.domain
    assert host.removesuffix(".fed").replace("-", "").isalnum()
    assert host.isascii()
    assert found.certs_url == f"https://{found.domain}/cdn-cgi/access/certs"


@pytest.mark.parametrize(
    ("given_addresses", "base", "certs", "issuer"),
    [
        pytest.param(
            {"team_url": "https://t.example"},
            "https://t.example",
            "https://t.example/cdn-cgi/access/certs",
            None,
            id="url",
        ),
        pytest.param(
            {"team_url": "https://t.example/"},
            "https://t.example",
            "https://t.example/cdn-cgi/access/certs",
            None,
            id="slash",
        ),
        pytest.param(
            {"team_url": "http://localhost:8787"},
            "http://localhost:8787",
            "http://localhost:8787/cdn-cgi/access/certs",
            None,
            id="emulator",
        ),
        pytest.param({"certs_url": "https://c.example/k"}, None, "https://c.example/k", None, id="certs"),
        pytest.param(
            {"team_url": "https://t.example", "certs_url": "https://c.example/k"},
            "https://t.example",
            "https://c.example/k",
            None,
            id="both",
        ),
        pytest.param({"issuer": "https://i.example"}, None, None, "https://i.example", id="issuer"),
        pytest.param(
            {"issuer": "https://i.example/x/"}, None, None, "https://i.example/x/", id="issuer-is-kept-as-it-is"
        ),
    ],
)
def test_addresses_can_be_replaced_one_by_one(
    given_addresses: dict[str, str], base: str | None, certs: str | None, issuer: str | None
) -> None:
    found, plain = team("acme", **given_addresses), team("acme")
    assert found.domain == plain.domain
    assert found.base_url == (base or plain.base_url)
    assert found.certs_url == (certs or plain.certs_url)
    assert found.issuer == (issuer or plain.issuer)


@pytest.mark.parametrize("path", ["/x", "/cdn-cgi/access/certs", "/x/"])
def test_a_team_url_has_no_path(path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^team_url: has a path"):
        team("acme", team_url="https://t.example" + path)


@pytest.mark.parametrize("value", ["", "a b", "a\n", "é", "\x7f", 5, True, ["https://i.example"]], ids=repr)
def test_an_issuer_is_printable_ascii(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^issuer: is not a URL; give exactly"):
        team("acme", issuer=value)  # type: ignore[arg-type]  # that it is checked is the test


@pytest.mark.parametrize(
    "value",
    [
        "https://team.example",
        "https://team.example:8443/certs.json",
        "https://TEAM.example/a/b",
        "https://ex_ample-1.internal",
        "https://A.EX_ample-1.internal:12345",
        "https://[2001:DB8::192.0.2.1]/certs",
        "https://team.example./certs",
        "https://10.0.0.1/certs",
        "https://[2001:db8::1]:8443/certs",
        "https://xn--exmple-cua.com",
        "http://localhost",
        "http://LocalHost:8787/certs",
        "http://127.0.0.1:8787",
        "http://127.1.2.3",
        "http://[::1]:8787/certs",
        "http://[::1]",
        "http://[0:0:0:0:0:0:0:1]",
        "HTTP://localhost",
        "http://localhost:1/certs.X",
    ],
)
def test_keys_may_be_fetched_by_https_and_from_loopback(value: str) -> None:
    assert read_url("certs_url", value) == value


NEITHER = "neither https nor plain http to a loopback"
NO_URL = "is not a URL"
NO_HOST = "has no proper host"
NO_URL_OR_HOST = f"({NO_URL}|{NO_HOST})"  # urlsplit itself refuses these from some patch release on
USER = "has a user name or a password"
QUERY = "has a query or a fragment"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(value, message, id=ascii(value)[1:50])
        for message, values in {
            NEITHER: [
                "http://team.example",
                "http://127.0.0.1.evil.com",
                "http://localhost.evil.com",
                "http://localhost.",
                "http://127.0.0.1.",
                "http://evil-localhost",
                "http://localhost4",
                "http://0.0.0.0",
                "http://[::]",
                "http://10.0.0.1",
                "http://169.254.169.254/certs",
                "http://128.0.0.1",
                "http://127.1",
                "http://127.0.1",
                "http://2130706433",
                "http://0x7f000001",
                "http://0x7f.0.0.1",
                "http://0177.0.0.1",
                "http://127.0.0.01",
                "http://127.0.0.1.nip.io",
                "http://[::2]",
                "http://[2001:db8::1]",
                "ftp://localhost",
                "file://localhost/etc/passwd",
                "ws://localhost",
                "//team.example",
                "httpss://team.example",
                "unix://run",
            ],
            NO_HOST: [
                "",
                "team.example",
                "https:",
                "https://",
                "https:///certs",
                "https:team.example",
                "https:/team.example",
                "file:///etc/passwd",
                "javascript:alert(1)",
                "https://:8443",
                "https://team..example",
                "https://.team.example",
                "https://%6c%6fcalhost",
                "http://127.0.0.1%2eevil.com",
                "http://localhost%00.evil.com",
                "https://team.example:",
                "https://team.example;x",
                "https://team.example,evil.example",
                "https://*.example",
                "https://te$am.example",
                "https://team.example:000443",
                "https://(team).example",
            ],
            NO_URL_OR_HOST: [
                "http://[::1].evil.com/",
                "http://evil.com[::1]/",
                "http://[::1]evil:80/",
                "http://[::1%25lo]/",
                "http://[v1.x]/",
                "http://[localhost]/",
                "http://[127.0.0.1]/",
                "http://[]/",
            ],
            NO_URL: [
                "https://team.example:0",
                "https://team.example:99999",
                "https://team.example:80:80",
                "https://team.example:x",
                "https://[::1",
                "https://::1]",
                " https://team.example",
                "https://team.example ",
                "https://team.example\n",
                "https://team.exa\tmple",
                "https://te\nam.example",
                "\thttps://team.example",
                "http://localhost\t.evil.com",
                "http://evil.com\n#@localhost",
                "https://team.example/\r\nHost: evil",
                "\x00https://team.example",
                "https://team.example\x7f",
                "https://team.example\\@evil.example",
                "http://localhost\\.evil.com",
                "http:\\\\localhost",
                "https://team.example/a b",
                'https://team.example/<">',
                "https://team.example/{team}",
                "https://team.example/|",
                "https://team.example/^`",
                "https://exämple.com",
                "https://team。example",
                "http://ⓛocalhost",
                "http://①②⑦.0.0.1",
                "https://team.example/é",
                "http://localhost\u200b",
                "https://team.example\ud800",
            ],
            USER: [
                "https://user@team.example",
                "https://user:password@team.example",
                "https://@team.example",
                "https://:@team.example",
                "http://localhost@evil.example",
                "http://localhost:80@evil.example",
                "http://evil.example@localhost",
                "http://a@b@localhost",
                "https://team.example%40evil@localhost",
            ],
            QUERY: [
                "https://team.example?",
                "https://team.example/?x=1",
                "https://team.example#",
                "https://team.example/certs#x",
                "http://localhost#.evil.com",
                "http://localhost?.evil.com",
            ],
        }.items()
        for value in values
    ],
)
def test_a_url_that_two_readers_could_understand_differently_is_refused(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^certs_url: .*{message}") as refused:
        read_url("certs_url", value)
    assert refused.value.__cause__ is None
    assert str(refused.value).endswith("; give https://<host>, or http:// with a loopback address")
    if message in (NO_URL, NO_HOST):
        assert f"certs_url: {shape(value)} {message};" in str(refused.value)
    shown = str(refused.value).replace("http:// with a loopback", "").replace("https://<host>", "")
    assert "://" not in shown
    assert "password@" not in shown
    assert "evil" not in shown


@pytest.mark.parametrize("value", [None, 1, b"https://team.example", ["https://team.example"]], ids=repr)
def test_what_is_no_text_is_no_url(value: object) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"team_url: is {shape(value)}, not text; give https://")):
        read_url("team_url", value)
