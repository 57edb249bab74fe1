"""What the edge answers and passes on, against a table of what Cloudflare documents."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import ServiceToken
from tests.emulator.conftest import ROBOT, Connect, Emulate

VECTORS = Path(__file__).parents[1] / "vectors" / "cloudflare"
FACTS = json.loads((VECTORS / "edge_replies.json").read_text(encoding="utf-8"))
OTHER = ServiceToken(client_id="0" * 32 + ".access", client_secret="other")
POLICIES = [
    {"decision": "allow", "include": [{"email": "alice@example.com"}]},
    {"decision": "service_auth", "include": [{"service_token": ROBOT.client_id}]},
]


def edge(share: Emulate, *, strict: bool) -> Emulator:
    application = Application(policies=read_policies(POLICIES))
    return share(applications=[application], service_tokens=[ROBOT, OTHER], strict=strict)


@pytest.fixture(scope="module")
def classic(share: Emulate) -> Emulator:
    return edge(share, strict=False)


@pytest.fixture(scope="module")
def strict(share: Emulate) -> Emulator:
    return edge(share, strict=True)


def headers_of(who: str, emulator: Emulator) -> dict[str, str]:
    def user(email: str) -> dict[str, str]:
        return {"Cookie": f"CF_Authorization={emulator.issuer.user(email, audience=emulator.audience)}"}

    def service(client_id: str, secret: str) -> dict[str, str]:
        return {"CF-Access-Client-Id": client_id, "CF-Access-Client-Secret": secret}

    return {
        "nobody": {},
        "user": user("alice@example.com"),
        "refused user": user("bob@example.com"),
        "service": service(ROBOT.client_id, ROBOT.client_secret),
        "wrong service": service(ROBOT.client_id, "wrong"),
        "refused service": service(OTHER.client_id, OTHER.client_secret),
    }[who]


@pytest.mark.parametrize("fact", FACTS["replies"], ids=lambda fact: fact["id"])
def test_replies(classic: Emulator, strict: Emulator, connect: Connect, fact: dict[str, Any]) -> None:
    emulator = strict if fact.get("strict") else classic
    headers = {} if fact.get("without_cookie") else headers_of(fact["who"], emulator)
    response = connect(emulator).request(
        fact.get("method", "GET"), "/a?b=c", headers={**headers, **fact.get("request", {})}
    )
    assert response.status_code == fact["status"]
    assert [name for name in fact["headers"] if name not in response.headers] == []
    assert [value.partition("=")[0] for value in response.headers.get_list("set-cookie")] == fact["cookies"]
    if "query" in fact:
        location = urlsplit(response.headers["location"])
        query = parse_qs(location.query)
        assert list(query) == fact["query"]
        assert location.path == "/cdn-cgi/access/login/127.0.0.1"
        assert (query["kid"], query["redirect_url"]) == ([emulator.audience], ["/a?b=c"])
        assert jwt.get_unverified_header(query["meta"][0])["typ"] == "JWT"


def test_metadata_is_what_cloudflared_reads(classic: Emulator, connect: Connect) -> None:
    expected = json.loads((VECTORS / "metadata_jwt_claims.json").read_text(encoding="utf-8"))
    response = connect(classic).head("/", headers={"Cf-Access-Metadata-Request": "true"})
    token = response.headers["cf-access-metadata"]
    key = jwt.PyJWKClient(classic.certs_url).get_signing_key_from_jwt(token)
    said = jwt.decode(token, key, algorithms=["RS256"], audience=classic.audience)
    assert list(said) == [name for name in expected if not name.startswith("_")]
    assert (said["type"], said["hostname"], said["aud"]) == ("match", "127.0.0.1", classic.audience)


@pytest.mark.parametrize("who", ["user", "service"])
def test_what_the_application_is_sent(classic: Emulator, connect: Connect, who: str) -> None:
    sent = connect(classic).get("/", headers=headers_of(who, classic)).json()["headers"]
    told = [name for name, _ in sent if name.startswith(("cf-", "x-forwarded-"))]
    assert sorted(told) == sorted(FACTS["to_the_application"][who])


def test_get_identity_without_a_token(classic: Emulator, connect: Connect) -> None:
    response = connect(classic).get("/cdn-cgi/access/get-identity")
    fact = FACTS["get_identity_without_a_token"]
    assert (response.status_code, response.json()) == (fact["status"], fact["body"])
