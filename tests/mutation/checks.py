"""Which checks does section 1 of the specification make, and does a test fail where one of them is taken out?"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.mutants import modules
from tests.mutation.tree import PYTEST, ROOT, run

_FAILED = 1  # pytest's exit status for tests that fail; a copy that cannot even be imported is another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check, as the change that removes it.

    Attributes:
        name: What holds while the check is there.
        item: Of section 1 of the specification; 12 is the memory of verified tokens, 13 what makes a key usable.
        file: Below the package.
        edits: Texts that stand in the file exactly once, and what replaces them.
        tests: Below ``tests``; at least one has to fail.
    """

    name: str
    item: int
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]

    def removed_from(self, source: str) -> str:
        """Return the source without this check.

        Raises:
            ValueError: The source is not what the change was written for.
        """
        for old, new in self.edits:
            if source.count(old) != 1:
                raise ValueError(f"{self.name}: stands {source.count(old)} times in {self.file}, not once: {old!r}")
            source = source.replace(old, new)
        return source


def load() -> list[Check]:
    """Read all checks from ``checks.toml``."""
    given = tomllib.loads((Path(__file__).parent / "checks.toml").read_text("utf-8"))["check"]
    return [check for one in given for check in _checks(one, modules())]


def _checks(one: Mapping[str, Any], selections: Mapping[str, tuple[str, ...]]) -> Iterator[Check]:
    tests = tuple(f"tests/{name}.py" for name in one["tests"]) if "tests" in one else selections[Path(one["file"]).stem]
    if "edits" in one:
        changes = {"": tuple((edit["old"], edit["new"]) for edit in one["edits"])}
    elif "each" in one:
        changes = {"-" + "-".join(re.findall(r"\w+", text)[:2]): ((text, ""),) for text in one["each"]}
    else:
        changes = {"": ((one["old"], one["new"]),)}
    for suffix, edits in changes.items():
        yield Check(name=one["id"] + suffix, item=one["of"], file=one["file"], edits=edits, tests=tests)


def source_of(check: Check, root: Path = ROOT) -> str:
    """Return the source that a check stands in."""
    return (root / "cfaccess_mw" / check.file).read_text("utf-8")


def whole(checks: Iterable[Check], folder: Path) -> str:
    """Run all named tests with nothing removed; what they said where they do not pass, else nothing."""
    done = run(folder, "pytest", *PYTEST, "-q", *sorted({test for check in checks for test in check.tests}))
    return done.stdout if done.returncode else ""


def killer(check: Check, folder: Path) -> str | None:
    """Remove a check from the copy, and return the first test that fails, or None.

    Raises:
        RuntimeError: The tests did not run.
    """
    path = folder / "cfaccess_mw" / check.file
    source = path.read_text("utf-8")
    path.write_text(check.removed_from(source), "utf-8")
    try:
        done = run(folder, "pytest", *PYTEST, "-x", "-q", "--tb=no", "-rf", *check.tests)
    finally:
        path.write_text(source, "utf-8")
    if done.returncode == 0:
        return None
    failed = re.findall(r"^FAILED (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if done.returncode != _FAILED or not failed:
        raise RuntimeError(f"{check.name}: the tests did not run:\n{done.stdout}")
    return str(failed[0])
