"""Which headers does the application get, and which does the client get back?"""

import secrets
from collections.abc import Iterable
from typing import Final

from cfaccess_mw.emulator.credentials import presented

Headers = list[tuple[bytes, bytes]]

# Of one connection, not of the request (RFC 9110 section 7.6.1), and Expect, which the edge has answered itself.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# The edge's own words: a client that says them is overruled (Cloudflare: HTTP headers reference).
_SET_BY_THE_EDGE: Final = frozenset(
    {
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ipcountry",
        b"cf-pseudo-ipv4",
        b"cf-ray",
        b"cf-visitor",
        b"true-client-ip",
        b"x-forwarded-proto",
    }
)
_ACCESS: Final = b"cf-access-"
# What Cloudflare says of a client certificate; here nobody has one (Cloudflare: managed transforms, mTLS).
_CERTIFICATES: Final = (b"cf-cert-", b"cf-client-cert-")
_COLO: Final = "LHR"  # the data centre in a Cf-Ray; a laptop has none of its own


def new_ray() -> bytes:
    """A new ``Cf-Ray``: 16 hexadecimal characters and a data centre."""
    return f"{secrets.token_hex(8)}-{_COLO}".encode("ascii")


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What goes past this hop: without the hop's own headers and those that ``Connection`` names.

    ``Host`` stays whatever ``Connection`` says: it says where the request goes, and was judged by.

    Args:
        headers: Names in any case.
    """
    kept = list(headers)
    named = {
        option.strip().lower() for name, value in kept if name.lower() == b"connection" for option in value.split(b",")
    }
    dropped = _HOP_BY_HOP | (named - {b"host"})
    if any(name.lower() == b"transfer-encoding" for name, _ in kept):
        dropped |= {b"content-length"}  # it was overridden, and whoever reads on must not see it (RFC 9112 section 6.3)
    return [(name, value) for name, value in kept if name.lower() not in dropped]


def to_application(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    token: str | None,
    email: str | None,
    ip: str,
    country: str,
    ray: bytes,
    single_header: str = "",
) -> Headers:
    """What the application is sent.

    Whatever a client sends in Access's name is dropped, however it spells it: every header whose name, ``_`` read as
    ``-``, starts with ``cf-access-``. A server like Werkzeug's gives ``Cf_Access_…`` and ``Cf-Access-…`` one name.

    Args:
        headers: The client's, names in lower case.
        token: The assertion; None where Access steps aside.
        email: Of a user.
        ip: The client's address.
        country: Two letters, of that address.
        ray: The ``Cf-Ray`` of this request.
        single_header: In which services may bring their credentials. Whether Cloudflare passes those on is not
            documented: the application gets no secret, whatever else stands in that header.
    """
    kept = [(name, value) for name, value in end_to_end(headers) if not _spoken_for(name)]
    kept = [header for header in kept if not (single_header and _is_secret(header, single_header))]
    # appended to, so that its left part stays the client's word: as at Cloudflare
    forwarded_for = [value for name, value in kept if name == b"x-forwarded-for"]
    kept = [(name, value) for name, value in kept if name != b"x-forwarded-for"]
    address = ip.encode("ascii")
    kept += [
        (b"x-forwarded-for", b", ".join([*forwarded_for, address])),
        (b"x-forwarded-proto", b"http"),
        (b"cf-connecting-ip", address),
        (b"cf-ipcountry", country.encode("ascii")),
        (b"cf-ray", ray),
        (b"cf-visitor", b'{"scheme":"http"}'),
    ]
    if token is not None:
        kept.append((b"cf-access-jwt-assertion", token.encode("ascii")))
    if email is not None:
        kept.append((b"cf-access-authenticated-user-email", email.encode("utf-8")))
    return kept


def _is_secret(header: tuple[bytes, bytes], single_header: str) -> bool:
    return header[0] == single_header.lower().encode("ascii") and presented([header], single_header) is not None


def _spoken_for(name: bytes) -> bool:
    canonical = name.replace(b"_", b"-")
    return canonical.startswith((_ACCESS, *_CERTIFICATES)) or canonical in _SET_BY_THE_EDGE
