"""What may this path mean to the server, the framework and the application behind us?

They disagree. ``GET /admin%0a`` reaches the handler of ``/admin`` in Starlette and FastAPI, Flask routes ``//admin`` to
it, Litestar drops everything up to the first ``root_path``, wherever that stands. So a path is refused where readers
are known to differ about its very characters, and otherwise it has *readings*: every text that any composition of the
known canonicalisers makes of it. The rules then require what all of its readings require.

Every text that comes up on the way passes the same checks as the first one. The server's own single decoding is where
we start; the text before it is looked at only for what it betrays.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote, unquote_to_bytes

MAX_LENGTH: Final = 2_048  # characters; honest paths are far shorter, and every step below costs time by length
MAX_READINGS: Final = 64  # an honest path has one to four
MAX_DECODINGS: Final = 5  # further percent-decodings, after the server's own

# Characters that mean nothing to any reader but themselves; all that follows is paid for odd paths only.
_PLAIN = re.compile(r"/|(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]+)+/?")

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
_BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ZERO_WIDTH = "\u00ad\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNDECODABLE = "\ufffd\ud800-\udfff"
# One pass over the text tells whether any of these stands in it; only then is asked which.
_NEVER = re.compile(f"[{_CONTROL}{_BIDIRECTIONAL}{_ZERO_WIDTH}{_UNDECODABLE}\\\\]")
_NEVER_BECAUSE: Final = (
    ("control-character", re.compile(f"[{_CONTROL}]")),
    ("invisible-character", re.compile(f"[{_BIDIRECTIONAL}{_ZERO_WIDTH}]")),
    ("invalid-utf-8", re.compile(f"[{_UNDECODABLE}]")),
    ("backslash", re.compile(r"\\")),
)
# "." or ".." as a segment, also once its ";parameters" or white space are dropped
_DOT_SEGMENT = re.compile(r"/\s*\.\s*(?:\.\s*)?(?:;[^/]*)?(?:/|\Z)")
_ASCII = re.compile("[\x00-\x7f]+")
_STRUCTURE = re.compile(r"[/\\.%?#;]")

_ABSOLUTE_FORM = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")  # RFC 9112 section 3.2.2
_RAW_NEVER: Final = (
    ("raw-character", re.compile(rb"[^\x21-\x7e]|#")),
    ("malformed-escape", re.compile(rb"%(?![0-9A-Fa-f]{2})")),
)
_ENCODED_SLASH = re.compile(rb"%2[Ff]")

_PARAMETERS = re.compile(r";[^/]*")
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One thing that a path may mean.

    Attributes:
        path: The path as this reader understands it.
        steps: The canonicalisers that led to it, in order; none for the path as the server gives it.
        adds_only: Whether only protecting rules are asked about it, so that it can never open anything.
    """

    path: str
    steps: tuple[str, ...] = ()
    adds_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything that a path may mean, or why nobody can say.

    Attributes:
        readings: The path as given, then what else it may mean; empty when the path is refused.
        ground: A stable kebab-case name of why it is refused, or None.
    """

    readings: tuple[Reading, ...] = ()
    ground: str | None = None


def read_path(path: str, raw_path: bytes | None = None, root_path: str = "") -> Readings:
    """Return every reading of a path, or the ground on which it is refused.

    Args:
        path: The path as the server gives it, percent-decoded once: ASGI ``scope["path"]``, WSGI ``SCRIPT_NAME`` +
            ``PATH_INFO``.
        raw_path: What the client sent, where the server says so; a query and an absolute form are taken off.
        root_path: Where the application is mounted: ASGI ``root_path``, WSGI ``SCRIPT_NAME``. It may be missing at the
            front of either path.
    """
    if len(path) > MAX_LENGTH:
        return Readings(ground="too-long")
    if not root_path and _PLAIN.fullmatch(path) and (raw_path is None or raw_path == path.encode("ascii")):
        return Readings(readings=(Reading(path=path),))
    ground = refusal_ground(path) or _nesting_ground(path)
    if ground is not None:
        return Readings(ground=ground)
    if raw_path is None:
        return _close([Reading(path=path)], root_path.rstrip("/"), cut=False)
    return _read_with_raw(path, raw_path, root_path)


def refusal_ground(text: str) -> str | None:
    """Return why nobody can say what a path means, judged by its characters alone, or None.

    Args:
        text: A path, percent-decoded as often as it will be.
    """
    if not text.startswith("/"):
        return "not-absolute"
    if _NEVER.search(text):
        return next(ground for ground, pattern in _NEVER_BECAUSE if pattern.search(text))
    if "." in text and _DOT_SEGMENT.search(text):
        return "dot-segment"
    if not text.isascii() and _STRUCTURE.search(normalize("NFKC", _ASCII.sub("", text))):
        return "disguised-character"
    return None


def _nesting_ground(path: str) -> str | None:
    for _ in range(MAX_DECODINGS):
        path = _decode_again(path)
    return None if _decode_again(path) == path else "too-many-encodings"


def _read_with_raw(path: str, raw_path: bytes, root_path: str) -> Readings:
    origin = _origin_form(raw_path)
    ground = next((ground for ground, pattern in _RAW_NEVER if pattern.search(origin)), None)
    if ground is not None:
        return Readings(ground=ground)
    # A character is at most four bytes, and a byte at most three characters of an escape: whatever is longer differs,
    # and is not worth decoding.
    if len(origin) > 12 * (len(path) + len(root_path)):
        return Readings(ground="raw-path-differs")
    sent = unquote(origin.decode("ascii"), errors="replace")
    root = root_path.rstrip("/")
    fronts = ("", root, root_path)
    cut = path not in [front + sent for front in fronts]
    if cut and sent not in [front + path for front in fronts]:
        return Readings(ground="raw-path-differs")
    given = [Reading(path=path)]
    if _ENCODED_SLASH.search(origin):
        kept = unquote(_ENCODED_SLASH.sub(b"%252F", origin).decode("ascii"))
        kept = kept.removeprefix(root) if cut else path[: len(path) - len(sent)] + kept
        ground = refusal_ground(kept)  # "%2Fadmin" is no path to whoever keeps it
        if ground is not None:
            return Readings(ground=ground)
        given.append(Reading(path=kept, steps=("keep-encoded-slash",)))
    return _close(given, root, cut=cut)


def _origin_form(raw_path: bytes) -> bytes:
    target = raw_path.partition(b"?")[0]
    authority = _ABSOLUTE_FORM.match(target)
    return target if authority is None else target[authority.end() :] or b"/"


def _close(given: list[Reading], root: str, *, cut: bool) -> Readings:
    """Apply every canonicaliser to every text that any of them has made, until nothing new comes up."""
    known = {reading.path for reading in given}
    readings = list(given)
    for reading in readings:  # grows while we walk
        for step, canonicalise in _CANONICALISERS:
            for text in canonicalise(reading.path, root):
                if text in known:
                    continue
                ground = refusal_ground(text)
                if ground is None and len(readings) == MAX_READINGS:
                    ground = "too-many-readings"
                if ground is not None:
                    return Readings(ground=ground)
                known.add(text)
                readings.append(Reading(path=text, steps=(*reading.steps, step)))
    if root:
        # What was given from inside the mount is so in each of its readings, also in one that begins like the mount.
        cut = cut or not all(reading.path.startswith(root) for reading in given)
        readings += [extra for reading in readings for extra in _seen_through_root(reading, root, cut=cut)]
    return Readings(readings=tuple(readings))


def _decode_again(text: str) -> str:
    """Decode well-formed escapes and leave the rest; bytes that are not UTF-8 become lone surrogates."""
    if "%" not in text:
        return text
    # As a whole: unquote() itself goes from escape to escape, at five times the price where letters stand between.
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _trim_segments(text: str) -> str:
    """Drop the white space around each segment, which a handler may strip.

    Not by a pattern: one that looks for white space before a slash begins anew at each character of a long run of it,
    and takes time by the square of its length, for each reading.
    """
    return "/".join([segment.strip() for segment in text.split("/")])


def _splice_root(text: str, root: str) -> Iterable[str]:
    """Replace everything up to and including an occurrence of the root path by the root path alone.

    That leaves the text from that occurrence on, so the next one is enough: the closure finds those behind it.
    """
    if not root:
        return
    at = text.find(root, 1)
    if at > 0:
        yield _absolute(text[at:])
    if text.startswith(root) and text != root:
        # Litestar cuts without regard to segments: with root_path="/api", "/apiadmin" runs what "/api/admin" runs.
        # Django cuts a root_path of "/api/" with its slash, Werkzeug drops all slashes that lead what remains.
        yield f"{root}/{text[len(root) :].lstrip('/')}"


def _seen_through_root(reading: Reading, root: str, *, cut: bool) -> Iterable[Reading]:
    """Return what a reading is called inside the mount, and outside of it where the server took the root path off."""
    text, inside = reading.path, reading.path.startswith(root)
    if inside:
        yield Reading(path=_absolute(text[len(root) :]), steps=(*reading.steps, "without-root-path"), adds_only=True)
    if cut or not inside:
        yield Reading(path=_absolute(root + text), steps=(*reading.steps, "with-root-path"), adds_only=True)


def _absolute(text: str) -> str:
    return text if text.startswith("/") else "/" + text


# Each returns what it makes of a text, the text itself where it finds nothing to do. The order is of no consequence.
_CANONICALISERS: Final[tuple[tuple[str, Callable[[str, str], Iterable[str]]], ...]] = (
    ("decode-again", lambda text, _: (_decode_again(text),)),
    ("drop-parameters", lambda text, _: (_PARAMETERS.sub("", text),)),
    ("cut-query", lambda text, _: (text.partition("?")[0],)),
    ("cut-fragment", lambda text, _: (text.partition("#")[0],)),
    ("collapse-slashes", lambda text, _: (_SLASHES.sub("/", text), "/" + text.lstrip("/"))),
    ("trim-segments", lambda text, _: (_trim_segments(text),)),
    ("splice-root-path", _splice_root),
)
