"""The process that libFuzzer takes over: ``python -m tests.fuzz.child TARGET [libFuzzer's options and folders]``."""

import importlib
import sys


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    target, *options = sys.argv[1:]
    atheris = importlib.import_module("atheris")  # not at the top: it has no wheels for some Pythons
    with atheris.instrument_imports(include=["cfaccess_mw"]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    atheris.Setup([sys.argv[0], *options], targets[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
