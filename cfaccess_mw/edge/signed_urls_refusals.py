"""Why is somebody refused who came with a link, or without one?

    Refused
    └── LinkRefused             403
        ├── LinkMissing              the address has no signature
        ├── LinkMalformed            something stands where the signature should
        ├── LinkUnbound              what the link is bound to is not known of this request
        ├── LinkForged               nobody with a secret signed this address, or not for this client
        ├── LinkExpired              it was good
        └── LinkNotYetValid          it was issued in the future

They are no refusals of somebody's permission: signing in or out mends none of them.
"""

from cfaccess_mw.core.errors import Refused


class LinkRefused(Refused):
    """A request for something that only holders of a signed link may have."""

    code = "link-refused"
    status = 403
    title = "Link not accepted"
    detail = "This address needs a link that was signed for it."


class LinkMissing(LinkRefused):
    """The address carries no signature."""

    code = "link-missing"


class LinkMalformed(LinkRefused):
    """Something stands where the signature should, and is none; or it is not the last parameter."""

    code = "link-malformed"
    detail = "The signature of this link is not complete; perhaps the address was cut or changed on its way."


class LinkUnbound(LinkRefused):
    """The link is bound to the client's address, a cookie or a user, and this request shows none."""

    code = "link-unbound"
    detail = "This link was made for somebody, and it cannot be told whether that is you."


class LinkForged(LinkRefused):
    """The signature is none of ours for this address and this client."""

    code = "link-forged"
    detail = "The signature of this link does not belong to this address."


class LinkExpired(LinkRefused):
    """The link was good once."""

    code = "link-expired"
    title = "Link expired"
    detail = "This link has expired; ask for a new one."


class LinkNotYetValid(LinkRefused):
    """The link was issued in the future, by more than clocks may differ."""

    code = "link-not-yet-valid"
    title = "Link not valid yet"
    detail = "This link does not count yet; the clocks of two machines differ."
