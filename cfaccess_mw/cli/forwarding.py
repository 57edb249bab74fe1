"""What does a reverse proxy say of the request about which it asks? By the headers of its kind, and no others.

Whoever may say which path is asked about can have any path let in. So only the headers of the one proxy that the
operator named are read, each has to be there exactly once, and what is odd about one is never mended.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from cfaccess_mw.wire.names import Names

Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """The headers of a kind of proxy, in lower case.

    Attributes:
        method: Of the request that is asked about.
        uri: Its path and query, as the client sent them.
        host: Its host.
        peer: The address of who is connected to the proxy: the last where it is a list, and where it is missing,
            nobody's.
        says_nobody: Whether an answer has to have every header of an identity, empty where there is nothing to say:
            older versions of Caddy hand on the name of a variable in place of one that is missing.
    """

    method: str
    uri: str
    host: str
    peer: str
    says_nobody: bool = False


CONVENTIONS: Final[Mapping[str, Convention]] = {
    "nginx": Convention(method="x-original-method", uri="x-original-uri", host="host", peer="x-real-ip"),
    "caddy": Convention(
        method="x-forwarded-method",
        uri="x-forwarded-uri",
        host="x-forwarded-host",
        peer="x-forwarded-for",
        says_nobody=True,
    ),
    "traefik": Convention(
        method="x-forwarded-method", uri="x-forwarded-uri", host="x-forwarded-host", peer="x-forwarded-for"
    ),
}

_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 section 5.6.2
_URI: Final = re.compile(rb"/[\x21-\x7e]*")
_HOST: Final = re.compile(rb"[\x21-\x2b\x2d-\x7e]{1,261}")  # one, and what it means is for the rules to say

# An address that no network holds: of a peer about whom nothing is known, where None would mean a Unix socket.
_NOBODY: Final = "unknown"


class BadForwarding(Exception):
    """What a proxy says cannot be meant; the message is for the operator, and quotes nothing."""


class Forwarded:
    """Reads what one kind of proxy says.

    Args:
        convention: Its headers.
        scrub: Names of headers, besides ours, that an application behind the proxy must never see from a client.
    """

    def __init__(self, convention: Convention, scrub: tuple[str, ...]) -> None:
        self._convention = convention
        self._names = Names(scrub, cookie=False, host=False)

    def original(self, scope: Scope) -> dict[str, Any]:
        """The scope of the request that is asked about.

        Raises:
            BadForwarding: A header is missing, stands there twice, or is malformed.
        """
        convention, headers = self._convention, list(scope["headers"])
        for name, _ in headers:
            self._check_spelling(name)
        method = _one(headers, convention.method, _METHOD)
        path, _, query = _one(headers, convention.uri, _URI).partition(b"?")
        host = _one(headers, convention.host, _HOST)
        dropped = {b"host", *(getattr(convention, name).encode() for name in ("method", "uri", "host", "peer"))}
        return {
            "type": "http",
            "asgi": scope["asgi"],
            "http_version": scope["http_version"],
            "scheme": _scheme(headers),
            "method": method.decode("ascii"),
            "path": unquote(path.decode("ascii")),  # as uvicorn reads it: what is not UTF-8 is refused by the rules
            "raw_path": path,
            "root_path": "",
            "query_string": query,
            "headers": [(b"host", host), *((name, value) for name, value in headers if name not in dropped)],
            "client": (_peer(headers, convention.peer), 0),
            "server": scope.get("server"),
            "state": {},
        }

    def _check_spelling(self, name: bytes) -> None:
        """Refuse what a WSGI application behind the proxy would take for a header that is ours to set."""
        lowered = name.decode("latin-1").lower()
        if "_" in lowered and self._names.is_spoofable(lowered):
            raise BadForwarding("a header that could be spoofed comes with underscores; Cloudflare sends dashes")


Headers = list[tuple[bytes, bytes]]


def _one(headers: Headers, name: str, form: "re.Pattern[bytes]") -> bytes:
    values = _values(headers, name)
    if len(values) != 1:
        found = "is missing" if not values else "stands there twice"
        raise BadForwarding(f"{name}: {found}; have the proxy set it, once, whatever the client sent")
    if not form.fullmatch(values[0]):
        raise BadForwarding(f"{name}: is malformed; have the proxy set it as the client's request has it")
    return values[0]


def _values(headers: Headers, name: str) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name.encode()]


def _peer(headers: Headers, name: str) -> str:
    values = _values(headers, name)
    return values[0].decode("latin-1").rpartition(",")[2].strip() or _NOBODY if len(values) == 1 else _NOBODY


def _scheme(headers: Headers) -> str:
    return "https" if _values(headers, "x-forwarded-proto") == [b"https"] else "http"
