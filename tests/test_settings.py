"""Is there one set of names, wherever a configuration is written, and one place it is read from?"""

import dataclasses
import os
from typing import Any

import pytest

from cfaccess_mw import settings
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.settings import configure, from_environment
from tests.tokens import AUD, OTHER_AUD

SECRET = "sup3rs3cr3t"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have variables of our names."""
    for variable in [
        name for name in os.environ if name.startswith("CFACCESS_") or name in {"TEAM_DOMAIN", "POLICY_AUD"}
    ]:
        monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"PATH": "/bin", "TEAM": "x", "MY_CFACCESS_TEAM": "x"}, {}, id="other-peoples-variables"),
        pytest.param({"CFACCESS_TEAM": "acme"}, {"team": ("acme",)}, id="team"),
        pytest.param({"CFACCESS_TEAM": " acme , other,"}, {"team": ("acme", "other")}, id="teams"),
        pytest.param({"CFACCESS_TEAM": ","}, {"team": ()}, id="only-a-comma"),
        pytest.param({"CFACCESS_TEAM": ""}, {}, id="empty-counts-as-absent"),
        pytest.param({"CFACCESS_AUDIENCE": f"{AUD},{OTHER_AUD}"}, {"audience": (AUD, OTHER_AUD)}, id="audience"),
        pytest.param({"CFACCESS_TEAM_URL": "http://localhost:1"}, {"team_url": "http://localhost:1"}, id="team-url"),
        pytest.param({"CFACCESS_CERTS_URL": "https://c.example"}, {"certs_url": "https://c.example"}, id="certs-url"),
        pytest.param({"CFACCESS_ISSUER": "https://i.example"}, {"issuer": "https://i.example"}, id="issuer"),
        pytest.param({"CFACCESS_KEYS": "/etc/keys.json"}, {"keys": "/etc/keys.json"}, id="keys"),
        pytest.param({"CFACCESS_LEEWAY": "5"}, {"leeway": 5.0}, id="leeway"),
        pytest.param({"CFACCESS_MAX_AGE": "3600.5"}, {"max_age": 3600.5}, id="max-age"),
        pytest.param({"CFACCESS_COLD_WAIT": "1e1"}, {"cold_wait": 10.0}, id="cold-wait"),
        pytest.param({"CFACCESS_HARD_TTL": "600"}, {"hard_ttl": 600.0}, id="hard-ttl"),
        pytest.param({"CFACCESS_UNAUTHENTICATED_STATUS": "403"}, {"unauthenticated_status": 403}, id="status"),
        pytest.param({"CFACCESS_SCRUB": "X-User, X-Groups"}, {"scrub": ("X-User", "X-Groups")}, id="scrub"),
        pytest.param({"CFACCESS_REMOTE_USER": "email"}, {"remote_user": "email"}, id="remote-user"),
        *(
            pytest.param({f"CFACCESS_{key}": text}, {key.lower(): value}, id=f"{key.lower()}-{text}")
            for key in ("COOKIE", "HOST_ROUTING", "CERTIFICATES", "ALLOW_PREFLIGHT")
            for text, value in {"true": True, "True": True, "1": True, "yes": True, "ON": True}.items()
        ),
        *(
            pytest.param({"CFACCESS_COOKIE": text}, {"cookie": False}, id=f"cookie-{text}")
            for text in ("false", "FALSE", "0", "no", "off")
        ),
        pytest.param(
            {"TEAM_DOMAIN": "https://acme.cloudflareaccess.com"},
            {"team": ("https://acme.cloudflareaccess.com",)},
            id="alias-team",
        ),
        pytest.param({"POLICY_AUD": AUD}, {"audience": (AUD,)}, id="alias-audience"),
        pytest.param({"TEAM_DOMAIN": "", "POLICY_AUD": ""}, {}, id="empty-aliases"),
        pytest.param({"TEAM_DOMAIN": "old", "CFACCESS_TEAM": "acme"}, {"team": ("acme",)}, id="ours-before-the-alias"),
        pytest.param(
            {"CFACCESS_TEAM": "acme", "TEAM_DOMAIN": "old"},
            {"team": ("acme",)},
            id="ours-before-the-alias-in-any-order",
        ),
        pytest.param(
            {"CFACCESS_TEAM": "", "TEAM_DOMAIN": "old"}, {"team": ("old",)}, id="the-alias-where-ours-is-empty"
        ),
        pytest.param(
            {"POLICY_AUD": "x", "CFACCESS_AUDIENCE": AUD}, {"audience": (AUD,)}, id="audience-before-the-alias"
        ),
    ],
)
def test_variables_are_read_by_name(environ: dict[str, str], found: dict[str, Any]) -> None:
    read = from_environment(environ)
    assert read == found
    assert {key: type(value) for key, value in read.items()} == {key: type(value) for key, value in found.items()}


@pytest.mark.parametrize(
    ("variable", "value", "mend"),
    [
        pytest.param("CFACCESS_LEEWAY", SECRET, "give a number of seconds", id="leeway"),
        pytest.param("CFACCESS_LEEWAY", "30s", "give a number of seconds", id="leeway-unit"),
        pytest.param("CFACCESS_MAX_AGE", "1h", "give a number of seconds", id="max-age"),
        pytest.param("CFACCESS_COLD_WAIT", "five", "give a number of seconds", id="cold-wait"),
        pytest.param("CFACCESS_HARD_TTL", "1,5", "give a number of seconds", id="hard-ttl"),
        pytest.param("CFACCESS_UNAUTHENTICATED_STATUS", "401.0", "give a whole number", id="status-float"),
        pytest.param("CFACCESS_UNAUTHENTICATED_STATUS", SECRET, "give a whole number", id="status"),
        pytest.param("CFACCESS_COOKIE", "maybe", "give true or false", id="cookie"),
        pytest.param("CFACCESS_COOKIE", "true,", "give true or false", id="cookie-space"),
        pytest.param("CFACCESS_HOST_ROUTING", SECRET, "give true or false", id="host-routing"),
        pytest.param("CFACCESS_RULES", "/healthz", "configure in code", id="rules"),
        pytest.param("CFACCESS_FETCHER", "my.fetcher", "configure in code", id="fetcher"),
        pytest.param("CFACCESS_LISTENERS", "my.listener", "configure in code", id="listeners"),
    ],
)
def test_what_cannot_be_read_is_told_by_the_name_of_the_variable(variable: str, value: str, mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable}: .*{mend}") as refused:
        from_environment({variable: value})
    assert value not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_every_key_is_read_from_a_variable_or_said_not_to_be() -> None:
    keys = {field.name for field in dataclasses.fields(AccessConfig) if field.init}
    assert settings._READERS.keys() | settings._ONLY_IN_CODE == keys
    assert not settings._READERS.keys() & settings._ONLY_IN_CODE


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param(
            {"CFACCESS_LEEWEY": "5"}, "leewey: is not a key of the environment; did you mean 'leeway'", id="near"
        ),
        pytest.param({"CFACCESS_VERIFY": "off"}, "verify: is not a key of the environment; known are", id="verify-off"),
        pytest.param({"CFACCESS_": "x"}, ": is not a key of the environment", id="prefix-alone"),
        pytest.param({"CFACCESS_LEEWAY": "nan"}, "leeway: is a number; give seconds from 0 to 300", id="nan"),
        pytest.param({"CFACCESS_HARD_TTL": "inf"}, "hard_ttl: is a number", id="infinite"),
        pytest.param({"CFACCESS_TEAM": ","}, "team: is empty", id="no-team"),
        pytest.param(
            {"CFACCESS_UNAUTHENTICATED_STATUS": "200"}, "unauthenticated_status: is a number; give 401 or 403", id="200"
        ),
    ],
)
def test_a_variable_is_checked_like_an_argument(
    environ: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"CFACCESS_TEAM": "acme", "CFACCESS_AUDIENCE": AUD, **environ}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        configure()


@pytest.fixture
def left_over(no_variables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that somebody else filled."""
    monkeypatch.setenv("CFACCESS_TEAM", "evil")
    monkeypatch.setenv("TEAM_DOMAIN", "evil")
    monkeypatch.setenv("CFACCESS_AUDIENCE", OTHER_AUD)
    monkeypatch.setenv("CFACCESS_COOKIE", "true")
    monkeypatch.setenv("CFACCESS_LEEWAY", "300")
    monkeypatch.setenv("CFACCESS_TEAM_URL", "https://evil.example")


PLAIN = AccessConfig(team="acme", audience=AUD)


@pytest.mark.usefixtures("left_over")
def test_what_the_code_says_no_environment_changes() -> None:
    assert configure(PLAIN) is PLAIN
    assert configure({"team": "acme", "audience": AUD}) == PLAIN
    assert configure(team="acme", audience=AUD) == PLAIN
    with pytest.raises(ConfigurationError, match=r"^audience: is missing in the keyword arguments"):
        configure(team="acme")
    with pytest.raises(ConfigurationError, match=r"^audience: is missing in the configuration"):
        configure({"team": "acme"})
    with pytest.raises(ConfigurationError, match=r"^team: is None"):
        configure(team=None, audience=AUD)


@pytest.mark.usefixtures("left_over")
def test_without_a_team_the_environment_says_what_the_code_leaves_out() -> None:
    made = configure(audience=AUD, leeway=5)
    assert (made.team, made.audience, made.leeway, made.cookie) == (("evil",), (AUD,), 5, True)


@pytest.mark.parametrize("variable", ["CFACCESS_TEAM", "TEAM_DOMAIN"])
def test_the_processs_own_environment_is_read(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "acme")
    monkeypatch.setenv("POLICY_AUD", AUD)
    assert configure() == PLAIN


def test_nothing_anywhere_is_an_error_that_says_what_to_give() -> None:
    with pytest.raises(ConfigurationError, match=r"^team: is missing in the environment; give the name of your Access"):
        configure()


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        pytest.param(PLAIN, {"leeway": 5}, "leeway: stands beside a ready configuration", id="config-and-option"),
        pytest.param({}, {"team": "acme"}, "team: stands beside a ready configuration", id="mapping-and-option"),
        pytest.param("acme", {}, "config: is text of 4 characters; give an AccessConfig or a mapping", id="text"),
        pytest.param(["acme"], {}, "config: is a list of 1; give", id="list"),
        pytest.param(False, {}, "config: is a boolean; give", id="false"),
        pytest.param({}, {}, "team: is missing in the configuration", id="empty-mapping-is-no-environment"),
        pytest.param(
            None, {"team": "acme", "audience": AUD, "tema": 1}, "tema: is not a key of the keyword arguments", id="near"
        ),
    ],
)
def test_what_cannot_be_a_configuration_is_refused(config: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        configure(config, **options)
