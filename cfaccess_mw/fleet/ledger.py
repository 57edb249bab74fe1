"""What do all writings about revocations come to? A set that only grows, until each ends by itself.

There are two kinds: a revocation, and the word that one was undone. They may come in any order, twice, or from whoever
still knows them after Redis lost its data; the sum is always the same. So nothing that disappears from Redis lets
anybody in: what was revoked stays so in every process that knows it, until it ends or is *said* to be undone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.sharing import Revocation
from cfaccess_mw.fleet.sealing import Refused, Seal

MOST: Final = 10_000  # revocations at a time; a process needs 10 MB for them
LONGEST: Final = 4_096  # bytes of one
TOO_MANY: Final = "too-many"

_FIELDS: Final = ("subject", "value", "issued_before", "until", "made_at", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The word that a revocation does not hold.

    Attributes:
        id: Of the revocation.
        until: When the revocation would have ended, in seconds since the epoch.
    """

    id: str
    until: float


def write(entry: Revocation | Undone) -> bytes:
    """Return an entry as JSON."""
    if isinstance(entry, Undone):
        return json.dumps({"undone": entry.id, "until": entry.until}).encode()
    return json.dumps({name: getattr(entry, name) for name in _FIELDS}).encode()


def read(content: bytes) -> Revocation | Undone:
    """Read what ``write`` wrote.

    Raises:
        Refused: It is something else.
    """
    try:
        document: dict[str, Any] = decode_json_object(content)
    except ValueError:
        document = {}
    if document.keys() == {"undone", "until"}:
        name, until = document["undone"], document["until"]
        if isinstance(name, str) and 1 <= len(name) <= 64 and name.isalnum() and type(until) in (int, float):
            return Undone(id=name, until=until)
    elif document.keys() == set(_FIELDS):
        try:
            return Revocation(**document)
        except (ConfigurationError, TypeError):
            document = {}
    raise Refused("malformed")


class Ledger:
    """What one process knows.

    Args:
        seal: Of the entries.
        place: Where they stand.

    Attributes:
        entries: By how each was written, so that it can be written again.
    """

    def __init__(self, seal: Seal, place: str) -> None:
        self._seal = seal
        self._place = place
        self.entries: dict[bytes, Revocation | Undone] = {}

    def close(self, entry: Revocation | Undone) -> bytes:
        """Return an entry as it is written."""
        return self._seal.close(self._place, write(entry))

    def take(self, written: bytes, now: float) -> bool:
        """Take an entry as it is found.

        Args:
            written: The entry.
            now: Seconds since the epoch.

        Returns:
            Whether it says anything new.

        Raises:
            Refused: Nobody of us wrote it, or there are too many.
        """
        if written in self.entries:
            return False
        if len(written) > LONGEST:
            raise Refused("too-large")
        entry = read(self._seal.open(self._place, written))
        if entry.until <= now:
            return False
        if len(self.entries) >= 2 * MOST:  # each may have been undone
            raise Refused(TOO_MANY)
        self.entries[written] = entry
        return True

    def forget_ended(self, now: float) -> bool:
        """Forget what has ended; whether there was anything."""
        ended = [written for written, entry in self.entries.items() if entry.until <= now]
        for written in ended:
            del self.entries[written]
        return bool(ended)

    def standing(self) -> tuple[Revocation, ...]:
        """The revocations that hold."""
        return standing(self.entries.values())


def standing(entries: Iterable[Revocation | Undone]) -> tuple[Revocation, ...]:
    """The revocations among entries that were not undone, each once, in the order in which they were made."""
    known = list(entries)
    undone = {entry.id for entry in known if isinstance(entry, Undone)}
    found = {entry.id: entry for entry in known if isinstance(entry, Revocation) and entry.id not in undone}
    return tuple(sorted(found.values(), key=lambda one: (one.made_at, one.id)))
