"""What may a condition of a policy look at?

The doors make these facts, and only where a policy needs them. What a fact does not say is never guessed: a condition
on it is then unknown, and counts against the request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from ipaddress import IPv4Address, IPv6Address

from cfaccess_mw.core.identity import Identity


class Need(Flag):
    """What a condition looks at: whoever keeps a verdict keeps it no longer than these stay as they are."""

    NOTHING = 0

    TOKEN = auto()
    """The verified token: a verdict on it alone lives as long as the token."""

    METHOD = auto()
    ADDRESS = auto()
    """The client's address, which only a trusted peer can tell."""

    COUNTRY = auto()
    CERTIFICATE = auto()

    PEER = auto()
    """Who is connected; behind a proxy that is the proxy."""

    TARGET = auto()
    """The path and the query as they were sent."""

    PROFILE = auto()
    """The looked-up identity: a verdict on it lives as long as that version of it."""

    EVERY_TIME = auto()
    """Nobody promised that asking twice gives the same answer."""

    REQUEST = METHOD | ADDRESS | COUNTRY | CERTIFICATE | PEER | TARGET
    """What each request brings along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the edge says of the client certificate of a request (Cloudflare, "Add TLS client auth headers").

    Attributes:
        presented: ``cf-cert-presented``; None, here as below, where the header is missing, double or malformed.
        verified: ``cf-cert-verified``.
        revoked: ``cf-cert-revoked``.
        common_name: The one common name in ``cf-cert-subject-dn``; empty where the certificate has none.
    """

    presented: bool | None = None
    verified: bool | None = None
    revoked: bool | None = None
    common_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One request, as conditions see it.

    Attributes:
        identity: Whom the token proved; None for nobody.
        method: The method as sent; GET for a WebSocket handshake.
        address: The client's, from ``CF-Connecting-IP`` of a trusted peer; None where it is not known.
        country: ``CF-IPCountry`` of a trusted peer as it came, malformed or not; the empty text where such a peer sent
            none that can be read; None where no peer is trusted, so that the token's country of the time of login is
            the best there is.
        certificate: From the ``cf-cert-*`` headers of a trusted peer, where they are enabled; None where they are not,
            so that the looked-up profile is asked.
        peer: Who is connected, as the server gives it; empty for a Unix socket, None where it is not known.
        target: The path and the query as they were sent, percent-encoded; None where they are not known.
        mount: Where the application is mounted: ASGI ``root_path``, WSGI ``SCRIPT_NAME``.
        profile: The looked-up ``get-identity`` document; None where there is none.
        looked_up: Whether the lookup was made. Conditions on the profile wait for it until then.
    """

    identity: Identity | None
    method: str
    address: IPv4Address | IPv6Address | None = field(default=None, repr=False)
    country: str | None = None
    certificate: Certificate | None = field(default=None, repr=False)
    peer: str | None = field(default=None, repr=False)
    target: bytes | None = field(default=None, repr=False)
    mount: str = field(default="", repr=False)
    profile: Mapping[str, object] | None = field(default=None, repr=False)
    looked_up: bool = False

    def only(self, needs: Need) -> "Facts":
        """Return these facts without what is not among ``needs``; nothing is looked up for the others any more."""
        profile = Need.PROFILE in needs
        return Facts(
            identity=self.identity if Need.TOKEN in needs else None,
            method=self.method if Need.METHOD in needs else "",
            address=self.address if Need.ADDRESS in needs else None,
            country=self.country if Need.COUNTRY in needs else "",
            certificate=self.certificate if Need.CERTIFICATE in needs else Certificate(),
            peer=self.peer if Need.PEER in needs else None,
            target=self.target if Need.TARGET in needs else None,
            mount=self.mount if Need.TARGET in needs else "",
            profile=self.profile if profile else None,
            looked_up=self.looked_up or not profile,
        )
