"""Does nothing change without a fleet, and does somebody without its extra read one sentence?"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tokens import AUD

MADE = f"from cfaccess_mw.protection import Protection; made = Protection(team='acme', audience='{AUD}'{{}}); "


def run(alone: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {program}"], cwd=alone, capture_output=True, text=True, check=False
    )


def test_nothing_of_it_is_imported(alone: Path) -> None:
    asked = "print(made.fleet, [one for one in sys.modules if one.partition('.')[0] == 'redis' or '.fleet' in one])"
    assert run(alone, MADE.format("") + asked).stdout == "None []\n"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        pytest.param(
            MADE.format(", fleet='redis://localhost'"),
            "ImportError: cfaccess_mw needs redis for this, which is not installed: pip install 'cfaccess-mw[redis]'",
            id="door",
        ),
        pytest.param(
            "from cfaccess_mw.cli import main; sys.argv[1:] = 'revoke', '--list', '--fleet', 'redis://h'; main()",
            "Error: revoke needs redis: pip install 'cfaccess-mw[redis]'",
            id="command",
        ),
    ],
)
def test_what_is_missing_is_one_sentence(alone: Path, program: str, words: str) -> None:
    failed = run(alone, f"sys.modules['redis'] = None; {program}")
    assert failed.returncode != 0
    assert failed.stderr.splitlines()[-1] == words
