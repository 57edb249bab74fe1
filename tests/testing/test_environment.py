"""An application that knows nothing but its environment is protected by the kit, and asks nobody else."""

import os
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from cfaccess_mw import ConfigurationError, Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.settings import configure
from cfaccess_mw.testing import AccessKit
from tests.testing.conftest import asgi_app


def _ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("CFACCESS_")}


@pytest.mark.parametrize(
    ("who", "groups", "status"),
    [
        pytest.param("alice@example.com", ["admins"], 200, id="in"),
        pytest.param("bob@example.com", ["staff"], 403, id="out"),
    ],
)
def test_lookups_are_answered_on_loopback(who: str, groups: list[str], status: int) -> None:
    with AccessKit() as kit:
        app = AccessMiddleware(asgi_app, rules=[Rule.allow("/admin/*", groups=["admins"])])
        client = kit.sign_in(TestClient(app), who, groups=groups)
        assert client.get("/admin").status_code == status


@pytest.mark.parametrize(
    ("code", "status"),
    [("session-ended", 401), ("identity-unavailable", 503), ("expired", 401), ("bad-signature", 401)],
)
def test_refusals(code: str, status: int) -> None:
    with AccessKit() as kit:
        app = AccessMiddleware(asgi_app, rules=[Rule.allow("/admin/*", groups=["admins"])])
        answer = kit.sign_in(TestClient(app), kit.refused(code)).get("/admin")
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_environment_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFACCESS_TEAM", "before")
    monkeypatch.setenv("CFACCESS_CERTS_URL", "https://before.example.com/certs")
    monkeypatch.setenv("CFACCESS_ISSUER", "https://before.example.com")
    monkeypatch.setenv("CFACCESS_LEEWAY", "7")
    monkeypatch.delenv("CFACCESS_KEYS", raising=False)
    before = _ours()
    with AccessKit(audience=["one", "two"]) as kit, kit.in_environment():
        config = configure()
        assert (config.audience, config.leeway) == (("one", "two"), 7)
        assert config.certs_url is config.issuer is None
    assert _ours() == before


def test_closing_closes() -> None:
    kit = AccessKit()
    variables = kit.environment()
    assert kit.environment() == variables
    kit.environment().clear()
    assert kit.environment() == variables
    assert not _ours().items() & variables.items()
    kit.close()
    kit.close()
    assert not Path(variables["CFACCESS_KEYS"]).parent.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(variables["CFACCESS_TEAM_URL"], trust_env=False)
    again = kit.environment()
    assert Path(again["CFACCESS_KEYS"]).exists()
    kit.close()


def test_what_is_left_of_a_kit_starts_no_application(monkeypatch: pytest.MonkeyPatch) -> None:
    with AccessKit() as kit:
        left = kit.environment()
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="keys: the file cannot be read"):
        AccessMiddleware(asgi_app)


def test_the_endpoint_answers_its_one_question_only(kit: AccessKit) -> None:
    url, token = kit.environment()["CFACCESS_TEAM_URL"], kit.user("alice@example.com", groups=["admins"])
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/cdn-cgi/access/get-identity").status_code == 404
        assert client.get("/", headers={"Cookie": f"CF_Authorization={token}"}).status_code == 404
        asked = client.get("/cdn-cgi/access/get-identity", headers={"Cookie": f"CF_Authorization={token}"})
        assert (asked.status_code, asked.json()["groups"]) == (200, ["admins"])
        assert client.post("/cdn-cgi/access/get-identity").status_code == 501
