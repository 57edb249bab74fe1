"""Fuzz a part of the package that reads what strangers send, guided by coverage::

    python -m tests.fuzz token --seconds 600 --keep

What the run finds to be new is forgotten, unless ``--keep`` merges it into the corpus in this folder, minimised: give
it when a reader has changed. An input that breaks something is printed as a line of the corpus, and added to it by hand
together with the mend. atheris has to be installed; it has wheels for Linux and CPython 3.11 to 3.14.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

LIMITS = (
    "-timeout=5",  # seconds for one input
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
    "-max_len=4096",
)


def libfuzzer(target: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run libFuzzer, and return what it said."""
    command = [sys.executable, "-m", "tests.fuzz.child", target, *LIMITS, *options]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )


def say(line: str) -> None:
    """Tell whoever runs this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def fuzz(target: str, *, seconds: int, keep: bool) -> int:
    """Fuzz one target, and return 0, or 1 where something was found."""
    with tempfile.TemporaryDirectory() as folder:
        known, found = (Path(folder, name) for name in ("known", "found"))
        for each in (known, found):
            each.mkdir()
        corpus.unpack(corpus.load(target), known)
        done = libfuzzer(target, f"-max_total_time={seconds}", f"-artifact_prefix={found}/", str(known))
        told = [line for line in done.stdout.splitlines() if line.startswith("stat::number_of_executed_units")]
        say(f"{target}: {told[0].split()[-1] if told else 'no'} inputs in {seconds} s")
        if done.returncode != 0:
            say("\n".join(line for line in done.stdout.splitlines() if not line.startswith(("#", "INFO"))))
            for data in corpus.pack(found):
                say(f"{target}: an input that breaks it:\n{corpus.line_of(data)}")
            return 1
        if keep:
            kept = corpus.minimise(TARGETS[target], corpus.pack(known))
            say(f"{target}: {corpus.save(target, [*corpus.load(target), *kept])} inputs kept")
    return 0


def main() -> int:
    """Read the command line, and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what strangers send.")
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=int, default=60, help="how long each target is fuzzed (60)")
    parser.add_argument("--keep", action="store_true", help="merge what is new into the corpus")
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed; pip install atheris (Linux, CPython 3.11 to 3.14)")
    targets = list(TARGETS) if given.target == "all" else [given.target]
    return max(fuzz(target, seconds=given.seconds, keep=given.keep) for target in targets)


if __name__ == "__main__":
    sys.exit(main())
