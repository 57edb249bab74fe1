"""Which Access application does a request belong to?

As at Cloudflare, the most specific application wins and inherits nothing: a path below another has its own audience
and its own public paths. The edge looks at the path decoded once and no further. That is deliberately simple: what a
path could also be read as is for the application's own middleware to notice.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import Policy
from cfaccess_mw.core.shape import shape
from cfaccess_mw.emulator.cookie import SameSite
from cfaccess_mw.emulator.evaluation_urls import EvaluationURLs
from cfaccess_mw.emulator.hosts import is_loopback
from cfaccess_mw.emulator.upstream import Upstream

_AUDIENCE = re.compile(r"[0-9a-f]{64}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110 section 5.6.2
_SAME_SITE = ("lax", "strict", "none")
_DAY = 86_400.0


def audience_for(host: str | None = None, path: str = "/") -> str:
    """An AUD tag that stays the same from one run to the next: 64 hexadecimal characters that follow from the place.

    Cloudflare's are random; this one can be written into an application's settings for development.
    """
    return hashlib.sha256(f"cfaccess-mw emulator {host or '*'}{path}".encode()).hexdigest()


DEFAULT_AUDIENCE: Final = audience_for()


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A self-hosted application of the team.

    Attributes:
        audience: Its AUD tag, 64 lower-case hexadecimal characters.
        name: Shown on the login page.
        host: A host name without port, or None for every loopback name.
        path: It covers this path and everything below: ``/admin`` is also ``/admin/x``, not ``/administrator``.
        public: Paths below it, in the same meaning, where Access steps aside (a bypass policy): no assertion arrives.
        session: Seconds for which a token is good.
        path_cookie: Whether the cookie is sent to ``path`` only, so that a browser may send two.
        upstream: Where it listens, if not where the others do.
        preflight_bypass: Whether CORS preflights reach the application, without an assertion; else they get 403.
        policies: Who may pass; without any, whoever signs in and every service. At Cloudflare that would be nobody.
        external_evaluation: Who is asked about everybody who signs in, besides the policies: a yes is required.
        http_only: Whether scripts cannot read the cookie.
        same_site: The cookie's ``SameSite``: ``"lax"``, ``"strict"``, or ``"none"``, which comes with ``Secure``.
        binding_cookie: Whether a token counts only together with its ``CF_Binding`` cookie.
        service_token_header: The one header in which services may bring Client ID and secret as JSON, such as
            ``Authorization``, beside the usual two (``read_service_tokens_from_header``).
        service_auth_401: Whether a service that fails is answered 401, and not sent to the login page
            (``service_auth_401_redirect``).
    """

    audience: str = DEFAULT_AUDIENCE
    name: str = "Application"
    host: str | None = None
    path: str = "/"
    public: tuple[str, ...] = ()
    session: float = _DAY
    path_cookie: bool = False
    preflight_bypass: bool = False
    upstream: Upstream | None = None
    policies: tuple[Policy, ...] = ()
    external_evaluation: EvaluationURLs | None = None
    http_only: bool = True
    same_site: SameSite = "lax"
    binding_cookie: bool = False
    service_token_header: str = ""
    service_auth_401: bool = False

    def __post_init__(self) -> None:
        if not _AUDIENCE.fullmatch(self.audience):
            raise ConfigurationError("audience: must be 64 lower-case hexadecimal characters, as an AUD tag is")
        if self.host is not None and (self.host != self.host.lower() or set(self.host) & set(":/* ")):
            raise ConfigurationError("host: must be a lower-case host name without port, such as 'app.localhost'")
        for path in (self.path, *self.public):
            if not path.startswith("/") or set(path) & set("?#*"):
                raise ConfigurationError("path, public: must start with '/' and have no '*', query or fragment")
            if _segments(path)[: len(_segments(self.path))] != _segments(self.path):
                raise ConfigurationError("public: must be below the application's path")
        if self.same_site not in _SAME_SITE:
            raise ConfigurationError(f"same_site: is {shape(self.same_site)}; give one of {', '.join(_SAME_SITE)}")
        if self.service_token_header and not _HEADER_NAME.fullmatch(self.service_token_header):
            raise ConfigurationError("service_token_header: must be the name of a header, such as 'Authorization'")
        if not self.session > 0:
            raise ConfigurationError(f"session: is {shape(self.session)}; give a number of seconds above 0")

    @property
    def cookie_path(self) -> str:
        """The ``Path`` of this application's cookie."""
        return self.path if self.path_cookie else "/"

    def as_data(self) -> dict[str, object]:
        """Where it is and what it is known by, for JSON."""
        return {"name": self.name, "host": self.host, "path": self.path, "audience": self.audience}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request goes: an application, and whether Access steps aside there."""

    application: Application
    public: bool


class Applications:
    """All applications of a team.

    Args:
        applications: In any order.

    Raises:
        ConfigurationError: There is none, or two cover the same host and path, or two have one audience.
    """

    def __init__(self, applications: Iterable[Application]) -> None:
        self.all = tuple(applications)
        if not self.all:
            raise ConfigurationError("applications: there must be at least one")
        places = [
            (application.host, _segments(path), Place(application=application, public=path in application.public))
            for application in self.all
            for path in dict.fromkeys((application.path, *application.public))
        ]
        if len({(host, segments) for host, segments, _ in places}) < len(places):
            raise ConfigurationError("applications: two cover the same host and path")
        if len({application.audience for application in self.all}) < len(self.all):
            raise ConfigurationError("applications: two have the same audience")
        # a named host before any host, then the longest path: the first that covers a request is the most specific
        self._places = sorted(places, key=lambda place: (place[0] is None, -len(place[1])))

    def find(self, host: str, path: str) -> Place | None:
        """The most specific application for a request.

        Args:
            host: Lower case, without port.
            path: Decoded once.

        Returns:
            The place, or None where no application is: Access does not stand in the way there.
        """
        asked = _segments(path)
        for at, segments, place in self._places:
            if (at == host or (at is None and is_loopback(host))) and asked[: len(segments)] == segments:
                return place
        return None

    def by_audience(self, audience: str) -> Application | None:
        """The application with this AUD tag."""
        return next((application for application in self.all if application.audience == audience), None)

    def serve(self, host: str) -> bool:
        """Whether a host is the team's: a loopback name, or the host of an application.

        Any other name in a ``Host`` header is a stranger's that was made to point here (DNS rebinding).
        """
        return is_loopback(host) or any(application.host == host for application in self.all)


def _segments(path: str) -> tuple[str, ...]:
    trimmed = path.removesuffix("/")
    return tuple(trimmed.split("/")[1:])
