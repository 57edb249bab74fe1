"""Does the emulator ask as Access asks, and believe nothing that Access would not believe?"""

import base64
import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import jwt
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.evaluation_urls import EvaluationURLs
from cfaccess_mw.emulator.external_evaluation import Evaluated, ExternalEvaluator
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.conftest import NOW, Clock

IDENTITY = {"email": "alice@example.com", "groups": ["admins"]}
URLS = EvaluationURLs(evaluate_url="http://127.0.0.1:8000/", keys_url="http://127.0.0.1:8000/keys/")

Say = Callable[["Endpoint", dict[str, Any]], Response]


class Endpoint:
    """An endpoint that answers as it is told to.

    Args:
        key: Its own key.
        other: A key that it does not publish.
        say: Makes the answer to a question.
        keys: What it publishes; its own key where None.
    """

    def __init__(self, key: SigningKey, other: SigningKey, say: Say, keys: Response | None = None) -> None:
        self.key, self.other = key, other
        self.asked: list[dict[str, Any]] = []
        self._say = say
        self._keys = keys or JSONResponse({"keys": [key.jwk()]})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, answer = Request(scope, receive), self._keys
        if request.method == "POST":
            assert request.url.path == "/"
            assert request.headers["content-type"] == "application/json"
            token = json.loads(await request.body())["token"]
            self.asked.append(jwt.decode(token, options={"verify_signature": False}))
            answer = self._say(self, self.asked[-1])
        await answer(scope, receive, send)

    def sign(
        self, key: SigningKey | None = None, header: dict[str, object] | None = None, **claims: object
    ) -> Response:
        """An answer with a token."""
        key = key or self.key
        issuer = Issuer(current=key, previous=key, clock=lambda: NOW)
        return JSONResponse({"token": issuer.sign(issuer.header(key, **(header or {})), claims)})


def good(question: dict[str, Any], **claims: object) -> dict[str, Any]:
    return {"success": True, "iat": NOW, "exp": NOW + 60, "nonce": question["nonce"], **claims}


def without(question: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in good(question).items() if key != name}


ANSWERS = [
    pytest.param(lambda it, q: it.sign(**good(q)), "", id="yes"),
    pytest.param(lambda it, q: it.sign(**without(q, "iat")), "", id="nobody asks when it was signed"),
    pytest.param(lambda it, q: it.sign(**good(q, exp=NOW + 1)), "", id="just in time"),
    pytest.param(lambda it, q: it.sign(**good(q, success=False)), "not-successful", id="no"),
    pytest.param(lambda it, q: it.sign(**good(q, success="true")), "not-successful", id="text for success"),
    pytest.param(lambda it, q: it.sign(**good(q, success=1)), "not-successful", id="one for success"),
    pytest.param(lambda it, q: it.sign(**without(q, "success")), "not-successful", id="no success"),
    pytest.param(lambda it, q: it.sign(**good(q, exp=NOW)), "expired", id="too late"),
    pytest.param(lambda it, q: it.sign(**good(q, exp=str(NOW + 60))), "expired", id="text for exp"),
    pytest.param(lambda it, q: it.sign(**without(q, "exp")), "expired", id="no exp"),
    pytest.param(lambda it, q: it.sign(**good(q, nonce="another")), "another-nonce", id="another nonce"),
    pytest.param(lambda it, q: it.sign(**good(q, nonce=[q["nonce"]])), "another-nonce", id="list for a nonce"),
    pytest.param(lambda it, q: it.sign(**without(q, "nonce")), "another-nonce", id="no nonce"),
    pytest.param(lambda it, q: it.sign(it.other, **good(q)), "unknown-key", id="another key"),
    pytest.param(
        lambda it, q: it.sign(it.other, {"kid": it.key.kid}, **good(q)), "bad-signature", id="another key as ours"
    ),
    pytest.param(lambda it, q: it.sign(None, {"alg": "none"}, **good(q)), "unknown-key", id="alg none"),
    pytest.param(lambda it, q: it.sign(None, {"alg": "HS256"}, **good(q)), "unknown-key", id="alg HS256"),
    pytest.param(lambda _, __: JSONResponse({"token": "a.b.c"}), "unreadable", id="no token of ours"),
    pytest.param(lambda _, __: JSONResponse({"token": 7}), "no-token", id="number for a token"),
    pytest.param(lambda _, __: JSONResponse({"token": "a.b"}), "no-token", id="two segments"),
    pytest.param(lambda _, __: JSONResponse({"success": True}), "no-token", id="not signed"),
    pytest.param(lambda _, __: JSONResponse([True]), "not-json", id="a list"),
    pytest.param(lambda _, __: PlainTextResponse("true"), "not-json", id="true"),
    pytest.param(lambda _, __: PlainTextResponse("{"), "not-json", id="no JSON"),
    pytest.param(lambda _, __: JSONResponse({"success": False}, 403), "status-403", id="refused"),
    pytest.param(lambda _, __: RedirectResponse("/elsewhere"), "status-307", id="elsewhere"),
]


@pytest.fixture
def asks(signing_keys: list[SigningKey], issuer: Issuer, clock: Clock) -> Callable[..., tuple[Evaluated, Endpoint]]:
    def asks(say: Say, **options: Any) -> tuple[Evaluated, Endpoint]:
        endpoint = Endpoint(signing_keys[2], signing_keys[3], say, **options)
        evaluator = ExternalEvaluator(issuer, URLS, clock=clock, transport=httpx.ASGITransport(endpoint))
        return anyio.run(evaluator.ask, IDENTITY), endpoint

    return asks


@pytest.mark.parametrize(("say", "reason"), ANSWERS)
def test_what_is_believed(asks: Callable[..., tuple[Evaluated, Endpoint]], say: Say, reason: str) -> None:
    evaluated, endpoint = asks(say)
    assert evaluated == Evaluated(success=not reason, reason=reason)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        pytest.param(JSONResponse({"keys": []}), "unknown-key", id="none"),
        pytest.param(JSONResponse({"keys": {}}), "unknown-key", id="object"),
        pytest.param(JSONResponse({}), "unknown-key", id="nothing"),
        pytest.param(JSONResponse({"keys": [{"kty": "RSA"}]}), "unreadable", id="no id"),
        pytest.param(JSONResponse({}, 500), "status-500", id="failure"),
        pytest.param(PlainTextResponse("<html>"), "not-json", id="a page"),
    ],
)
def test_which_keys_are_believed(asks: Callable[..., tuple[Evaluated, Endpoint]], keys: Response, reason: str) -> None:
    evaluated, _ = asks(lambda it, question: it.sign(**good(question)), keys=keys)
    assert evaluated == Evaluated(success=False, reason=reason)


def test_a_question_has_what_is_documented(
    asks: Callable[..., tuple[Evaluated, Endpoint]], issuer: Issuer, clock: Clock
) -> None:
    nonces = set()
    for _ in range(3):
        _, endpoint = asks(lambda it, question: it.sign(**good(question)))
        [question] = endpoint.asked
        assert question == {"nonce": question["nonce"], "exp": NOW + 60, "identity": IDENTITY}
        assert len(question["nonce"]) == 32
        assert question["nonce"].isalnum()
        nonces.add(question["nonce"])
    assert len(nonces) == 3
    token = ExternalEvaluator(issuer, URLS, clock=clock).question(IDENTITY, iss=issuer.iss)
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header["kid"] == issuer.current.kid
    assert issuer.read(token) == {**jwt.decode(token, options={"verify_signature": False}), "iss": issuer.iss}


def test_nobody_there(issuer: Issuer, clock: Clock) -> None:
    urls = EvaluationURLs(evaluate_url="http://127.0.0.1:9/", keys_url="http://127.0.0.1:9/keys")
    evaluated = anyio.run(ExternalEvaluator(issuer, urls, clock=clock).ask, IDENTITY)
    assert evaluated == Evaluated(success=False, reason="unreachable")


@pytest.mark.parametrize("name", ["evaluate_url", "keys_url"])
@pytest.mark.parametrize("url", ["http://example.com/", "127.0.0.1:8000", "https://x/?y", ""])
def test_where_nobody_is_asked(name: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        EvaluationURLs(**{"evaluate_url": "https://x.example/", "keys_url": "https://x.example/keys", name: url})
