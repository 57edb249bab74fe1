"""What is told of one request? Next to nothing is worked out before a listener asks for it."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from cfaccess_mw.core.errors import AccessError, Ambiguous, NotPermitted, Refused, Unavailable
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.token import MAX_HEADER, read_key_id
from cfaccess_mw.telemetry.shown import LONGEST, shown

ACCEPTED: Final = "token-accepted"
ANONYMOUS: Final = "anonymous-passed"
REPORTED: Final = "only-reported"
ASSERTION: Final = "cf-access-jwt-assertion"

# What a refusal is called when it is told, and its outcome where decisions are counted.
_REFUSED: Final[tuple[tuple[type[Refused], str, str], ...]] = (
    (Ambiguous, "path-ambiguous", "ambiguous"),
    (NotPermitted, "policy-denied", "denied"),
    (Unavailable, "keys-lacking", "unavailable"),
    (Refused, "token-refused", "unauthenticated"),
)

_LONGEST_METHOD: Final = 16
_KEY_PREFIX: Final = 8  # characters of a key id, which has 64: enough to tell a team's two keys apart
_MOST_RULES: Final = 8

# <16 hex>-<data centre>; it is the client's word where Cloudflare did not write it, so only this form is repeated.
_RAY: Final = re.compile(r"[0-9a-f]{16}-[A-Z]{3}")


class ToldRequest:
    """A request that was decided over. It holds what identifies people: keep it no longer than it takes to read it.

    Args:
        outcome: One of :data:`OUTCOMES`.
        error: Why it was, or would have been, refused; None where it was let in.
        sent_method: As the client sent it.
        sent_path: As the server gives it.
        identity: Who asked, where that is known: of a refused request only where the token was good.
        token: The token that was verified; of a refused request, the one of its header is looked at.
        requirement: What the rules require of the path.
        header: Reads a header of the request: its value; empty or None where there is none.
        seconds: How long the decision took, with all waiting; None where nobody measured.

    Attributes:
        outcome: See above, like the others that are not named here.
        error: See above.
        identity: See above.
        seconds: See above.
    """

    __slots__ = ("_header", "_method", "_path", "_requirement", "_token", "error", "identity", "outcome", "seconds")

    def __init__(
        self,
        outcome: str,
        *,
        error: Refused | None = None,
        sent_method: str,
        sent_path: str,
        identity: Identity | None = None,
        token: str | bytes | None = None,
        requirement: Requirement | None = None,
        header: Callable[[str], str | None] | None = None,
        seconds: float | None = None,
    ) -> None:
        self.outcome = outcome
        self.error = error
        self.identity = identity
        self.seconds = seconds
        self._method = sent_method
        self._path = sent_path
        self._token = token
        self._requirement = requirement
        self._header = header

    def __repr__(self) -> str:
        """Nothing personal: a ``repr`` ends in logs."""
        return f"<{type(self).__name__} {self.outcome} {self.code or ''}>"

    @property
    def code(self) -> str | None:
        """The code of the refusal; None where it was let in."""
        return None if self.error is None else self.error.code

    @property
    def method(self) -> str:
        """The method, escaped and cut at 16 characters."""
        return shown(self._method, _LONGEST_METHOD)

    @property
    def path(self) -> str:
        """The path, escaped and cut at 256 characters."""
        return shown(self._path, LONGEST)

    @property
    def ray(self) -> str | None:
        """The ``Cf-Ray``, by which Cloudflare's own logs know the request; None where there is none of its form."""
        ray = None if self._header is None else self._header("cf-ray")
        return ray if ray is not None and _RAY.fullmatch(ray) else None

    @property
    def rule(self) -> str | None:
        """The patterns of the rules that decided, escaped and cut; None where that was the default."""
        rules = () if self._requirement is None else self._requirement.rules
        return shown(" ".join(rule.pattern for rule in rules[:_MOST_RULES])) if rules else None

    @property
    def key_id(self) -> str | None:
        """The first 8 characters of the id of the key that the token names; None where it names none."""
        token = self._token
        if token is None and self._header is not None:
            token = self._header(ASSERTION)
        if not token:
            return None
        segment = token.partition(b"." if isinstance(token, bytes) else ".")[0]  # type: ignore[arg-type]
        return _key_prefix(segment) if len(segment) <= MAX_HEADER else None


@lru_cache(maxsize=256)  # all tokens of one key begin alike
def _key_prefix(segment: str | bytes) -> str | None:
    try:
        return shown(read_key_id(segment if isinstance(segment, bytes) else segment.encode("ascii")), _KEY_PREFIX)
    except (AccessError, UnicodeEncodeError):
        return None


OUTCOMES: Final = ("accepted", "anonymous", "reported", *(outcome for _, _, outcome in _REFUSED))
"""What becomes of a request: let in with an identity or without one, let in and only reported, or refused."""


class RequestFacts(Mapping[str, object]):
    """What a log may say of a request: why, and what was asked for; made when the first of it is asked for.

    The method and the path are quoted and in ASCII.

    Args:
        request: The request.
    """

    __slots__ = ("_facts", "_request")

    def __init__(self, request: ToldRequest) -> None:
        self._request = request
        self._facts: dict[str, object] | None = None

    def _made(self) -> dict[str, object]:
        if self._facts is None:
            request = self._request
            code: dict[str, object] = {} if request.code is None else {"code": request.code}
            method, path = request._method[:_LONGEST_METHOD], request._path[:LONGEST]
            self._facts = {**code, "method": ascii(method), "path": ascii(path)}
        return self._facts

    def __getitem__(self, name: str) -> object:
        """One of ``code`` (of refusals), ``method`` and ``path``."""
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self._made())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._made())

    def __repr__(self) -> str:
        """As a dictionary's."""
        return repr(self._made())


def named(error: Refused) -> tuple[str, str]:
    """Return what a refusal is called when it is told, and its outcome."""
    return next((name, outcome) for kind, name, outcome in _REFUSED if isinstance(error, kind))
