"""What does a server take while it is loaded? Memory, files and threads of it and all its workers, from ``/proc``."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look.

    Attributes:
        at: Monotonic seconds.
        memory: Resident bytes of all processes together.
        files: Open files, sockets included.
        threads: How many.
        processes: Their ids.
    """

    at: float
    memory: int
    files: int
    threads: int
    processes: frozenset[int]


def can_watch() -> bool:
    """Whether this system says such things."""
    return (_PROC / "self" / "statm").exists()


def look(pid: int, at: float) -> Sample:
    """Look at a process and everything that it started.

    Args:
        pid: Its id.
        at: The time, in monotonic seconds.
    """
    family = sorted(_family(pid))
    taken = [_taken(each) for each in family]
    return Sample(
        at=at,
        memory=sum(each[0] for each in taken),
        files=sum(each[1] for each in taken),
        threads=sum(each[2] for each in taken),
        processes=frozenset(family),
    )


def _family(pid: int) -> set[int]:
    children = set()
    for folder in _listed(_PROC / str(pid) / "task"):
        children |= {int(child) for child in _text(folder / "children").split()}
    return {pid}.union(*map(_family, children))


def _taken(pid: int) -> tuple[int, int, int]:
    folder = _PROC / str(pid)
    fields = _text(folder / "statm").split()
    return int(fields[1]) * _PAGE if fields else 0, len(_listed(folder / "fd")), len(_listed(folder / "task"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended since
        return ""


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
