"""Which request headers are ours, and which could an attacker use to pass for somebody?

Every header whose name, with ``_`` read as ``-``, begins with ``cf-access-`` comes from Cloudflare or from somebody who
would like us to think so, and ``remote-user`` is believed by many a framework. The application sees none of them unless
we put it there.
"""

from collections.abc import Iterable
from enum import IntEnum

ASSERTION = "cf-access-jwt-assertion"
EMAIL = "cf-access-authenticated-user-email"

METHOD_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
"""Headers by which some applications serve another method than was sent."""

_PREFIX = "cf-access-"
_ALWAYS = frozenset({"remote-user"})


class Kind(IntEnum):
    """What a header is to us; only what is not 0 is looked at."""

    OTHER = 0
    ASSERTION = 1
    SPOOFABLE = 2
    COOKIE = 3
    HOST = 4


# Names repeat, so each is classified once. An attacker can send any number of new ones, and long ones: when there are
# too many all are forgotten, and the honest ones are learned again with the next request.
REMEMBERED = 1_024
LONGEST = 64  # bytes; longer names are classified each time


class Names(dict[bytes, Kind]):
    """Header names of ASGI to what they are to us; a name not seen before is classified when it is looked up.

    Args:
        scrub: Further names that the application must never see, in lower case.
        cookie: Whether cookies count.
        host: Whether hosts count.
    """

    def __init__(self, scrub: Iterable[str], *, cookie: bool, host: bool) -> None:
        super().__init__()
        self._scrubbed = _ALWAYS.union(name.replace("_", "-") for name in scrub)
        self._exact = {ASSERTION: Kind.ASSERTION}
        if cookie:
            self._exact["cookie"] = Kind.COOKIE
        if host:
            self._exact["host"] = Kind.HOST

    def __missing__(self, name: bytes) -> Kind:
        """Classify ``name``; servers lower-case names, but nothing depends on it."""
        lowered = name.decode("latin-1").lower()
        kind = self._exact.get(lowered) or (Kind.SPOOFABLE if self.is_spoofable(lowered) else Kind.OTHER)
        if len(name) <= LONGEST:
            if len(self) >= REMEMBERED:
                self.clear()
            self[name] = kind
        return kind

    def is_spoofable(self, lowered: str) -> bool:
        """Say whether the application must not see a header of this name, unless we put it there."""
        # Django's ASGI handler upper-cases names as text, which makes "SS" of the one letter of Latin-1 that two become
        dashed = lowered.replace("_", "-").replace("\xdf", "ss")
        return dashed.startswith(_PREFIX) or dashed in self._scrubbed
