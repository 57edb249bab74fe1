"""What did the client send as its request target: which path and which query, before anybody decoded them?"""

from typing import Final
from urllib.parse import quote, unquote

PEER_KEY: Final = "cfaccess.peer"
"""Where the server's own idea of the peer is kept, once the client has taken its place."""

# What clients send of a path as it is; a server that does not tell what was sent has decoded the rest.
_SAFE: Final = "/!$&'()*+,;=:@~"


def target_of(path: str, raw_path: bytes | None, root_path: str, query: bytes) -> bytes | None:
    """The path, mount included, and the query; None where the path that was sent is not the one that was decoded.

    Args:
        path: Percent-decoded once.
        raw_path: As sent, with or without the query, where the server tells; else it is written in the usual way.
        root_path: Where the application is mounted; it may be missing at the front of the raw path.
        query: As sent.
    """
    if raw_path is None:
        sent = quote(path, safe=_SAFE).encode()
    else:
        given = raw_path.partition(b"?")[0]
        fronts = (quote(front, safe=_SAFE).encode() for front in ("", root_path.rstrip("/")))
        targets = (front + given for front in fronts)
        found = (target for target in targets if unquote(target.decode("latin-1"), errors="replace") == path)
        known = next(found, None)  # none for an absolute form, or where something before us has rewritten the path
        if known is None:
            return None
        sent = known
    return sent + b"?" * bool(query) + query
