"""Is the package what it says: its names, its version, and, where tox says so, the wheel that was built?"""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cfaccess_mw


def test_the_public_names_are_pinned() -> None:
    assert cfaccess_mw.__all__ == sorted(cfaccess_mw.__all__)
    assert {name for name in cfaccess_mw.__all__ if not hasattr(cfaccess_mw, name)} == set()
    assert cfaccess_mw.__all__ == [
        "AccessConfig",
        "AccessError",
        "ConfigurationError",
        "Identity",
        "InvalidToken",
        "KeysUnavailable",
        "NotPermitted",
        "Refused",
        "Rule",
        "current_identity",
        "login_url",
        "logout_url",
    ]


def test_what_is_not_code_is_installed_too() -> None:
    files = {str(file) for file in importlib.metadata.files("cfaccess-mw") or ()}
    if not any(file.startswith("cfaccess_mw/") for file in files):
        pytest.skip("installed from the source tree: there is no list of files")
    assert {
        "cfaccess_mw/py.typed",
        "cfaccess_mw/wire/refusal.html",
        "cfaccess_mw/emulator/style.css",
        "cfaccess_mw/edge/cloudflare-ranges.json",
    } <= files


@pytest.mark.skipif(os.environ.get("TESTED_PACKAGE") != "wheel", reason="only tox tests the wheel")
def test_the_wheel_is_what_is_tested() -> None:
    assert "site-packages" in Path(cfaccess_mw.__file__).parts


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        pytest.param("cfaccess_mw.wsgi", ["httpx", "anyio", "starlette", "asyncio", "click", "uvicorn"], id="wsgi"),
        pytest.param("cfaccess_mw.asgi", ["httpx", "flask", "django", "click", "uvicorn"], id="asgi"),
        pytest.param("cfaccess_mw", ["httpx", "anyio", "starlette", "flask", "django"], id="package"),
    ],
)
def test_nothing_is_imported_before_it_is_needed(module: str, absent: list[str]) -> None:
    script = f"import sys, {module}; print(*sorted(set({absent!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
