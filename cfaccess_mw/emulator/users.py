"""Who can come: the people to pick on the login page, and the services that hold a token."""

import hmac
import ipaddress
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

_COUNTRY = re.compile(r"[A-Z][A-Z0-9]")
_ALPHANUMERIC = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may sign in.

    Attributes:
        email: What the identity provider says; one ``@``, no spaces or control characters.
        name: As ``get-identity`` gives it, and as the login page shows it.
        groups: Of the identity provider: names, or objects with ``id``, ``name`` and ``email``.
        country: Two letters, of where the person signs in.
        ip: The address the person comes from; where it is empty, the edge's own, or the connection's.
        custom: The identity provider's claims that Access puts into the token under ``custom``.
        profile: More fields of ``get-identity``, or others in place of what would be there.
    """

    email: str
    name: str = ""
    groups: tuple[str | Mapping[str, str], ...] = ()
    country: str = "US"
    ip: str = ""
    custom: Mapping[str, object] = field(default_factory=dict)
    profile: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_email(self.email):
            raise ConfigurationError("email: must have one '@' with something on both sides, and no spaces")
        check_address(self.ip)
        check_country(self.country)

    def group_names(self) -> list[str]:
        """The groups as people know them."""
        return [group if isinstance(group, str) else group.get("name", group.get("id", "")) for group in self.groups]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceToken:
    """What a service proves itself with: ``CF-Access-Client-Id`` and ``CF-Access-Client-Secret``.

    Attributes:
        client_id: 32 hexadecimal characters and ``.access``.
        client_secret: Either form that Cloudflare has issued; never shown in a ``repr``.
        name: For people.
        enabled: Whether it still opens anything; a disabled one is as unknown as any other.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str = ""
    enabled: bool = True

    @classmethod
    def generate(cls, name: str = "") -> Self:
        """Make one of today's form: ``cfast_``, 40 letters and digits, and 8 characters of checksum.

        Cloudflare does not document the checksum; here it is the CRC-32, and nobody checks it.
        """
        body = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(40))
        return cls(
            client_id=f"{secrets.token_hex(16)}.access",
            client_secret=f"cfast_{body}{zlib.crc32(body.encode('ascii')):08x}",
            name=name,
        )

    def accepts(self, client_secret: bytes) -> bool:
        """Whether this is the secret, compared in constant time."""
        return hmac.compare_digest(self.client_secret.encode("utf-8"), client_secret) and self.enabled


def check_address(ip: str) -> None:
    """Refuse what is neither empty nor an IP address.

    Raises:
        ConfigurationError: It is something else.
    """
    try:
        ipaddress.ip_address(ip or "127.0.0.1")
    except ValueError:
        pass  # raised below, so that the value is not chained to it
    else:
        return
    raise ConfigurationError(f"ip: is {shape(ip)}; give an IP address such as '198.51.100.7'")


def is_country(text: str) -> bool:
    """Whether a text is what ``CF-IPCountry`` can say."""
    return _COUNTRY.fullmatch(text) is not None


def check_country(country: str) -> None:
    """Refuse what ``CF-IPCountry`` cannot say; it says two letters, ``T1`` for Tor, or nothing.

    Raises:
        ConfigurationError: It is something else.
    """
    if country and not is_country(country):
        raise ConfigurationError(f"country: is {shape(country)}; give two capital letters, such as 'US'")


def is_email(text: str) -> bool:
    """Whether a text has the form of an address that a token may carry."""
    local, _, domain = text.partition("@")
    return bool(local and domain) and "@" not in domain and text.isprintable() and " " not in text


DEFAULT_USERS = (
    User(email="alice@example.com", name="Alice Admin", groups=("admins", "staff")),
    User(email="bob@example.com", name="Bob Builder", groups=("staff",), country="DE"),
)
