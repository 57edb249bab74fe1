"""Is every value of a condition brought into one form, and every mistake found when it is loaded?"""

from typing import Any

import pytest

from cfaccess_mw.core.addresses import canonical_domain, canonical_email, email_domain
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.selector_values import (
    Read,
    read_client_id,
    read_country,
    read_domain,
    read_email,
    read_method,
    read_network,
    read_text,
    read_values,
)
from tests.core.policy_parts import CLIENT_ID, OTHER_CLIENT_ID


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("example.com", "example.com", id="plain"),
        pytest.param("EXAMPLE.Com", "example.com", id="case"),
        pytest.param("b\u00fccher.example", "xn--bcher-kva.example", id="unicode"),
        pytest.param("B\u00dcCHER.example", "xn--bcher-kva.example", id="unicode-case"),
        pytest.param("bu\u0308cher.example", "xn--bcher-kva.example", id="decomposed"),
        pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", id="ascii-form-case"),
        pytest.param("\u65e5\u672c.jp", "xn--wgv71a.jp", id="japanese"),
        pytest.param("\u0938\u094d.example", "xn--12b6b.example", id="a-mark-is-part-of-a-letter"),
        pytest.param("localhost", "localhost", id="one-label"),
        pytest.param("a_b.example", "a_b.example", id="underscore"),
        pytest.param("a" * 63 + ".example", "a" * 63 + ".example", id="longest-label"),
        pytest.param("a." * 126 + "a", "a." * 126 + "a", id="longest"),
        pytest.param("", None, id="empty"),
        pytest.param(".", None, id="dot"),
        pytest.param("a..b", None, id="two-dots"),
        pytest.param("example.com.", None, id="trailing-dot"),
        pytest.param(" example.com", None, id="space"),
        pytest.param("example.com\n", None, id="newline"),
        pytest.param("-a.example", None, id="leading-hyphen"),
        pytest.param("a-.example", None, id="trailing-hyphen"),
        pytest.param("*.example", None, id="wildcard"),
        pytest.param("a@b.example", None, id="at"),
        pytest.param("a" * 64 + ".example", None, id="long-label"),
        pytest.param("a." * 126 + "ab", None, id="too-long"),
        pytest.param("\u00e4." * 80 + "example", None, id="too-long-in-ascii"),
        pytest.param("\u00e4" * 60 + ".example", None, id="long-label-in-ascii"),
        pytest.param("\u00e4" * 100_000, None, id="huge"),
        pytest.param("stra\u00dfe.example", None, id="sharp-s-differs-by-standard"),
        pytest.param("\u03bf\u03c2.example", None, id="final-sigma-differs-by-standard"),
        pytest.param("a\u200db\u00e4.example", None, id="joiner-differs-by-standard"),
        pytest.param("\u212a.example", None, id="kelvin-is-no-k"),
        pytest.param("\uff45xample.com", None, id="full-width"),
        pytest.param("\ufb01.example", None, id="ligature"),
        pytest.param("example\u3002com", None, id="ideographic-full-stop"),
        pytest.param("\u00e4\uff0ecom", None, id="full-width-full-stop"),
        pytest.param("\u2764.example", None, id="symbol"),
        pytest.param("-\u00e4.example", "xn----0fa.example", id="hyphen-before-a-letter"),
        pytest.param("\ud800.example", None, id="surrogate"),
        pytest.param("\u05d0a\u05d0b.example", None, id="both-directions"),
    ],
)
def test_domains_have_one_form_or_none(text: str, canonical: str | None) -> None:
    assert canonical_domain(text) == canonical
    assert email_domain(f"user@{text}") == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("User@Example.com", "user@example.com", id="case"),
        pytest.param("J\u00dcRGEN@b.example", "j\u00fcrgen@b.example", id="unicode-case"),
        pytest.param("ju\u0308rgen@b.example", "j\u00fcrgen@b.example", id="decomposed"),
        pytest.param("\u0131@b.example", "\u0131@b.example", id="dotless-i-is-itself"),
        pytest.param("a.b+c@b.example", "a.b+c@b.example", id="nothing-is-dropped"),
        pytest.param('"a"@b.example', '"a"@b.example', id="quotes-are-kept"),
        pytest.param("\u212aate@b.example", None, id="kelvin"),
        pytest.param("\u017fteve@b.example", None, id="long-s"),
        pytest.param("\u0130@b.example", None, id="dotted-capital-i"),
        pytest.param("stra\u00dfe@b.example", None, id="sharp-s"),
        pytest.param("\uff41@b.example", None, id="full-width"),
        pytest.param("a@b@c.example", None, id="two-at"),
        pytest.param("a\uff20b@c.example", None, id="full-width-at"),
        pytest.param("@b.example", None, id="no-local"),
        pytest.param("a@", None, id="no-domain"),
        pytest.param("a", None, id="no-at"),
        pytest.param("", None, id="empty"),
        pytest.param("a b@c.example", None, id="space"),
        pytest.param("a\xa0b@c.example", None, id="no-break-space"),
        pytest.param("a\x00@c.example", None, id="nul"),
        pytest.param("a@c.example\r\n", None, id="newline"),
        pytest.param("\u202ea@c.example", None, id="bidirectional"),
        pytest.param("\ud800@c.example", None, id="surrogate"),
    ],
)
def test_addresses_have_one_form_or_none(text: str, canonical: str | None) -> None:
    assert canonical_email(text) == canonical


@pytest.mark.parametrize(
    ("read", "given", "form"),
    [
        pytest.param(read_text, "Any thing \u00e4", "Any thing \u00e4", id="text"),
        pytest.param(read_email, "A@b.example", "a@b.example", id="email"),
        pytest.param(read_domain, "B.example", "b.example", id="domain"),
        pytest.param(read_country, "de", "DE", id="country"),
        pytest.param(read_country, "t1", "T1", id="tor"),
        pytest.param(read_client_id, CLIENT_ID, CLIENT_ID, id="client-id"),
        pytest.param(read_client_id, OTHER_CLIENT_ID, OTHER_CLIENT_ID, id="client-id-with-domain"),
        pytest.param(read_method, "PATCH", "PATCH", id="method"),
        pytest.param(read_network, "192.0.2.0/24", "192.0.2.0/24", id="network"),
        pytest.param(read_network, "192.0.2.7", "192.0.2.7/32", id="address"),
        pytest.param(read_network, "192.0.2.0/255.255.255.0", "192.0.2.0/24", id="mask"),
        pytest.param(read_network, "2001:DB8:0::/32", "2001:db8::/32", id="ipv6"),
        pytest.param(read_network, "::1", "::1/128", id="ipv6-address"),
        pytest.param(read_network, "::/0", "::/0", id="all-of-ipv6"),
        pytest.param(read_network, "::/96", "::/96", id="not-mapped"),
    ],
)
def test_a_value_has_one_form(read: Read, given: str, form: str) -> None:
    assert read_values("key", given, read) == {form}
    assert read_values("key", [given, form], read) == {form}


@pytest.mark.parametrize(
    ("read", "given", "mend"),
    [
        pytest.param(read_text, "", "write a text", id="empty"),
        pytest.param(read_text, "a\nb", "without control characters", id="control"),
        pytest.param(read_email, "user", "such as 'user@example.com'", id="no-email"),
        pytest.param(read_email, "*@example.com\n", "such as 'user@example.com'", id="email-newline"),
        pytest.param(read_domain, "@example.com", "without '@' or '[*]'", id="domain-at"),
        pytest.param(read_domain, "*.example.com", "without '@' or '[*]'", id="domain-wildcard"),
        pytest.param(read_domain, "stra\u00dfe.example", "its ASCII form", id="domain-ambiguous"),
        pytest.param(read_country, "DEU", "two letters, such as 'DE', or 'T1' for Tor", id="three-letters"),
        pytest.param(read_country, "Germany", "two letters", id="name"),
        pytest.param(read_country, "D1", "two letters", id="letter-and-digit"),
        pytest.param(read_country, "\u00df", "two letters", id="sharp-s"),
        pytest.param(read_country, "DE\n", "two letters", id="country-newline"),
        pytest.param(read_client_id, CLIENT_ID.upper(), "Client ID", id="upper-case"),
        pytest.param(read_client_id, CLIENT_ID + "\n", "Client ID", id="client-id-newline"),
        pytest.param(read_client_id, "cfast_sup3rs3cr3t", "never its secret", id="secret"),
        pytest.param(read_client_id, "my-service", "Client ID", id="client-name"),
        pytest.param(read_client_id, "", "Client ID", id="empty-client-id"),
        pytest.param(read_method, "get", "upper-case letters, such as 'GET'", id="lower-case-method"),
        pytest.param(read_method, "HEAD", "name GET", id="head"),
        pytest.param(read_method, "", "upper-case", id="no-method"),
        pytest.param(read_method, "GET\n", "upper-case", id="method-newline"),
        pytest.param(read_network, "192.0.2.1/24", "did you mean '192.0.2.0/24'", id="host-bits"),
        pytest.param(read_network, "2001:db8::1/32", "did you mean '2001:db8::/32'", id="ipv6-host-bits"),
        pytest.param(read_network, "::ffff:192.0.2.0/120", "write it as IPv4, '192.0.2.0/24'", id="mapped"),
        pytest.param(read_network, "::ffff:192.0.2.1", "write it as IPv4, '192.0.2.1/32'", id="mapped-address"),
        pytest.param(read_network, "::ffff:0:0/96", "write it as IPv4, '0.0.0.0/0'", id="all-mapped"),
        pytest.param(read_network, "fe80::1%eth0", "leave out the zone", id="zone"),
        pytest.param(read_network, "192.0.2.0/33", "write an address or a network", id="long-prefix"),
        pytest.param(read_network, "192.0.2", "write an address or a network", id="three-parts"),
        pytest.param(read_network, "192.0.02.1", "write an address or a network", id="leading-zero"),
        pytest.param(read_network, " 192.0.2.1", "write an address or a network", id="space"),
        pytest.param(
            read_network, "example.com", "such as '192.0.2.0/24' or '2001:db8::/32'", id="name-for-an-address"
        ),
        pytest.param(read_network, "", "write an address or a network", id="no-address"),
    ],
)
def test_a_wrong_value_is_refused_with_its_mend(read: Read, given: str, mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^key: has .*{mend}") as refused:
        read_values("key", given, read)
    assert "sup3rs3cr3t" not in f"{refused.value!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize("given", [None, 1, True, b"x", {"a": 1}, ["a", 1], [None], [b"x"], [["a"]], 1.5], ids=repr)
def test_what_is_no_text_is_refused_by_its_shape(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^key: has .*; write a text, or a list of texts"):
        read_values("key", given, read_text)


@pytest.mark.parametrize("given", [[], (), set(), frozenset(), iter(())], ids=lambda value: type(value).__name__)
def test_no_value_at_all_is_never_taken_for_any(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^key: is empty; name at least one, or leave it out"):
        read_values("key", given, read_text)
