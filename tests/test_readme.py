"""Does what the README shows work as it stands there?"""

import re
from pathlib import Path
from typing import Any

import django.conf
import pytest

from cfaccess_mw import Rule
from cfaccess_mw.core.config import AccessConfig

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """All Python blocks of the README, run one after the other."""
    if not django.conf.settings.configured:
        django.conf.settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
    names: dict[str, Any] = {"__name__": __name__}
    for block in BLOCKS:
        exec(compile(block, str(README), "exec"), names)
    return names


def test_every_block_runs(shown: dict[str, Any]) -> None:
    assert len(BLOCKS) >= 6
    assert all(isinstance(rule, Rule) for rule in shown["rules"])


def test_every_option_is_named_with_its_default() -> None:
    section = README.read_text(encoding="utf-8").partition("### Options")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", section, re.MULTILINE)
    named = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    config = AccessConfig(team="acme", audience="aud")
    given = {name for name, known in AccessConfig.__dataclass_fields__.items() if known.init}
    assert named.keys() == given
    for name, default in named.items():
        if default.startswith("`"):
            assert default.strip("`") == repr(getattr(config, name)).replace("'", '"')


def test_the_commands_are_marked_for_ci() -> None:
    text = README.read_text(encoding="utf-8")
    assert re.search(r"<!-- the tests -->\n```sh\n.*pytest", text)
    assert re.search(r"<!-- the demonstration -->\n```sh\n.*cfaccess_mw demo\n", text)
