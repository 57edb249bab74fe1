"""How do we remember answers without growing for ever?

A dictionary read is the cheapest look-up that Python has, and the interpreter makes it atomic; so bounding is paid
for when something is put in, never when it is read. Entries are put into the young of two generations. When the young
one is full, the old one is dropped whole and the young one takes its place: what was not asked for since is forgotten,
which is close to "least recently used" at the price of one dictionary write; ``cachetools.TLRUCache``
keeps an order and a heap too.

There is no lock. Racing threads may make the memory forget an entry, or hold one entry a thread more than its bound;
they can never make it answer with anything but what was put under that very key.
"""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A mapping that forgets, bounded by the number of its entries and by their total weight.

    A value is never ``None``: that is the answer for what is not remembered.

    Args:
        count: The most entries that are kept, at least 2.
        weight: The most that the weights of all entries may add up to, in the caller's own unit (bytes, mostly).
    """

    __slots__ = ("_count", "_held", "_old", "_weight", "_young")

    def __init__(self, *, count: int, weight: int) -> None:
        if count < 2 or weight < 2:
            raise ValueError("a memory of two generations holds at least two entries and a weight of two")
        # Each generation may fill half of what is allowed, so that both together keep the bound.
        self._count = count // 2
        self._weight = weight // 2
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._held = 0

    def get(self, key: K) -> V | None:
        """Return what is remembered under ``key``, or None; what the old generation holds is moved to the young."""
        entry = self._young.get(key)
        if entry is not None:
            return entry[0]
        entry = self._old.get(key)
        if entry is None:
            return None
        self.put(key, entry[0], entry[1])
        return entry[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Remember ``value`` under ``key``; one that weighs more than a generation holds is not kept at all.

        Args:
            key: What the value will be asked for by.
            value: Anything but None.
            weight: What the entry costs, key included, in the unit of the memory's bound; at least 1.
        """
        young = self._young
        known = young.pop(key, None)
        if known is not None:
            self._held -= known[1]
        if weight > self._weight:
            self._old.pop(key, None)
            return
        if len(young) >= self._count or self._held + weight > self._weight:
            self._old = young
            self._young = young = {}
            self._held = 0
        young[key] = (value, weight)
        self._held += weight

    def clear(self) -> None:
        """Forget everything."""
        self._young = {}
        self._old = {}
        self._held = 0

    def __len__(self) -> int:
        """Return how many entries are held; one that was moved to the young generation counts once."""
        # A union of two dictionaries is one operation; a loop over one would trip over a thread that inserts.
        return len(self._old | self._young)

    def __repr__(self) -> str:
        """Show sizes only: keys may be tokens and values identities."""
        return f"<{type(self).__name__} entries={len(self)} of {2 * self._count}>"
