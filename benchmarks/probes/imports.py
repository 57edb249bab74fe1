"""What does an import add to a loaded application? ``python -m benchmarks.probes.imports flask jwt``."""

import importlib
import json
import sys
import time
from dataclasses import is_dataclass
from pathlib import Path

# The line that stands between what was loaded before and what is measured, for ``-X importtime``.
MARK = "benchmarks: here it begins"


def main() -> None:
    """Import the application, then the module; print processor seconds, memory, which modules came, how many values."""
    application, module = sys.argv[1:]
    loaded = importlib.import_module(application)
    if application == "flask":
        loaded.Flask("application")
    before, memory = set(sys.modules), _resident()
    print(MARK, file=sys.stderr, flush=True)
    # Not the clock on the wall: on a busy machine that counts what others do, and files are in the cache already.
    start = time.process_time()
    __import__(module)  # the interpreter accounts for statements and for this, not for importlib
    taken = time.process_time() - start
    came = sorted(set(sys.modules) - before)
    values = sum(_values(name) for name in came if name.partition(".")[0] == module.partition(".")[0])
    print(json.dumps({"seconds": taken, "bytes": _resident() - memory, "modules": came, "values": values}))


def _values(module: str) -> int:
    """How many dataclasses a module makes."""
    members = vars(sys.modules[module]).values()
    return sum(isinstance(one, type) and one.__module__ == module and is_dataclass(one) for one in members)


def _resident() -> int:
    """Bytes of memory that this process has; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text(encoding="ascii").split()[1]) * 4_096 if status.exists() else 0


if __name__ == "__main__":
    main()
