"""Does any spelling of a path reach what is protected, where a reader of paths would come to it?

``tests/servers`` and ``tests/conformance`` ask real servers and frameworks; this asks a reader that does everything any
of them was ever seen to do, in any order, so that no row depends on who happens to be installed.
"""

import re
from collections.abc import Callable, Iterator
from posixpath import normpath
from unicodedata import normalize
from urllib.parse import unquote, unquote_to_bytes

import pytest

from cfaccess_mw.core.rules import Access
from tests.hostile.asking import INTERFACES, Asked, Doors
from tests.vectors import Row, table

TABLES = ("paths/targets",)

_STEPS: tuple[Callable[[str], str], ...] = (
    unquote,
    lambda path: re.sub(r";[^/]*", "", path),
    lambda path: re.sub(r"/+", "/", path),
    lambda path: path.replace("\\", "/"),
    lambda path: "/" + normpath(path).lstrip("/"),
    lambda path: re.split(r"[?#]", path, maxsplit=1)[0],
    lambda path: path.split("\0")[0],
    lambda path: re.sub(r"[\x00-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]", "", path),
    lambda path: normalize("NFKC", path),
    str.casefold,
)


def readings(path: str) -> set[str]:
    """Everything that some reader makes of a path, three steps deep."""
    found = {path}
    for _ in range(3):
        found |= {step(reading) for reading in found for step in _STEPS}
    return found


def is_protected(path: str) -> bool:
    """Whether some reader comes to a protected handler."""
    return any(map(_is_handled, readings(path)))


def _is_handled(path: str) -> bool:
    return path.rstrip("/") in ("/admin", "/open/admin") or path.startswith(("/admin/", "/open/admin/"))


def asked() -> Iterator[tuple[str, Asked]]:
    """Each target below each parent, as a server that decodes once hands it in."""
    for row in table("paths/targets"):
        for parent in _parents(row):
            sent = row["target"].replace("{p}", parent).encode("latin-1")
            raw = sent.partition(b"?")[0]
            path = unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
            yield f"{row['id']}{parent}", Asked(path=path, raw_path=raw)


def _parents(row: Row) -> tuple[str, ...]:
    return ("", "/open") if "{p}" in row["target"] else ("",)


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("configuration", ["wide", "narrow"])
@pytest.mark.parametrize("tells", [True, False], ids=["raw-path", "no-raw-path"])
def test_nobody_comes_to_what_some_reader_takes_for_protected(
    configuration: str, interface: str, tells: bool, doors: Callable[[str], Doors]
) -> None:
    let_in, refused = set(), 0
    for id_, it in asked():
        reached = doors(configuration).ask(interface, it if tells else Asked(path=it.path))
        assert reached.status in (200, 400, 401), id_
        refused += reached.status != 200
        if reached.status == 200 and is_protected(it.path):
            let_in.add(id_)
    assert let_in == set()
    assert refused > 200


def test_white_space_around_a_segment_is_no_way_past_it(doors: Callable[[str], Doors]) -> None:
    """Shiro and Spring once trimmed it; no Python server or framework was seen to, but an application may."""
    let_in = {id_ for id_, it in asked() if doors("wide").ask("asgi", it).status == 200}
    trimmed = {id_ for id_, it in asked() if _is_handled("/".join(part.strip() for part in it.path.split("/")))}
    assert len(trimmed) > 20
    assert not let_in & trimmed


@pytest.mark.parametrize("configuration", ["wide", "narrow"])
def test_the_core_says_the_same(configuration: str, doors: Callable[[str], Doors]) -> None:
    pair = doors(configuration)
    for id_, it in asked():
        path = it.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        requirement = pair.rules.find("GET", path, it.raw_path, "", None)
        is_open = requirement.refusal is None and requirement.access is Access.PUBLIC
        assert is_open == (pair.ask("asgi", it).status == 200), id_
        assert not (is_open and is_protected(it.path)), id_
