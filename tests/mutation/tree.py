"""Where is the package broken on purpose? In a copy of its source and tests, which their own copy imports."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# All that the tests of the core and of the wire read.
_FOLDERS = ("cfaccess_mw", "tests")
_FILES = ("pyproject.toml", "README.md")

# Neither in random order, nor side by side, nor with anything kept: a mutant and a removed check meet the same tests.
PYTEST = ("-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider")


def copy_to(folder: Path) -> None:
    """Copy what the tests need into a folder."""
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module's command in the copy, which is found before any installed package."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
