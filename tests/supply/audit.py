"""Is anything that the package brings along known to be vulnerable? ``python -m tests.supply.audit``

It asks the service that pip-audit asks, about the versions that are installed here of everything that the package and
its extras require, and fails where one is vulnerable or cannot be judged. Without that service nothing can be said:
then it says so and ends well. Behind a mirror of the index pip-audit finds nothing wrong with anything, so it is first
asked about a version whose vulnerability is public.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION = "cfaccess-mw"
OURS = frozenset({"bench", "lint", "test"})  # extras that nobody installs who uses the package
VULNERABLE = "jinja2==3.1.2"  # CVE-2024-22195


def required(distribution: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What an installed distribution requires here, with the extras that it asks for."""
    for line in importlib.metadata.requires(distribution) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def brought_along(distribution: str = DISTRIBUTION) -> dict[str, str]:
    """The versions of all that is installed because of a distribution and its extras, itself not among them."""
    given = importlib.metadata.metadata(distribution).get_all("Provides-Extra") or []
    waiting = [(distribution, frozenset(given) - OURS)]
    seen = set(waiting)
    found: dict[str, str] = {}
    while waiting:
        name, extras = waiting.pop()
        try:
            version = importlib.metadata.version(name)
            new = set(required(name, extras)) - seen
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra that is not installed here
        found[name] = version
        seen |= new
        waiting += new
    del found[canonicalize_name(distribution)]
    return dict(sorted(found.items()))


def audit(pins: list[str]) -> subprocess.CompletedProcess[str]:
    """Ask about exact versions; what cannot be judged counts as found."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("\n".join(pins), "utf-8")
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--strict",
            "--no-deps",
            "--disable-pip",
            "--requirement",
            str(file),
        ]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def main() -> int:
    """Ask, and return the status of the process."""
    if "CVE-2024-22195" not in audit([VULNERABLE]).stdout:
        sys.stdout.write("not audited: no service that knows of vulnerabilities can be reached from here\n")
        return 0
    done = audit([f"{name}=={version}" for name, version in brought_along().items()])
    sys.stdout.write(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
