"""How is a probe run in a fresh process, with the same installed package as here?"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# It looks for modules where this process does, so that a probe measures the package that we measure.
_FINDING = """
import os, runpy, sys
sys.path[:] = sys.argv[1].split(os.pathsep)
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


def probed(
    name: str,
    *arguments: str,
    given: str = "",
    flags: tuple[str, ...] = (),
    compiled: Path | None = None,
    patience: float | None = 120,
) -> tuple[Any, str]:
    """Run a probe.

    Args:
        name: Of the file in ``benchmarks/probes``.
        arguments: On its command line.
        given: On its standard input.
        flags: Of the interpreter.
        compiled: Where compiled modules are kept, whatever the environment says about that.
        patience: For how many seconds it may run; None: for ever.

    Returns:
        What it printed, read as JSON, and its standard error.

    Raises:
        RuntimeError: It failed.
    """
    path = os.pathsep.join(sys.path)
    command = [sys.executable, *flags, "-P", "-c", _FINDING, path, f"benchmarks.probes.{name}", *arguments]
    environment = dict(os.environ)
    if compiled is not None:
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(compiled)}
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=patience, check=False, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"the probe {name} failed: {done.stderr[-2_000:]}")
    return json.loads(done.stdout), done.stderr
