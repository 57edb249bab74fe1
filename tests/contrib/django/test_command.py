"""What does ``manage.py cfaccess`` show?"""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from cfaccess_mw import Rule
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from tests.tokens import AUD


def shown(*words: str) -> list[list[str]]:
    """The words of each line."""
    output = StringIO()
    call_command("cfaccess", *words, stdout=output, no_color=True)
    return [line.split() for line in output.getvalue().splitlines()]


def test_check_says_what_is_configured(project: None) -> None:
    assert shown("check") == [
        ["teams", "https://acme.cloudflareaccess.com"],
        ["audiences", "1"],
        ["rules", "1"],
        ["keys", "https://acme.cloudflareaccess.com:", "ready"],
    ]


def test_check_says_that_nothing_is_refused(project: None, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={**door, "report_only": True}):
        assert ["report-only:", "nothing", "is", "refused"] in shown("check")


def test_check_fetches_the_keys(project: None, team: Issuer) -> None:
    with Emulator(upstream="http://127.0.0.1:9", issuer=team) as emulator:
        settings = {"team": "acme", "audience": AUD, "team_url": emulator.url}
        with override_settings(CFACCESS=settings):
            assert shown("check")[-1][-1] == "ready"
    gone = {"team": "acme", "audience": AUD, "team_url": "http://127.0.0.1:9", "cold_wait": 0.01}
    with override_settings(CFACCESS=gone), pytest.raises(CommandError, match="keys-unavailable"):
        shown("check")


def test_rules_are_listed(project: None, door: dict[str, Any]) -> None:
    rules = [Rule.public("/public/*", methods=["GET"]), Rule.allow("/admin/*", groups=["admins"])]
    with override_settings(CFACCESS={**door, "rules": rules}):
        assert shown("rules") == [
            ["policies", "/admin/*"],
            ["public", "/public/*", "methods=GET"],
            ["token", "everything", "else"],
        ]


def test_urls_say_what_is_required_of_each_pattern(project: None) -> None:
    lines = shown("urls")
    assert ["token", "/whoami", "(everything", "else)"] in lines
    assert ["public", "/public/user", "(/public/*)"] in lines
    assert ["public", "/public/<rest>", "(/public/*)"] in lines
    assert ["token", "/admin/auth/user/<path:object_id>/change/", "(everything", "else)"] in lines


def test_urls_depend_on_the_method(project: None, door: dict[str, Any]) -> None:
    with override_settings(CFACCESS={**door, "rules": [Rule.public("/whoami", methods=["GET"])]}):
        assert ["public", "/whoami", "(/whoami)"] in shown("urls")
        assert ["token", "/whoami", "(everything", "else)"] in shown("urls", "--method", "POST")


def test_urls_depend_on_the_host(project: None, door: dict[str, Any]) -> None:
    rules = [Rule.public("/whoami", hosts=["a.example"]), Rule.token("/whoami", hosts=["b.example"])]
    with override_settings(CFACCESS={**door, "rules": rules, "host_routing": True}):
        assert ["public", "/whoami", "(/whoami)"] in shown("urls", "--host", "a.example")
        assert ["refused", "/whoami", "(ambiguous-host)"] in shown("urls", "--host", "c.example")


def test_a_mistake_is_one_line(project: None) -> None:
    with override_settings(CFACCESS={"team": "acme"}), pytest.raises(CommandError) as raised:
        shown("rules")
    assert str(raised.value).startswith("CFACCESS: audience: is missing in CFACCESS;")
