"""What does an External Evaluation endpoint say of somebody? Asked as Access asks, and believed as Access believes.

::

    urls = EvaluationURLs(evaluate_url="http://127.0.0.1:8000/", keys_url="http://127.0.0.1:8000/keys/")
    evaluated = await ExternalEvaluator(issuer, urls).ask({"email": "alice@example.com", "groups": ["admins"]})
    evaluated.success, evaluated.reason

Written apart from the endpoint of this package on purpose, like everything here that reads tokens: it looks at an
answer as Cloudflare's page says that Access does, and knows nothing of how ours are made.
"""

import base64
import json
import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from cfaccess_mw.emulator.evaluation_urls import EvaluationURLs
from cfaccess_mw.emulator.issuer import Issuer

_NONCE_ALPHABET: Final = string.ascii_letters + string.digits
_NONCE_LENGTH: Final = 32  # as in Cloudflare's example
_QUESTION_LASTS: Final = 60  # seconds; that of an answer, which is documented
_PATIENCE: Final = 10.0  # seconds; Cloudflare documents no number


class _NotBelieved(Exception):
    """An answer that Access would not believe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What became of a question.

    Attributes:
        success: Whether the rule is true.
        reason: Why it is not: a kebab-case name; empty where it is.
    """

    success: bool
    reason: str = ""


class ExternalEvaluator:
    """Asks one endpoint.

    Args:
        issuer: The team, whose key signs the questions.
        urls: Where it is.
        clock: Tells the time in seconds since the epoch.
        transport: Carries requests instead of sockets, for tests.
    """

    def __init__(
        self,
        issuer: Issuer,
        urls: EvaluationURLs,
        *,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._issuer = issuer
        self._urls = urls
        self._clock = clock
        self._transport = transport

    def question(self, identity: Mapping[str, Any], *, nonce: str | None = None, **claims: object) -> str:
        """The token that Access would send.

        Args:
            identity: What ``get-identity`` says of somebody.
            nonce: A new one by default.
            **claims: Further claims, which are not documented, or others than there would be.
        """
        nonce = nonce or "".join(secrets.choice(_NONCE_ALPHABET) for _ in range(_NONCE_LENGTH))
        claims = {"nonce": nonce, "exp": int(self._clock()) + _QUESTION_LASTS, "identity": dict(identity), **claims}
        return self._issuer.sign(None, claims)

    async def ask(self, identity: Mapping[str, Any]) -> Evaluated:
        """Ask about somebody who has signed in; whatever goes wrong, the rule is false.

        Args:
            identity: What ``get-identity`` says of that person.
        """
        question = self.question(identity)
        client = httpx.AsyncClient(transport=self._transport, timeout=_PATIENCE, trust_env=False)
        async with client:
            try:
                answer = _object(await client.post(self._urls.evaluate_url, json={"token": question}))
                keys = _object(await client.get(self._urls.keys_url))
                self._believe(answer.get("token"), keys.get("keys"), _claims(question)["nonce"])
            except httpx.HTTPError:
                return Evaluated(success=False, reason="unreachable")
            except _NotBelieved as why:
                return Evaluated(success=False, reason=str(why))
        return Evaluated(success=True)

    def _believe(self, token: object, keys: object, nonce: str) -> None:
        """The four things that Access checks (Cloudflare, "External Evaluation rules", "Troubleshooting")."""
        if not isinstance(token, str) or token.count(".") != 2:
            raise _NotBelieved("no-token")
        try:
            _check_signature(token, keys)
            claims = _claims(token)
        except (ValueError, KeyError, TypeError) as error:
            raise _NotBelieved("unreadable") from error
        if type(claims.get("exp")) not in (int, float) or self._clock() >= claims["exp"]:
            raise _NotBelieved("expired")
        if claims.get("success") is not True:
            raise _NotBelieved("not-successful")
        if claims.get("nonce") != nonce:
            raise _NotBelieved("another-nonce")


def _object(response: httpx.Response) -> Mapping[str, Any]:
    if response.status_code != httpx.codes.OK:
        raise _NotBelieved(f"status-{response.status_code}")
    try:
        body = response.json()
    except ValueError as error:
        raise _NotBelieved("not-json") from error
    if not isinstance(body, dict):
        raise _NotBelieved("not-json")
    return body


def _check_signature(token: str, keys: object) -> None:
    message, _, signature = token.rpartition(".")
    header = json.loads(_decode(message.partition(".")[0]))
    published = [key for key in keys if key["kid"] == header["kid"]] if isinstance(keys, list) else []
    if not published or header["alg"] != "RS256" or published[0]["kty"] != "RSA":
        raise _NotBelieved("unknown-key")
    numbers = (int.from_bytes(_decode(published[0][name])) for name in ("e", "n"))
    try:
        RSAPublicNumbers(*numbers).public_key().verify(_decode(signature), message.encode(), PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise _NotBelieved("bad-signature") from error


def _claims(token: str) -> dict[str, Any]:
    return dict(json.loads(_decode(token.split(".")[1])))


def _decode(segment: str) -> bytes:
    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
