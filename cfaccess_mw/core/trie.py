"""Which of many patterns is the most specific that matches this path?

The patterns hang in a tree, a segment a level, and the tree is walked in the order of specificity: below a node a
literal is tried first, then the partial wildcards, then ``*``; what ends exactly here beats a ``/*`` that ends here,
and a ``/*`` that ends higher up comes last. So the first hit is the best one, and the number of patterns does not
matter.

The tree holds numbers; what they stand for is not its affair. Patterns that differ only in partial wildcards
(``/a*/x`` and ``/*b/x``) are equally specific up to their number of literal characters, so the walk goes on from
several nodes at once.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.patterns import ANY, Pattern, Segment, matches_segment, split_path

OTHER: Final = "*"
"""Any method that no entry names; also the key of what is said of every method."""

ODD: Final = "?"
"""A method that is not upper-case letters: it matches every guarding method entry and no other one."""

ANY_HOST: Final = "*"
"""The tree of what is said of every host."""

MAX_PARTIALS: Final = 64
"""The most partial wildcards that may hang under one node, where they are tried in turn."""


class Node:
    """A place in the tree: what hangs below it, and what ends here."""

    __slots__ = ("any", "below", "exact", "literals", "partials")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.partials: dict[Segment, Node] = {}
        self.any: Node | None = None
        self.exact: Leaf | None = None
        self.below: Leaf | None = None

    def child(self, segment: Segment) -> "Node":
        """Return the node below this one for a segment of a pattern, made if need be."""
        if segment == ANY:
            if self.any is None:
                self.any = Node()
            return self.any
        if len(segment) == 1:
            return self.literals.setdefault(segment[0], Node())
        node = self.partials.setdefault(segment, Node())
        if len(self.partials) > MAX_PARTIALS:
            raise ConfigurationError(
                f"rules: more than {MAX_PARTIALS} patterns differ in one segment that has a '*' in it, "
                f"such as {'*'.join(segment)!r}; write those segments out, or use '/*'"
            )
        return node


class Leaf:
    """What one pattern says: entries by method, and how many literal characters it has."""

    __slots__ = ("by_method", "literals")

    def __init__(self, literals: int) -> None:
        self.literals = literals
        self.by_method: dict[str, tuple[int, ...]] = {}

    def choose(self, method: str, guards: Collection[int], *, only_guards: bool) -> tuple[bool, tuple[int, ...]]:
        """Return the entries for a method, and whether they name it."""
        if method is ODD:
            named = tuple(entry for entries in self.by_method.values() for entry in entries)
        else:
            named = self.by_method.get(method, ()) if method != OTHER else ()
        every = self.by_method.get(OTHER, ())
        if only_guards or method is ODD:
            named = tuple(entry for entry in named if entry in guards)
        if only_guards:
            every = tuple(entry for entry in every if entry in guards)
        return (True, named) if named else (False, every)


class Trie:
    """Patterns with the entries they stand for.

    Args:
        guards: The entries that protect: the only ones that an odd method's named entries, and a walk that asks for
            them alone, are chosen from.
    """

    def __init__(self, guards: Collection[int]) -> None:
        self._root = Node()
        self._guards = guards

    def add(self, pattern: Pattern, methods: Iterable[str], entry: int) -> None:
        """Put an entry under a pattern.

        Args:
            pattern: The pattern.
            methods: The methods that it is for; :data:`OTHER` stands for every one.
            entry: The number to be found.
        """
        node = self._root
        for segment in pattern.segments:
            node = node.child(segment)
        leaf = node.below if pattern.below else node.exact
        if leaf is None:
            leaf = Leaf(pattern.literals)
            if pattern.below:
                node.below = leaf
            else:
                node.exact = leaf
        for method in methods:
            leaf.by_method[method] = (*leaf.by_method.get(method, ()), entry)

    def find(self, path: str, method: str, *, only_guards: bool = False) -> tuple[int, ...]:
        """Return the entries of the most specific pattern that matches and says something of the method.

        There are several where patterns of equal rank match, or an odd method matches several entries of one.

        Args:
            path: A path that begins with ``/``.
            method: A method that some entry names, or :data:`OTHER`, or :data:`ODD`.
            only_guards: Whether only guarding entries are looked for.
        """
        segments = split_path(path)
        # Each frame is the nodes that were reached, how many segments that took, and whether only what lies below
        # remains to be asked; the best is pushed last.
        frames: list[tuple[list[Node], int, bool]] = [([self._root], 0, False)]
        while frames:
            nodes, depth, only_below = frames.pop()
            if not only_below:
                frames.append((nodes, depth, True))
                if depth < len(segments):
                    frames.extend((reached, depth + 1, False) for reached in _steps(nodes, segments[depth]))
                    continue
            leaves = [leaf for node in nodes if (leaf := node.below if only_below else node.exact) is not None]
            found = self._best(leaves, method, only_guards=only_guards) if leaves else ()
            if found:
                return found
        return ()

    def _best(self, leaves: list[Leaf], method: str, *, only_guards: bool) -> tuple[int, ...]:
        best = (-1, False)
        found: tuple[int, ...] = ()
        for leaf in leaves:
            named, entries = leaf.choose(method, self._guards, only_guards=only_guards)
            rank = (leaf.literals, named)
            if entries and rank >= best:
                found = (*found, *entries) if rank == best else entries
                best = rank
        return found


def _steps(nodes: list[Node], segment: str) -> Iterable[list[Node]]:
    """Return the nodes that a segment leads to, the least specific first."""
    for step in _STEPS:
        reached = step(nodes, segment)
        if reached:
            yield reached


_STEPS: Final[tuple[Callable[[list[Node], str], list[Node]], ...]] = (
    lambda nodes, _: [node.any for node in nodes if node.any is not None],
    lambda nodes, text: [
        below for node in nodes for segment, below in node.partials.items() if matches_segment(segment, text)
    ],
    lambda nodes, text: [node.literals[text] for node in nodes if text in node.literals],
)
