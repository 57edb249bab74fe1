"""To whom may credentials go? To the hosts that were named, over https; over plain http to this machine only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.hosts import canonical_host
from cfaccess_mw.core.shape import shape

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_MEND: Final = "give host names as they stand in addresses, such as 'app.example.com' or 'app.example.com:8443'"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of an address (RFC 6454 section 4).

    Attributes:
        scheme: ``https`` or ``http``, or whatever else it was.
        host: In canonical form; empty for what is not a host.
        port: Never left out.
    """

    scheme: str
    host: str
    port: int

    @property
    def is_safe(self) -> bool:
        """Whether nobody on the way can read along.

        A proxy of the environment (``http_proxy``) can, where it is asked for this machine too: name the machine in
        ``no_proxy``, or make the client with ``trust_env=False``.
        """
        return self.scheme == "https" or (self.scheme == "http" and _is_loopback(self.host))

    def __str__(self) -> str:
        """The host, with its port where that is not the scheme's own: as it would be named."""
        return self.host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{self.host}:{self.port}"


def origin_of(scheme: str, host: str, port: int | None) -> Origin:
    """The origin of an address that an HTTP client has taken apart.

    Args:
        scheme: In any case.
        host: ASCII, an IPv6 address with brackets or without.
        port: None where the address has none.
    """
    scheme = scheme.lower()
    name = canonical_host(f"[{host}]" if ":" in host and not host.startswith("[") else host)
    return Origin(scheme, name or "", _DEFAULT_PORTS.get(scheme, 0) if port is None else port)


def read_origin(url: str) -> Origin:
    """The origin of an address; one without host for what two readers could take apart differently.

    Args:
        url: As it will be asked for.
    """
    nowhere = Origin("", "", 0)
    if not url.isprintable():  # urlsplit drops tabs and line ends without a word
        return nowhere
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            return nowhere
        return origin_of(parts.scheme, parts.hostname or "", parts.port)
    except ValueError:
        return nowhere


class NamedHosts:
    """The hosts that credentials are for.

    Args:
        hosts: Each a name or an address, with a port where that is not the scheme's own. No wildcards.

    Raises:
        ConfigurationError: None is given, or one is something else.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._named = frozenset(map(_read, hosts))
        if not self._named:
            raise ConfigurationError(f"hosts: there is none; {_MEND}")

    def __contains__(self, origin: Origin) -> bool:
        """Whether an origin is one of the named, by whichever scheme."""
        port = None if origin.port == _DEFAULT_PORTS.get(origin.scheme) else origin.port
        named = {(origin.host, origin.port), (origin.host, port)}
        return not self._named.isdisjoint(named)

    def may_get_credentials(self, origin: Origin) -> bool:
        """Whether an origin is named, and nobody on the way can read along."""
        return origin in self and origin.is_safe

    def __repr__(self) -> str:
        """The names; they are no secret."""
        return ", ".join(sorted(host if port is None else f"{host}:{port}" for host, port in self._named))


def _read(entry: object) -> tuple[str, int | None]:
    if not isinstance(entry, str):
        raise ConfigurationError(f"hosts: holds {shape(entry)}; {_MEND}")
    if "/" in entry or "@" in entry:
        raise ConfigurationError(f"hosts: holds more than a host, {shape(entry)}; {_MEND}")
    match = _HOST_AND_PORT.fullmatch(entry)
    host = canonical_host(match["host"]) if match else None
    if match is None or host is None:
        raise ConfigurationError(f"hosts: {shape(entry)} is no host; {_MEND}")
    if match["port"] is None:
        return host, None
    port = int(match["port"])
    if not 0 < port < 65_536:
        raise ConfigurationError(f"hosts: holds a port that is none; {_MEND}")
    return host, port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
