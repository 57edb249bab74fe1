"""How does a snapshot reach the next process?

As JSON that holds the document as it came, so that the next process reads it with the parser of its own day.
"""

import json
import math
from dataclasses import dataclass

# Three times what a fetch may bring: JSON in JSON has every quotation mark escaped.
_MOST_BYTES = 3 * 128 * 1024

# How far in the future, in seconds, a snapshot may come from: machines' clocks differ by no more.
_SKEW = 300.0

# The end of the year 9999.
_LATEST = 253_402_300_799


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A document that was fetched.

    Attributes:
        url: From where.
        fetched_at: When, in seconds of Unix time.
        etag: Its validator, or None.
        body: Its bytes.
    """

    url: str
    fetched_at: float
    etag: str | None
    body: bytes

    def pack(self) -> bytes:
        """Return it as JSON."""
        text = self.body.decode("utf-8", "surrogateescape")
        return json.dumps({"url": self.url, "fetched_at": self.fetched_at, "etag": self.etag, "body": text}).encode()

    def age(self, wall_now: float) -> float:
        """Return for how many seconds it has been held; infinitely many where it comes from the future."""
        age = wall_now - self.fetched_at
        return max(0.0, age) if age >= -_SKEW else math.inf


def unpack(data: bytes) -> Export | None:
    """Read what ``pack`` wrote; None for anything else."""
    if len(data) > _MOST_BYTES:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match found:
        case {
            "url": str(url),
            "fetched_at": float() | int() as fetched_at,
            "etag": str() | None as etag,
            "body": str(text),
        } if not isinstance(fetched_at, bool) and 0 <= fetched_at <= _LATEST:
            pass
        case _:
            return None
    try:
        return Export(url=url, fetched_at=fetched_at, etag=etag, body=text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return None
