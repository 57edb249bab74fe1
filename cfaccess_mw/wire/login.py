"""Where does a person sign in and out, and when is sending them there any use?

Cloudflare's login page is at the team's domain, and takes the application's host (without port), its AUD tag as ``kid``
and, as ``redirect_url``, the path and query to come back to; what stands behind a ``#`` never reaches a server. There
is no signing out of one application: it ends the person's sessions with all of them (Cloudflare: "Session management").
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from cfaccess_mw.core.errors import Expired, NoToken, Refused, TooOld
from cfaccess_mw.core.hosts import canonical_host
from cfaccess_mw.core.team import read_team

LOGIN_PATH: Final = "/cdn-cgi/access/login/"
LOGOUT_PATH: Final = "/cdn-cgi/access/logout"
"""Signing out, on the application's own host too: Cloudflare answers it there before the application, and takes that
host's cookie away at once."""

# What a new session mends. A wrong issuer, audience, key or clock would be as wrong after it, and the browser would be
# sent round in circles.
_MENDED_BY_LOGIN = (NoToken, Expired, TooOld)

# Characters that stand for themselves (RFC 3986 sections 3.3 and 3.4).
_PATH = "/:@!$&'()*+,;=~"
_QUERY = _PATH + "?"

# It is percent-encoded once more into an address that proxies take up to 8 KB of.
_LONGEST_WAY_BACK = 2_048

_DOT_SEGMENTS = frozenset({".", ".."})

_MARKER = "cfaccess_login=1"
_MARKED = re.compile(rf"(?:^|[;,])[ \t]*{_MARKER}[ \t]*(?:$|[;,])")
_MARKER_AGE = 60  # seconds: who has a session comes back in two; who has to type a password may be sent once more


def login_url(team: str, *, audience: str, url: str, team_url: str | None = None) -> str:
    """The address at which a person signs in to an application, and comes back.

    Args:
        team: As in :class:`~cfaccess_mw.AccessConfig`.
        audience: The AUD tag of the Access application.
        url: Where to come back to, http or https; its port and fragment are lost.
        team_url: As in :class:`~cfaccess_mw.AccessConfig`.

    Raises:
        ConfigurationError: ``team`` or ``team_url`` is none.
        ValueError: ``url`` is not an absolute address of a host.
    """
    base_url = read_team(team, team_url=team_url, certs_url=None, issuer=None).base_url
    parts, host = _place(url)
    path, query = (quote(text, safe=safe + "%") for text, safe in ((parts.path, _PATH), (parts.query, _QUERY)))
    return _login_url(base_url, host, audience, _way_back(path, query))


def logout_url(team: str, *, url: str | None = None, team_url: str | None = None) -> str:
    """The address at which a person signs out, of every application of the team.

    At the team's domain or at an application's makes no difference to the session, which ends; only the latter takes
    the application's own cookie away at once. Tokens that are still about are refused by Cloudflare half a minute
    later, and by an origin that does not ask (``revalidate_every``) when they expire.

    Args:
        team: As in :class:`~cfaccess_mw.AccessConfig`.
        url: Any address of an application, http or https, to sign out there; its port counts, and its path does not.
        team_url: As in :class:`~cfaccess_mw.AccessConfig`.

    Raises:
        ConfigurationError: ``team`` or ``team_url`` is none.
        ValueError: ``url`` is not an absolute address of a host.
    """
    base_url = read_team(team, team_url=team_url, certs_url=None, issuer=None).base_url
    if url is None:
        return base_url + LOGOUT_PATH
    parts, _ = _place(url)
    return f"{parts.scheme}://{parts.netloc.lower()}{LOGOUT_PATH}"


class SignIn:
    """Knows where those who were refused can sign in.

    Args:
        base_url: The team's, as :class:`~cfaccess_mw.core.team.Team` has it.
        audience: The configured AUD tags; of several that would do, the first is the one to sign in to.
    """

    def __init__(self, *, base_url: str, audience: Sequence[str]) -> None:
        self._base_url = base_url
        self._preferred = tuple(audience)

    def url(
        self, error: Refused, *, host: str, path: str, query: str, audiences: Iterable[frozenset[str]]
    ) -> str | None:
        """The address at which signing in mends a refusal, or None where it would not, or nobody can say.

        Args:
            error: Why the request is refused.
            host: The ``Host`` header. It is the client's word, and goes no further than the team's login page, which
                knows its applications.
            path: The path to come back to, percent-decoded.
            query: The query to come back with, as it came, each byte as the character of that number.
            audiences: For one member of each of these a token has to be.
        """
        if not isinstance(error, _MENDED_BY_LOGIN):
            return None
        name, audience = canonical_host(host), self._audience(audiences)
        if name is None or audience is None:
            return None
        if len(path) > _LONGEST_WAY_BACK:  # before it is encoded: nobody who is refused shall cost us that
            path = query = ""
        if len(query) > _LONGEST_WAY_BACK:
            query = ""
        way_back = _way_back(
            quote(path, safe=_PATH, errors="replace"), quote(query.encode("latin-1", "replace"), safe=_QUERY + "%")
        )
        return _login_url(self._base_url, name, audience, way_back)

    def _audience(self, audiences: Iterable[frozenset[str]]) -> str | None:
        sets = tuple(audiences)
        common: frozenset[str] = frozenset.intersection(*sets) if sets else frozenset()
        if len(common) == 1:
            return next(iter(common))
        return next((tag for tag in self._preferred if tag in common), None)


def marker(scheme: str) -> str:
    """The ``Set-Cookie`` that says that this browser has just been sent to sign in.

    Whoever comes back with it and still without a good token is not sent again. It is no secret and grants nothing: who
    makes it up sees a page instead of a redirect.

    Args:
        scheme: The request's, as the server knows it.
    """
    secure = "; Secure" if scheme == "https" else ""
    return f"{_MARKER}; Max-Age={_MARKER_AGE}; Path=/; HttpOnly; SameSite=Lax{secure}"


def is_marked(cookie: str) -> bool:
    """Say whether a ``Cookie`` header carries the marker, also where a server joined several with commas."""
    return _MARKED.search(cookie) is not None


def _place(url: str) -> tuple[SplitResult, str]:
    """The parts of an address, and its host as Cloudflare names it."""
    parts = urlsplit(url)
    host = canonical_host(parts.netloc) if parts.scheme in ("http", "https") else None
    if host is None:
        raise ValueError("url: is not http:// or https:// with a host; give a whole address of the application")
    return parts, host


def _login_url(base_url: str, host: str, audience: str, way_back: str) -> str:
    query = urlencode({"kid": audience, "redirect_url": way_back})
    return f"{base_url}{LOGIN_PATH}{quote(host, safe='')}?{query}"


def _way_back(path: str, query: str) -> str:
    """A path and query that lead nowhere but to the same host, from ones that are percent-encoded.

    ``//host`` would lead elsewhere, and so may ``/..//host`` once somebody has resolved it: URL parsers resolve
    encoded dots too (WHATWG URL, "double-dot path segment").
    """
    path = "/" + path.lstrip("/")
    if not _DOT_SEGMENTS.isdisjoint(path.lower().replace("%2e", ".").split("/")):
        return "/"
    whole = f"{path}?{query}" if query else path
    if len(whole) <= _LONGEST_WAY_BACK:
        return whole
    return path if len(path) <= _LONGEST_WAY_BACK else "/"
