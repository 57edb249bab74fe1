"""What did the operator say about the fleet? One validated value, whether it was written as a URL or a mapping."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

SCHEMES: Final = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
SHORTEST_SECRET: Final = 16  # characters: 96 bits where they are of base64; `openssl rand -hex 32` gives 64
_NAMESPACE = re.compile(
    r"[A-Za-z0-9_.:/-]{1,64}"
)  # what Redis shows as it is; no {, which means something to a cluster
_URL_MEND = "give an address such as redis://localhost:6379/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """What many machines share, and where. Times are in seconds.

    Args:
        url: Where Redis or Valkey is: ``redis://``, ``rediss://`` (TLS) and ``unix://`` as the library ``redis`` takes
            them; ``redis+sentinel://host:26379,host2/service/0``, ``redis+cluster://host:6379,host2``, and both with
            ``rediss``.
        namespace: What the names of our keys begin with, so that several fleets share one Redis.
        secret: Authenticates every value that is read; several for a rotation: the first signs, all of them count.
            Without one, whoever can write to Redis decides who is let in.
        lost_after: How long a process goes on with what it last knew when Redis does not answer, 1 to 86,400.
        when_lost: What happens then: ``refuse`` (503) or ``pass``.
        poll_every: How often Redis is asked at least, 0.1 to 60; what is pushed comes at once.
        timeout: How long one answer of Redis may take, 0.05 to 30.
        start_wait: How long the making of a door waits for the first answer, 0 to 30. Until there is one, ``refuse``
            refuses.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """

    url: str = field(repr=False)
    namespace: str = "cfaccess"
    secret: str | Iterable[str] | None = field(default=None, repr=False)
    lost_after: float = 60
    when_lost: Literal["refuse", "pass"] = "refuse"
    poll_every: float = 2
    timeout: float = 1
    start_wait: float = 1

    def __post_init__(self) -> None:
        """Validate everything; the secrets become a tuple."""
        _check_url(self.url)
        namespace: object = self.namespace
        if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
            raise ConfigurationError(
                f"fleet: namespace: is {shape(self.namespace)}; give 1 to 64 letters, digits and any of _ . : / -"
            )
        object.__setattr__(self, "secret", _read_secrets(self.secret))
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if type(value) not in (int, float) or not low <= value <= high:
                raise ConfigurationError(f"fleet: {name}: is {shape(value)}; give seconds from {low:g} to {high:g}")
        if self.when_lost not in ("refuse", "pass"):
            raise ConfigurationError(f"fleet: when_lost: is {shape(self.when_lost)}; give 'refuse' or 'pass'")
        if self.lost_after < 2 * self.poll_every:
            raise ConfigurationError("fleet: lost_after: is less than twice poll_every; give more, or poll more often")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The first one signs."""
        return self.secret if isinstance(self.secret, tuple) else ()


_RANGES: Final[tuple[tuple[str, float, float], ...]] = (
    ("lost_after", 1, 86_400),
    ("poll_every", 0.1, 60),
    ("timeout", 0.05, 30),
    ("start_wait", 0, 30),
)
_KNOWN: Final = tuple(one.name for one in fields(FleetOptions))
_IN_QUERY: Final = tuple(name for name in _KNOWN if name not in ("url", "timeout"))
_NUMBERS: Final = tuple(name for name, _, _ in _RANGES)


def read_fleet_options(value: object) -> FleetOptions:
    """Read a URL, whose query may say everything else, or a mapping.

    Args:
        value: ``rediss://cache.example/0?namespace=wiki&lost_after=300``, or ``{"url": …, "namespace": …}``.

    Raises:
        ConfigurationError: As :class:`FleetOptions`; an unknown key is one, and names the nearest known one.
    """
    if isinstance(value, FleetOptions):
        return value
    if isinstance(value, str):
        return FleetOptions(**_from_query(value))
    if not isinstance(value, Mapping) or not value:
        raise ConfigurationError(f"fleet: is {shape(value)}; {_URL_MEND}, a mapping with 'url', or a Fleet")
    for name in value:
        if name not in _KNOWN:
            near = difflib.get_close_matches(str(name), _KNOWN, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_KNOWN)}"
            raise ConfigurationError(f"fleet: {str(name)[:64]!r} is not known here; {mend}")
    if value.get("url") is None:
        raise ConfigurationError(f"fleet: url: is missing; {_URL_MEND}")
    said = _from_query(value["url"]) if isinstance(value["url"], str) else {"url": value["url"]}
    for name in said:
        if name != "url" and name in value:
            raise ConfigurationError(f"fleet: {name}: stands in the url and beside it; leave one of them")
    return FleetOptions(**{**value, **said})


def read_fleet(value: object) -> object:
    """Read what stands under ``fleet`` in a configuration: what describes one, or one that is ready.

    Raises:
        ConfigurationError: As :func:`read_fleet_options`.
    """
    is_text = isinstance(value, str | bytes | bytearray)  # which has a join of its own
    return value if callable(getattr(value, "join", None)) and not is_text else read_fleet_options(value)


def _from_query(url: str) -> dict[str, Any]:
    """Take out of a URL what is ours; the rest of its query is for the library that connects."""
    address, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    ours = {name: value for name, value in pairs if name in _IN_QUERY}
    for name, _ in pairs:  # what is not ours is the library's, unless it all but is ours
        if name not in ours and (near := difflib.get_close_matches(name, _IN_QUERY, n=1, cutoff=0.75)):
            raise ConfigurationError(f"fleet: {name!r} is not known here; did you mean {near[0]!r}?")
    said: dict[str, Any] = {name: _number(text) if name in _NUMBERS else text for name, text in ours.items()}
    if "secret" in said:  # several are several
        said["secret"] = tuple(text for name, text in pairs if name == "secret")
    if not ours:
        return {"url": url}
    rest = urlencode([(name, text) for name, text in pairs if name not in ours])
    return {**said, "url": f"{address}?{rest}" if rest else address}


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _check_url(url: object) -> None:
    if not isinstance(url, str) or not url:
        raise ConfigurationError(f"fleet: url: is {shape(url)}; {_URL_MEND}")
    if url.partition("://")[0] not in SCHEMES or "://" not in url:
        raise ConfigurationError(
            f"fleet: url: is {shape(url)} that begins with none of {', '.join(SCHEMES)}; {_URL_MEND}"
        )


def _read_secrets(secret: object) -> tuple[str, ...] | None:
    mend = f"give {SHORTEST_SECRET} characters or more, such as `openssl rand -hex 32` prints, or a list of such"
    if secret is None:
        return None
    secrets = (secret,) if isinstance(secret, str) else secret
    if isinstance(secrets, bytes | Mapping) or not isinstance(secrets, Iterable):
        raise ConfigurationError(f"fleet: secret: is {shape(secret)}; {mend}")
    found = tuple(secrets)
    if not found:
        raise ConfigurationError(f"fleet: secret: is empty; {mend}")
    for one in found:
        if not isinstance(one, str) or len(one) < SHORTEST_SECRET:
            raise ConfigurationError(f"fleet: secret: holds {shape(one)}; {mend}")
    return found
