"""Who is the client of this request, if its peer is Cloudflare? What both middlewares ask.

Cloudflare names the client in ``CF-Connecting-IP``, and replaces what a client sends under that name; so the header
counts if it comes from Cloudflare, and says nothing otherwise. One that is missing, double or malformed is unknown, and
never replaced by the peer's own address (Cloudflare, "HTTP headers"). ``X-Forwarded-For`` is not read: its left part is
the client's own word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError, Refused
from cfaccess_mw.core.peers import read_address
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.ranges_peers import CloudflarePeers

CLIENT_HEADER: Final = "cf-connecting-ip"

# Managed transforms add ever more of them (places, bots, certificates): cf-ipcity, cf-timezone, cf-bot-score, cf-cert-…
_OF_CLOUDFLARE: Final = "cf-"
_OF_CLOUDFLARE_TOO: Final = "true-client-ip"
_NOT_OF_IT: Final = ("cf-access-", "cf-ray")  # a door's affair; a name for the logs


class NotFromCloudflare(Refused):
    """A request whose peer is not Cloudflare."""

    code = "not-from-cloudflare"
    status = 403
    title = "Not from Cloudflare"
    detail = "This server answers only requests that come through Cloudflare."


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a request.

    Attributes:
        is_known: Whether the peer may say who it is.
        address: As it said; None where it did not.
    """

    is_known: bool
    address: str | None


_STRANGER: Final = Client(is_known=False, address=None)


class PeerGate:
    """Lets peers in, and asks them for the client.

    Args:
        peers: Who is Cloudflare.
        refuse: Whether everybody else is refused.
        client_address: Whether the client's address takes the place of the peer's.
    """

    def __init__(self, peers: CloudflarePeers, *, refuse: bool, client_address: bool) -> None:
        for key, value in (("refuse", refuse), ("client_address", client_address)):
            if type(value) is not bool:
                raise ConfigurationError(f"{key}: is {shape(value)}; give true or false")
        self._peers = peers
        self._refuse = refuse
        self._replaces = client_address

    def client(self, peer: str | None, said: Sequence[str]) -> Client | None:
        """Return who the client is; None where the peer stays as it is.

        Args:
            peer: As the server gives it.
            said: The values of ``CF-Connecting-IP``, one for each line.

        Raises:
            NotFromCloudflare: The peer is not, and is to be refused.
        """
        if not self._peers.trust(peer):
            if self._refuse:
                raise NotFromCloudflare
            return _STRANGER
        if not self._replaces:
            return None
        address = read_address(said[0]) if len(said) == 1 else None
        return Client(is_known=True, address=None if address is None else str(address))


def is_cloudflares(name: str) -> bool:
    """Say whether a header, by its lower-case name, is Cloudflare's word about the client."""
    dashed = name.replace("_", "-")
    return dashed == _OF_CLOUDFLARE_TOO or (dashed.startswith(_OF_CLOUDFLARE) and not dashed.startswith(_NOT_OF_IT))
