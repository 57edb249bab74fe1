"""An emulated team in a TOML file: what it comes to, and what is said of each mistake."""

import json
from pathlib import Path

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import PolicyDecision
from cfaccess_mw.core.policy_reading import policy_to_mapping
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.file import read_file, read_seconds
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.users import ServiceToken, User

EXAMPLE = Path(__file__).parents[2] / "examples" / "emulator.toml"
ADMINS = {"decision": "allow", "include": [{"groups": ["admins"]}]}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "team.toml"


def test_everything(written: Path) -> None:
    written.write_text(
        """
        upstream = "http://127.0.0.1:8000"
        port = 0
        team = "yourteam"
        team_host = "yourteam.localhost"
        country = "NZ"
        ip = "192.0.2.1"
        strict = true
        rotate_every = "6h"
        session = "2h45m"
        fault = { certs = "slow:3", skew = 60 }

        [[applications]]
        audience = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
        name = "Wiki"
        host = "wiki.test"
        path = "/docs"
        public = ["/docs/open"]
        session = 60
        upstream = "http://127.0.0.1:9000"
        path_cookie = true
        preflight_bypass = true
        http_only = false
        same_site = "strict"
        binding_cookie = true
        service_token_header = "Authorization"
        service_auth_401 = true
        policies = [{ decision = "allow", include = [{ groups = ["admins"] }] }]

        [[applications]]

        [[users]]
        email = "alice@example.com"
        name = "Alice"
        groups = ["admins", { id = "g1", name = "staff" }]
        country = "DE"
        ip = "198.51.100.7"
        custom = { department = "IT" }
        profile = { is_warp = true }

        [[service_tokens]]
        client_id = "e367826f93b8d71185e03fe518aff3b4.access"
        client_secret = "s"
        name = "robot"
        enabled = false
        """
    )
    found = read_file(written)
    wiki, other = found.pop("applications")
    [policy] = wiki.policies
    assert policy_to_mapping(policy) == {"decision": "allow", "include": [{"groups": "admins"}]}
    assert wiki == Application(
        audience="32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228",
        name="Wiki",
        host="wiki.test",
        path="/docs",
        public=("/docs/open",),
        session=60,
        upstream=Upstream(host="127.0.0.1", port=9000),
        path_cookie=True,
        preflight_bypass=True,
        http_only=False,
        same_site="strict",
        binding_cookie=True,
        service_token_header="Authorization",
        service_auth_401=True,
        policies=wiki.policies,
    )
    assert other == Application(session=9_900)
    assert found == {
        "upstream": "http://127.0.0.1:8000",
        "port": 0,
        "team": "yourteam",
        "team_host": "yourteam.localhost",
        "country": "NZ",
        "ip": "192.0.2.1",
        "strict": True,
        "rotate_every": 21_600,
        "fault": {"certs": "slow:3", "skew": 60},
        "users": [
            User(
                email="alice@example.com",
                name="Alice",
                groups=("admins", {"id": "g1", "name": "staff"}),
                country="DE",
                ip="198.51.100.7",
                custom={"department": "IT"},
                profile={"is_warp": True},
            )
        ],
        "service_tokens": [
            ServiceToken(
                client_id="e367826f93b8d71185e03fe518aff3b4.access", client_secret="s", name="robot", enabled=False
            )
        ],
    }
    with Emulator.from_file(written) as emulator:  # and all of it is what an emulator takes
        assert emulator.issuer.iss == "https://yourteam.cloudflareaccess.com"
        assert emulator.faults.skew == 60


@pytest.mark.parametrize(
    ("text", "audience", "name"),
    [
        pytest.param("", DEFAULT_AUDIENCE, "Application", id="nothing at all"),
        pytest.param("[[applications]]", DEFAULT_AUDIENCE, "Application", id="an empty table"),
        pytest.param('[[applications]]\npath = "/a/"', audience_for(path="/a/"), "/a", id="a path"),
        pytest.param('[[applications]]\nhost = "a.test"', audience_for("a.test"), "a.test", id="a host"),
        pytest.param(
            '[[applications]]\nhost = "a.test"\npath = "/b"', audience_for("a.test", "/b"), "a.test/b", id="both"
        ),
    ],
)
def test_what_is_not_said(written: Path, text: str, audience: str, name: str) -> None:
    written.write_text(text)
    [application] = read_file(written)["applications"]
    assert (application.audience, application.name, application.session) == (audience, name, 86_400)


@pytest.mark.parametrize(
    ("text", "given", "sessions"),
    [
        pytest.param("", None, [86_400], id="a day"),
        pytest.param("session = 60", None, [60], id="the file's"),
        pytest.param("session = 60\n[[applications]]\n[[applications]]\npath='/a'\nsession=9", None, [60, 9], id="own"),
        pytest.param("session = 60\n[[applications]]\n[[applications]]\npath='/a'\nsession=9", 7, [7, 9], id="given"),
    ],
)
def test_how_long_a_session_is(written: Path, text: str, given: float | None, sessions: list[float]) -> None:
    written.write_text(text)
    assert [one.session for one in read_file(written, session=given)["applications"]] == sessions


def test_policies_at_the_top_are_those_of_the_only_application(written: Path) -> None:
    written.write_text('policies = [{ decision = "deny", include = [{ everyone = true }] }]')
    [application] = read_file(written)["applications"]
    assert [policy.decision for policy in application.policies] == [PolicyDecision.DENY]


def test_policies_and_references_as_the_api_gives_them(written: Path) -> None:
    exported = {"decision": "allow", "name": "x", "include": [{"group": {"id": "g-1"}}], "precedence": 1}
    (written.parent / "policies.json").write_text(json.dumps({"success": True, "result": [exported]}))
    (written.parent / "groups.json").write_text(json.dumps([{"id": "g-1", "include": [{"email": {"email": "a@b.c"}}]}]))
    written.write_text('policies = "policies.json"\nreferences = { groups = "groups.json" }')
    [application] = read_file(written)["applications"]
    [policy] = application.policies
    assert "a@b.c" in str(policy_to_mapping(policy))
    (written.parent / "all.json").write_text(json.dumps({"groups": [{"id": "g-1", "include": [{"everyone": {}}]}]}))
    written.write_text('references = "all.json"\n[[applications]]\npolicies = "policies.json"')
    assert read_file(written)["applications"][0].policies


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(60, 60), (1.5, 1.5), ("24h", 86_400), ("2h45m", 9_900), ("300ms", 0.3), ("1h0.5s", 3_600.5), ("90s", 90)],
)
def test_durations(value: object, seconds: float) -> None:
    assert read_seconds(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "24", "1d", "h", "-1h", "1 h", "1h,", "1.2.3s", True, None, []])
def test_no_durations(value: object) -> None:
    with pytest.raises(ConfigurationError, match="give a number of seconds, or a duration such as '24h'"):
        read_seconds(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("upstrem = 'x'", "'upstrem' is not known here; did you mean 'upstream'?", id="a key"),
        pytest.param("xyz = 1", "'xyz' is not known here; known are applications, country", id="no key"),
        pytest.param("port = '1'", "port: is text of 1 characters; give a port", id="no port"),
        pytest.param("port = true", "port: is a boolean; give a port", id="a boolean for a port"),
        pytest.param("strict = 1", "strict: is a number; give true or false", id="no boolean"),
        pytest.param("session = 'long'", "session: is text of 4 characters; give a number", id="no duration"),
        pytest.param("fault = 'slow'", "fault: is text of 4 characters; give a table", id="no table"),
        pytest.param("team = 7", "team: is a number; give a text", id="no text"),
        pytest.param("users = 'x'", "users: is text of 1 characters; write a table [[users]] for each", id="no tables"),
        pytest.param("users = ['x']", "users: is a list of 1; write a table [[users]]", id="no table in them"),
        pytest.param(
            "[[users]]\nemail='a@b'\n[[users]]\nemial='x'",
            "[[users]] number 2: 'emial' is not known here; did you mean 'email'?",
            id="a user's key",
        ),
        pytest.param("[[users]]\nname='x'", "[[users]] number 1: email: is missing; give it", id="no address"),
        pytest.param("[[users]]\nemail='x'", "[[users]] number 1: email: must have one '@'", id="a bad address"),
        pytest.param(
            "[[users]]\nemail='a@b'\ngroups='x'",
            "[[users]] number 1: groups: is text of 1 characters; give a list of names",
            id="no groups",
        ),
        pytest.param("[[users]]\nemail='a@b'\nip='x'", "[[users]] number 1: ip: is text of 1", id="no ip"),
        pytest.param(
            "[[service_tokens]]\nclient_id='x'",
            "[[service_tokens]] number 1: client_secret: is missing",
            id="no secret",
        ),
        pytest.param(
            "[[applications]]\n[[applications]]\naudiance='x'",
            "[[applications]] number 2: 'audiance' is not known here; did you mean 'audience'?",
            id="an application's key",
        ),
        pytest.param(
            "[[applications]]\naudience='x'", "[[applications]] number 1: audience: must be 64 lower-case", id="no AUD"
        ),
        pytest.param(
            "[[applications]]\npublic='/x'", "[[applications]] number 1: public: is text of 2 characters", id="no list"
        ),
        pytest.param(
            "[[applications]]\nupstream='x'",
            "[[applications]] number 1: upstream: must be 'http://host:port'",
            id="no upstream",
        ),
        pytest.param(
            "[[applications]]\nupstream=7", "[[applications]] number 1: upstream: is a number; give", id="no address"
        ),
        pytest.param(
            "[[applications]]\nservice_token_header='a b'",
            "[[applications]] number 1: service_token_header: must be the name of a header",
            id="no header",
        ),
        pytest.param(
            "[[applications]]\nsession=0", "[[applications]] number 1: session: is a number; give", id="no time"
        ),
        pytest.param(
            "[[applications]]\n[[applications.policies]]\ndecision='alow'",
            "[[applications]] number 1: policies: number 1: decision: 'alow' is not known; did you mean 'allow'?",
            id="a policy's word",
        ),
        pytest.param(
            "[[applications]]\npolicies=[{decision='allow', name='p', include=[{grups=['x']}]}]",
            "[[applications]] number 1: policies: 'p': include: 'grups' is not a condition; did you mean 'groups'?",
            id="a condition",
        ),
        pytest.param(
            "[[applications]]\npolicies='x'",
            "[[applications]] number 1: policies: is text of 1 characters; give the path of a .json file",
            id="no file of policies",
        ),
        pytest.param(
            "policies=[]\n[[applications]]",
            "policies: is empty, which at Cloudflare lets nobody in",
            id="no policies",
        ),
        pytest.param(
            "policies=[{decision='allow', include=[{everyone=true}]}]\n[[applications]]",
            "policies: stand beside applications, which inherit nothing",
            id="policies beside applications",
        ),
        pytest.param("references=7", "references: is a number; give a mapping", id="no references"),
        pytest.param("references={group={}}", "references: 'group' is not known; did you mean 'groups'?", id="section"),
        pytest.param("x = ", "is not TOML", id="no TOML"),
    ],
)
def test_mistakes_name_file_table_and_key(written: Path, text: str, message: str) -> None:
    written.write_text(text)
    with pytest.raises(ConfigurationError) as mistake:
        read_file(written)
    said = str(mistake.value)
    assert said.startswith(f"{written}: ")
    assert message in said
    assert mistake.value.__cause__ is None
    assert mistake.value.__context__ is None or mistake.value.__suppress_context__


def test_a_secret_is_never_shown(written: Path) -> None:
    written.write_text("[[service_tokens]]\nclient_id='i'\nclient_secret='hunter2'\nenabled='hunter2'")
    with pytest.raises(ConfigurationError) as mistake:
        read_file(written)
    assert "hunter2" not in str(mistake.value)


def test_somebody_has_to_say_where_the_application_is(written: Path) -> None:
    written.write_text("")
    with pytest.raises(ConfigurationError, match=r"team\.toml: upstream: is missing; give"):
        Emulator.from_file(written)
    with Emulator.from_file(written, upstream="http://127.0.0.1:1") as emulator:
        assert emulator.audience == DEFAULT_AUDIENCE


def test_the_example_is_what_it_says() -> None:
    with Emulator.from_file(EXAMPLE, port=0) as emulator:
        assert [application.name for application in emulator.applications] == ["Intranet", "Admin"]
        assert [application.session for application in emulator.applications] == [28_800, 900]
