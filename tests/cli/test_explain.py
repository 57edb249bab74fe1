"""Does ``explain`` say what the rules come to, and why, and never pretend to have verified anything?"""

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD

Run = Callable[..., Result]

OFFICE, CAFE = "198.51.100.7", "203.0.113.7"
EXAMPLE_AUD = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"
HEAD = f'team = "acme"\naudience = "{AUD}"\n'
ALICE, ADMIN, HOOK = ("--claims", "alice.json"), ("--profile", "admins.json"), ("--claims", "hook.json")


@pytest.mark.parametrize(
    ("request_line", "outcome", "code"),
    [
        pytest.param("/healthz", "open", "", id="health-nobody"),
        pytest.param("/healthz --claims alice.json", "admitted", "", id="health-somebody"),
        pytest.param("HEAD /healthz", "open", "", id="health-head"),
        pytest.param("POST /hooks/build", "refused", "no-token", id="hooks-nobody"),
        pytest.param("POST /hooks/build --claims hook.json", "admitted", "", id="hooks-the-service"),
        pytest.param("POST /hooks/build --claims other-hook.json", "refused", "not-permitted", id="hooks-another"),
        pytest.param("POST /hooks/build --claims alice.json", "refused", "not-permitted", id="hooks-a-user"),
        pytest.param("/admin/users", "refused", "no-token", id="admin-nobody"),
        pytest.param(f"/admin/users --claims alice.json --address {OFFICE}", "lookup", "", id="admin-not-looked-up"),
        pytest.param(
            f"/admin/users --claims alice.json --address {OFFICE} --profile admins.json", "admitted", "", id="admin"
        ),
        pytest.param(
            f"/admin --claims alice.json --address ::ffff:{OFFICE} --profile admins.json",
            "admitted",
            "",
            id="admin-mapped-address",
        ),
        pytest.param(
            f"/admin --claims alice.json --address {OFFICE} --profile staff.json",
            "refused",
            "not-permitted",
            id="admin-another-group",
        ),
        pytest.param(
            f"/admin --claims alice.json --address {CAFE} --profile admins.json",
            "refused",
            "not-permitted",
            id="admin-from-elsewhere",
        ),
        pytest.param(
            "/admin --claims alice.json --profile admins.json", "refused", "not-permitted", id="admin-from-nowhere"
        ),
        pytest.param(f"/admin --claims hook.json --address {OFFICE}", "refused", "not-permitted", id="admin-a-service"),
        pytest.param("//ADMIN;x/users --claims alice.json", "refused", "not-permitted", id="admin-oddly-written"),
        pytest.param("/administrator --claims alice.json", "admitted", "", id="another-path"),
        pytest.param("/", "refused", "no-token", id="rest-nobody"),
        pytest.param("/ --claims alice.json", "admitted", "", id="rest-user"),
        pytest.param("/ --claims hook.json", "admitted", "", id="rest-service"),
        pytest.param("/healthz/../admin", "refused", "ambiguous-path", id="dots"),
        pytest.param("/healthz --raw-path /healthz%2e", "refused", "ambiguous-path", id="raw-path-of-another"),
        pytest.param("/api/healthz --root-path /api", "refused", "no-token", id="root-path-opens-nothing"),
        pytest.param("/api/admin --claims alice.json", "admitted", "", id="another-path-too"),
        pytest.param(
            "/api/admin --claims alice.json --root-path /api", "refused", "not-permitted", id="root-path-adds"
        ),
    ],
)
def test_the_example_does_what_its_comments_say(request_line: str, outcome: str, code: str, run: Run) -> None:
    words = ("explain", "--config", "access.toml", *request_line.split())
    run(*words, "--expect", outcome, "--expect-code", code)
    data = json.loads(run(*words, "--json").stdout)
    assert (data["outcome"], data["code"]) == (outcome, code)
    for other in {"open", "admitted", "refused", "lookup"} - {outcome}:
        failed = run(*words, "--expect", other, status=1)
        assert f"expected {other}, and it is {outcome}" in failed.stderr
    failed = run(*words, "--expect-code", "another", status=1)
    assert f"expected {outcome} (another), and it is {outcome}" in failed.stderr


def test_without_an_expectation_a_refusal_is_an_answer(run: Run) -> None:
    result = run("explain", "--config", "access.toml", "/admin")
    assert result.stdout.splitlines()[-1] == "outcome: refused (no-token)"
    assert result.stderr == ""


def test_people_see_readings_rules_and_conditions(run: Run) -> None:
    said = run("explain", "--config", "access.toml", "//admin/x", *ALICE, *ADMIN, "--address", OFFICE).stdout
    for line in (
        r"GET //admin/x, asked by user alice@example\.com",
        r"  //admin/x +as given +\(anything else\): the default",
        r"  /admin/x +collapse-slashes +/admin/\*: policies",
        r"policies of /admin/\*, in the order in which they are asked",
        r"  1\. allow: matches: true  <- decides",
        r"     include +group +true +groups of the identity provider",
        r"     require +ip +true +the client's address",
        r"  so: admit \(group, ip\)",
        r"outcome: admitted",
    ):
        assert re.search(f"^{line}$", said, re.MULTILINE), line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(("/a\x1b[31m",), r"GET /a\\x1b\[31m, asked by nobody", id="control-character"),
        pytest.param(("/a\x1b[31m",), r"outcome: refused \(ambiguous-path\); control-character", id="ground"),
        pytest.param(("/\udcff",), r"GET /\\udcff, asked by nobody", id="not-utf-8"),
        pytest.param(("G\nT", "/"), r"G\\nT /, asked by nobody", id="method"),
        pytest.param(("/hooks/x", *ALICE), r"  1\. service_auth: matches: false", id="a-user-is-no-service"),
        pytest.param(("/hooks/x",), r"  1\. service_auth: does not decide over such a request", id="nobody"),
        pytest.param(("/ADMIN",), r"  /admin +folded +/admin/\*: policies", id="folded"),
        pytest.param(("/HEALTHZ",), r"  /healthz +folded +adds nothing", id="folded-public"),
        pytest.param(
            ("/admin", *ALICE, "--address", OFFICE),
            r"outcome: lookup; it depends on what get-identity says, see --profile",
            id="lookup",
        ),
    ],
)
def test_lines_for_people(arguments: tuple[str, ...], line: str, run: Run) -> None:
    said = run("explain", "--config", "access.toml", *arguments).stdout
    assert re.search(f"^{line}$", said, re.MULTILINE), said


def test_the_names_of_the_data_are_stable(run: Run) -> None:
    data = json.loads(run("explain", "--config", "access.toml", "--json", "/admin", *ALICE, *ADMIN).stdout)
    assert data == {
        "method": "GET",
        "path": "/admin",
        "host": None,
        "identity": {"kind": "user", "id": "00000000-0000-0000-0000-000000000000", "verified": False},
        "ground": None,
        "readings": [
            {
                "path": "/admin",
                "steps": [],
                "adds_only": False,
                "looked_up": "/admin",
                "folded": False,
                "rules": ["/admin/*"],
                "default": False,
            }
        ],
        "requirement": {
            "access": "policies",
            "audiences": [[EXAMPLE_AUD]],
            "rules": [
                {
                    "pattern": "/admin/*",
                    "access": "policies",
                    "policies": [
                        {
                            "decision": "allow",
                            "include": [{"groups": "admins"}],
                            "require": [{"ip": "198.51.100.0/24"}],
                        }
                    ],
                }
            ],
        },
        "policies": [
            {
                "rules": ["/admin/*"],
                "outcome": "refuse",
                "decided_by": None,
                "reasons": ["ip"],
                "policies": [
                    {
                        "decision": "allow",
                        "name": "",
                        "id": None,
                        "is_about": True,
                        "matched": "false",
                        "conditions": [
                            {"section": "include", "reason": "group", "truth": "true", "within": []},
                            {"section": "require", "reason": "ip", "truth": "unknown", "within": []},
                        ],
                    }
                ],
            }
        ],
        "outcome": "refused",
        "code": "not-permitted",
        "only_told": False,
        "notes": [],
    }


POLICIES = """
[[policies]]
name = "Staff"
decision = "allow"
include = [{ access_group = { name = "g", include = [{ email_domain = "example.com" }] } }]
"""


def test_policies_of_what_no_rule_matches_and_groups_within(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + POLICIES)
    said = run("explain", "--config", "p.toml", "/", *ALICE, "--expect", "admitted").stdout
    assert "policies of (anything else), in the order" in said
    assert "  1. allow Staff: matches: true  <- decides" in said
    assert re.search(r"^ {7}include +email-domain +true", said, re.MULTILINE)
    [listed] = json.loads(run("explain", "--config", "p.toml", "/", *ALICE, "--json").stdout)["policies"]
    assert listed["rules"] == []
    assert listed["decided_by"] == {"decision": "allow", "name": "Staff", "id": None}
    assert listed["policies"][0]["conditions"][0]["within"][0]["reason"] == "email-domain"


@pytest.mark.parametrize(
    ("text", "arguments", "outcome"),
    [
        pytest.param("", ("/",), "refused (no-token)", id="not-report-only"),
        pytest.param("report_only = true", ("/",), "only told", id="report-only"),
        pytest.param(
            "[[rules]]\npattern = '/a'\nany_user = true\nreport_only = true", ("/a",), "only told", id="one-rule"
        ),
    ],
)
def test_what_is_only_told_is_said(text: str, arguments: tuple[str, ...], outcome: str, folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + text)
    assert outcome in run("explain", "--config", "p.toml", *arguments, "--expect", "refused").stdout
    data = json.loads(run("explain", "--config", "p.toml", *arguments, "--json").stdout)
    assert data["only_told"] is (outcome == "only told")


TRUSTED = 'trusted_peers = ["loopback"]\n'
GERMAN = "[[rules]]\npattern = '/a'\nallow = { countries = ['DE'] }\n"
CERTIFICATE = "certificate_headers = true\n[[rules]]\npattern = '/a'\nallow = { common_name = 'laptop' }\n"
HOSTS = "host_routing = true\n[[rules]]\npattern = '/a'\nhosts = ['docs.example.com']\naccess = 'public'\n"


@pytest.mark.parametrize(
    ("text", "arguments", "expected", "note"),
    [
        pytest.param(TRUSTED + GERMAN, (*ALICE, "--country", "de"), "admitted", "", id="country"),
        pytest.param(TRUSTED + GERMAN, (*ALICE, "--country", "FR"), "refused", "", id="another-country"),
        pytest.param(TRUSTED + GERMAN, ("--claims", "german.json"), "refused", "", id="trusted-peer-says-nothing"),
        pytest.param(GERMAN, ("--claims", "german.json"), "admitted", "", id="country-of-the-token"),
        pytest.param(
            GERMAN,
            (*ALICE, "--country", "DE"),
            "refused",
            "note: country counts for nothing: trusted_peers is empty",
            id="nobody-is-believed",
        ),
        pytest.param(
            GERMAN,
            (*ALICE, "--address", OFFICE),
            "refused",
            "note: address counts for nothing: trusted_peers is empty",
            id="no-address-is-believed",
        ),
        pytest.param(TRUSTED + CERTIFICATE, (*ALICE, "--certificate", "laptop"), "admitted", "", id="certificate"),
        pytest.param(TRUSTED + CERTIFICATE, (*ALICE, "--certificate", "x"), "refused", "", id="another-certificate"),
        pytest.param(TRUSTED + CERTIFICATE, ALICE, "refused", "", id="no-certificate"),
        pytest.param(
            "",
            (*ALICE, "--certificate", "laptop"),
            "admitted",
            "note: certificate counts for nothing: certificate_headers is off",
            id="certificates-are-not-told",
        ),
        pytest.param(HOSTS, ("--host", "docs.example.com:443"), "open", "", id="host"),
        pytest.param(HOSTS, ("--host", "x.example.com"), "refused", "", id="another-host"),
        pytest.param(
            "[[rules]]\npattern = '/a'\naccess = 'token'\naudience = 'other'",
            ALICE,
            "refused",
            "",
            id="the-audience-is-the-configurations-first",
        ),
    ],
)
def test_what_is_said_of_the_request_counts_where_it_would(
    text: str, arguments: tuple[str, ...], expected: str, note: str, folder: Path, run: Run
) -> None:
    (folder / "p.toml").write_text(HEAD + text)
    (folder / "german.json").write_text('{"email": "alice@example.com", "country": "DE"}')
    said = run("explain", "--config", "p.toml", "/a", *arguments, "--expect", expected).stderr.splitlines()
    assert [line for line in said if "counts for nothing" in line] == ([note] if note else [])


@pytest.mark.parametrize(
    ("text", "method", "is_told"),
    [
        pytest.param("allow_preflight = true", "OPTIONS", True, id="allowed"),
        pytest.param("allow_preflight = true", "GET", False, id="another-method"),
        pytest.param("", "OPTIONS", False, id="not-allowed"),
    ],
)
def test_a_preflight_that_passes_is_told(text: str, method: str, is_told: bool, folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + text)
    told = run("explain", "--config", "p.toml", method, "/", "--expect", "refused").stderr
    assert ("note: a CORS preflight with Origin" in told) is is_told


def test_a_pipe_is_read_once(run: Run) -> None:
    words = ("explain", "--config", "access.toml", "/", "--claims", "-", "--profile", "-")
    assert "standard input can be read once" in run(*words, stdin="{}", status=2).stderr


def test_a_token_on_the_command_line_is_warned_about(issuer: Issuer, run: Run) -> None:
    token = issuer.user("alice@example.com", audience=EXAMPLE_AUD)
    words = ("explain", "--config", "access.toml", "/", "--token")
    assert "shell's history" in run(*words, token).stderr
    assert "shell's history" not in run(*words, "-", stdin=token).stderr


def test_an_object_without_an_end_is_not_read_to_it(run: Run) -> None:
    words = ("explain", "--config", "access.toml", "/", "--claims", "/dev/zero")
    assert "it has more than 1 MiB" in run(*words, status=2).stderr


def test_a_host_that_a_rule_names_is_shown(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + HOSTS)
    said = run("explain", "--config", "p.toml", "/a", "--host", "DOCS.example.com").stdout
    assert said.startswith("GET /a at docs.example.com, asked by nobody\n")


def test_configurations_that_differ_may_be_asked_one_after_the_other(folder: Path, run: Run) -> None:
    own = HEAD.replace('"acme"', '"asked-twice"')  # what other tests of this process hold is not in the way
    assert own != HEAD
    for hard_ttl in (600, 700):
        (folder / "p.toml").write_text(f"{own}hard_ttl = {hard_ttl}")
        run("explain", "--config", "p.toml", "/", "--expect", "refused")


# Who is asking

LAPTOP = {"common_name": "laptop"}


@pytest.mark.parametrize(
    ("text", "profile", "error"),
    [
        pytest.param("certificates = true", {"common_name": "laptop"}, "", id="accepted"),
        pytest.param("certificates = true", {"common_name": "x"}, "profile: is somebody else's", id="another"),
        pytest.param("", {}, "claims: would be refused whatever the rules say (unknown-principal)", id="not-accepted"),
    ],
)
def test_a_certificates_claims(text: str, profile: dict[str, str], error: str, folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + text)
    (folder / "profile.json").write_text(json.dumps(profile))
    (folder / "laptop.json").write_text(json.dumps(LAPTOP))
    words = ("explain", "--config", "p.toml", "/", "--claims", "laptop.json", "--profile", "profile.json")
    result = run(*words, status=2 if error else 0)
    assert error in result.stderr
    assert error or result.stdout.startswith("GET /, asked by certificate laptop\n")


FOREVER = {"iat": 0, "exp": 253402300799}


@pytest.mark.parametrize(
    ("claims", "codes"),
    [
        pytest.param({}, [], id="nothing-else"),
        pytest.param({"iss": "https://evil.example"}, ["wrong-issuer"], id="issuer"),
        pytest.param({"type": "org"}, ["wrong-token-type"], id="type"),
        pytest.param({"iat": 0, "exp": 1}, ["expired"], id="expired"),
        pytest.param({"iat": 253402300798, "exp": 253402300799}, ["not-yet-valid"], id="not-yet"),
        pytest.param(FOREVER, [], id="long"),
        pytest.param({"type": "org", "exp": 1}, ["wrong-token-type", "expired"], id="two"),
    ],
)
def test_what_a_real_token_would_be_refused_for_is_told(claims: dict[str, object], codes: list[str], run: Run) -> None:
    stdin = json.dumps({"email": "alice@example.com", **claims})
    result = run("explain", "--config", "access.toml", "/", "--claims", "-", "--expect", "admitted", stdin=stdin)
    notes = ["the claims are taken as they are written; no token is verified"]
    notes += [f"a real token like this one would be refused: {code}" for code in codes]
    assert result.stderr.splitlines() == [f"note: {note}" for note in notes]


def test_an_age_that_the_configuration_does_not_accept_is_told(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + "max_age = 60")
    stdin = json.dumps({"email": "alice@example.com", **FOREVER})
    assert "would be refused: too-old" in run("explain", "--config", "p.toml", "/", "--claims", "-", stdin=stdin).stderr


@pytest.mark.parametrize("given", ["argument", "pipe"])
def test_a_token_is_read_and_loudly_not_verified(given: str, issuer: Issuer, run: Run) -> None:
    token = issuer.user("alice@example.com", audience=EXAMPLE_AUD, issued_at=0, expires_in=10)
    forged = token.rpartition(".")[0] + "." + base64.urlsafe_b64encode(b"x" * 256).decode().rstrip("=")
    where = ("--token", forged) if given == "argument" else ("--token", "-")
    result = run("explain", "--config", "access.toml", "/", *where, "--expect", "admitted", stdin=forged + "\n")
    assert "asked by user alice@example.com" in result.stdout
    assert result.stderr.splitlines()[0].startswith("WARNING: the token is NOT verified")
    assert "would be refused: expired" in result.stderr
    assert forged not in result.output


def test_a_token_for_another_application_stays_one(issuer: Issuer, run: Run) -> None:
    token = issuer.user("alice@example.com", audience=AUD)
    run("explain", "--config", "access.toml", "/", "--token", token, "--expect-code", "wrong-audience")


@pytest.mark.parametrize(
    ("claims", "profile", "expected"),
    [
        pytest.param("alice.json", {"user_uuid": "u1"}, "", id="the-subject-is-the-profiles"),
        pytest.param("named.json", {"user_uuid": "u1"}, "profile: is somebody else's", id="another-subject"),
        pytest.param("alice.json", {"email": "ALICE@example.com"}, "", id="the-same-address"),
        pytest.param("alice.json", {"email": "bob@example.com"}, "profile: is somebody else's", id="another-address"),
        pytest.param("alice.json", {"user_uuid": 5}, "profile: is somebody else's", id="no-text"),
        pytest.param("alice.json", {"common_name": "x"}, "", id="a-users-certificate"),
        pytest.param("hook.json", {"service_token_id": "x"}, "profile: is somebody else's", id="another-service"),
        pytest.param("alice.json", {"err": "no app token set"}, "profile: says that there is no session", id="ended"),
        pytest.param(None, {"groups": []}, "profile: stands there without claims", id="nobodys"),
    ],
)
def test_a_profile_is_that_of_whoever_asks(
    claims: str | None, profile: dict[str, Any], expected: str, run: Run
) -> None:
    who = () if claims is None else ("--claims", claims)
    words = ("explain", "--config", "access.toml", "/", *who, "--profile", "-")
    result = run(*words, stdin=json.dumps(profile), status=2 if expected else 0)
    assert result.stderr.startswith(f"Error: {expected}" if expected else "note: ")


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        pytest.param((), None, "Missing argument", id="nothing"),
        pytest.param(("GET",), None, "give a path; it begins with '/'", id="only-a-method"),
        pytest.param(("GET", "/", "/"), None, "give a method and a path", id="three-words"),
        pytest.param(("/", "--expect", "yes"), None, "'yes' is not one of", id="expect"),
        pytest.param(("/", "--claims", "none.json"), None, "claims: none.json cannot be read (No such", id="no-claims"),
        pytest.param(("/", "--claims", "\0"), None, "cannot be read (not a path)", id="no-path"),
        pytest.param(("/", "--claims", "list.json"), None, "claims: list.json is no strict JSON object", id="a-list"),
        pytest.param(("/", "--claims", "-"), "x", "claims: standard input is no strict JSON object", id="pipe"),
        pytest.param(("/", "--profile", "list.json", *ALICE), None, "profile: list.json is no strict", id="profile"),
        pytest.param(("/", "--claims", "-"), "{}", "refused whatever the rules say (unknown-principal)", id="empty"),
        pytest.param(("/", "--claims", "-"), '{"email": "x"}', "the rules say (invalid-claim)", id="email"),
        pytest.param(
            ("/", "--claims", "-"), '{"email": "a@b", "aud": null}', "the rules say (missing-claim)", id="audience"
        ),
        pytest.param(("/", "--token", "x.y"), None, "the rules say (malformed-token)", id="token"),
        pytest.param(("/", "--token", "e30.e30.eA"), None, "the rules say (algorithm-not-allowed)", id="header"),
        pytest.param(("/", "--token", "x.y.z", *ALICE), None, "token: stands beside claims", id="twice"),
        pytest.param(("/", "--address", "here"), None, "address: is text of 4 characters; give an IP", id="address"),
        pytest.param(("/", "--country", "here"), None, "country: is text of 4 characters; give two", id="country"),
    ],
)
def test_a_question_that_means_nothing_is_one_sentence(
    arguments: tuple[str, ...], stdin: str | None, message: str, run: Run
) -> None:
    result = run("explain", "--config", "access.toml", *arguments, stdin=stdin, status=2)
    assert result.stdout == ""
    [sentence] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert message in sentence


def test_a_payload_that_is_no_object_is_one_sentence(issuer: Issuer, run: Run) -> None:
    token = issuer.sign(issuer.header(), b"[]")
    result = run("explain", "--config", "access.toml", "/", "--token", token, status=2)
    assert result.stderr.startswith("Error: token: is no strict JSON object")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "p.toml: cannot be read (No such file or directory)", id="missing"),
        pytest.param("team = ", "p.toml: is not TOML (Invalid value", id="toml"),
        pytest.param(
            HEAD + "[[rules]]\npattern = 'a'\naccess = 'public'", "p.toml: [[rules]] number 1: the p", id="rule"
        ),
        pytest.param(
            HEAD + "[[rules]]\npattern = '/a'\naccess = 'public'\n" * 2,
            "p.toml: rules: '/a' has two rules",
            id="two-rules-tie",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_sentence(
    text: str | None, message: str, folder: Path, run: Run
) -> None:
    if text is not None:
        (folder / "p.toml").write_text(text)
    for command in (("explain", "/"), ("rules",)):
        result = run(*command, "--config", "p.toml", status=2)
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith(f"Error: {message}")


def test_no_keys_are_needed(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD + "keys = 'none.json'\nreport_only = true\n")
    for command in (("explain", "/", *ALICE), ("rules",)):
        assert "report" not in run(*command, "--config", "p.toml").stderr


def test_the_environment_counts_where_no_file_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "team: is missing in the environment" in run("explain", "/", status=2).stderr
    monkeypatch.setenv("CFACCESS_CONFIG", "access.toml")
    run("explain", "/healthz", "--expect", "open")
    monkeypatch.setenv("CFACCESS_LEEWAY", "1e9")
    assert run("explain", "/", status=2).stderr.startswith("Error: leeway: is a number")
    run("explain", "/healthz", "--config", "access.toml", "--expect", "open")


def test_nothing_is_fetched(folder: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f'team_url = "http://127.0.0.1:{server.getsockname()[1]}"\n'
        (folder / "p.toml").write_text(HEAD + address + "[[rules]]\npattern = '/a'\nallow = { groups = ['x'] }")
        run("explain", "--config", "p.toml", "/a", *ALICE, "--expect", "lookup")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_shell_can_test_rules(folder: Path) -> None:
    command = (sys.executable, "-m", "cfaccess_mw", "explain", "--config", "access.toml")

    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], input='{"email": "a@b"}', capture_output=True, text=True, timeout=60, check=False
        )

    assert shell("/healthz", "--expect", "open").returncode == 0
    assert shell("/", "--claims", "-", "--expect", "admitted").returncode == 0
    failed = shell("/admin", "--expect", "open")
    assert (failed.returncode, failed.stderr) == (1, "expected open, and it is refused (no-token)\n")
    mistaken = shell("/", "--claims", "none.json")
    assert (mistaken.returncode, mistaken.stdout) == (2, "")
    assert mistaken.stderr.startswith("Error: claims: none.json cannot be read")


def test_only_click_is_needed(folder: Path) -> None:
    block = "import sys; sys.modules.update(dict.fromkeys(['uvicorn', 'jinja2', 'websockets']))"
    script = f"{block}; from cfaccess_mw.cli import main; main()"

    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
        )

    assert shell("explain", "--config", "access.toml", "/healthz", "--expect", "open").returncode == 0
    lacking = shell("demo")
    assert lacking.returncode == 2
    assert re.fullmatch(r"Error: the demonstration needs \w+: pip install 'cfaccess-mw\[emulator\]'\n", lacking.stderr)
