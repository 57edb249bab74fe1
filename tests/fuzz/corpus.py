"""How are the inputs kept that fuzzing found worth keeping?

One text file for each target, one input to a line, escaped as in a Python literal: a change of it can be read, and a
line can be written by hand. The lines are sorted, and none stands there twice.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

FOLDER = Path(__file__).parent / "corpus"
LONGEST = 4_096  # bytes of an input that is kept
LARGEST = 36_000  # bytes of a file, five of which stay well below 200 KB


def load(target: str) -> list[bytes]:
    """The inputs of a target, the empty one among them always."""
    lines = (FOLDER / f"{target}.txt").read_text("ascii").splitlines()
    return [b"", *(line.encode("ascii").decode("unicode_escape").encode("latin-1") for line in lines)]


def line_of(data: bytes) -> str:
    """An input as it is written."""
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")


def save(target: str, inputs: Iterable[bytes]) -> int:
    """Write inputs, short ones first until the file is full, and say how many were kept."""
    lines: set[str] = set()
    size = 0
    for data in sorted(set(inputs) - {b""}, key=lambda data: (len(data), data)):
        line = line_of(data)
        size += len(line) + 1
        if len(data) > LONGEST or size > LARGEST:
            break
        lines.add(line)
    (FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in sorted(lines)), "ascii")
    return len(lines)


def unpack(inputs: Iterable[bytes], folder: Path) -> None:
    """Write each input as a file of its own, as libFuzzer wants it."""
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def pack(folder: Path) -> list[bytes]:
    """Read what :func:`unpack` or libFuzzer wrote."""
    return [file.read_bytes() for file in sorted(folder.iterdir())]


def minimise(run: Callable[[bytes], object], inputs: Iterable[bytes]) -> list[bytes]:
    """Keep of some inputs, the shortest first, those of which comes what came of none before, or by another way.

    libFuzzer could do that, but starts itself anew for it, by a name that a Python module does not have.
    """
    ways: set[object] = set()
    kept: list[bytes] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "cfaccess_mw" not in frame.f_code.co_filename:
            return None
        last = frame.f_lineno

        def lines(frame: FrameType, event: str, _: object) -> Any:
            nonlocal last
            ways.add((frame.f_code.co_filename, last, frame.f_lineno))
            last = frame.f_lineno
            return lines

        return lines

    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        before = len(ways)
        sys.settrace(trace)
        try:
            ways.add(run(data))
        finally:
            sys.settrace(None)
        if len(ways) > before:
            kept.append(data)
    return kept
