"""What stands where in Redis, and how much of it is read at most?

==============================  ============  ======================================================================
``<namespace>:revocations``     stream        an entry for each revocation, and for each that was undone
``<namespace>:mark``            string        that a worker is there, and which entries were taken last
``<namespace>:restoring``       string        who writes back what Redis has lost, for some seconds
``<namespace>:keys:<digest>``   string        the keys of a team, as ``Refresher.export`` gives them
``<namespace>:who:<digest>``    string        what ``get-identity`` said to a token
==============================  ============  ======================================================================

Every command names one key, so that a cluster takes it. A stream is both what is pushed (``XREAD`` with ``BLOCK``) and
what is asked for again, so that no message can be lost.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cfaccess_mw.fleet.client import ANSWERED, AS_BYTES, Client
from cfaccess_mw.fleet.ledger import MOST
from cfaccess_mw.fleet.sealing import Refused

START: Final = b"0-0"
_PAGE: Final = 500
_FIELD: Final = b"e"
_MOST_BYTES: Final = 64 * 1024 * 1024  # of the whole stream; ours have 300 bytes an entry

# Writes where nothing has changed since it was read: KEYS[1]; SHA-1 of what was read, the value, milliseconds, length.
_REPLACE: Final = """
local seen = ''
if redis.call('TYPE', KEYS[1])['ok'] == 'string' then
  seen = redis.sha1hex(redis.call('GETRANGE', KEYS[1], 0, ARGV[4]))
end
if seen ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

MARK_BYTES: Final = 8_192  # of a mark; ours have 5,000 at most

Entry = tuple[bytes, bytes]
"""Where an entry stands in the stream, and what was written there; empty where it has another form than ours."""


class Store:
    """What is asked of Redis.

    Args:
        client: Who asks.
        namespace: What our names begin with.
        most_bytes: How large the stream may be.
    """

    def __init__(self, client: Client, namespace: str, *, most_bytes: int = _MOST_BYTES) -> None:
        self._client = client
        self._most_bytes = most_bytes
        self.revocations = f"{namespace}:revocations"
        self.mark = f"{namespace}:mark"
        self._restoring = f"{namespace}:restoring"
        self._nothing = f"{namespace}:nothing"  # where nobody writes

    def ask(self, *command: object) -> Any:
        """Give Redis one command; with one key at most, so that a cluster takes it."""
        return self._client.execute_command(*command, **AS_BYTES)

    # Revocations

    def all_entries(self) -> list[Entry]:
        """Read the stream.

        Raises:
            Refused: It is larger than any of ours.
        """
        if self.entry_count() > 4 * MOST or self._size() > self._most_bytes:
            raise Refused("too-large")
        found: list[Entry] = []
        after = "-"
        while True:
            page = _entries(self.ask("XRANGE", self.revocations, after, "+", "COUNT", _PAGE))
            found += page
            if len(page) < _PAGE:
                return found
            after = "(" + page[-1][0].decode("latin-1")

    def next_entries(self, after: bytes, wait: float) -> list[Entry]:
        """Wait for entries behind one, for so many seconds at most."""
        reply = self.ask("XREAD", "COUNT", _PAGE, "BLOCK", max(1, int(wait * 1000)), "STREAMS", self.revocations, after)
        if not reply:
            return []
        # RESP2: a list of pairs. RESP3: a mapping, whose value may be a list of lists.
        pages = reply.values() if isinstance(reply, Mapping) else [pair[1] for pair in reply]
        return [entry for page in pages for entry in _entries(_flat(page))]

    def entry_count(self) -> int:
        """How many entries there are."""
        return int(self.ask("XLEN", self.revocations))

    def holds(self, place: bytes) -> bool:
        """Whether there still is an entry in a place."""
        return bool(self.ask("XRANGE", self.revocations, place, place))

    def add(self, written: Iterable[bytes]) -> None:
        """Add entries."""
        for one in written:
            self.ask("XADD", self.revocations, "*", _FIELD, one)

    def delete(self, places: Iterable[bytes]) -> None:
        """Take entries away."""
        for place in places:
            self.ask("XDEL", self.revocations, place)

    def may_restore(self, seconds: float) -> bool:
        """Whether nobody else writes back what was lost; he is not asked to for so many seconds."""
        return bool(self.ask("SET", self._restoring, b"1", "NX", "PX", int(seconds * 1000)))

    def _size(self) -> int:
        try:
            return int(self.ask("MEMORY USAGE", self.revocations) or 0)
        except ANSWERED:  # not everybody may ask, and not every engine answers
            return 0

    # Values

    def get(self, place: str, most: int) -> bytes | None:
        """Read a value of at most so many bytes; None where there is none.

        Raises:
            Refused: It is longer, or something else than a value.
        """
        try:
            value = as_bytes(self.ask("GETRANGE", place, 0, most))
        except ANSWERED as error:
            if not str(error).startswith("WRONGTYPE"):  # we may not, say: nothing is known of what stands there
                raise
            value = None
        if value is None:
            raise Refused("wrong-type")
        if len(value) > most:
            raise Refused("too-large")
        return value or None

    def set(self, place: str, value: bytes, seconds: float) -> None:
        """Write a value that lasts for so many seconds."""
        self.ask("SET", place, value, "PX", max(1, int(seconds * 1000)))

    def replace(self, place: str, seen: bytes | None, value: bytes, seconds: float, most: int) -> bool:
        """Write a value where what stands there is what was seen (None for nothing that can be read).

        Returns:
            Whether it was written.
        """
        expected = "" if seen is None else hashlib.sha1(seen, usedforsecurity=False).hexdigest()
        return bool(self.ask("EVAL", _REPLACE, 1, place, expected, value, max(1, int(seconds * 1000)), most))

    def remove(self, place: str) -> None:
        """Take a value away."""
        self.ask("DEL", place)

    def harmless(self) -> Iterator[tuple[str, tuple[object, ...]]]:
        """Every command that is used here, with words by which it changes nothing, and may be refused all the same."""
        yield "TIME", ()
        yield "XLEN", (self.revocations,)
        yield "XRANGE", (self.revocations, "-", "+", "COUNT", 1)
        yield "XREAD", ("COUNT", 1, "STREAMS", self.revocations, START)
        yield "MEMORY USAGE", (self.revocations,)
        yield "GETRANGE", (self.mark, 0, 0)
        yield "TYPE", (self.mark,)
        yield "SET", (self._nothing, b"", "XX", "PX", 1)  # only where something is
        yield "DEL", (self._nothing,)
        yield "XADD", (self._nothing, "NOMKSTREAM", "*", _FIELD, b"")  # likewise
        yield "XDEL", (self._nothing, START)
        yield "EVAL", (_REPLACE, 1, self._nothing, "another", b"", 1, 0)  # only where another is

    def time(self) -> float:
        """Seconds since the epoch by the clock of Redis."""
        seconds, micros = self.ask("TIME")
        return int(seconds) + int(micros) / 1e6


def as_bytes(value: object) -> bytes:
    """What Redis said; a client that was handed in may decode."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value or b"")  # type: ignore[call-overload]


def _flat(page: Any) -> Any:
    return page[0] if page and isinstance(page[0], list) and page[0] and isinstance(page[0][0], list | tuple) else page


def _entries(reply: Any) -> list[Entry]:
    found = []
    for place, fields in reply or ():
        values = fields if isinstance(fields, Mapping) else {}
        value = values.get(_FIELD, values.get(_FIELD.decode()))
        found.append((as_bytes(place), b"" if value is None or len(values) != 1 else as_bytes(value)))
    return found
