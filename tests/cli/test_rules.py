"""Does ``rules`` show what is required of which path, and does ``rules --check`` hold a team's rules to its word?"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from cfaccess_mw.cli.rules import specificity
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.core.table import RuleTable
from tests.tokens import AUD

Run = Callable[..., Result]

HEAD = f'team = "acme"\naudience = "{AUD}"\n'


def test_the_example_is_shown(run: Run) -> None:
    assert run("rules", "--config", "access.toml").stdout.splitlines() == [
        "PATTERN          METHODS  HOSTS  REQUIRED       POLICIES",
        "/healthz         any      any    nothing",
        "/admin/*         any      any    policies       allow (include groups, require ip)",
        "/hooks/*         any      any    policies       service_auth (include service_token)",
        "(anything else)  any      any    a valid token",
    ]


FULL = (
    HEAD
    + """
host_routing = true
report_only = false

[[rules]]
pattern = "/b/*"
methods = ["POST", "GET"]
hosts = ["docs.example.com"]
access = "optional"

[[rules]]
pattern = "/a"
access = "token"
audience = "other"

[[rules]]
pattern = "/c"
report_only = true

[[rules.policies]]
name = "Staff\\u001b"
decision = "allow"
include = [{ email = "a@example.com" }, { email_domain = "example.com" }]
require = [{ country = "DE" }]
exclude = [{ groups = ["x"] }]

[[rules.policies]]
decision = "bypass"
include = [{ method = "OPTIONS" }]

[[policies]]
decision = "allow"
include = [{ everyone = true }]
"""
)


@pytest.mark.parametrize(
    ("order", "patterns"),
    [
        pytest.param("specific", ["/b/*", "/a", "/c"], id="specific"),
        pytest.param("written", ["/b/*", "/a", "/c"], id="written"),
    ],
)
def test_everything_that_rules_say_is_shown(order: str, patterns: list[str], folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(FULL)
    lines = run("rules", "--config", "p.toml", "--order", order).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "/b/* GET POST docs.example.com no bad token",
        "/a any any a valid token of its own audience",
        r"/c any any policies (only told) bypass (include method); allow Staff\x1b (include email email_domain, "
        "require country, exclude groups)",
        "(anything else) any any policies allow (include everyone)",
    ]
    data = json.loads(run("rules", "--config", "p.toml", "--order", order, "--json").stdout)
    assert [rule["pattern"] for rule in data["rules"]] == patterns


def test_the_order_in_which_they_are_written_is_kept_where_it_is_asked_for(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(
        HEAD + "".join(f"[[rules]]\npattern = '{pattern}'\naccess = 'public'\n" for pattern in ("/z/*", "/a/*", "/a/b"))
    )

    def shown(*arguments: str) -> list[str]:
        data = json.loads(run("rules", "--config", "p.toml", "--json", *arguments).stdout)
        return [rule["pattern"] for rule in data["rules"]]

    assert shown("--order", "written") == ["/z/*", "/a/*", "/a/b"]
    assert shown() == shown("--order", "specific") == ["/a/b", "/a/*", "/z/*"]


def test_the_names_of_the_data_are_stable(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + "[[rules]]\npattern = '/a'\naccess = 'public'")
    assert json.loads(run("rules", "--config", "p.toml", "--json").stdout) == {
        "rules": [{"pattern": "/a", "access": "public"}],
        "default": {"access": "token", "audience": [AUD], "policies": []},
        "report_only": False,
    }
    (folder / "p.toml").write_text(FULL)
    data = json.loads(run("rules", "--config", "p.toml", "--json").stdout)
    assert data["default"] == {
        "access": "policies",
        "audience": [AUD],
        "policies": [{"decision": "allow", "include": [{"everyone": True}]}],
    }
    # What is shown can be read again.
    assert [Rule.from_mapping(rule).to_mapping() for rule in data["rules"]] == data["rules"]


HOST = "docs.example.com"


@pytest.mark.parametrize(
    ("winner", "loser", "method", "path"),
    [
        pytest.param(Rule.token("/*", hosts=HOST), Rule.token("/a"), "GET", "/a", id="a-host-beats-none"),
        pytest.param(Rule.token("/a"), Rule.token("/a*"), "GET", "/a", id="a-literal-beats-a-partial"),
        pytest.param(Rule.token("/a*"), Rule.token("/*/"), "GET", "/ab", id="a-partial-beats-any"),
        pytest.param(Rule.token("/a*/b*"), Rule.token("/*/bcd"), "GET", "/ax/bcd", id="also-with-fewer-literals"),
        pytest.param(Rule.token("/a/*/"), Rule.token("/a/*"), "GET", "/a/b", id="a-segment-beats-all-below"),
        pytest.param(Rule.token("/a"), Rule.token("/a/*"), "GET", "/a", id="exact-beats-below"),
        pytest.param(Rule.token("/a/*"), Rule.token("/*"), "GET", "/a/b", id="deeper-beats-higher"),
        pytest.param(Rule.token("/abc*"), Rule.token("/a*"), "GET", "/abcd", id="more-literals"),
        pytest.param(Rule.token("/a", methods="PUT"), Rule.token("/a"), "PUT", "/a", id="a-method-beats-none"),
        pytest.param(Rule.token("/a/x*/*"), Rule.token("/*/xyz/b"), "GET", "/a/xyz/b", id="the-first-segment-counts"),
    ],
)
def test_the_rule_that_wins_stands_first(winner: Rule, loser: Rule, method: str, path: str) -> None:
    # Another host, so that a rule without one is of use.
    other = Rule.token("/a/b/c/d", hosts=["other.example.com", HOST])
    table = RuleTable([loser, winner, other], audience=frozenset({AUD}), host_routing=True)
    assert table.find(method, path, None, "", HOST).rules == (winner,)
    assert min([loser, winner], key=specificity) == winner


EXPECTATIONS = """
[[expectations]]
path = "/healthz"
expect = "open"

[[expectations]]
path = "/hooks/build"
method = "POST"
claims = "hook.json"
expect = "admitted"

[[expectations]]
name = "an admin in the office"
path = "/admin"
claims = { email = "alice@example.com" }
profile = { groups = ["admins"] }
address = "198.51.100.7"
expect = "admitted"

[[expectations]]
path = "/admin"
expect = "refused"
code = "no-token"
"""


def test_a_file_of_expectations_is_held_to(folder: Path, run: Run) -> None:
    (folder / "expected").mkdir()
    (folder / "hook.json").rename(folder / "expected" / "hook.json")
    (folder / "expected" / "rules.toml").write_text(EXPECTATIONS)
    said = run("rules", "--config", "access.toml", "--check", "expected/rules.toml").stdout
    assert said.splitlines() == [
        "ok   GET /healthz, asked by nobody: open",
        "ok   POST /hooks/build, asked by service e367826f93b8d71185e03fe518aff3b4.access: admitted",
        "ok   an admin in the office: admitted",
        "ok   GET /admin, asked by nobody: refused (no-token)",
        "4 of 4 hold.",
    ]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(lambda expectations: expectations, id="a-list"),
        pytest.param(lambda expectations: {"expectations": expectations}, id="an-object"),
    ],
)
def test_what_does_not_hold_is_said(document: Callable[[list[object]], object], folder: Path, run: Run) -> None:
    given = document(
        [
            {"path": "/\u001b", "expect": "open"},
            {"path": "/admin", "expect": "refused", "code": "not-permitted", "host": None},
            {"path": "/healthz", "expect": "open", "raw_path": "/healthz", "root_path": ""},
            {"path": "/healthz", "expect": "refused", "raw_path": "/healthz\ud800"},
        ]
    )
    (folder / "rules.json").write_text(json.dumps(given))
    words = ("rules", "--config", "access.toml", "--check", "rules.json")
    assert run(*words, status=1).stdout.splitlines() == [
        r"FAIL GET /\x1b, asked by nobody: refused (ambiguous-path); expected open, and it is refused (ambiguous-path)",
        "FAIL GET /admin, asked by nobody: refused (no-token); expected refused (not-permitted), and it is refused "
        "(no-token)",
        "ok   GET /healthz, asked by nobody: open",
        "ok   GET /healthz, asked by nobody: refused (ambiguous-path)",
        "2 of 4 hold.",
    ]
    data = json.loads(run(*words, "--json", status=1).stdout)
    assert [result["holds"] for result in data] == [False, False, True, True]
    assert data[2] == {"what": "GET /healthz, asked by nobody", "seen": "open", "holds": True, "unmet": "", "notes": []}


ONE = {"path": "/", "expect": "open"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param([], ": expectations: is a list of 0; give a list with at least one", id="none"),
        pytest.param({}, ": has other keys than 'expectations'", id="no-list"),
        pytest.param({"expectations": [ONE], "rules": []}, ": has other keys than 'expectations'", id="more"),
        pytest.param({"expectations": ONE}, ": expectations: is a dict; give a list", id="one-alone"),
        pytest.param(5, ": expectations: is a number; give a list", id="a-number"),
        pytest.param([ONE, 5], ": number 2: is a number; give a mapping with 'path' and 'expect'", id="no-mapping"),
        pytest.param([ONE | {"claim": {}}], ": number 1: 'claim' is not known here; did you mean 'claims'?", id="near"),
        pytest.param([ONE | {"zzz": ""}], ": number 1: 'zzz' is not known here; known are path, method", id="far"),
        pytest.param([{"expect": "open"}], ": number 1: path: is missing", id="no-path"),
        pytest.param([{"path": "/"}], ": number 1: expect: is None; give one of open, admitted", id="no-outcome"),
        pytest.param([ONE | {"expect": "yes"}], ": number 1: expect: is text of 3 characters; give one", id="outcome"),
        pytest.param([ONE | {"method": 5}], ": number 1: method: is a number; give a text", id="method"),
        pytest.param(
            [ONE | {"claims": 5}], ": number 1: claims: is a number; give an object, or the path", id="claims"
        ),
        pytest.param([ONE | {"claims": "x.json"}], ": number 1: claims: x.json cannot be read", id="no-claims"),
        pytest.param([ONE | {"claims": {}}], ": number 1: claims: would be refused whatever", id="nobodys-claims"),
        pytest.param(
            [ONE | {"claims": {"email": "a@b", "x": {"y": [float("inf")]}}}], ": number 1: claims: have", id="inf"
        ),
        pytest.param(
            [ONE | {"address": "x"}], ": number 1: address: is text of 1 characters; give an IP", id="address"
        ),
        pytest.param([ONE | {"profile": {}}], ": number 1: profile: stands there without claims", id="profile"),
    ],
)
def test_expectations_that_mean_nothing_are_one_sentence(
    document: object, message: str, folder: Path, run: Run
) -> None:
    (folder / "rules.json").write_text(json.dumps(document))
    result = run("rules", "--config", "access.toml", "--check", "rules.json", status=2)
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"Error: rules.json{message}")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("none.toml", None, "none.toml: cannot be read (No such file", id="missing"),
        pytest.param("x.toml", "[[", "x.toml: is not TOML (", id="toml"),
        pytest.param("x.json", "[", "x.json: is not JSON (", id="json"),
        pytest.param("x.toml", "[[expectations]]\npath = 2020-01-01", "x.toml: number 1: path: is a date", id="date"),
        pytest.param(
            "x.toml",
            "[[expectations]]\npath = '/'\nexpect = 'open'\nclaims = { email = 'a@b', at = 2020-01-01 }",
            "x.toml: number 1: claims: have a value that no token can have",
            id="a-claim-of-a-date",
        ),
        pytest.param(
            "x.toml",
            "[[expectations]]\npath = '/'\nexpect = 'open'\nclaims = { email = 'a@b' }\n"
            "profile = { email = 'a@b', at = 2020-01-01 }",
            "x.toml: number 1: profile: ",
            id="a-profile-with-a-date",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    name: str, text: str | None, message: str, folder: Path, run: Run
) -> None:
    if text is not None:
        (folder / name).write_text(text)
    result = run("rules", "--config", "access.toml", "--check", name, status=2)
    assert result.stderr.startswith(f"Error: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_what_would_be_refused_whatever_the_rules_say_is_noted(folder: Path, run: Run) -> None:
    claims = {"email": "a@example.com", "iss": "https://evil.example"}
    (folder / "rules.json").write_text(json.dumps([{"path": "/", "expect": "admitted", "claims": claims}]))
    said = run("rules", "--config", "access.toml", "--check", "rules.json").stdout
    assert "note: " in said
    assert "wrong-issuer" in said


def test_a_shell_can_hold_rules_to_expectations(folder: Path) -> None:
    (folder / "rules.json").write_text(json.dumps([ONE]))

    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "cfaccess_mw", "rules", "--config", "access.toml", *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert shell().stdout.startswith("PATTERN ")
    failed = shell("--check", "rules.json")
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout.splitlines()[-1] == "0 of 1 hold."
