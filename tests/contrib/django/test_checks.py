"""What does ``manage.py check`` find, and does it keep quiet where nothing is wrong?"""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from cfaccess_mw import Rule
from cfaccess_mw.contrib.django import checks
from cfaccess_mw.contrib.django.backends import AccessBackend
from cfaccess_mw.contrib.django.middleware import AccessMiddleware
from tests.contrib.django.conftest import ROBOT
from tests.contrib.django.settings import AUTHENTICATION, DOOR, MIDDLEWARE, MODEL_BACKEND, SESSIONS, USERS
from tests.tokens import AUD

SECURITY = "django.middleware.security.SecurityMiddleware"
REMOTE = "django.contrib.auth.middleware.RemoteUserMiddleware"
PERSISTENT = "django.contrib.auth.middleware.PersistentRemoteUserMiddleware"
GOOD = {"team": "acme", "audience": AUD}


class Own(AccessBackend):
    """A project's own."""


class Door(AccessMiddleware):
    """A project's own."""


def ids(deploy: bool = False, **settings: Any) -> list[str]:
    """The ids of our checks that find something."""
    with override_settings(**{"CFACCESS": GOOD, "REST_FRAMEWORK": {}, **settings}):
        found = run_checks(include_deployment_checks=deploy)
    ours = [message for message in found if str(message.id).startswith("cfaccess.")]
    assert all(message.hint for message in ours)
    return sorted(str(message.id).removeprefix("cfaccess.") for message in ours)


def with_users(**users: Any) -> dict[str, Any]:
    return {"CFACCESS_USERS": users}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, [], id="all-well"),
        pytest.param({"MIDDLEWARE": [SECURITY, *MIDDLEWARE]}, [], id="security-first"),
        pytest.param({"CFACCESS": {"team": "acme"}}, ["E001"], id="no-audience"),
        pytest.param({"CFACCESS": None}, ["E001"], id="no-settings-at-all"),
        pytest.param({"CFACCESS": {**GOOD, "leeway": -1}}, ["E001"], id="bad-value"),
        pytest.param({"CFACCESS": 3}, ["E001"], id="no-mapping"),
        pytest.param({"CFACCESS": {**GOOD, "refusal_template": "/nowhere.html"}}, ["E001"], id="no-template"),
        pytest.param({"MIDDLEWARE": MIDDLEWARE[1:]}, ["E002"], id="no-door"),
        pytest.param({"MIDDLEWARE": [SESSIONS, AUTHENTICATION, DOOR, USERS]}, ["E003", "E003"], id="door-too-late"),
        pytest.param({"MIDDLEWARE": ["tests.contrib.django.asking.in_thread", *MIDDLEWARE]}, ["E003"], id="foreign"),
        pytest.param({"MIDDLEWARE": [*MIDDLEWARE, REMOTE]}, ["E004"], id="remote-user"),
        pytest.param({"MIDDLEWARE": [*MIDDLEWARE, PERSISTENT]}, ["E004"], id="remote-user-subclass"),
        pytest.param({"MIDDLEWARE": [DOOR, SESSIONS, USERS, AUTHENTICATION]}, ["E005"], id="users-too-early"),
        pytest.param({"MIDDLEWARE": [DOOR, SESSIONS, USERS]}, ["E005"], id="no-authentication"),
        pytest.param({"AUTHENTICATION_BACKENDS": [MODEL_BACKEND]}, ["E006"], id="no-backend"),
        pytest.param({"MIDDLEWARE": [DOOR, SESSIONS, AUTHENTICATION]}, ["W007"], id="backend-alone"),
        pytest.param(
            {
                "MIDDLEWARE": [DOOR, SESSIONS, AUTHENTICATION],
                "REST_FRAMEWORK": {
                    "DEFAULT_AUTHENTICATION_CLASSES": ["cfaccess_mw.contrib.django.drf.AccessAuthentication"]
                },
            },
            [],
            id="backend-for-drf",
        ),
        pytest.param(
            {"MIDDLEWARE": [DOOR, SESSIONS, AUTHENTICATION], "AUTHENTICATION_BACKENDS": [MODEL_BACKEND]},
            [],
            id="no-users-at-all",
        ),
        pytest.param({"AUTHENTICATION_BACKENDS": [f"{__name__}.Own"]}, [], id="backend-subclass"),
        pytest.param({"MIDDLEWARE": [f"{__name__}.Door", *MIDDLEWARE[1:]]}, [], id="door-subclass"),
        pytest.param({"AUTHENTICATION_BACKENDS": ["nowhere.Backend", f"{__name__}.Own"]}, [], id="another-is-broken"),
        pytest.param(with_users(kye="id"), ["E008"], id="users-unknown-key"),
        pytest.param(with_users(key="id", field="first_name"), ["E009"], id="field-not-unique"),
        pytest.param(with_users(key="id"), [], id="unique-by-default"),
        pytest.param(with_users(field="username"), [], id="field-unique"),
        pytest.param({"CFACCESS_TEAM": "acme", "CFACCESS_USER": {}}, ["E010", "E010"], id="nobody-reads"),
        pytest.param(with_users(field="nope"), ["E011"], id="no-such-field"),
        pytest.param({"AUTH_USER_MODEL": "accounts.Account"}, [], id="own-model"),
        pytest.param(
            {"AUTH_USER_MODEL": "accounts.Badge", **with_users(field="number")}, [], id="unique-by-constraint"
        ),
        pytest.param({"AUTH_USER_MODEL": "accounts.Badge"}, ["E011"], id="model-without-address"),
        pytest.param(
            {"AUTH_USER_MODEL": "accounts.Account", **with_users(groups={"a": "b"}, is_staff="a")},
            ["E011", "E011"],
            id="model-without-rights",
        ),
        pytest.param(with_users(groups={"a": "b"}, is_staff="a", services={ROBOT: "x"}), [], id="everything"),
    ],
)
def test_what_does_not_fit_is_found(settings: dict[str, Any], expected: list[str]) -> None:
    assert ids(**settings) == expected


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"report_only": True}, id="everything"),
        pytest.param({"rules": [Rule.allow("/x", groups=["a"], report_only=True)]}, id="one-rule"),
    ],
)
def test_reporting_alone_is_found_before_deployment(settings: dict[str, Any]) -> None:
    assert ids(deploy=True, CFACCESS={**GOOD, **settings}) == ["W020"]
    assert ids(CFACCESS={**GOOD, **settings}) == []
    assert ids(deploy=True) == []
    assert ids(deploy=True, CFACCESS=3) == ["E001"]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"team_url": "http://127.0.0.1:8080"}, id="team"),
        pytest.param({"certs_url": "http://localhost/certs"}, id="keys"),
    ],
)
def test_an_emulator_is_found_where_nobody_debugs(settings: dict[str, Any]) -> None:
    assert ids(CFACCESS={**GOOD, **settings}) == ["W021"]
    assert ids(CFACCESS={**GOOD, **settings}, DEBUG=True) == []


def test_the_message_is_the_mistakes() -> None:
    with override_settings(CFACCESS={"team": "acme"}):
        messages = [message.msg for message in run_checks() if message.id == "cfaccess.E001"]
    assert messages == [
        "CFACCESS: audience: is missing in CFACCESS; give the Application Audience (AUD) tag of the Access application"
    ]


@pytest.mark.parametrize(("forwarded", "expected"), [(True, ["cfaccess.E012"]), (False, [])])
def test_django_serves_the_host_that_the_rules_look_at(forwarded: bool, expected: list[str]) -> None:
    rule = {"pattern": "/www/*", "access": "public", "hosts": ["www.example.com"]}
    door = {"team": "acme", "audience": AUD, "rules": [rule], "host_routing": True}
    with override_settings(CFACCESS=door, USE_X_FORWARDED_HOST=forwarded):
        assert [found.id for found in checks.check_hosts()] == expected
