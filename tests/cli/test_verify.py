"""Does ``verify`` come to what a door comes to, and tell a wrong token from keys that cannot be had?"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from cfaccess_mw.cli.mends import MENDS
from cfaccess_mw.core.errors import Ambiguous, InvalidToken, Refused, Unauthenticated, Unavailable
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.cli.team import ALICE, HEAD, ROBOT, fresh, robots, write_team
from tests.processes import free_port
from tests.refresh.servers import says, serving
from tests.tokens import AUD, OTHER_AUD
from tests.wire.refusing import every_refusal

Run = Callable[..., Result]


def test_a_good_token_says_whose_it_is(issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    result = run("verify", "--config", config, stdin=fresh(issuer))
    assert result.stdout.splitlines()[0] == f"verified: user {ALICE}"
    assert f"  audience        {AUD}" in result.stdout
    assert result.stderr == ""
    data = json.loads(run("verify", "--config", config, "--json", "-", stdin=robots(issuer)).stdout)
    assert data["verified"] is True
    assert data["identity"]["kind"] == "service"
    assert data["identity"]["id"] == ROBOT
    assert data["identity"]["email"] is None
    assert data["identity"]["audience"] == [AUD]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param({"expires_in": -60}, "expired", id="expired"),
        pytest.param({"audience": OTHER_AUD}, "wrong-audience", id="audience"),
        pytest.param({"iss": "https://evil.cloudflareaccess.com"}, "wrong-issuer", id="issuer"),
        pytest.param({"type": "org"}, "wrong-token-type", id="type"),
        pytest.param({"key": "stranger"}, "unknown-key", id="key"),
        pytest.param({"sub": ""}, "unknown-principal", id="principal"),
    ],
)
def test_a_refusal_says_what_mends_it(
    options: dict[str, Any], code: str, issuer: Issuer, stranger: SigningKey, folder: Path, run: Run
) -> None:
    config = write_team(folder, issuer)
    if options.get("key"):
        options = {"key": stranger}
    token = fresh(issuer, **options)
    said = run("verify", "--config", config, stdin=token, status=1)
    assert said.stdout.startswith(f"refused: {code}\n")
    assert said.stdout.endswith(f"  mend: {MENDS[code]}\n")
    data = json.loads(run("verify", "--config", config, "--json", stdin=token, status=1).stdout)
    assert (data["verified"], data["code"], data["mend"]) == (False, code, MENDS[code])
    assert token not in said.output


def test_a_wrong_audience_shows_both(issuer: Issuer, folder: Path, run: Run) -> None:
    token = fresh(issuer, audience=[OTHER_AUD, "x\x1b[31m"])
    said = run("verify", "--config", write_team(folder, issuer), stdin=token, status=1).stdout
    assert f"the token says {OTHER_AUD}, x\\x1b[31m" in said
    assert f"the configuration says {AUD}" in said


def test_another_audience_may_be_asked_for(issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    token = fresh(issuer, audience=OTHER_AUD)
    run("verify", "--config", config, "--audience", OTHER_AUD, stdin=token)
    run("verify", "--config", config, "--audience", OTHER_AUD, stdin=fresh(issuer), status=1)


@pytest.mark.parametrize(
    ("options", "answer", "status", "code"),
    [
        pytest.param({}, None, 3, "keys-unavailable", id="down"),
        pytest.param({}, "503 No", 3, "keys-unavailable", id="ill"),
        pytest.param({}, "404 No", 3, "keys-unavailable", id="not-there"),
        pytest.param({"audience": OTHER_AUD}, None, 1, "wrong-audience", id="audience-while-down"),
        pytest.param({"expires_in": -60}, None, 1, "expired", id="expired-while-down"),
    ],
)
def test_an_outage_is_told_from_a_wrong_token(
    options: dict[str, Any], answer: str | None, status: int, code: str, issuer: Issuer, folder: Path, run: Run
) -> None:
    with serving(says(status=answer or "200 OK", body=b"")) as server:
        url = f"http://127.0.0.1:{free_port()}/certs" if answer is None else server.url
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{url}"')
        result = run("verify", "--config", "p.toml", stdin=fresh(issuer, **options), status=status)
    assert result.stdout.startswith(f"refused: {code}\n")
    assert (url in result.stdout) is (status == 3)


def test_garbage_costs_no_fetch(issuer: Issuer, folder: Path, run: Run) -> None:
    with serving(says(status="500 No")) as server:
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{server.url}"')
        for token in ("x", "a.b.c", fresh(issuer, audience=OTHER_AUD), fresh(issuer, expires_in=-60)):
            run("verify", "--config", "p.toml", stdin=token, status=1)
        assert server.connections == []


def test_of_several_teams_only_the_one_that_signed_is_asked(issuer: Issuer, folder: Path, run: Run) -> None:
    (folder / "p.toml").write_text(HEAD.replace('"acme"', '["other", "globex"]'))
    said = run("verify", "--config", "p.toml", stdin=fresh(issuer), status=1).stdout
    assert said.startswith("refused: wrong-issuer\n")


def test_every_refusal_has_a_mend() -> None:
    general: set[type[Refused]] = {Refused, Unauthenticated, InvalidToken, Ambiguous, Unavailable}
    ours = {kind.code for kind in every_refusal() if kind.__module__ == "cfaccess_mw.core.errors"}
    assert MENDS.keys() == ours - {kind.code for kind in general}
