"""Does ``mint`` sign for development what a door takes there, and nothing that passes for Cloudflare's?"""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.protection import Protection
from tests.cli.team import ALICE, ROBOT
from tests.tokens import AUD, OTHER_AUD

Run = Callable[..., Result]
KEY, JWKS = "development-key.json", "development-key.jwks.json"
FOR = ("--team", "acme", "--audience", AUD)


def decoded(run: Run, token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("decode", "--json", stdin=token).stdout)
    return found


@pytest.mark.parametrize(
    ("who", "kind", "name"),
    [
        pytest.param((ALICE,), "user", ALICE, id="user"),
        pytest.param(("--service", ROBOT), "service", ROBOT, id="service"),
    ],
)
def test_a_door_takes_it_where_it_is_given_the_keys(who: tuple[str, ...], kind: str, name: str, run: Run) -> None:
    minted = run("mint", *who, *FOR)
    protection = Protection(team="acme", audience=AUD, keys=JWKS)
    identity = protection.verify(minted.stdout.strip())
    protection.close()
    assert (identity.kind, identity.display_name) == (kind, name)
    assert minted.stderr.splitlines()[0].startswith("DEVELOPMENT TOKEN: ")
    assert f"keys = '{JWKS}'" in minted.stderr


def test_it_is_known_as_what_it_is_wherever_it_is_met(run: Run) -> None:
    token = run("mint", ALICE, *FOR).stdout
    assert decoded(run, token)["header"]["kid"].startswith("development-")
    assert json.loads(Path(JWKS).read_text())["keys"][0]["kid"].startswith("development-")
    assert set(json.loads(Path(JWKS).read_text())["keys"][0]) == {"kid", "kty", "alg", "use", "e", "n"}
    Path("p.toml").write_text(f'team = "acme"\naudience = "{AUD}"\nkeys = "{JWKS}"\n')
    said = run("doctor", "--config", "p.toml", status=1).stdout
    assert "made by cfaccess mint" in said


def test_the_key_is_made_once_and_for_its_owner(run: Run) -> None:
    first = run("mint", ALICE, *FOR)
    assert stat.S_IMODE(Path(KEY).stat().st_mode) == 0o600
    assert f"{KEY} is new" in first.stderr
    written = Path(KEY).read_text()
    second = run("mint", ALICE, *FOR)
    assert f"{KEY} is new" not in second.stderr
    assert Path(KEY).read_text() == written
    assert decoded(run, first.stdout)["header"] == decoded(run, second.stdout)["header"]
    assert "PRIVATE" not in first.output + second.output


def test_the_names_of_the_data_are_stable(run: Run) -> None:
    data = json.loads(run("mint", ALICE, *FOR, "--json").stdout)
    assert list(data) == ["development", "token", "claims", "key", "jwks"]
    assert (data["development"], data["key"], data["jwks"]) == (True, KEY, JWKS)
    assert data["claims"] == decoded(run, data["token"])["claims"]


@pytest.mark.parametrize(
    ("options", "claims"),
    [
        pytest.param(("--claim", 'country="DE"'), {"country": "DE"}, id="replaced"),
        pytest.param(("--claim", 'custom={"team": ["a", 1]}'), {"custom": {"team": ["a", 1]}}, id="added"),
        pytest.param(("--claim", "country"), {"country": None}, id="taken-away"),
        pytest.param(("--claim", "key=1", "--claim", "audience=2"), {"key": 1, "audience": 2}, id="names-of-ours"),
        pytest.param(("--audience", OTHER_AUD), {"aud": [AUD, OTHER_AUD]}, id="two-audiences"),
        pytest.param(("--team", "acme.fed"), {"iss": "https://acme.fed.cloudflareaccess.com"}, id="fedramp"),
    ],
)
def test_claims_are_as_they_were_asked_for(options: tuple[str, ...], claims: dict[str, object], run: Run) -> None:
    found = decoded(run, run("mint", ALICE, *FOR, *options).stdout)["claims"]
    assert {name: found.get(name) for name in claims} == claims


def test_it_may_have_expired(run: Run) -> None:
    found = decoded(run, run("mint", ALICE, *FOR, "--expires-in", "-60").stdout)
    assert found["problems"] == ["expired"]


def test_whom_it_is_for_may_stand_in_the_configuration(folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(
        f'team = "globex"\naudience = ["{OTHER_AUD}", "{AUD}"]\nissuer = "https://i.example"\n'
    )
    minted = run("mint", ALICE, "--config", "p.toml")
    claims = decoded(run, minted.stdout)["claims"]
    assert (claims["iss"], claims["aud"]) == ("https://i.example", [OTHER_AUD])
    assert "note: the configuration fetches its keys from Cloudflare, and refuses this token" in minted.stderr
    (folder / "p.toml").write_text(f'team = "globex"\naudience = "{AUD}"\nkeys = "{JWKS}"\n')
    assert "refuses this token" not in run("mint", ALICE, "--config", "p.toml").stderr
    run("verify", "--config", "p.toml", stdin=run("mint", ALICE, "--config", "p.toml").stdout)


def another_key() -> str:
    key = SigningKey.generate(now=0).private_key
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(another_key, id="pem"),
        pytest.param(lambda: json.dumps({"pem": another_key()}), id="unmarked"),
        pytest.param(lambda: "{}", id="empty"),
        pytest.param(lambda: "x", id="no-json"),
    ],
)
def test_no_other_key_signs(text: Callable[[], str], run: Run) -> None:
    Path(KEY).write_text(text())
    result = run("mint", ALICE, *FOR, status=2)
    assert result.stdout == ""
    assert "PRIVATE" not in result.stderr
    assert not Path(JWKS).exists()


@pytest.mark.parametrize("pem", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_broken_key_is_one_sentence(pem: str, run: Run) -> None:
    run("mint", ALICE, *FOR)
    Path(KEY).write_text(json.dumps(json.loads(Path(KEY).read_text()) | {"pem": pem}))
    assert "holds no RSA key any more" in run("mint", ALICE, *FOR, status=2).stderr


def test_nothing_else_is_overwritten(run: Run) -> None:
    Path(JWKS).write_text('{"keys": []}')
    assert f"jwks: {JWKS} holds something else" in run("mint", ALICE, *FOR, status=2).stderr
    assert Path(JWKS).read_text() == '{"keys": []}'
    run("mint", ALICE, *FOR, "--jwks", "other.json")
    assert json.loads(Path("other.json").read_text())["keys"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((), "give an e-mail address, or --service", id="nobody"),
        pytest.param((ALICE, "--service", ROBOT), "give an e-mail address, or --service", id="two"),
        pytest.param(("alice", *FOR), "email: is text of 5 characters", id="no-address"),
        pytest.param(("", *FOR), "email: is empty text", id="empty"),
        pytest.param(("--service", "robot", *FOR), "service: is text of 5 characters", id="no-client-id"),
        pytest.param((ALICE, "--team", "a b", "--audience", AUD), "team: text of 3 characters", id="team"),
        pytest.param((ALICE, "--team", "acme"), "team: is missing in the environment", id="no-audience"),
        pytest.param((ALICE, *FOR, "--claim", "a=b"), "claim: 'a' is not followed by JSON", id="claim"),
        pytest.param((ALICE, *FOR, "--claim", 'a=1, "b": 2'), "claim: 'a' is not followed by JSON", id="smuggled"),
        pytest.param((ALICE, *FOR, "--claim", "a=NaN"), "claim: 'a' is not followed by JSON", id="nan"),
        pytest.param(
            (ALICE, *FOR, "--claim", 'a="' + 20_000 * "a" + '"'), "claim: the token would have more", id="large"
        ),
        pytest.param((ALICE, *FOR, "--expires-in", "1e400"), "not a valid integer", id="for-ever"),
        pytest.param((ALICE, *FOR, "--key", "no/where"), "no/where: cannot be written (No such file", id="no-folder"),
        pytest.param((ALICE, *FOR, "--key", "."), "key: . cannot be read (Is a directory)", id="a-folder"),
        pytest.param((ALICE, *FOR, "--key", "a\0b"), "cannot be", id="no-path"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str, run: Run) -> None:
    assert message in run("mint", *arguments, status=2).stderr


@pytest.mark.parametrize("option", ["--key", "--jwks"])
def test_a_name_that_no_file_can_have_is_one_sentence(option: str, run: Run) -> None:
    result = run("mint", "alice@example.com", "--team", "acme", "--audience", AUD, option, 300 * "a", status=2)
    assert "cannot be written (File name too long)" in result.output
