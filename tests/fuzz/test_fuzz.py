"""Do the inputs that fuzzing found worth keeping still hold, and do a few seconds more find nothing?

``python -m tests.fuzz`` is the long run.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

SECONDS = "FUZZ_SECONDS"
MOST = 200_000  # bytes of the whole corpus


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_holds(target: str) -> None:
    inputs = corpus.load(target)
    assert len(inputs) > 5
    for data in inputs:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_written_as_it_is_saved(target: str) -> None:
    lines = (corpus.FOLDER / f"{target}.txt").read_text("ascii").splitlines()
    assert lines == sorted({corpus.line_of(data) for data in corpus.load(target)} - {""})


def test_the_corpus_is_small() -> None:
    assert sum(file.stat().st_size for file in corpus.FOLDER.iterdir()) < MOST


def test_every_file_of_the_corpus_is_a_targets() -> None:
    assert {file.stem for file in corpus.FOLDER.iterdir()} == set(TARGETS)


def test_what_takes_no_new_way_is_not_kept() -> None:
    run = TARGETS["token"]
    kept = corpus.minimise(run, [b"a.bb.cc", b"", b"x.yy.zz", b"a.b", b"a.b.c.d"])
    assert kept == [b"", b"a.bb.cc"], "of those of which the same comes, the first of the shortest"


@pytest.mark.skipif(SECONDS not in os.environ, reason="FUZZ_SECONDS says how long each target is fuzzed")
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: it has wheels for Linux and CPython 3.11 to 3.14",
)
@pytest.mark.parametrize("target", TARGETS)
def test_some_seconds_of_fuzzing_find_nothing(target: str, alone: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", target, "--seconds", os.environ[SECONDS]]
    environment = {**os.environ, "PYTHONPATH": str(alone)}
    done = subprocess.run(command, cwd=alone, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
