"""Which requests need a signed link, and whose link is it? What both middlewares ask, whatever they stand in.

Which paths need one is decided as the doors decide which paths need a token: by every way in which servers and
frameworks are known to read a path, so that ``//downloads`` or ``/Downloads%2f..`` is no way around.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cfaccess_mw.core.errors import AmbiguousPath, ConfigurationError
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.peers import read_address
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.edge.signed_urls import SignedURL, SignedURLs
from cfaccess_mw.edge.signed_urls_refusals import LinkMissing
from cfaccess_mw.wire.target import target_of

LINK_KEY: Final = "cfaccess.link"
IDENTITY_KEY: Final = "cfaccess.identity"

_EVERYTHING: Final = "/*"
_COOKIE: Final = "cookie:"
_MEND_BIND: Final = "give 'address', 'user', 'email', or 'cookie:' and the cookie's name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, as far as links are concerned.

    Attributes:
        method: As sent; GET for a WebSocket handshake.
        path: Percent-decoded once.
        raw_path: As sent, with or without the query, where the server tells.
        root_path: Where the application is mounted.
        sent: The path and the mount to compare with what was sent, where they are others: of a mount that the client
            may have named.
        query: As sent.
        address: The client's, as the server gives it.
        cookies: The ``Cookie`` header lines.
        identity: Whom a door has let in.
    """

    method: str
    path: str
    raw_path: bytes | None
    root_path: str
    sent: tuple[str | None, str] | None = None
    query: bytes
    address: str | None
    cookies: tuple[str, ...]
    identity: Identity | None


class LinkGate:
    """Asks for a signed link where one is needed.

    Args:
        links: Checks them.
        paths: Which paths need one, as in rules: ``/downloads/*``.
        methods: Which methods a link opens them for; HEAD goes with GET.
        bind: What links are bound to, in order: ``address``, ``user``, ``email``, ``cookie:<name>``.
        or_identity: Whether somebody whom a door has let in needs none.

    Raises:
        ConfigurationError: Names the argument and the mend.
    """

    def __init__(
        self,
        links: SignedURLs,
        *,
        paths: str | Iterable[str] = _EVERYTHING,
        methods: str | Iterable[str] = "GET",
        bind: str | Iterable[str] = (),
        or_identity: bool = False,
    ) -> None:
        if not isinstance(links, SignedURLs):
            raise ConfigurationError(f"links: is {shape(links)}; give SignedURLs(secrets=…)")
        if type(or_identity) is not bool:
            raise ConfigurationError(f"or_identity: is {shape(or_identity)}; give true or false")
        self._links = links
        self._or_identity = or_identity
        patterns = dict.fromkeys(_texts("paths", paths, "give patterns such as '/downloads/*'"))
        if not patterns:
            raise ConfigurationError("paths: is empty, so that no path would need a link; give '/*' for every path")
        rules = [Rule.token(pattern) for pattern in patterns]
        if _EVERYTHING not in patterns:
            rules.append(Rule.public(_EVERYTHING, everything=True))
        # Of the table only what it says of paths is used; nobody's token is for this audience.
        self._table = RuleTable(rules, audience=frozenset({"signed-links"}))
        self._methods = frozenset(_texts("methods", methods, "give methods such as 'GET'"))
        if not self._methods or not all(method.isalpha() and method.isupper() for method in self._methods):
            raise ConfigurationError("methods: holds no method, or something else; give upper-case names such as 'GET'")
        self._bind = tuple(map(_binding, _texts("bind", bind, _MEND_BIND)))

    def demand(self, visit: Visit) -> SignedURL | None:
        """Return the link that a request came with, or None where it needs none.

        Raises:
            LinkRefused: It needs one, and has none that counts.
            AmbiguousPath: It cannot be told.
        """
        requirement = self._table.find(visit.method, visit.path, visit.raw_path, visit.root_path, None)
        if requirement.refusal is not None:
            raise requirement.refusal
        if requirement.access is not Access.TOKEN or (self._or_identity and visit.identity is not None):
            return None
        if ("GET" if visit.method == "HEAD" else visit.method) not in self._methods:
            raise LinkMissing
        bound = [read(visit) for read in self._bind]
        path, mount = (visit.path, visit.root_path) if visit.sent is None else visit.sent
        target = None if path is None else target_of(path, visit.raw_path, mount, visit.query)
        if target is None:
            raise AmbiguousPath
        return self._links.check(
            target,
            bound=[value or "" for value in bound],  # nothing can be bound to empty text
            root_path=visit.root_path,
        )


def _texts(key: str, given: object, mend: str) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else given
    if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
        raise ConfigurationError(f"{key}: is {shape(given)}; {mend}")
    found = tuple(texts)
    for text in found:
        if not isinstance(text, str):
            raise ConfigurationError(f"{key}: holds {shape(text)}; {mend}")
    return found


def _binding(name: str) -> Callable[[Visit], str | None]:
    if name in _BINDINGS:
        return _BINDINGS[name]
    cookie = name.removeprefix(_COOKIE)
    if cookie in ("", name) or not cookie.isascii() or not cookie.isprintable() or not set(" ;=,").isdisjoint(cookie):
        raise ConfigurationError(f"bind: holds {shape(name)}; {_MEND_BIND}")
    return lambda visit: _cookie(visit, cookie)


def _cookie(visit: Visit, name: str) -> str | None:
    """The one value of a cookie; of two, nobody can say which the application would take."""
    pairs = [part.strip(" ").partition("=") for part in ";".join(visit.cookies).split(";")]
    values = [value for given, _, value in pairs if given == name]
    return values[0] if len(values) == 1 else None


def _address(visit: Visit) -> str | None:
    address = read_address(visit.address or "")
    return None if address is None else str(address)


_BINDINGS: Mapping[str, Callable[[Visit], str | None]] = {
    "address": _address,
    "user": lambda visit: None if visit.identity is None else visit.identity.id,
    "email": lambda visit: None if visit.identity is None else visit.identity.email,
}
