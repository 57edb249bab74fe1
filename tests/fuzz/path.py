"""Is there a path that one reader or other takes for a protected one, and that we take for public?

The first byte of an input chooses where the application is mounted, the rest is the path as it was sent. The table is
as open as it can be. The readers are written here once more, by the standard library's means, and composed in every
order to the depth of four; dots, which we refuse, they resolve.
"""

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

from cfaccess_mw.core.paths import MAX_READINGS, read_path, refusal_ground
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.table import RuleTable

ROOTS = ("", "/api", "/api/", "/admin", "/a/b", "/static", "/caf\u00e9", "/a b", "/x%y")
DEPTH = 4
MOST = 400  # texts that are looked at for one input

READERS: tuple[Callable[[str, str], str], ...] = (
    lambda text, _: unquote(text, errors="surrogateescape"),
    lambda text, _: unquote(text, encoding="latin-1"),
    lambda text, _: re.sub(";[^/]*", "", text),
    lambda text, _: text.partition(";")[0],
    lambda text, _: text.partition("?")[0],
    lambda text, _: text.partition("#")[0],
    lambda text, _: text.partition("\x00")[0],
    lambda text, _: re.sub("//+", "/", text),
    lambda text, _: "/" + text.lstrip("/"),
    lambda text, _: posixpath.normpath(text) if text else text,
    lambda text, _: text.replace("\\", "/"),
    lambda text, _: "/".join(part.strip() for part in text.split("/")),
    lambda text, root: root + text.split(root, 1)[-1] if root else text,
    lambda text, root: root + "/" + text.removeprefix(root).lstrip("/"),
)


def table(root: str) -> RuleTable:
    """All is public but one folder within the mount."""
    return RuleTable(
        [Rule.public("/*", everything=True), Rule.token(f"{root.rstrip('/')}/admin/*")], audience=frozenset({"aud"})
    )


TABLES = {root: table(root) for root in ROOTS if "%" not in root}


def readings(path: str, root: str) -> Iterator[str]:
    """What any composition of readers makes of a path."""
    seen, last = {path}, [path]
    yield path
    for _ in range(DEPTH):
        made = [text for known in last for reader in READERS if (text := reader(known, root)) not in seen]
        last = []
        for text in made:
            if text not in seen and len(seen) < MOST:
                seen.add(text)
                last.append(text)
                yield text


def is_protected(text: str, root: str) -> bool:
    """Whether a text names the folder, with and without regard to case and form."""
    folder = f"{root}/admin"
    folded = unicodedata.normalize("NFKC", text).casefold()
    return any(one == name or one.startswith(f"{name}/") for one, name in ((text, folder), (folded, folder.casefold())))


def run(data: bytes) -> object:
    """Ask about one input as each kind of server would, and compare."""
    root = ROOTS[data[0] % len(ROOTS)] if data else ""
    raw = data[1:]
    mount = root.rstrip("/")
    sent = unquote(raw.decode("latin-1"), errors="replace")
    asked = {
        (sent, raw),  # uvicorn
        (sent, None),
        (mount + sent, raw),  # servers that take the mount off, and put it back
        (sent, quote(mount).encode() + raw),
        (raw.decode("utf-8", "replace"), None),  # a path that nobody decoded
        (unquote(sent, errors="replace"), raw),  # and one that was decoded twice
    }
    came: set[object] = set()
    for path, raw_path in sorted(asked, key=str):
        told = read_path(path, raw_path, root)
        assert bool(told.readings) is (told.ground is None)
        assert len(told.readings) <= 3 * MAX_READINGS
        assert all(refusal_ground(reading.path) is None for reading in told.readings if not reading.adds_only)
        came |= {told.ground} if told.ground else {step for reading in told.readings for step in reading.steps}
        if root not in TABLES or told.ground is not None:
            continue
        requirement = TABLES[root].find("GET", path, raw_path, root, None)
        if requirement.access is Access.PUBLIC:
            reached = [text for text in readings(path, mount) if is_protected(text, mount)]
            assert not reached, f"public, and {reached[0]!r} to somebody"
    return frozenset(came)
