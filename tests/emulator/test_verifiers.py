"""The verifiers of other projects take the emulator's tokens for Cloudflare's, and refuse what they would refuse."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jwt
import pytest

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, audience_for
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.conftest import ROBOT, Emulate

SCRIPT = Path(__file__).with_name("verifiers.mjs")
PACKAGES = ("jose@6", "hono@4", "@hono/cloudflare-access@0.4")
ALICE = "alice@example.com"


@pytest.fixture(scope="module")
def team(share: Emulate) -> Emulator:
    return share()


@pytest.fixture(scope="module")
def tokens(team: Emulator, signing_keys: list[SigningKey]) -> dict[str, str]:
    """By name; the good ones are those that a verifier says something of."""
    issuer, audience = team.issuer, DEFAULT_AUDIENCE
    good = issuer.user(ALICE, audience=audience)
    header, payload, _ = good.split(".")
    return {
        "user": good,
        "previous key": issuer.user(ALICE, audience=audience, key="previous"),
        "custom claims": issuer.user(ALICE, audience=audience, custom={"department": "Ä"}),
        "service": issuer.service(ROBOT.client_id, audience=audience),
        "another audience": issuer.user(ALICE, audience=audience_for("other.test")),
        "expired": issuer.user(ALICE, audience=audience, expires_in=-3_600),
        "another team": issuer.user(ALICE, audience=audience, iss="https://evil.cloudflareaccess.com"),
        "a stranger's key": issuer.user(ALICE, audience=audience, key=signing_keys[2]),
        "another's signature": f"{header}.{payload}.{issuer.service(audience=audience).split('.')[2]}",
        "no signature": issuer.sign(issuer.header(alg="none"), {"aud": [audience]}, signature=b""),
    }


GOOD = {"user": ALICE, "previous key": ALICE, "custom claims": ALICE, "service": ROBOT.client_id}


def test_pyjwt_as_in_cloudflare_s_sample(team: Emulator, tokens: dict[str, str]) -> None:
    """Every published key is tried, RS256 and the audience are asked for, and nothing else."""
    keys = [key.key for key in jwt.PyJWKClient(team.certs_url).get_signing_keys()]
    assert len(keys) == 2
    for name, token in tokens.items():
        said = [claims for key in keys if (claims := _decoded(token, key)) is not None]
        named = [claims.get("email") or claims.get("common_name") for claims in said]
        # the sample does not look at the issuer
        expected = {**GOOD, "another team": ALICE}
        assert named == ([expected[name]] if name in expected else []), name


def _decoded(token: str, key: Any) -> dict[str, Any] | None:
    try:
        claims: dict[str, Any] = jwt.decode(token, key=key, audience=DEFAULT_AUDIENCE, algorithms=["RS256"])
    except jwt.InvalidTokenError:
        return None
    return claims


def test_pyjwt_s_own_client_by_key_id(team: Emulator, tokens: dict[str, str]) -> None:
    client = jwt.PyJWKClient(team.certs_url)
    for name, said in GOOD.items():
        key = client.get_signing_key_from_jwt(tokens[name])
        claims = jwt.decode(
            tokens[name],
            key,
            algorithms=["RS256"],
            audience=DEFAULT_AUDIENCE,
            issuer=team.issuer.iss,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
        assert said in (claims.get("email"), claims.get("common_name"))


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds the packages: one that was prepared, else one of this run's own."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("node")
    if prepared := os.environ.get("NODE_VERIFIERS"):
        (folder / "node_modules").symlink_to(Path(prepared) / "node_modules", target_is_directory=True)
        return folder
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *PACKAGES]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install the packages within a minute")
    if done.returncode:
        pytest.skip(f"npm cannot install {', '.join(PACKAGES)}: {done.stderr.strip()[-200:]}")
    return folder


def test_jose_and_hono(team: Emulator, tokens: dict[str, str], modules: Path) -> None:
    shutil.copy(SCRIPT, modules)
    question = {"base": team.url, "team": team.issuer.team, "audience": DEFAULT_AUDIENCE, "tokens": tokens}
    done = subprocess.run(
        ["node", SCRIPT.name],
        cwd=modules,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers["another audience"]["jose"] == "ERR_JWT_CLAIM_VALIDATION_FAILED"
    assert answers["expired"]["jose"] == "ERR_JWT_EXPIRED"
    for name in tokens:
        if name in GOOD:
            assert answers[name] == {"jose": GOOD[name], "hono": GOOD[name]}, name
        else:
            assert answers[name]["jose"].startswith("ERR_"), name
            assert answers[name]["hono"] == 401, name
