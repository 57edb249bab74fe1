"""Is everything that the package brings along asked about when its vulnerabilities are looked up?"""

import importlib.metadata

import pytest

pytest.importorskip("packaging", reason="packaging is not installed")

from tests.supply.audit import DISTRIBUTION, brought_along


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("starlette", id="a requirement"),
        pytest.param("cryptography", id="what a requirement requires"),
        pytest.param("cffi", id="what that requires"),
        pytest.param("pytest", id="what an extra requires"),
    ],
)
def test_what_is_brought_along_is_asked_about(name: str) -> None:
    assert brought_along()[name] == importlib.metadata.version(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(DISTRIBUTION, id="itself"),
        pytest.param("hypothesis", id="what only our tests need"),
        pytest.param("mypy", id="what only our gates need"),
    ],
)
def test_what_is_not_brought_along_is_not(name: str) -> None:
    assert name not in brought_along()
