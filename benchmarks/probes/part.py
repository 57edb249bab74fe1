"""What are the figures of one part of the command? ``python -m benchmarks.probes.part benchmarks.goals.remembered``."""

import importlib
import json
import sys

from benchmarks.options import Options


def main() -> None:
    """Read the options from standard input, and print the sections."""
    module = importlib.import_module(sys.argv[1])
    options = Options.received(sys.stdin.read())
    print(json.dumps([section.as_json() for section in module.run(options)]))


if __name__ == "__main__":
    main()
