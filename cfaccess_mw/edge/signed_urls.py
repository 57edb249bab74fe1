"""How is a link signed so that Cloudflare's edge and this origin both know it again?

::

    links = SignedURLs(secrets=[new, old], ttl=3600)
    links.sign("/reports/2026.pdf")            # '/reports/2026.pdf?verify=1795342800-…'
    links.check("/reports/2026.pdf?verify=…")  # a SignedURL, or a LinkRefused is raised

What is signed is the path and the query that stand before the signature, as they are sent: not the host, not the
method, and nothing that comes after. The signature is therefore the last parameter. The rule that makes Cloudflare
check the same is :meth:`SignedURLs.expression`.

Against whom: somebody who changes a link, guesses one, or uses one that has expired. Not against somebody whom the
holder gave it to, before it expires; for that, bind links to the client (``bound``). What is bound stands before the
path, each value followed by ``|``, as ``concat(…, "|", http.request.uri)`` puts it together in a rule.
"""

import logging
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.paths import read_path
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.signed_urls_mac import EARLIEST, FLAG_URL_SAFE, LATEST, is_mac, make_stamp, read_stamp
from cfaccess_mw.edge.signed_urls_refusals import (
    LinkExpired,
    LinkForged,
    LinkMalformed,
    LinkMissing,
    LinkNotYetValid,
    LinkUnbound,
)
from cfaccess_mw.telemetry.events import Event, log_event

LONGEST: Final = 8_192  # bytes of a target: what servers take as a request line

_MEND: Final = "give the text that the rule at Cloudflare has, such as `openssl rand -hex 32` prints"
_STRONG: Final = 16  # bytes; whoever holds one link can try secrets at leisure

# The rest of an address, in the characters that clients send as they are (RFC 3986; WHATWG URL, percent-encode sets).
_ORIGIN: Final = re.compile(r"https?://[^/?#\s]+")
_ESCAPE: Final = "%[0-9A-Fa-f]{2}"
_TARGET: Final = re.compile(
    rf"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|{_ESCAPE})*(?:\?(?:[A-Za-z0-9._~!$&()*+,;=:@/?-]|{_ESCAPE})*)?"
)
_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)  # clients resolve them before they send
_PARAMETER: Final = re.compile(r"[A-Za-z0-9_.~-]{1,64}")
_BOUND: Final = re.compile(r"[!-{}~]{1,1024}")  # visible ASCII without the "|" that ends it


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedURL:
    """A link that counts.

    Attributes:
        path: As it was sent, percent-encoded.
        query: What stands before the signature, as it was sent.
        issued_at: The timestamp, in seconds since the epoch.
        expires_at: From when on it counts no more.
    """

    path: str
    query: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedURLs:
    """Signs links and checks them. Times are in seconds.

    Args:
        secrets: What Cloudflare's rule has as its key, or several: the first signs, all of them verify.
        ttl: For how long a link counts from its timestamp on, as in Cloudflare's rule. 0: the timestamp is when the
            link ends; what Cloudflare makes of a rule with 0 is not documented.
        parameter: The name of the query parameter that holds the signature.
        url_safe: Whether signatures are of the URL-safe alphabet: the flag ``s`` of Cloudflare's rule.
        leeway: By how much a timestamp may lie in the future. What Cloudflare does with such ones is not documented.
        directory: How many bytes of the path are signed, up to and with a ``/``: a link then counts for everything
            below that directory (``substring(http.request.uri.path, 0, …)`` in Cloudflare's rule).

    Raises:
        ConfigurationError: Names the argument, the shape of its value and the mend.
    """

    secrets: str | Iterable[str] = field(repr=False)
    ttl: int = 10_800
    parameter: str = "verify"
    url_safe: bool = False
    leeway: float = 60
    directory: int | None = None

    _keys: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    _flags: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validate everything; a weak secret is told of, since it may be what the rule at Cloudflare has."""
        keys = _read_secrets(self.secrets)
        if type(self.ttl) is not int or not 0 <= self.ttl <= 315_360_000:
            raise ConfigurationError(f"ttl: is {shape(self.ttl)}; give whole seconds from 0 to 315360000 (ten years)")
        parameter: object = self.parameter
        if not isinstance(parameter, str) or not _PARAMETER.fullmatch(parameter):
            raise ConfigurationError(
                f"parameter: is {shape(parameter)}; give a name of letters and digits, such as 'verify'"
            )
        if type(self.url_safe) is not bool:
            raise ConfigurationError(f"url_safe: is {shape(self.url_safe)}; give true or false")
        if type(self.leeway) not in (int, float) or not 0 <= self.leeway <= 3_600:
            raise ConfigurationError(f"leeway: is {shape(self.leeway)}; give seconds from 0 to 3600")
        if self.directory is not None and (type(self.directory) is not int or not 1 <= self.directory <= LONGEST):
            raise ConfigurationError(
                f"directory: is {shape(self.directory)}; give the length of its path in bytes, with the '/' at its end"
            )
        object.__setattr__(self, "secrets", tuple(key.decode() for key in keys))
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_flags", FLAG_URL_SAFE if self.url_safe else "")
        if any(len(key) < _STRONG for key in keys):
            log_event(Event(name="link-secret-short", level=logging.WARNING, facts={"shortest": min(map(len, keys))}))

    def sign(
        self,
        url: str,
        *,
        bound: Sequence[str] = (),
        issued_at: float | None = None,
        expires_at: float | None = None,
    ) -> str:
        """Return an address with its signature.

        Args:
            url: A path with or without a query, or an ``https`` address; percent-encoded, without a fragment.
            bound: What only the holder has, in the order in which it is checked: an address, a cookie's value.
            issued_at: The timestamp, in seconds since the epoch; now by default.
            expires_at: When this link ends, instead; at most ``ttl`` from now. The timestamp is then ``ttl`` before.

        Raises:
            ConfigurationError: What is given cannot be signed.
        """
        origin, target = _apart(url)
        path, mark, query = target.partition("?")
        if not _TARGET.fullmatch(target) or len(target) > LONGEST - 256:
            raise ConfigurationError(
                f"url: is {shape(url)}; give a percent-encoded address such as '/images/cat.jpg', without a fragment"
            )
        if _DOTS.search(path):
            raise ConfigurationError("url: has '.' or '..' in its path, which clients resolve; write the path without")
        if self._names_parameter(query.encode()):
            raise ConfigurationError(f"url: has a parameter {self.parameter!r} already; take it off")
        signed = f"{target}{'&' if mark else '?'}{self.parameter}=".encode()
        message = self._message(signed, "")
        if message is None:
            raise ConfigurationError("url: does not lie plainly below a directory of the configured length")
        for value in bound:
            if not _can_be_bound(value):
                raise ConfigurationError(f"bound: holds {shape(value)}; give visible ASCII without '|'")
        at = self._timestamp(issued_at, expires_at)
        stamp = make_stamp(self._keys[0], _bind(bound) + message, at, flags=self._flags)
        return f"{origin}{signed.decode()}{stamp.decode()}"

    def check(
        self,
        target: str | bytes,
        *,
        bound: Sequence[str] = (),
        now: float | None = None,
        root_path: str = "",
    ) -> SignedURL:
        """Return the link that a request came with.

        Args:
            target: The path and the query as they were sent (ASGI ``raw_path``, WSGI ``REQUEST_URI``); not decoded.
            bound: What the link has to be bound to.
            now: Seconds since the epoch; the clock's by default.
            root_path: Where the application is mounted; it matters for directories alone.

        Raises:
            LinkRefused: Its subclass says why.
        """
        data = target.encode("utf-8", "surrogatepass") if isinstance(target, str) else target
        path, _, query = data.partition(b"?")
        rest, _, last = query.rpartition(b"&")
        name = self.parameter.encode() + b"="
        if not last.startswith(name):
            raise LinkMalformed if self._names_parameter(query) else LinkMissing
        found = read_stamp(last[len(name) :], flags=self._flags)
        message = self._message(data[: len(data) - len(last) + len(name)], root_path)
        if found is None or message is None or len(data) > LONGEST or data[:1] != b"/" or self._names_parameter(rest):
            raise LinkMalformed
        if not all(map(_can_be_bound, bound)):
            raise LinkUnbound
        at, mac = found
        if not is_mac(self._keys, _bind(bound) + message, at, mac):
            raise LinkForged
        now = time.time() if now is None else now
        if now >= at + self.ttl:
            raise LinkExpired
        if self.ttl and at > now + self.leeway:
            raise LinkNotYetValid
        return SignedURL(
            path=path.decode("latin-1"), query=rest.decode("latin-1"), issued_at=at, expires_at=at + self.ttl
        )

    def expression(self) -> str:
        """Return the part of a rule that makes Cloudflare check the same; the secret is yours to put in."""
        separator = len(self.parameter) + 2
        uri = "http.request.uri"
        if self.directory is not None:
            separator = 0
            uri = f'concat(substring(http.request.uri.path, 0, {self.directory}), "?", http.request.uri.query)'
        flags = f', "{self._flags}"' if self._flags else ""
        return f'is_timed_hmac_valid_v0("…", {uri}, {self.ttl}, http.request.timestamp.sec, {separator}{flags})'

    def _message(self, signed: bytes, root_path: str) -> bytes | None:
        """What is signed of an address that ends where its timestamp begins; None where a directory is left.

        The separator, ``?verify=`` or ``&verify=``, is not. Cloudflare looks at its length alone; we have read it.
        """
        if self.directory is None:
            return signed[: -len(self.parameter) - 2]
        path, mark, rest = signed.partition(b"?")
        inside = path[: self.directory]
        if len(inside) < self.directory or not inside.endswith(b"/"):
            return None
        readings = read_path(unquote(path.decode("latin-1")), path, root_path).readings
        home = unquote(inside.decode("latin-1"))
        if not readings or not all(reading.adds_only or reading.path.startswith(home) for reading in readings):
            return None
        return inside + mark + rest

    def _names_parameter(self, query: bytes) -> bool:
        name = self.parameter.encode()
        return any(part.partition(b"=")[0] == name for part in query.split(b"&"))

    def _timestamp(self, issued_at: float | None, expires_at: float | None) -> int:
        given = issued_at if expires_at is None else expires_at
        key = "issued_at" if expires_at is None else "expires_at"
        if issued_at is not None and expires_at is not None:
            raise ConfigurationError("expires_at: stands beside issued_at, which says the same; leave one of them out")
        if given is None and not self.ttl:
            raise ConfigurationError("expires_at: is missing; with a ttl of 0 each link says when it ends")
        now = time.time()
        at = now if given is None else given
        ago = 0 if expires_at is None else self.ttl
        if type(at) not in (int, float) or not EARLIEST <= at - ago <= LATEST:
            raise ConfigurationError(f"{key}: is {shape(given)}; give seconds since the epoch, of ten digits")
        if ago and at > now + ago:
            raise ConfigurationError(f"expires_at: lies more than ttl ({ago} seconds) ahead; raise ttl, here and there")
        return int(at) - ago


def _read_secrets(given: object) -> tuple[bytes, ...]:
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise ConfigurationError(f"secrets: is {shape(given)}; {_MEND}")
    secrets = (given,) if isinstance(given, str) else tuple(given)
    if not secrets:
        raise ConfigurationError(f"secrets: is empty; {_MEND}")
    for secret in secrets:
        # White space at its ends comes from a file, and Cloudflare's rule does not have it.
        if not isinstance(secret, str) or not secret.isprintable() or secret != secret.strip() or not secret:
            raise ConfigurationError(f"secrets: holds {shape(secret)} that is no secret; {_MEND}")
    return tuple(secret.encode() for secret in secrets)


def _apart(url: object) -> tuple[str, str]:
    """The scheme and host of an address, where it has them, and the rest."""
    if not isinstance(url, str):
        return "", ""
    found = _ORIGIN.match(url)
    origin = found[0] if found else ""
    return origin, url[len(origin) :]


def _can_be_bound(value: object) -> bool:
    return isinstance(value, str) and _BOUND.fullmatch(value) is not None


def _bind(bound: Sequence[str]) -> bytes:
    """What stands before the path; each value ends where it says, so that no two lists look the same."""
    return "".join(f"{value}|" for value in bound).encode()
