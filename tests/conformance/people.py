"""Who sends the requests of the table? Tokens by name, and what Cloudflare knows of their bearers."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.tokens import AUD, OTHER_AUD

CLIENT_ID: Final = "e367826f93b8d71185e03fe518aff3b4.access"
OTHER_CLIENT_ID: Final = "00000000000000000000000000000000.access"

# All others' sessions were ended.
_GROUPS: Final[Mapping[str, object]] = {
    "alice@example.com": ["admins", "staff"],
    "bob@example.com": [{"id": "1", "name": "staff", "email": "staff@example.com"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom the application sees.

    Attributes:
        kind: As an identity has it, like the others.
        id: As there.
        email: As there.
    """

    kind: str
    id: str
    email: str | None

    @property
    def name(self) -> str:
        """The name by which handlers tell."""
        return self.email or self.id


def people(issuer: Issuer) -> Mapping[str, Person]:
    """Everybody whom an application may see."""
    emails = {name: f"{name}@example.com" for name in ("alice", "bob", "dave")}
    users = {name: Person(kind="user", id=issuer.subject(email), email=email) for name, email in emails.items()}
    return {
        **users,
        "elsewhere": users["alice"],
        "old": users["alice"],
        "robot": Person(kind="service", id=CLIENT_ID, email=None),
        "robot2": Person(kind="service", id=OTHER_CLIENT_ID, email=None),
    }


def tokens(issuer: Issuer, stranger: SigningKey) -> Mapping[str, str]:
    """All tokens by the names that rows use."""
    alice = "alice@example.com"
    return {
        **{name: issuer.user(f"{name}@example.com", audience=AUD) for name in ("alice", "bob", "dave")},
        "robot": issuer.service(CLIENT_ID, audience=AUD),
        "robot2": issuer.service(OTHER_CLIENT_ID, audience=AUD),
        "elsewhere": issuer.user(alice, audience=OTHER_AUD),
        "expired": issuer.user(alice, audience=AUD, expires_in=-3_600),
        "old": issuer.user(alice, audience=AUD, country="US", issued_at=_ago(issuer, 7_200)),
        "early": issuer.user(alice, audience=AUD, issued_at=_ago(issuer, -3_600)),
        "stranger": issuer.user(alice, audience=AUD, key=stranger),
        "forged": issuer.user(alice, audience=AUD).rpartition(".")[0] + ".AAAA",
        "organisation": issuer.organisation(alice, audience=AUD),
        "metadata": issuer.metadata("app.example.com", audience=AUD, iss=issuer.iss, exp=_ago(issuer, -3_600)),
        "meta": issuer.login_meta(audience=AUD),
        "evil": issuer.user(alice, audience=AUD, iss="https://acme.cloudflareaccess.com.evil.example"),
        "unsigned": _unsigned(issuer),
    }


async def get_identity(url: str, token: str) -> Reply:
    """What Cloudflare answers about somebody, instead of a ``get-identity`` over the network."""
    claims = _claims(token)
    email = claims["email"]
    if email not in _GROUPS:
        return Reply(status=401)
    document = {"email": email, "user_uuid": claims["sub"], "groups": _GROUPS[email]}
    return Reply(status=200, body=json.dumps(document).encode())


async def unreachable(url: str, token: str) -> Reply:
    """The same where it cannot be reached.

    Raises:
        FetchError: Always.
    """
    raise FetchError("connect")


class Nowhere:
    """A certs endpoint that cannot be reached."""

    def fetch(self, url: str, *, etag: str | None) -> Any:
        """Fail.

        Raises:
            FetchError: Always.
        """
        raise FetchError("connect")


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _ago(issuer: Issuer, seconds: float) -> float:
    """A time before now, by the issuer's own clock."""
    return float(_claims(issuer.user(audience=AUD))["iat"]) - seconds


def _unsigned(issuer: Issuer) -> str:
    payload = issuer.user("alice@example.com", audience=AUD).split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": issuer.current.kid}).encode()).rstrip(b"=")
    return f"{head.decode()}.{payload}."
