"""Is there one set of names, wherever a configuration is written, and one place it is read from?"""

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from cfaccess_mw import settings
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import PolicyDecision
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.settings import configure, from_environment, from_file
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
        pytest.param({"CFACCESS_CONFIG": "access.toml"}, {}, id="the-file-is-no-key"),
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
        pytest.param({"CFACCESS_REVALIDATE_EVERY": "60"}, {"revalidate_every": 60.0}, id="revalidate-every"),
        pytest.param({"CFACCESS_PROFILE_TTL": "30"}, {"profile_ttl": 30.0}, id="profile-ttl"),
        pytest.param({"CFACCESS_PROFILE_HARD_TTL": "0"}, {"profile_hard_ttl": 0.0}, id="profile-hard-ttl"),
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
        pytest.param(
            "CFACCESS_RULES", "/healthz", "write a file for CFACCESS_CONFIG, or configure in code", id="rules"
        ),
        pytest.param("CFACCESS_POLICIES", "x", "write a file for CFACCESS_CONFIG, or configure in code", id="policies"),
        pytest.param("CFACCESS_REFERENCES", "x", "write a file for CFACCESS_CONFIG, or", id="references"),
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
    assert settings._READERS.keys() | settings._NOT_IN_VARIABLES.keys() == keys
    assert not settings._READERS.keys() & settings._NOT_IN_VARIABLES.keys()
    assert settings._NOT_IN_VARIABLES.keys() > settings._ONLY_IN_CODE


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


# Files

HEAD = f'team = "acme"\naudience = "{AUD}"\n'
ALLOW = {"name": "Staff", "decision": "allow", "include": [{"group": {"id": "g1"}}]}
GROUP = {"id": "g1", "name": "Staff", "include": [{"email_domain": {"domain": "example.com"}}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, which is not the one that the process runs in."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name, document in {
        "policies.json": [ALLOW],
        "answer.json": {"success": True, "errors": [], "messages": [], "result": [ALLOW]},
        "references.json": {"groups": [GROUP]},
        "groups.json": [GROUP],
        "text.json": "text",
        "null.json": None,
    }.items():
        (tmp_path / name).write_text(json.dumps(document))
    (tmp_path / "twice.json").write_text('[{"decision": "allow", "exclude": [1], "exclude": []}]')
    (tmp_path / "broken.json").write_text(f'[\n{{"decision": {SECRET}}}]')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    return tmp_path


def write(folder: Path, text: str, name: str = "access.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


FULL = (
    HEAD
    + """
leeway = 5
max_age = 3600
cookie = true
scrub = ["X-User"]
trusted_peers = ["loopback"]

[[rules]]
pattern = "/healthz"
access = "public"

[[rules]]
pattern = "/admin/*"
methods = ["GET", "POST"]
allow = { groups = ["admins"], ips = ["192.0.2.0/24"], name = "Admins" }

[[policies]]
decision = "allow"
include = [{ email_domain = "example.com" }]
"""
)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_says_what_keywords_would(kind: type, folder: Path) -> None:
    assert configure(kind(write(folder, FULL))) == AccessConfig(
        team="acme",
        audience=AUD,
        leeway=5,
        max_age=3600,
        cookie=True,
        scrub=["X-User"],
        trusted_peers=["loopback"],
        rules=[
            Rule.public("/healthz"),
            Rule.allow("/admin/*", methods=["GET", "POST"], groups=["admins"], ips=["192.0.2.0/24"], name="Admins"),
        ],
        policies=[{"decision": "allow", "include": [{"email_domain": "example.com"}]}],
    )


def test_a_byte_order_mark_is_no_part_of_a_file(folder: Path) -> None:
    assert configure(write(folder, "\ufeff" + HEAD)) == PLAIN


def test_a_pyproject_has_a_table_of_ours(folder: Path) -> None:
    table = f"""
[project]
name = "x"

[tool.cfaccess]
team = "acme"
audience = "{AUD}"

[[tool.cfaccess.rules]]
pattern = "/healthz"
access = "public"
"""
    made = configure(write(folder, table, "pyproject.toml"))
    assert made == AccessConfig(team="acme", audience=AUD, rules=[Rule.public("/healthz")])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('policies = "policies.json"\nreferences = "references.json"', id="top"),
        pytest.param('policies = "answer.json"\nreferences = "references.json"', id="answer-of-the-api"),
        pytest.param('policies = "policies.json"\n[references]\ngroups = "groups.json"', id="section"),
        pytest.param(
            'policies = "policies.json"\n[references.groups.g1]\ninclude = [{ email_domain = "example.com" }]',
            id="section-written-out",
        ),
    ],
)
def test_exported_policies_are_read_beside_the_file(text: str, folder: Path) -> None:
    [policy] = configure(write(folder, HEAD + text)).default_policies
    assert (policy.name, policy.decision) == ("Staff", PolicyDecision.ALLOW)
    assert "example.com" in str(policy.to_mapping())


def test_exported_policies_are_read_for_one_rule(folder: Path) -> None:
    text = 'references = "references.json"\n[[rules]]\npattern = "/a"\npolicies = "policies.json"'
    made = configure(write(folder, HEAD + text))
    assert [policy.name for policy in made.ruleset[0].policies] == ["Staff"]
    assert made.default_policies == ()


@pytest.mark.parametrize("key", ["keys", "refusal_template"])
def test_paths_are_relative_to_the_file(key: str, folder: Path) -> None:
    assert from_file(write(folder, f'{HEAD}{key} = "conf/x"'))[key] == str(folder / "conf" / "x")
    assert from_file(write(folder, f'{HEAD}{key} = "/etc/x"'))[key] == "/etc/x"
    assert from_file(write(folder, f'{HEAD}{key} = ""'))[key] == ""


RULE = '[[rules]]\npattern = "/healthz"\naccess = "public"\n[[rules]]\npattern = "/a"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            RULE + "allow = { grups = ['x'] }",
            ": [[rules]] number 2: allow: 'grups' is not a condition; did you mean 'groups'?",
            id="condition",
        ),
        pytest.param(
            RULE + "allow = { decision = 'deny' }",
            ": [[rules]] number 2: allow: 'decision' is not a condition; known are",
            id="a-name-of-ours-is-no-condition",
        ),
        pytest.param(
            RULE + "acess = 'public'",
            ": [[rules]] number 2: the key 'acess' is not known; did you mean 'access'?",
            id="key-of-a-rule",
        ),
        pytest.param(
            RULE + "access = 5", ": [[rules]] number 2: the rule for '/a': the access '5' is not", id="access"
        ),
        pytest.param(
            RULE + "allow = true", ": [[rules]] number 2: the rule for '/a': allow: is", id="allow-is-no-table"
        ),
        pytest.param(
            RULE + "policies = 'text.toml'",
            ": [[rules]] number 2: policies: is text of 9 characters; give the path of a .json file",
            id="policies-of-a-rule-no-json",
        ),
        pytest.param("rules = 'x'", ": rules: is text of 1 characters; write a table [[rules]] for each", id="rules"),
        pytest.param("rules = [1]", ": [[rules]] number 1: a rule is a mapping", id="rule-is-no-table"),
        pytest.param("tema = 'x'", ": 'tema' is not a key of the configuration; did you mean 'team'?", id="key"),
        pytest.param("x = 1", ": 'x' is not a key of the configuration; known are team, audience", id="key-unlike-any"),
        pytest.param("fetcher = 'x'", ": fetcher: cannot be said in a file; configure in code", id="fetcher"),
        pytest.param("listeners = []", ": listeners: cannot be said in a file; configure in code", id="listeners"),
        pytest.param(
            RULE + "access = 'token'\n[[rules]]\npattern = '/a/'\naccess = 'public'",
            ": rules: '/a' has two rules for the same methods and hosts",
            id="tie",
        ),
        pytest.param("leeway = 1e9", ": leeway: is a number; give seconds from 0 to 300", id="range"),
        pytest.param(f"leeway = '{SECRET}'", ": leeway: is text of 11 characters; give seconds", id="type"),
        pytest.param("leeway = 2020-01-01", ": leeway: is a date; give seconds", id="date"),
        pytest.param(
            "[[policies]]\ndecision = 'alow'",
            ": [[policies]]: number 1: decision: 'alow' is not known; did you mean 'allow'?",
            id="policy",
        ),
        pytest.param("policies = 5", ": [policies]: is a number; give a policy", id="policies"),
        pytest.param("[references]\ngrops = []", ": [references]: 'grops' is not known; did you mean", id="references"),
        pytest.param("references = 5", ": [references]: is a number; give a mapping", id="references-type"),
        pytest.param(
            "policies = 'policies.json'", "@policies.json: 'Staff': include: 'g1' is not among", id="no-reference"
        ),
        pytest.param("policies = 'text.json'", "@text.json: is text of 4 characters; give a policy", id="json-type"),
        pytest.param("references = 'null.json'", "@null.json: is None; give a mapping", id="json-null"),
        pytest.param("policies = 'missing.json'", "@missing.json: cannot be read (No such file", id="json-missing"),
        pytest.param("policies = 'twice.json'", "@twice.json: has two members of one name", id="json-twice"),
        pytest.param(
            "policies = 'broken.json'", "@broken.json: is not JSON (Expecting value at line 2)", id="json-broken"
        ),
        pytest.param("policies = 'deep.json'", "@deep.json: is not JSON (", id="json-deep"),
        pytest.param("policies = 'latin.json'", "@latin.json: cannot be read (not UTF-8)", id="json-latin"),
        pytest.param(f"cookie = {SECRET}", ": is not TOML (Invalid value (at line 3, column 10)); mend", id="toml"),
        pytest.param("x = " + "[" * 50_000, ": is not TOML (", id="toml-deep"),
    ],
)
def test_a_mistake_in_a_file_is_told_by_file_table_and_key(text: str, message: str, folder: Path) -> None:
    path = write(folder, HEAD + text)
    where = str(folder / message[1:]) if message.startswith("@") else f"{path}{message}"
    with pytest.raises(ConfigurationError) as refused:
        configure(path)
    assert str(refused.value).startswith(where)
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", ": has no table [tool.cfaccess]; write the configuration there", id="empty"),
        pytest.param("tool = 5", ": has no table [tool.cfaccess]", id="no-table"),
        pytest.param("[tool]\ncfaccess = 5", ": has no table [tool.cfaccess]", id="a-number"),
        pytest.param("[tool.cfaccess]\ntema = 1", ": [tool.cfaccess]: 'tema' is not a key", id="key"),
        pytest.param(
            "[[tool.cfaccess.rules]]", ": [[tool.cfaccess.rules]] number 1: a rule lacks its pattern", id="rule"
        ),
        pytest.param("[[tool.cfaccess.policies]]", ": [[tool.cfaccess.policies]]: number 1: decision", id="policy"),
    ],
)
def test_a_mistake_in_a_pyproject_names_its_table(text: str, message: str, folder: Path) -> None:
    path = write(folder, text, "pyproject.toml")
    with pytest.raises(ConfigurationError, match="^" + re.escape(f"{path}{message}")):
        configure(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("missing.toml", "No such file or directory", id="missing"),
        pytest.param("folder.toml", "Is a directory", id="folder"),
        pytest.param("nul\0.toml", "not a path", id="nul"),
        pytest.param("latin.toml", "not UTF-8", id="latin"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(name: str, reason: str, folder: Path) -> None:
    (folder / "folder.toml").mkdir()
    (folder / "latin.toml").write_bytes(b"team = '\xe9'")
    with pytest.raises(ConfigurationError, match=rf"cannot be read \(({reason})"):
        configure(str(folder / name))


def test_what_a_file_lacks_is_told_by_its_name(folder: Path) -> None:
    path = write(folder, 'team = "acme"')
    with pytest.raises(ConfigurationError, match="^" + re.escape(f"audience: is missing in {path}; give")):
        configure(path)


@pytest.mark.usefixtures("left_over")
def test_a_file_that_the_code_names_is_all_there_is(folder: Path) -> None:
    assert configure(write(folder, HEAD)) == PLAIN
    with pytest.raises(ConfigurationError, match=r"^leeway: stands beside a ready configuration"):
        configure(write(folder, HEAD), leeway=5)


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        pytest.param({}, {}, ("acme", (AUD,), 5, True), id="the-file-alone"),
        pytest.param({"CFACCESS_LEEWAY": "9"}, {}, ("acme", (AUD,), 9, True), id="a-variable-wins-key-by-key"),
        pytest.param({"CFACCESS_COOKIE": "no"}, {}, ("acme", (AUD,), 5, False), id="also-with-false"),
        pytest.param({"TEAM_DOMAIN": "other"}, {}, ("other", (AUD,), 5, True), id="an-alias-wins-too"),
        pytest.param({"CFACCESS_LEEWAY": "9"}, {"leeway": 7}, ("acme", (AUD,), 7, True), id="a-keyword-wins-over-both"),
        pytest.param({}, {"team": "x", "audience": OTHER_AUD}, ("x", (OTHER_AUD,), 30, False), id="a-team-in-code"),
    ],
)
def test_the_file_of_the_environment_comes_last(
    environ: dict[str, str],
    options: dict[str, Any],
    expected: tuple[object, ...],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CFACCESS_CONFIG", str(write(folder, HEAD + "leeway = 5\ncookie = true")))
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    made = configure(**options)
    assert (*made.team, made.audience, made.leeway, made.cookie) == expected


def test_an_empty_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFACCESS_CONFIG", "")
    with pytest.raises(ConfigurationError, match=r"^team: is missing in the environment; give"):
        configure()


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        pytest.param("leeway = 1e9", {}, "{file}: leeway: is a number", id="the-files-value"),
        pytest.param("leeway = 5", {"CFACCESS_LEEWAY": "1e9"}, "leeway: is a number", id="the-variables-value"),
        pytest.param(
            "", {"CFACCESS_LEEWEY": "1"}, "leewey: is not a key of the environment or {file}; did", id="variable"
        ),
        pytest.param("leewey = 1", {}, "{file}: 'leewey' is not a key of the configuration", id="key"),
    ],
)
def test_whose_mistake_it_is_is_told(
    text: str, environ: dict[str, str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, HEAD + text)
    for variable, value in {"CFACCESS_CONFIG": str(path), **environ}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match="^" + re.escape(message.format(file=path))):
        configure()


def test_a_variable_that_names_no_toml_file_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFACCESS_CONFIG", SECRET)
    with pytest.raises(ConfigurationError, match=r"^CFACCESS_CONFIG: is text of 11 characters; give the path of a"):
        configure()


def test_what_neither_place_says_is_told_of_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder, "leeway = 5")
    monkeypatch.setenv("CFACCESS_CONFIG", str(path))
    with pytest.raises(ConfigurationError, match="^" + re.escape(f"team: is missing in the environment or {path}; ")):
        configure()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file here that never ends")
def test_a_file_without_end_is_a_mistake(folder: Path) -> None:
    endless = folder / "endless.toml"
    endless.symlink_to("/dev/zero")
    with pytest.raises(ConfigurationError, match=r"endless.toml: cannot be read \(longer than 16,777,216 characters\)"):
        configure(endless)
