"""What somebody reads who uses a part of the package without what its extra installs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cfaccess_mw.extras import EXTRAS, needs


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_each_is_an_extra_of_the_distribution(extra: str) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert extra in project["project"]["optional-dependencies"]


@pytest.mark.parametrize(
    ("extra", "name"), [(extra, name) for extra, names in sorted(EXTRAS.items()) for name in sorted(names)]
)
def test_a_missing_framework_is_one_sentence(extra: str, name: str) -> None:
    wanted = f"cfaccess_mw needs {name} for this, which is not installed: pip install 'cfaccess-mw[{extra}]'"
    with pytest.raises(ImportError, match=re.escape(wanted)) as caught, needs(extra):
        raise ModuleNotFoundError(f"No module named '{name}.part'", name=f"{name}.part")
    assert caught.value.name == name


def test_another_missing_module_keeps_its_own_name() -> None:
    with pytest.raises(ModuleNotFoundError, match="elsewhere"), needs("flask"):
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")


def test_fastapi_is_asked_for_by_its_module_alone() -> None:
    program = "import sys; sys.modules['fastapi'] = None; import cfaccess_mw.contrib.starlette; {}"
    command = [sys.executable, "-c", program.format("")]
    subprocess.run(command, check=True)
    command = [sys.executable, "-c", program.format("import cfaccess_mw.contrib.fastapi")]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.stderr.splitlines()[-1].endswith("pip install 'cfaccess-mw[fastapi]'")
