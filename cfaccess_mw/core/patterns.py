"""Which paths does a pattern name, and which of two patterns is the more specific?

A pattern is a path, compared segment by segment, by case, as the client and Cloudflare see it:

=============  ========================================================================================
``/healthz``   that path, with or without one trailing slash
``/admin/*``   the path before the ``/*`` and everything below it: ``/admin``, ``/admin/``, ``/admin/x``
``/*``         every path
``/u/*/keys``  a ``*`` elsewhere is any run of characters within one segment, none included
=============  ========================================================================================

A slash at the end of a path is no further segment: ``/a/*/`` names ``/a/b`` and ``/a/b/``, and not ``/a/``.

There are no regular expressions, on purpose: exemptions written as such have been a steady source of bypasses.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias
from unicodedata import normalize

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.paths import MAX_LENGTH, refusal_ground

Segment: TypeAlias = tuple[str, ...]
"""A segment of a pattern, split at its ``*``: one piece is a literal, two or more have a ``*`` between them."""

ANY: Final[Segment] = ("", "")

_MISTAKES: Final = (
    (re.compile(r"\A(?!/)"), "does not begin with '/'; write the whole path as a browser shows it after the host"),
    (re.compile("//"), "has an empty segment; write single slashes"),
    (re.compile(r"\?"), "has a query; rules look at the path alone"),
    (re.compile("#"), "has a fragment, which no server ever sees; leave it out"),
    (re.compile(r"\*\*"), "has '**'; a trailing '/*' already covers everything below, '*' stands for one segment"),
    (re.compile("%[0-9A-Fa-f]{2}"), "is percent-encoded; patterns are compared with decoded paths, write it decoded"),
    (re.compile(r"\s\Z"), "ends with white space; take it off"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern taken apart.

    Attributes:
        segments: Its segments, without those of a trailing ``/*``.
        below: Whether it ends with ``/*`` and so covers everything below its segments too.
    """

    segments: tuple[Segment, ...]
    below: bool

    @property
    def literals(self) -> int:
        """How many literal characters there are, slashes aside: of patterns alike otherwise, more is more specific."""
        return sum(len(piece) for segment in self.segments for piece in segment)

    def folded(self) -> "Pattern":
        """Return the pattern that matches the folded paths of those that this one matches."""
        # Piece by piece: a full-width asterisk folds to "*", and must stay the character that it is.
        return Pattern(segments=tuple(tuple(map(fold, segment)) for segment in self.segments), below=self.below)

    def __str__(self) -> str:
        """Show the pattern in its one normal form, without a trailing slash."""
        path = "".join("/" + "*".join(segment) for segment in self.segments)
        return f"{path}/*" if self.below else path or "/"


def parse_pattern(text: str) -> Pattern:
    """Take a pattern apart.

    Raises:
        ConfigurationError: It is not a pattern, or no path that is let in could ever match it.
    """
    mistake = next((mistake for shape, mistake in _MISTAKES if shape.search(text)), None)
    if mistake is None and len(text) > MAX_LENGTH:
        mistake = f"has {len(text)} characters; paths of more than {MAX_LENGTH} are always refused"
    if mistake is None:
        ground = refusal_ground(text)
        mistake = ground and f"can never match, since such paths are always refused ({ground}); take that out"
    if mistake is not None:
        raise ConfigurationError(f"rules: the pattern {text[:256]!r} {mistake}")
    below = text.endswith("/*")
    path = text[:-2] if below else text
    return Pattern(segments=tuple(tuple(segment.split("*")) for segment in split_path(path)), below=below)


def split_path(path: str) -> list[str]:
    """Return the segments of a path, one trailing slash aside; ``/`` has none."""
    if len(path) < 2:
        return []
    return (path[1:-1] if path.endswith("/") else path[1:]).split("/")


def matches_segment(segment: Segment, text: str) -> bool:
    """Return whether a segment of a pattern that has a ``*`` matches a segment of a path, in linear time."""
    first, last = segment[0], segment[-1]
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    # The leftmost place for each piece leaves most room for those after it; no other place needs to be tried.
    for piece in segment[1:-1]:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def overlap(one: Segment, other: Segment) -> bool:
    """Return whether some text matches both of two segments that are equal, or have a ``*`` each.

    What stands before the first ``*`` of both must agree, and what stands after the last: everything between can be
    written one after the other, each taken up by a ``*`` of the other.
    """
    short_front, long_front = sorted((one[0], other[0]), key=len)
    short_back, long_back = sorted((one[-1], other[-1]), key=len)
    return long_front.startswith(short_front) and long_back.endswith(short_back)


def fold(text: str) -> str:
    """Return a text as a reader sees it who minds neither case nor compatibility forms (Unicode NFKC_Casefold)."""
    return text.lower() if text.isascii() else normalize("NFKC", normalize("NFKC", text).casefold())
