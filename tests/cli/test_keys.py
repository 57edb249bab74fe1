"""Does ``keys`` show which keys there are, and why one of them is of no use?"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from cfaccess_mw.cli.key_list import list_keys
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.cli.team import HEAD, write_team
from tests.processes import free_port
from tests.refresh.servers import says, serving

Run = Callable[..., Result]
JSON = "content-type: application/json"


@pytest.fixture(scope="module")
def week_old() -> SigningKey:
    return SigningKey.generate(now=time.time() - 7 * 86_400 - 60)


def certs(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def test_keys_are_listed_with_their_ages(week_old: SigningKey, folder: Path, run: Run) -> None:
    document = {"keys": [week_old.jwk()], "public_certs": [week_old.published_certificate(), {"kid": 5}, None]}
    (folder / "k.json").write_text(json.dumps(document))
    said = run("keys", "k.json").stdout.splitlines()
    assert said[0] == "k.json: 1 of 1 keys can be used"
    assert said[2].split() == [
        week_old.kid,
        "2048",
        "7",
        "days",
        "ago",
        list_keys(json.dumps(document).encode())[0].thumbprint,
        "used",
    ]
    [found] = json.loads(run("keys", "k.json", "--json").stdout)
    assert found["source"] == "k.json"
    assert found["keys"][0] | {"made_at": 0, "thumbprint": ""} == {
        "kid": week_old.kid,
        "thumbprint": "",
        "bits": 2048,
        "made_at": 0,
        "reason": "",
    }


def test_a_certificate_of_another_key_says_nothing_of_its_age(issuer: Issuer, week_old: SigningKey) -> None:
    published = {"kid": issuer.current.kid, "cert": week_old.certificate}
    document = {"keys": [issuer.current.jwk()], "public_certs": [published, {"kid": "x", "cert": "no PEM"}]}
    assert list_keys(json.dumps(document).encode())[0].made_at is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"kty": "EC"}, "not-rsa", id="curve"),
        pytest.param({"d": "AQ"}, "private-members", id="private"),
        pytest.param({"use": "enc"}, "other-use", id="use"),
        pytest.param({"alg": "RS512"}, "other-algorithm", id="algorithm"),
        pytest.param({"kid": ""}, "bad-key-id", id="id"),
        pytest.param({"e": "Aw"}, "bad-exponent", id="exponent"),
        pytest.param({"n": "AQAB"}, "bad-modulus", id="modulus"),
        pytest.param({"n": 5}, "bad-number", id="number"),
        pytest.param(None, "not-an-object", id="null"),
    ],
)
def test_a_key_of_no_use_says_why(
    changed: dict[str, object] | None, reason: str, issuer: Issuer, folder: Path, run: Run
) -> None:
    bad = None if changed is None else {**issuer.previous.jwk(), **changed}
    (folder / "k.json").write_bytes(certs(bad, issuer.current.jwk()))
    said = run("keys", "k.json").stdout.splitlines()
    assert said[0] == "k.json: 1 of 2 keys can be used"
    assert said[2].endswith(f"skipped: {reason}")
    (folder / "k.json").write_bytes(certs(bad))
    assert reason in run("keys", "k.json", status=1).stdout


def test_one_id_for_two_keys_is_of_no_use(issuer: Issuer) -> None:
    other = {**issuer.previous.jwk(), "kid": issuer.current.kid}
    listed = list_keys(certs(issuer.current.jwk(), other))
    assert [key.reason for key in listed] == 2 * ["contradictory-key-id"]


def test_a_member_given_twice_costs_its_key() -> None:
    assert [key.reason for key in list_keys(b'{"a": 1, "a": 2, "keys": [{"kid": "x", "kid": "y"}]}')] == [
        "not-an-object"
    ]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        pytest.param(("200 OK", JSON, b'{"keys": []}'), 1, "0 of 0 keys can be used", id="empty"),
        pytest.param(("200 OK", JSON, b"[]"), 1, "the certs document is not a JSON object", id="no-object"),
        pytest.param(
            ("200 OK", "content-type: text/html", b"<html>"), 1, "not-json; something else answers", id="html"
        ),
        pytest.param(("302 Found", "location: /", b""), 1, "status-302; something else answers", id="redirect"),
        pytest.param(("404 No", JSON, b"{}"), 1, "status-404; there is no such team there", id="no-team"),
        pytest.param(("503 No", JSON, b"{}"), 3, "status-503; it is down", id="down"),
        pytest.param(("429 No", JSON, b"{}"), 3, "status-429; it asks to be left alone", id="too-many"),
        pytest.param(None, 3, "connect-failed; see whether this machine may open", id="nobody"),
    ],
)
def test_what_is_fetched(
    answer: tuple[str, str, bytes] | None, status: int, message: str, folder: Path, run: Run
) -> None:
    line, header, body = answer or ("200 OK", JSON, b"")
    with serving(says(header, status=line, body=body)) as server:
        url = server.url if answer is not None else f"http://127.0.0.1:{free_port()}/certs"
        (folder / "p.toml").write_text(f'{HEAD}certs_url = "{url}"')
        for words in (("keys", url), ("keys", "--config", "p.toml")):
            result = run(*words, status=status)
            assert f"{url}: {message}" in result.output


def test_the_keys_of_a_configuration(issuer: Issuer, folder: Path, run: Run) -> None:
    config = write_team(folder, issuer)
    assert f"{folder / 'keys.json'}: 2 of 2 keys can be used" in run("keys", "--config", config).stdout
    (folder / "keys.json").unlink()
    assert "keys.json cannot be read (No such file" in run("keys", "--config", config, status=2).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("none.json",), "keys: none.json cannot be read (No such file", id="no-file"),
        pytest.param(
            ("http://example.com/certs",), "url: is neither https nor plain http to a loopback", id="plain-http"
        ),
        pytest.param(("https://user@example.com/",), "url: has a user name", id="user"),
        pytest.param(("x", "--config", "y"), "not both", id="both"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str, run: Run) -> None:
    assert message in run("keys", *arguments, status=2).stderr


def test_keys_come_by_the_pipe(issuer: Issuer, run: Run) -> None:
    said = run("keys", "-", stdin=json.dumps(issuer.certs())).stdout
    assert said.startswith("-: 2 of 2 keys can be used\n")
