"""What do the headers of a trusted peer say of the client: its address, its country, its certificate?

Of any other peer they say nothing, and what is missing, double or malformed is unknown; it is never replaced by the
peer's own address.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.x509 import Name
from cryptography.x509.oid import NameOID

from cfaccess_mw.core.facts import Certificate, Facts
from cfaccess_mw.core.peers import TrustedPeers, read_address

Values = Callable[[str], Sequence[str]]
"""Gives the values of a request header by its lower-case name, one for each line in which it came."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReader:
    """Reads what is known of the client.

    Attributes:
        peers: Whose word counts.
        certificate_headers: Whether the edge adds the TLS client auth headers, and removes those that a client sends
            (Cloudflare, managed transform "Add TLS client auth headers").
    """

    peers: TrustedPeers
    certificate_headers: bool

    def read(
        self, method: str, peer: str | None, values: Values, target: bytes | None = None, mount: str = ""
    ) -> Facts:
        """What the request says, nobody's identity yet.

        Args:
            method: As sent.
            peer: The address of who is connected; None or empty for a Unix socket.
            values: The request's headers.
            target: The path and the query as they were sent.
            mount: Where the application is mounted.
        """
        if not self.peers.trust(peer):
            unread = Certificate() if self.certificate_headers else None
            return Facts(
                identity=None,
                method=method,
                country="" if self.peers else None,
                certificate=unread,
                peer=peer or "",
                target=target,
                mount=mount,
            )
        return Facts(
            identity=None,
            method=method,
            address=read_address(_one(values("cf-connecting-ip"))),
            country=_one(values("cf-ipcountry")),
            certificate=_certificate(values) if self.certificate_headers else None,
            peer=peer or "",
            target=target,
            mount=mount,
        )


def _one(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else ""


def _certificate(values: Values) -> Certificate:
    return Certificate(
        presented=_BOOLEANS.get(_one(values("cf-cert-presented"))),
        verified=_BOOLEANS.get(_one(values("cf-cert-verified"))),
        revoked=_BOOLEANS.get(_one(values("cf-cert-revoked"))),
        common_name=_common_name(values("cf-cert-subject-dn-rfc2253")),
    )


def _common_name(values: Sequence[str]) -> str | None:
    """The one common name of a distinguished name (RFC 4514), empty where it has none, None where it cannot be read."""
    if len(values) != 1:
        return None
    try:
        names = Name.from_rfc4514_string(values[0]).get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return None
    if len(names) > 1:
        return None
    return str(names[0].value) if names else ""
