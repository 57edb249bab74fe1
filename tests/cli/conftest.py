"""What do the tests of the commands share? Files of a team, and a shell."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cfaccess_mw.cli.commands import cfaccess

EXAMPLE = Path(__file__).parents[2] / "examples" / "access.toml"

Run = Callable[..., Result]

CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
DOCUMENTS: dict[str, object] = {
    "alice.json": {"email": "alice@example.com"},
    "named.json": {"email": "alice@example.com", "sub": "7335d417-61da-459d-899c-0a01c76a2f94", "country": "US"},
    "hook.json": {"common_name": CLIENT_ID},
    "other-hook.json": {"common_name": "0" * 32 + ".access"},
    "admins.json": {"groups": ["admins"]},
    "staff.json": {"groups": ["staff"]},
    "list.json": [],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run: the example, and who may ask."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("CFACCESS_")]:
        monkeypatch.delenv(variable)
    for variable in ("TEAM_DOMAIN", "POLICY_AUD"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "access.toml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    for name, document in DOCUMENTS.items():
        (tmp_path / name).write_text(json.dumps(document))
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run a command in that folder; whatever happens, nobody sees a traceback."""

    def run(*arguments: str, stdin: str | None = None, status: int = 0) -> Result:
        result = CliRunner().invoke(cfaccess, arguments, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        assert result.exit_code == status, result.output
        return result

    return run
