"""Does what is imported stand among the requirements, each with a lower bound that is tested?"""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

import cfaccess_mw
from tests.supply.audit import OURS

ROOT = Path(__file__).parents[2]
PACKAGE = Path(cfaccess_mw.__file__).parent

if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("the tests stand alone, without the project's file", allow_module_level=True)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = {name: given for name, given in PROJECT["optional-dependencies"].items() if name not in OURS}
GIVEN = [*PROJECT["dependencies"], *(requirement for given in EXTRAS.values() for requirement in given)]

# Distributions by what is imported of them, where that is not their name.
IMPORTED_AS = {"djangorestframework": "rest_framework", "python-multipart": "python_multipart"}
# What a requirement brings along, and promises to.
BENEATH = {"asgiref": "django", "cryptography": "joserfc", "werkzeug": "flask"}
# What is used where it happens to be, or is there for type checkers alone.
OPTIONAL = {"_typeshed", "trio"}


def name_of(requirement: str) -> str:
    """The distribution that a requirement names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0].lower()


def imported() -> dict[str, set[str]]:
    """The top-level names of others that the package imports, each with the modules that do, function bodies too."""
    found: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(file.relative_to(PACKAGE).as_posix())
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names | {"cfaccess_mw"}}


def test_what_is_imported_is_required() -> None:
    names = {IMPORTED_AS.get(name_of(each), name_of(each).replace("-", "_")) for each in GIVEN}
    names |= {"opentelemetry"} if any(name_of(each).startswith("opentelemetry") for each in GIVEN) else set()
    known = names | OPTIONAL | BENEATH.keys()
    assert {name: sorted(files) for name, files in imported().items() if name not in known} == {}


@pytest.mark.parametrize("name", BENEATH)
def test_what_another_brings_along_it_promises(name: str) -> None:
    try:
        promised = importlib.metadata.requires(BENEATH[name]) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{BENEATH[name]} is not installed")
    assert [each for each in promised if name_of(each) == name and "extra" not in each]


@pytest.mark.parametrize("requirement", sorted(set(GIVEN)))
def test_a_requirement_has_a_lower_bound_and_no_upper_one(requirement: str) -> None:
    """An upper one would shut out the mend of a vulnerability; the lower ones are tried by ``tox -e lowest``."""
    assert re.fullmatch(r"[a-z0-9-]+(\[[a-z,-]+\])?>=[0-9][0-9.]*", requirement)


def test_the_same_distribution_has_the_same_bound_in_every_extra() -> None:
    bounds: dict[str, set[str]] = {}
    for each in GIVEN:
        bounds.setdefault(name_of(each), set()).add(each.partition(">=")[2])
    assert {name: given for name, given in bounds.items() if len(given) > 1} == {}


def test_every_extra_is_tried_at_its_lowest() -> None:
    environment = (ROOT / "tox.ini").read_text("utf-8").partition("[testenv:lowest]")[2].partition("[testenv")[0]
    if not environment:
        pytest.skip("tox.ini has no environment named lowest")
    named = re.search(r"\.\[([a-z0-9,]+)\]", environment)
    assert named
    assert set(named[1].split(",")) == set(EXTRAS)
