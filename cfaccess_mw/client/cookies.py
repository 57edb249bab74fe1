"""Which tokens did Access give back to a service, and for how long is each of use?

A classic service token gets a ``CF_Authorization`` cookie with its first answer, which may be sent in place of the
credentials until it expires. A strict one gets none, and sends its credentials each time. Nobody waits for anybody: who
finds no cookie sends the credentials, and just one call does so in good time before a cookie expires.
"""

import email.utils
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from cfaccess_mw.client.conversation import Answer
from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.hosts import Origin
from cfaccess_mw.client.tokens import read_expiry
from cfaccess_mw.wire.cookies import NAME

_MOST_LINES: Final = (
    64  # Set-Cookie lines of an answer that are read; browsers keep 50 cookies of a host (RFC 6265 6.1)
)
_MOST_KEPT: Final = 16  # cookies of one origin; an application with a cookie path of its own each

# Seconds. A cookie is renewed in the last tenth of its life, at most 5 minutes before its end, and not sent at all in
# the last moments, when it might expire on its way. Who set out to renew one and did not come back is not waited for.
_RENEW_AHEAD: Final = 300.0
_RENEW_SHARE: Final = 0.1
_TOO_LATE: Final = 10.0
_TOO_LATE_SHARE: Final = 0.05
_RENEWAL: Final = 60.0

_DISTRUST: Final = 600.0
"""Seconds for which an origin gets no cookie after it refused one that should have been good: its applications share
the cookie's name and path, or ask for a ``CF_Binding`` as well. Each cookie there would cost one call in vain."""


@dataclass(slots=True, kw_only=True)
class Kept:
    """A cookie that is of use for some time yet.

    Attributes:
        value: The token.
        path: To which paths it is sent.
        renew_at: From when on somebody should fetch another, seconds since the epoch.
        last: From when on it is not sent any more.
    """

    value: Secret
    path: str
    renew_at: float
    last: float

    def covers(self, path: str) -> bool:
        """Whether it is sent to a path (RFC 6265 section 5.1.4)."""
        return path == self.path or path.startswith(self.path if self.path.endswith("/") else self.path + "/")


@dataclass(slots=True)
class _Jar:
    """What is known of one origin."""

    kept: dict[str, Kept] = field(default_factory=dict)  # by path
    distrusted_until: float = 0.0


class KeptCookies:
    """The cookies of all origins that a service token is for; shared by threads and event loops.

    Args:
        clock: Tells the time in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._jars: dict[Origin, _Jar] = {}  # bounded by the hosts that were named
        self._lock = threading.Lock()  # never held while anything is waited for

    def choose(self, origin: Origin, path: str) -> Secret | None:
        """The cookie to send in place of credentials; None where there is none, or where this call is to renew it."""
        now = self._clock()
        with self._lock:
            jar = self._jars.get(origin)
            fitting = [] if jar is None else [kept for kept in jar.kept.values() if kept.covers(path)]
            if not fitting:
                return None
            best = max(fitting, key=lambda kept: len(kept.path))
            if now >= best.last:
                return None
            if now >= best.renew_at:
                best.renew_at = now + _RENEWAL
                return None
            return best.value

    def learn(self, origin: Origin, path: str, answer: Answer) -> None:
        """Keep what came back for a request with credentials.

        Args:
            origin: Of that very request; what another origin says on a redirect is not for this one.
            path: Of that request.
            answer: To it, not to one that it led to.
        """
        now = self._clock()
        for found in _read(answer, origin, path, now):
            with self._lock:
                jar = self._jars.setdefault(origin, _Jar())
                jar.kept.pop(found.path, None)
                if now < min(found.last, found.renew_at) and now >= jar.distrusted_until:
                    while len(jar.kept) >= _MOST_KEPT:
                        del jar.kept[next(iter(jar.kept))]
                    jar.kept[found.path] = found

    def was_refused(self, origin: Origin, value: Secret) -> None:
        """Send no cookies there for a while."""
        now = self._clock()
        with self._lock:
            jar = self._jars.get(origin)
            # of many calls that were refused with one cookie, the first counts
            if jar is not None and any(kept.value == value for kept in jar.kept.values()):
                jar.kept.clear()
                jar.distrusted_until = now + _DISTRUST


def _read(answer: Answer, origin: Origin, path: str, now: float) -> Iterator[Kept]:
    for line in answer.all("set-cookie")[:_MOST_LINES]:
        pair, *rest = line.split(";")
        name, equals, value = (part.strip(" \t") for part in pair.partition("="))
        if name != NAME or not equals:
            continue
        attributes = {
            key.strip(" \t").lower(): text.strip(" \t") for key, _, text in (one.partition("=") for one in rest)
        }
        if not _is_for(origin.host, attributes.get("domain", "")):
            continue
        scope = attributes.get("path", "")
        yield _keep(value, scope if scope.startswith("/") else _default_path(path), attributes, now)


def _keep(value: str, path: str, attributes: dict[str, str], now: float) -> Kept:
    try:
        expires = min(read_expiry(value), _end(attributes, now))
    except (ValueError, OverflowError):
        expires = now  # nothing that could be sent; but what is kept for this path is no longer what the server wants
    life = max(0.0, expires - now)
    return Kept(
        value=Secret(value),
        path=path,
        renew_at=expires - min(_RENEW_AHEAD, life * _RENEW_SHARE),
        last=expires - min(_TOO_LATE, life * _TOO_LATE_SHARE),
    )


def _end(attributes: dict[str, str], now: float) -> float:
    """When a cookie ends by its attributes (RFC 6265 section 5.3): ``Max-Age``, or else ``Expires``.

    Raises:
        ValueError: It says when, and nobody can read it.
    """
    if "max-age" in attributes:
        return now + float(attributes["max-age"])
    if "expires" in attributes:
        return email.utils.parsedate_to_datetime(attributes["expires"].replace("-", " ")).timestamp()
    return float("inf")


def _is_for(host: str, domain: str) -> bool:
    """Whether a host may set a cookie for a domain: its own, or one that it is in (RFC 6265 section 5.3)."""
    domain = domain.lower().removeprefix(".")
    return not domain or host == domain or host.endswith("." + domain)


def _default_path(path: str) -> str:
    """The path of a cookie that names none (RFC 6265 section 5.1.4)."""
    return path.rpartition("/")[0] or "/"
