"""What a Flask application can say about Access, and where."""

from typing import Any

import pytest
from flask import Flask

from cfaccess_mw import AccessConfig, ConfigurationError
from cfaccess_mw.contrib.flask import CfAccess
from cfaccess_mw.core.config import AccessConfig as Config
from tests.tokens import AUD, OTHER_AUD


def read(said: dict[str, Any], *given: Any, **options: Any) -> Config:
    app = Flask("configured")
    app.config.update(said)
    access = CfAccess(app, *given, **options)
    with app.app_context():
        config = access.protection.config
        access.protection.close()
    return config


THEIRS = {"CLOUDFLARE_ACCESS_TEAM": "acme", "CLOUDFLARE_ACCESS_AUD": AUD}


@pytest.mark.parametrize(
    ("said", "options", "expected"),
    [
        pytest.param(THEIRS, {}, {}, id="flask-cfaccess"),
        pytest.param({"CFACCESS": {"team": "acme", "audience": AUD}}, {}, {}, id="mapping"),
        pytest.param({"CFACCESS_TEAM": "acme", "CFACCESS_AUDIENCE": AUD}, {}, {}, id="keys"),
        pytest.param({}, {"team": "acme", "audience": AUD}, {}, id="keywords"),
        pytest.param({**THEIRS, "CFACCESS_LEEWAY": 10}, {}, {"leeway": 10}, id="flask-cfaccess-and-keys"),
        pytest.param({**THEIRS, "CFACCESS": {"leeway": 10}}, {}, {"leeway": 10}, id="flask-cfaccess-and-mapping"),
        pytest.param({**THEIRS, "CFACCESS_LEEWAY": 10}, {"leeway": 20}, {"leeway": 20}, id="keywords-come-first"),
        pytest.param(
            {**THEIRS, "CFACCESS_LEEWAY": 10, "CFACCESS": {"leeway": 15}}, {}, {"leeway": 15}, id="then-the-mapping"
        ),
        pytest.param(
            {**THEIRS, "CFACCESS_AUDIENCE": [AUD, OTHER_AUD]}, {}, {"audience": (AUD, OTHER_AUD)}, id="then-ours"
        ),
        pytest.param({"CFACCESS": AccessConfig(team="acme", audience=AUD)}, {}, {}, id="ready"),
    ],
)
def test_where_it_stands(said: dict[str, Any], options: Any, expected: dict[str, Any]) -> None:
    config = read(said, **options)
    assert config == AccessConfig(**{"team": "acme", "audience": AUD, **expected})


def test_a_ready_configuration_is_all_there_is() -> None:
    ready = AccessConfig(team="other", audience=OTHER_AUD)
    for said in (THEIRS, {"CFACCESS": AccessConfig(team="acme", audience=AUD)}):
        assert read(said, ready) is ready


def test_the_environment_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFACCESS_TEAM", "acme")
    monkeypatch.setenv("CFACCESS_AUDIENCE", OTHER_AUD)
    assert read({}).audience == (OTHER_AUD,)
    assert read({"CLOUDFLARE_ACCESS_AUD": AUD}).audience == (AUD,)
    assert read({**THEIRS, "CFACCESS_LEEWAY": 10}).audience == (AUD,)


@pytest.mark.parametrize(
    ("said", "options", "message"),
    [
        pytest.param({}, {}, "team: is missing", id="nothing"),
        pytest.param({"CLOUDFLARE_ACCESS_TEAM": "acme"}, {}, "audience: is missing", id="no-audience"),
        pytest.param({**THEIRS, "CLOUDFLARE_ACCESS_AUD": ""}, {}, "audience: ", id="empty-as-in-the-documentation"),
        pytest.param({**THEIRS, "CFACCESS_LEWAY": 3}, {}, "leway: .* did you mean 'leeway'", id="unknown"),
        pytest.param({**THEIRS, "CFACCESS": {"leway": 3}}, {}, "leway: .* did you mean 'leeway'", id="unknown-inside"),
        pytest.param({**THEIRS, "CFACCESS": 3}, {}, "config: ", id="no-mapping"),
        pytest.param(THEIRS, {"protect_all": "yes"}, "protect_all: .* true or false", id="protect-all"),
        pytest.param({**THEIRS, "CFACCESS_PROTECT_ALL": True}, {}, "protect_all: is not a key", id="not-in-config"),
        pytest.param(
            {"CFACCESS": AccessConfig(team="acme", audience=AUD)}, {"leeway": 3}, "leeway: stands beside", id="both"
        ),
    ],
)
def test_mistakes_end_at_start(said: dict[str, Any], options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(said, **options)
