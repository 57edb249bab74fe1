"""Which addresses belong to a team? The issuer and the URLs that are derived from it.

A team is the only thing that decides whose keys are believed, so its name is validated as strictly as a key would be:
never derived from a request, never from a token, never matched by suffix.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

_DOMAIN = ".cloudflareaccess.com"

# One DNS label (RFC 1035 section 2.3.1), since Cloudflare's limit for it is 63 characters; then what FedRAMP's have.
_TEAM = re.compile(
    r"(?P<scheme>https://)?(?P<name>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.fed)?)(?P<domain>\.cloudflareaccess\.com/?)?"
)

# A host and at most one port, as every reader of URLs takes them: urlsplit reads http://[::1].example as ::1.
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

CERTS_PATH = "/cdn-cgi/access/certs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One Cloudflare Access organisation, as an origin sees it.

    Attributes:
        domain: ``<team>.cloudflareaccess.com``, for people and for ``WWW-Authenticate``.
        issuer: What ``iss`` must be, exactly.
        base_url: What get-identity, login and logout are derived from.
        certs_url: Where the keys are.
    """

    domain: str
    issuer: str
    base_url: str
    certs_url: str


def read_team(value: object, *, team_url: str | None, certs_url: str | None, issuer: str | None) -> Team:
    """Derive the addresses of a team.

    Args:
        value: ``acme``, ``acme.cloudflareaccess.com`` or ``https://acme.cloudflareaccess.com``, or the forms of FedRAMP
            (``acme.fed.cloudflareaccess.com``).
        team_url: Instead of ``https://<domain>`` as the base of all URLs: https, or plain http to loopback.
        certs_url: Instead of the certs URL of that base.
        issuer: Instead of ``https://<domain>`` as the issuer.

    Raises:
        ConfigurationError: A name that is not a team's, or a URL that is not safe to fetch keys from.
    """
    domain = _read_domain(value)
    base = f"https://{domain}" if team_url is None else read_url("team_url", team_url).rstrip("/")
    if urlsplit(base).path:
        raise ConfigurationError(
            "team_url: has a path; give the scheme and the host only, such as https://localhost:8443"
        )
    return Team(
        domain=domain,
        issuer=f"https://{domain}" if issuer is None else _read_issuer(issuer),
        base_url=base,
        certs_url=base + CERTS_PATH if certs_url is None else read_url("certs_url", certs_url),
    )


def _read_domain(value: object) -> str:
    mend = "give the team's name, such as 'acme', or 'acme.cloudflareaccess.com', or that with https:// before it"
    if not isinstance(value, str):
        raise ConfigurationError(f"team: is {shape(value)}, not text; {mend}")
    # ASCII first: the Kelvin sign, lower-cased, is a k
    match = _TEAM.fullmatch(value.lower()) if value.isascii() else None
    if match is None or (match["scheme"] and not match["domain"]):
        raise ConfigurationError(f"team: {shape(value)} is not the name of a team; {mend}")
    return str(match["name"]) + _DOMAIN


def _read_issuer(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
        raise ConfigurationError("issuer: is not a URL; give exactly what the tokens have as iss, or leave it out")
    return value


def read_url(key: str, value: object) -> str:
    """Check a URL that keys may be fetched from.

    Args:
        key: The name of the configuration key, for the message.
        value: https to anywhere, or plain http to loopback (an emulator, tests).

    Raises:
        ConfigurationError: Another scheme, plain http to another machine, userinfo, a query or a fragment.
    """
    mend = "give https://<host>, or http:// with a loopback address"
    if not isinstance(value, str):
        raise ConfigurationError(f"{key}: is {shape(value)}, not text; {mend}")
    parts = _split(value)
    if parts is None:
        raise ConfigurationError(f"{key}: {shape(value)} is not a URL; {mend}")
    if "@" in parts.netloc:
        raise ConfigurationError(f"{key}: has a user name or a password in it; {mend}")
    if not _AUTHORITY.fullmatch(parts.netloc):
        raise ConfigurationError(f"{key}: {shape(value)} has no proper host; {mend}")
    if "?" in value or "#" in value:
        raise ConfigurationError(f"{key}: has a query or a fragment; {mend}")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts)):
        raise ConfigurationError(f"{key}: is neither https nor plain http to a loopback address; {mend}")
    return value


def _split(value: str) -> SplitResult | None:
    # urlsplit drops tabs and line ends silently, so they are looked for before
    if not value.isascii() or not value.isprintable() or not set(' "<>\\^`{|}').isdisjoint(value):
        return None
    try:
        parts = urlsplit(value)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
