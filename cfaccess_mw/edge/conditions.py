"""Which conditions of policies does this room bring? A signed link, and a peer that is Cloudflare.

::

    links = SignedURLs(secrets=os.environ["LINK_SECRET"])
    rules = [Rule.guarded("/reports/*", [
        Policy(decision=PolicyDecision.BYPASS, include=(signed_link(links),)),
        {"decision": "allow", "include": [{"email_domain": "acme.com"}]},
    ])]

They look at the request alone, so a bypass may have them.
"""

from cfaccess_mw.core.check import Check
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.edge.ranges_peers import CloudflarePeers
from cfaccess_mw.edge.signed_urls import SignedURLs
from cfaccess_mw.edge.signed_urls_refusals import LinkRefused

_READING = ("GET", "HEAD")


def signed_link(links: SignedURLs, *, bind_address: bool = False) -> Check:
    """True of a request to read what a signed link names, by its holder.

    Args:
        links: Checks them.
        bind_address: Whether links are bound to the client's address, as a trusted peer tells it.
    """

    def is_signed(facts: Facts) -> bool:
        if facts.target is None or facts.method not in _READING:
            return False
        try:
            bound = (str(facts.address or ""),) if bind_address else ()
            links.check(facts.target, bound=bound, root_path=facts.mount)
        except LinkRefused:
            return False
        return True

    looks_at = Need.TARGET | Need.METHOD
    return Check(function=is_signed, looks_at=looks_at | Need.ADDRESS if bind_address else looks_at)


def from_cloudflare(peers: CloudflarePeers | None = None) -> Check:
    """True of a request whose peer is Cloudflare.

    Args:
        peers: Who counts as Cloudflare; by default the networks that ship with the package, and nobody else.
    """
    known = CloudflarePeers() if peers is None else peers

    def is_theirs(facts: Facts) -> bool:
        return known.trust(facts.peer) if facts.peer is not None else False

    return Check(function=is_theirs, looks_at=Need.PEER)
