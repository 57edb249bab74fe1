"""Does ``explain`` say what the door does? The same requests are put to both, over many configurations."""

import json
import random
import time
from typing import Any
from urllib.parse import unquote

import pytest

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.cli.question import Question, ask
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.issuer import Issuer
from tests.cli.team import ALICE, ROBOT
from tests.tokens import AUD, OTHER_AUD

pytestmark = pytest.mark.anyio

PATTERNS = ("/", "/a", "/a/*", "/a/b", "/*/b", "/a/*/c", "/a/x*", "/a;v/b", "/*", "/caf\xe9")
PATHS = (
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/A/b",
    "//a",
    "/a/../b",
    "/a;v/b",
    "/a%2fb",
    "/a%252Fb",
    "/a/x1",
    "/a/q/c",
    "/caf%C3%A9",
    "/a%0a",
)
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "get")
HOSTS = ("app.example.com", "docs.example.com:8443", "evil.example.com")
ADDRESSES = ("192.0.2.7", "198.51.100.7", None)
REQUIRED: tuple[dict[str, Any], ...] = (
    {"access": "public"},
    {"access": "optional"},
    {"access": "token"},
    {"access": "token", "audience": OTHER_AUD},
    {"any_user": True},
    {"service": True},
    {"service": [ROBOT]},
    {"deny": True},
    {"allow": {"emails": [ALICE]}},
    {"allow": {"email_domains": ["example.org"]}},
    {"allow": {"ips": ["192.0.2.0/24"]}},
    {"allow": {"countries": ["DE"]}},
    {"policies": [{"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]}]},
    {
        "policies": [
            {"decision": "deny", "include": [{"email": ALICE}]},
            {"decision": "allow", "include": [{"everyone": {}}]},
        ]
    },
)
WHO: tuple[dict[str, Any] | None, ...] = (
    None,
    {"email": ALICE},
    {"email": "bob@example.org"},
    {"common_name": ROBOT},
    {"common_name": "0" * 32 + ".access"},
    {"email": ALICE, "aud": [OTHER_AUD]},
)


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough: nothing is waited for."""
    return "asyncio"


def configured(dice: random.Random, issuer: Issuer) -> AccessConfig:
    """Some configuration whose rules do not contradict each other."""
    rules: list[dict[str, Any]] = []
    for pattern in dice.sample(PATTERNS, dice.randint(0, 4)):
        rule = {"pattern": pattern, **dice.choice(REQUIRED)}
        if dice.random() < 0.3:
            rule["methods"] = dice.choice((["GET"], ["POST"], ["GET", "POST"]))
        if dice.random() < 0.2:
            rule["hosts"] = ["docs.example.com"]
        rules.append(rule)
    options: dict[str, Any] = {"trusted_peers": ["loopback"], "host_routing": True, "rules": rules}
    if dice.random() < 0.2:
        options["policies"] = [{"decision": "allow", "include": [{"email": ALICE}]}]
    try:
        return AccessConfig(team="acme", audience=AUD, keys=issuer.certs(), **options)
    except ConfigurationError:
        return configured(dice, issuer)


async def answered(door: AccessMiddleware, question: Question, token: str | None) -> str:
    """The code of a refusal, or nothing."""
    raw = question.raw_path or ""
    headers = [(b"host", str(question.host).encode())]
    headers += [(b"cf-access-jwt-assertion", token.encode())] if token else []
    headers += [(b"cf-connecting-ip", question.address.encode())] if question.address else []
    scope = {
        "type": "http",
        "method": question.method,
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await door(scope, receive, send)
    if sent[0]["status"] == 299:
        return ""
    return str(json.loads(sent[1]["body"])["code"]) if question.method != "HEAD" else f"status {sent[0]['status']}"


async def admit(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body"})


STATUS = {"no-token": 401, "wrong-audience": 401, "not-permitted": 403, "ambiguous-path": 400, "ambiguous-host": 400}


@pytest.mark.parametrize("seed", range(40))
async def test_they_agree(seed: int, issuer: Issuer) -> None:
    dice = random.Random(seed)
    config = configured(dice, issuer)
    door = AccessMiddleware(admit, config)
    now = int(time.time())
    for _ in range(60):
        raw, claims = dice.choice(PATHS), dice.choice(WHO)
        question = Question(
            path=unquote(raw),
            raw_path=raw,
            method=dice.choice(METHODS),
            claims=claims,
            address=dice.choice(ADDRESSES),
            host=dice.choice(HOSTS),
        )
        token = None
        if claims is not None:
            usual = {"type": "app", "iss": issuer.iss, "aud": [AUD], "iat": now, "exp": now + 600}
            token = issuer.sign(None, {**usual, **({"sub": "u"} if "email" in claims else {}), **claims})
        explanation = ask(config, question).explanation
        expected = explanation.code or ""
        if question.method == "HEAD" and expected:
            expected = f"status {STATUS[expected]}"
        assert await answered(door, question, token) == expected, (config.ruleset, question)
    door.protection.close()
