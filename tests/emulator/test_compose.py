"""Does the compose file of the examples hold together with the files that it names, and with the command line?"""

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cfaccess_mw.cli.emulate import emulate
from cfaccess_mw.emulator.file import read_file
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.settings import PREFIX, configure

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

EXAMPLES = Path(__file__).parents[2] / "examples"

# The Compose specification's words that are used, and what stands behind them.
_BUILD = {"context": str, "dockerfile_inline": str}
_HEALTH = {"test": list, "interval": str, "retries": int}
_SERVICE = {
    "image": str,
    "build": _BUILD,
    "command": list,
    "volumes": list,
    "ports": list,
    "healthcheck": _HEALTH,
    "network_mode": str,
    "environment": dict,
    "depends_on": dict,
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def access(compose: dict[str, Any]) -> dict[str, Any]:
    service: dict[str, Any] = compose["services"]["access"]
    return service


@pytest.fixture(scope="module")
def application(compose: dict[str, Any]) -> dict[str, Any]:
    service: dict[str, Any] = compose["services"]["application"]
    return service


@pytest.fixture(scope="module")
def team() -> dict[str, Any]:
    return read_file(EXAMPLES / "emulator.toml")


def check(value: Any, form: Any, where: str) -> None:
    if isinstance(form, dict):
        assert isinstance(value, dict), where
        assert set(value) <= set(form), where
        for name in value:
            check(value[name], form[name], f"{where}.{name}")
    else:
        assert isinstance(value, form), where


def test_the_file_has_the_form_of_the_specification(compose: dict[str, Any]) -> None:
    assert set(compose) == {"name", "services"}
    for name, service in compose["services"].items():
        check(service, _SERVICE, name)
        assert all(isinstance(word, str) for word in service["command"])
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert compose["services"][other]["healthcheck"]["test"][0] == "CMD"


def test_what_is_mounted_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service["volumes"]:
            here, there, mode = volume.split(":")
            assert (EXAMPLES / here).is_file()
            assert Path(there).name == Path(here).name
            assert mode == "ro"


def test_the_emulator_s_command_is_one(access: dict[str, Any]) -> None:
    program, command, *arguments = access["command"]
    assert (program, command) == ("cfaccess", "emulate")
    given = emulate.make_context(command, list(arguments)).params
    assert given["config"] == access["volumes"][0].split(":")[1]
    assert (given["host"], given["allow_remote"], given["anyone_may_sign_in"]) == ("0.0.0.0", True, True)


def test_nobody_but_this_machine_reaches_it(
    access: dict[str, Any], application: dict[str, Any], team: dict[str, Any]
) -> None:
    assert access["ports"] == [f"127.0.0.1:{team['port']}:{team['port']}"]
    assert application["network_mode"] == "service:access"
    assert "ports" not in application
    assert "--host=127.0.0.1" in application["command"]


def test_the_two_find_each_other(
    access: dict[str, Any],
    application: dict[str, Any],
    team: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, admin = team["applications"]
    environment = application["environment"]
    assert f"--port={urlsplit(team['upstream']).port}" in application["command"]
    assert environment["ADMIN_AUDIENCE"] == admin.audience
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = configure()
    assert config.audience == (root.audience,)
    assert config.teams[0].base_url == f"http://127.0.0.1:{team['port']}"
    assert config.teams[0].issuer == f"https://{team['team']}.cloudflareaccess.com"
    assert config.teams[0].certs_url in " ".join(access["healthcheck"]["test"])


@pytest.mark.anyio
async def test_the_application_is_protected(
    application: dict[str, Any], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in application["environment"].items():
        monkeypatch.setenv(name, value)
    app = _load(EXAMPLES / "application.py").app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/admin/x")).status_code == 401
    app.protection.close()


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
