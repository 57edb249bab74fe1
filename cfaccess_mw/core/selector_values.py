"""Can a condition hold this value, as an operator wrote it? Each kind has one reader, which gives its one form.

A value is shown in a message only where it is certain to be no secret.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv6Network, ip_interface, ip_network

from cfaccess_mw.core.addresses import canonical_domain, canonical_email
from cfaccess_mw.core.claims import read_principal
from cfaccess_mw.core.errors import ConfigurationError, UnknownPrincipal
from cfaccess_mw.core.shape import shape

Read = Callable[[str], str]
"""Gives the one form of a value, or raises ValueError with the mend and without the value."""

_COUNTRY = re.compile(r"[A-Z]{2}|T1")
_METHOD = re.compile(r"[A-Z]+")
_MAPPED_BITS = 96  # of ::ffff:0:0/96, RFC 4291 section 2.5.5.2


def read_values(key: str, given: object, read: Read) -> frozenset[str]:
    """Return one value or several, at least one, each in its one form.

    Args:
        key: What to call them in messages.
        given: A text, or an iterable of texts.
        read: Gives the one form of each.

    Raises:
        ConfigurationError: Something is not a text, not such a value, or there is none at all.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
    values = list(given) if several else [given]  # type: ignore[call-overload]  # mypy does not follow `several`
    if not values:
        raise ConfigurationError(f"{key}: is empty; name at least one, or leave it out")
    return frozenset(read_value(key, value, read) for value in values)


def read_value(key: str, given: object, read: Read) -> str:
    """Return one value in its one form; the arguments and what is raised are those of :func:`read_values`."""
    if not isinstance(given, str):
        raise ConfigurationError(f"{key}: has {shape(given)}; write a text, or a list of texts")
    try:
        return read(given)
    except ValueError as mistake:
        raise ConfigurationError(f"{key}: has {shape(given)}: {mistake}") from None


def read_text(text: str) -> str:
    """A name that is compared as it stands."""
    if not text or not text.isprintable():
        raise ValueError("write a text without control characters")
    return text


def read_email(text: str) -> str:
    """An e-mail address, such as ``user@example.com``."""
    email = canonical_email(text)
    if email is None:
        raise ValueError("write one e-mail address, such as 'user@example.com'")
    return email


def read_domain(text: str) -> str:
    """The domain of e-mail addresses, such as ``example.com``."""
    domain = canonical_domain(text)
    if domain is None:
        raise ValueError("write one domain without '@' or '*', such as 'example.com', or its ASCII form ('xn--...')")
    return domain


def read_country(text: str) -> str:
    """A country by its two letters (ISO 3166-1 alpha-2), or Cloudflare's ``T1`` for Tor."""
    if not _COUNTRY.fullmatch(text.upper()) or not text.isascii():
        raise ValueError("write a country's two letters, such as 'DE', or 'T1' for Tor")
    return text.upper()


def read_client_id(text: str) -> str:
    """The Client ID of a service token; what a token with it would be accepted as is what it is."""
    try:
        return read_principal(None, None, text, certificates=False)[1]
    except UnknownPrincipal:
        raise ValueError(
            "write the Client ID of a service token, '<32 hexadecimal digits>.access', never its secret"
        ) from None


def read_method(text: str) -> str:
    """A request method, in upper case."""
    if text == "HEAD":
        raise ValueError("HEAD has GET's rule; name GET")
    if not _METHOD.fullmatch(text):
        raise ValueError("write a method in upper-case letters, such as 'GET'")
    return text


def read_network(text: str) -> str:
    """An address or a network in CIDR notation; of IPv4 addresses written as IPv6 there is only one form, IPv4."""
    try:
        nearest = ip_interface(text).network
    except ValueError:
        raise ValueError("write an address or a network, such as '192.0.2.0/24' or '2001:db8::/32'") from None
    if "%" in text:
        raise ValueError("leave out the zone: what stands after '%' means something on one machine only")
    mapped = nearest.network_address.ipv4_mapped if isinstance(nearest, IPv6Network) else None
    if mapped is not None:
        raise ValueError(f"write it as IPv4, '{mapped}/{nearest.prefixlen - _MAPPED_BITS}'")
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError(f"it has bits set beyond its prefix; did you mean '{nearest}'?") from None
