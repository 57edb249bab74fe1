"""Which tricks are there? The rows of ``tests/vectors/paths`` as bytes to send.

In ``data``, ``target`` and ``lines`` every character stands for one byte. Beside them a row has an ``id``, what it
``exploits`` and its ``origin`` (an RFC's section, an advisory, a piece of research, or ours).

``targets.json``   targets of a plain GET; ``{p}`` is the public parent: none, or ``/open``, which is public itself
``requests.json``  whole requests, some of them several; ``unfinished`` where a server may wait for more
``mounted.json``   targets for an application that is mounted at ``/api``
``honest.json``    targets that must stay public, and the path below the handler's own that it then ``shows``
``identity.json``  header lines with ``{good}`` and other tokens, and their ``outcome``: ``known``, ``refused``,
                   ``none`` (the request counts as one without a token), or ``either``, which is up to the server
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.servers.raw import get

Row = Mapping[str, Any]

_FOLDER: Final = Path(__file__).parents[1] / "vectors" / "paths"
_PARENTS: Final = ("", "/open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trick:
    """What to send.

    Attributes:
        id: The row's id, with the parent where there are two.
        data: The bytes.
        unfinished: Whether a server may wait for more.
    """

    id: str
    data: bytes
    unfinished: bool = False


def rows(name: str) -> list[Row]:
    """The rows of ``<name>.json``."""
    table: list[Row] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return table


def target_tricks() -> list[Trick]:
    """Every target as a GET, below each parent."""
    return [_with_target(row, parent) for row in rows("targets") for parent in _parents(row)]


def request_tricks() -> list[Trick]:
    """Every whole request."""
    return [
        Trick(id=row["id"], data=row["data"].encode("latin-1"), unfinished=row.get("unfinished", False))
        for row in rows("requests")
    ]


def mounted_tricks() -> list[Trick]:
    """Every target for a mounted application, and every other target too, with and without the mount."""
    plain = [row for row in rows("targets") if row["target"].startswith(("/", "{p}"))]
    moved = [{**row, "id": f"mounted-{row['id']}", "target": f"/api{row['target']}"} for row in plain]
    return [_with_target(row, parent) for row in (*rows("mounted"), *plain, *moved) for parent in _parents(row)]


def _parents(row: Row) -> Iterable[str]:
    return _PARENTS if "{p}" in row["target"] else _PARENTS[:1]


def _with_target(row: Row, parent: str) -> Trick:
    target = row["target"].replace("{p}", parent).encode("latin-1")
    return Trick(id=row["id"] + parent.replace("/", "-"), data=get(target))
