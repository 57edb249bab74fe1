"""Does the doctor find what is wrong, say what mends it, and tell a mistake from an outage?"""

import email.utils
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cfaccess_mw.cli.commands import cfaccess
from cfaccess_mw.cli.doctor_environment import examine_environment
from cfaccess_mw.cli.findings import Level
from cfaccess_mw.cli.origins import Listening, asgi_application
from cfaccess_mw.emulator.issuer import Issuer
from tests.cli.team import HEAD, fresh, write_team
from tests.processes import free_port
from tests.refresh.servers import Connection, Script, says, serving
from tests.tokens import AUD, OTHER_AUD

Run = Callable[..., Result]
JSON = "content-type: application/json"


def found(result: Result) -> dict[str, list[tuple[str, str]]]:
    """What was found by what it is about: level, and what was said with its mend."""
    by_about: dict[str, list[tuple[str, str]]] = {}
    for finding in json.loads(result.stdout)["findings"]:
        said = f"{finding['says']}; {finding['mend']}"
        by_about.setdefault(finding["about"], []).append((finding["level"], said))
    return by_about


def examined(run: Run, *arguments: str, status: int, stdin: str | None = None) -> dict[str, list[tuple[str, str]]]:
    result = run("doctor", *arguments, "--json", status=status, stdin=stdin)
    assert json.loads(result.stdout)["status"] == status
    return found(result)


def certs(issuer: Issuer, *headers: str, skew: float = 0, **document: Any) -> Script:
    """An endpoint whose clock may be wrong."""
    body = json.dumps({**issuer.certs(), **document}).encode()

    def script(connection: Connection) -> None:
        date = email.utils.formatdate(time.time() + skew, usegmt=True)
        says(JSON, f"date: {date}", *headers, body=body)(connection)

    return script


@pytest.fixture
def team(issuer: Issuer, folder: Path) -> Iterator[str]:
    """A configuration whose team answers."""
    with serving(certs(issuer)) as server:
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{server.url}"\n')
        yield "p.toml"


def test_a_line_for_each_thing_and_nothing_wrong(team: str, issuer: Issuer, run: Run) -> None:
    lines = run("doctor", "--config", team, "--token", "-", stdin=fresh(issuer)).stdout.splitlines()
    assert [tuple(line.split()[:2]) for line in lines] == [
        ("ok", "configuration"),
        ("ok", "audience"),
        ("note", "certs_url"),
        ("ok", "rules"),
        ("ok", "team"),
        ("ok", "keys"),
        ("ok", "clock"),
        ("ok", "token"),
    ]
    assert all("; mend: " in line for line in lines if line.startswith("note"))


def test_the_data(team: str, run: Run) -> None:
    findings = examined(run, "--config", team, status=0)
    assert findings["keys"][0][0] == "ok"
    assert findings["keys"][0][1].startswith("2 can be used, made ")


# The configuration and its rules


@pytest.mark.parametrize(
    ("text", "about", "says_"),
    [
        pytest.param("report_only = true", "report_only", "everything: refusals are only told", id="report-only"),
        pytest.param(
            "[[rules]]\npattern = '/a'\nany_user = true\nreport_only = true", "report_only", "/a: refusals", id="a-rule"
        ),
        pytest.param("trusted_peers = ['0.0.0.0/0']", "trusted_peers", "0.0.0.0/0 is everybody", id="everybody"),
        pytest.param("trusted_peers = ['::/0']", "trusted_peers", "::/0 is everybody", id="everybody-6"),
        pytest.param("refusal_template = 'none.html'", "configuration", "refusal_template: ", id="template"),
        pytest.param(
            "[[rules]]\npattern = '/a'\naccess = 'token'\naudience = 'x'",
            "audience",
            "text of 1 char",
            id="rule-audience",
        ),
        pytest.param(
            "[[rules]]\npattern = '/a;v=1/b'\naccess = 'public'", "rules", "'/a;v=1/b' never opens", id="never-opens"
        ),
        pytest.param(
            "[[rules]]\npattern = '/a;v=*/b'\nmethods = ['POST']\naccess = 'public'",
            "rules",
            "never opens",
            id="method",
        ),
    ],
)
def test_what_is_wrong_with_a_configuration(
    text: str, about: str, says_: str, issuer: Issuer, folder: Path, run: Run
) -> None:
    findings = examined(run, "--config", write_team(folder, issuer, text), status=1)
    wrong = [said for level, said in findings[about] if level == "wrong"]
    assert any(says_ in said for said in wrong), findings
    assert not any(said.endswith("; ") for said in wrong)


def test_rules_that_open_are_in_order(issuer: Issuer, folder: Path, run: Run) -> None:
    text = "".join(f"[[rules]]\npattern = '{p}'\naccess = 'public'\n" for p in ("/a", "/b/*", "/c*/d"))
    findings = examined(run, "--config", write_team(folder, issuer, text), status=0)
    assert findings["rules"] == [("ok", "3 rules; none ties, and each can match; ")]


@pytest.mark.parametrize(
    ("audience", "says_"),
    [
        pytest.param("7335d417-61da-459d-899c-0a01c76a2f94", "the id of an application", id="uuid"),
        pytest.param(AUD.upper(), "capital letters", id="capitals"),
        pytest.param(AUD[:-1], "text of 63 characters is no AUD tag", id="short"),
        pytest.param("https://app.example.com", "text of 23 characters is no AUD tag", id="url"),
    ],
)
def test_what_is_no_aud_tag(audience: str, says_: str, folder: Path, issuer: Issuer, run: Run) -> None:
    config = write_team(folder, issuer)
    Path(config).write_text(Path(config).read_text().replace(AUD, audience))
    [(level, said)] = examined(run, "--config", config, status=1)["audience"]
    assert level == "wrong"
    assert said.startswith(says_) or says_ in said
    assert audience not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "p.toml: cannot be read (No such file", id="missing"),
        pytest.param("team =", "p.toml: is not TOML", id="toml"),
        pytest.param(HEAD + "leway = 3", "'leway' is not a key of the configuration; did you mean 'leeway'?", id="key"),
        pytest.param(HEAD + "leeway = 1000", "p.toml: leeway: is a number", id="value"),
    ],
)
def test_a_configuration_that_cannot_be_used_ends_the_examination(
    text: str | None, message: str, folder: Path, run: Run
) -> None:
    if text is not None:
        (folder / "p.toml").write_text(text)
    findings = examined(run, "--config", "p.toml", status=2)
    [(level, said)] = findings.pop("configuration")
    assert level == "unusable"
    assert message in said
    assert findings == {}


# The environment


def variables(environ: dict[str, str], file: str | None = None) -> list[tuple[Level, str]]:
    return [(finding.level, finding.says) for finding in examine_environment(environ, file)]


@pytest.mark.parametrize(
    ("environ", "file", "level", "said"),
    [
        pytest.param(
            {"TEAM_DOMAIN": "acme", "CFACCESS_TEAM": "globex"},
            None,
            Level.WRONG,
            "TEAM_DOMAIN and CFACCESS_TEAM: differ",
            id="teams",
        ),
        pytest.param(
            {"TEAM_DOMAIN": "https://acme.cloudflareaccess.com", "CFACCESS_TEAM": "acme"},
            None,
            Level.NOTE,
            "TEAM_DOMAIN and CFACCESS_TEAM: both say the same",
            id="one-team",
        ),
        pytest.param({"TEAM_DOMAIN": "a b", "CFACCESS_TEAM": "acme"}, None, Level.WRONG, "differ", id="no-team"),
        pytest.param(
            {"POLICY_AUD": "x", "CFACCESS_AUDIENCE": "y"}, None, Level.WRONG, "POLICY_AUD and", id="audiences"
        ),
        pytest.param({"CFACCESS_TEAM": "acme"}, "p.toml", Level.NOTE, "CFACCESS_TEAM: not read", id="beside-a-file"),
        pytest.param(
            {"CFACCESS_CONFIG": "p.toml", "CFACCESS_TEAM": "acme"},
            None,
            Level.NOTE,
            "CFACCESS_TEAM: said beside",
            id="wins",
        ),
        pytest.param({"CFACCESS_TEAM": ""}, None, Level.NOTE, "CFACCESS_TEAM: empty", id="empty"),
        pytest.param({"CF_ACCESS_AUD": "x"}, None, Level.NOTE, "CF_ACCESS_AUD: read by nobody", id="near"),
        pytest.param(
            {"HTTPS_PROXY": "http://user:pass@p"}, None, Level.NOTE, "HTTPS_PROXY: the team is asked", id="proxy"
        ),
        pytest.param({"CFACCESS_TEAM": "acme"}, None, Level.GOOD, "CFACCESS_TEAM: read", id="good"),
    ],
)
def test_variables(environ: dict[str, str], file: str | None, level: Level, said: str) -> None:
    assert any(seen is level and said in text for seen, text in variables(environ, file))
    values = {value for value in environ.values() if len(value) > 3}
    assert not any(value in text for _, text in variables(environ, file) for value in values)


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="none"),
        pytest.param({"CF_ACCESS_CLIENT_ID": "x", "CF_ACCESS_CLIENT_SECRET": "y"}, id="a-clients"),
        pytest.param({"PATH": "/bin"}, id="others"),
    ],
)
def test_variables_of_others_are_nothing_to_us(environ: dict[str, str]) -> None:
    assert variables(environ) == []


def test_contradictions_do_not_count_beside_a_file() -> None:
    assert [level for level, _ in variables({"TEAM_DOMAIN": "a", "CFACCESS_TEAM": "b"}, "p.toml")] == [Level.NOTE]


# The team


@pytest.mark.parametrize(
    ("script", "status", "about", "level", "said"),
    [
        pytest.param(None, 3, "team", "unreachable", "connect-failed", id="nobody"),
        pytest.param(says(JSON, status="502 No"), 3, "team", "unreachable", "status-502", id="down"),
        pytest.param(says(JSON, status="404 No"), 1, "team", "wrong", "there is no such team", id="no-team"),
        pytest.param(says("content-type: text/html"), 1, "team", "wrong", "not-json", id="somebody-else"),
        pytest.param(
            says(JSON, body=b'{"keys": [{"kty": "EC"}]}'), 1, "team", "wrong", "none of the 1 keys", id="no-keys"
        ),
    ],
)
def test_a_team_that_gives_no_keys(
    script: Script | None, status: int, about: str, level: str, said: str, folder: Path, run: Run
) -> None:
    with serving(script or says()) as server:
        url = server.url if script else f"http://127.0.0.1:{free_port()}/certs"
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{url}"\n')
        findings = examined(run, "--config", "p.toml", status=status)
    [(seen, text)] = findings[about]
    assert seen == level
    assert said in text
    assert "keys" not in findings


def test_keys_that_are_skipped_are_counted_by_reason(issuer: Issuer, folder: Path, run: Run) -> None:
    odd = [{"kty": "EC"}, {"kty": "EC"}, None]
    with serving(certs(issuer, keys=[*issuer.certs()["keys"], *odd])) as server:
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{server.url}"\n')
        findings = examined(run, "--config", "p.toml", status=0)
    assert ("note", "skipped: 1 not-an-object, 2 not-rsa; see cfaccess keys") in findings["keys"]


def test_a_file_of_keys_that_is_not_there(issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    (folder / "keys.json").unlink()
    findings = examined(run, "--config", config, "--token", "-", stdin=fresh(issuer), status=1)
    for about in ("keys", "token"):
        assert any(level == "wrong" and "keys.json cannot be read" in said for level, said in findings[about])


@pytest.mark.parametrize(
    ("clock", "text", "level", "said"),
    [
        pytest.param((0, ()), "", "ok", "agrees", id="right"),
        pytest.param((3_700, ()), "", "wrong", "1 hour behind the team's, more than the leeway of 30", id="behind"),
        pytest.param((-3_700, ()), "", "wrong", "1 hour ahead of the team's, more than", id="ahead"),
        pytest.param((50, ()), "", "wrong", "behind the team's, more than the leeway of 30", id="a-little"),
        pytest.param((250, ()), "leeway = 300", "note", "behind the team's, within the leeway of 300", id="within"),
        pytest.param((-3_600, ("age: 3600",)), "", "ok", "agrees", id="cached"),
        pytest.param((-3_600, ("age: x",)), "", "wrong", "ahead of", id="no-age"),
    ],
)
def test_the_clock(
    clock: tuple[float, tuple[str, ...]], text: str, level: str, said: str, issuer: Issuer, folder: Path, run: Run
) -> None:
    skew, headers = clock
    with serving(certs(issuer, *headers, skew=skew)) as server:
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{server.url}"\n{text}')
        [(seen, told)] = examined(run, "--config", "p.toml", status=1 if level == "wrong" else 0)["clock"]
    assert (seen, said in told) == (level, True), told


def test_no_date_is_no_mistake(issuer: Issuer, folder: Path, run: Run) -> None:
    for date in ((), ("date: yesterday",)):
        with serving(says(JSON, *date, body=json.dumps(issuer.certs()).encode())) as server:
            (folder / "p.toml").write_text(f'{HEAD}certs_url = "{server.url}"\n')
            assert examined(run, "--config", "p.toml", status=0)["clock"][0][0] == "note"


# A token


def test_a_wrong_audience_is_told_from_an_outage(team: str, issuer: Issuer, folder: Path, run: Run) -> None:
    wrong, good = fresh(issuer, audience=OTHER_AUD), fresh(issuer)
    (folder / "down.toml").write_text(f'{HEAD}certs_url = "http://127.0.0.1:{free_port()}/certs"\n')
    for config, token, status, level, said in (
        (team, good, 0, "ok", "good, of a user"),
        (team, wrong, 1, "wrong", "refused (wrong-audience)"),
        ("down.toml", good, 3, "unreachable", "right as far as can be seen"),
        ("down.toml", wrong, 1, "wrong", f"the token says {OTHER_AUD}"),
    ):
        [(seen, text)] = examined(run, "--config", config, "--token", "-", stdin=token, status=status)["token"]
        assert (seen, said in text) == (level, True), text
        assert token not in text


# The origin


@pytest.fixture
def protected(issuer: Issuer) -> Iterator[str]:
    """An application behind its door."""
    listening = Listening()
    application = asgi_application(
        team="acme", audience=AUD, keys=issuer.certs(), cookie=True, rules=[{"pattern": "/open", "access": "public"}]
    )
    with listening.asgi(application):
        yield listening.url


def test_an_origin_that_is_protected(protected: str, issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    found = examined(run, "--config", config, "--origin", f"{protected}/", "--websocket", status=0)["origin"]
    assert [(level, said.partition(": ")[2]) for level, said in found] == [
        ("ok", "refused (401 no-token); "),
        ("ok", "refused (401 no-token); "),
        ("ok", "refused (401 bad-signature); "),
        ("ok", "refused (401 bad-signature); "),
        ("ok", "refused (401 no-token); "),
    ]


PROBLEM = b'{"type": "urn:cfaccess:refusal:%b", "code": "%b"}'
PROBLEMS = "content-type: application/problem+json"


@pytest.mark.parametrize(
    ("script", "level", "said"),
    [
        pytest.param(says(body=b"Hello"), "wrong", "answered 200, without asking who is there", id="open"),
        pytest.param(says(status="404 No"), "wrong", "answered 404, without asking", id="not-found"),
        pytest.param(says("location: /login", status="302 Found"), "wrong", "answered 302", id="own-login"),
        pytest.param(says(status="500 No"), "wrong", "answered 500", id="error"),
        pytest.param(says(status="403 No"), "ok", "refused (403)", id="another-guard"),
        pytest.param(
            says("location: https://acme.cloudflareaccess.com/cdn-cgi/access/login/x", status="302 Found"),
            "ok",
            "sent to the login page",
            id="login",
        ),
        pytest.param(
            says("location: https://acme.cloudflareaccess.com.evil.example/cdn-cgi/access/login/x", status="302 Found"),
            "wrong",
            "answered 302",
            id="no-login",
        ),
        pytest.param(says("server: cloudflare", status="403 No"), "wrong", "Cloudflare answers there", id="the-edge"),
        pytest.param(says("cf-ray: 1", status="302 Found"), "wrong", "Cloudflare answers there", id="the-edge-too"),
        pytest.param(
            says(PROBLEMS, status="503 No", body=PROBLEM.replace(b"%b", b"keys-unavailable")),
            "wrong",
            "the origin has no keys",
            id="no-keys",
        ),
        pytest.param(
            says(PROBLEMS, status="401 No", body=PROBLEM.replace(b"%b", b"no-token")), "ok", "401 no-token", id="ours"
        ),
        pytest.param(says(PROBLEMS, status="200 OK", body=b"[]"), "wrong", "answered 200", id="no-problem"),
        pytest.param(says(PROBLEMS, status="200 OK", body=b"\xff"), "wrong", "answered 200", id="no-json"),
        pytest.param(says(status="502 No"), "unreachable", "502", id="gone"),
        pytest.param(None, "unreachable", "connect-failed", id="nobody"),
    ],
)
def test_origins(script: Script | None, level: str, said: str, issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    status = {"ok": 0, "wrong": 1, "unreachable": 3}[level]
    with serving(script or says()) as server:
        url = server.url if script else f"http://127.0.0.1:{free_port()}/"
        origin = examined(run, "--config", config, "--origin", url, status=status)["origin"]
    assert {seen for seen, _ in origin} == {level}
    assert all(said in text for _, text in origin)


def test_an_origin_is_asked_as_it_is_known(issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    with serving(says(status="403 No")) as server:
        examined(run, "--config", config, "--origin", server.url, "--host", "app.example.com", status=0)
        requests = [connection.request.lower() for connection in server.connections]
    assert all(b"host: app.example.com\r\n" in request for request in requests)
    assert b"cf-access-jwt-assertion" not in requests[0]
    assert b"cf-access-authenticated-user-email: somebody@example.com" in requests[1]
    assert b"cf-access-jwt-assertion: ey" in requests[2]
    assert b"cookie: cf_authorization=ey" in requests[3]
    assert len(requests) == 4


def test_an_origin_is_asked_without_a_proxy(
    issuer: Issuer, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_team(folder, issuer)
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    with serving(says(status="403 No")) as server:
        examined(run, "--config", config, "--origin", server.url, status=0)


def test_a_path_that_is_open_proves_nothing(issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer, "[[rules]]\npattern = '/certs'\naccess = 'public'")
    with serving(says()) as server:
        [(level, said)] = examined(run, "--config", config, "--origin", server.url, status=1)["origin"]
        assert server.connections == []
    assert (level, said.partition(";")[0]) == ("wrong", "the rules let everybody in at this path")


def test_a_host_that_no_rule_has_proves_nothing(issuer: Issuer, folder: Path, run: Run) -> None:
    rules = "host_routing = true\n[[rules]]\npattern = '/certs'\naccess = 'public'\nhosts = ['docs.example.com']"
    config = write_team(folder, issuer, rules)
    problem = b'{"type": "urn:cfaccess:refusal:ambiguous-host"}'
    script = says("content-type: application/problem+json", status="400 No", body=problem)
    with serving(script) as server:
        origin = examined(run, "--config", config, "--origin", server.url, status=1)["origin"]
    assert {level for level, _ in origin} == {"wrong"}
    assert all("name a host that the rules have by --host" in said for _, said in origin)


def test_the_command_line_is_checked(run: Run) -> None:
    for words in (("--host", "x"), ("--websocket",)):
        assert "--origin" in run("doctor", *words, status=2).stderr
    for origin in ("app.example.com", "ftp://x/", "http://", "http://[::1", "http://x:99999/", "http://x:y/"):
        assert "--origin is the address" in run("doctor", "--origin", origin, status=2).stderr


@pytest.mark.parametrize("host", ["a\r\nX-Evil: b", "\udcff", "\u65e5", ""])
def test_a_host_that_cannot_be_sent_is_no_traceback(host: str, issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    with serving(says(status="403 No")) as server:
        result = CliRunner().invoke(cfaccess, ["doctor", "--config", config, "--origin", server.url, "--host", host])
        assert isinstance(result.exception, SystemExit | None)
        assert b"X-Evil: b" not in b"".join(connection.request for connection in server.connections)
