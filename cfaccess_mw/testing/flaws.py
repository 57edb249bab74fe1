"""What does a token look like that is refused for one reason? One row for each code that a token can cause."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cfaccess_mw.core.token import MAX_TOKEN
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import new_nonce
from cfaccess_mw.testing.keyring import process_key

if TYPE_CHECKING:
    from cfaccess_mw.testing.kit import AccessKit

_HOUR = 3_600.0  # more than any leeway that can be configured
_YEARS = 2 * 366 * 86_400.0  # more than any max_age that can be configured
_ANOTHER_AUDIENCE = "f" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A token that would be good, to be spoiled.

    Attributes:
        kit: Who mints it.
        who: Whose it would be.
        details: As for the minting of a good one.
    """

    kit: "AccessKit"
    who: str
    details: Mapping[str, Any]

    def token(self, *, claims: Mapping[str, object] | None = None, **changes: Any) -> str:
        """Mint it with some things changed."""
        merged = {**self.details.get("claims", {}), **(claims or {})}
        return self.kit.token(self.who, **{**self.details, **changes, "claims": merged})

    def signed(self, payload: bytes | None = None, signature: bytes | None = None, **header: Any) -> str:
        """Mint it, and sign it again with another header, payload or signature."""
        issuer = self.kit.issuer
        return issuer.sign(issuer.header(**header), payload or _claims(self.token()), signature=signature)

    def ended(self) -> str:
        """Mint it, and end its session."""
        token = self._unique()
        self.kit.end_session(token)
        return token

    def unanswered(self) -> str:
        """Mint it, and have every lookup fail."""
        token = self._unique()
        self.kit.sessions.answer_nothing(token)
        return token

    def _unique(self) -> str:
        # two good tokens of a service that are minted in the same second are one
        return self.token(claims={"jti": new_nonce()})


def _claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "==")))  # what is too much of padding is left alone


def _forged(draft: Draft) -> str:
    issuer = draft.kit.issuer
    return issuer.sign(issuer.header(), _claims(draft.token()), process_key("unpublished"))


FLAWS: Final[Mapping[str, Callable[[Draft], str]]] = MappingProxyType(
    {
        # its form
        "duplicate-token": lambda draft: ", ".join([draft.token()] * 2),
        "oversized-token": lambda draft: draft.token(claims={"padding": "x" * MAX_TOKEN}),
        "malformed-token": lambda draft: draft.token().rpartition(".")[0],
        "bad-encoding": lambda draft: draft.token() + "=",
        # its header
        "bad-header": lambda draft: draft.signed(typ="at+jwt"),
        "forbidden-header": lambda draft: draft.signed(jku="https://keys.example.com/"),
        "algorithm-not-allowed": lambda draft: draft.signed(alg="none", signature=b""),
        "bad-key-id": lambda draft: draft.signed(kid=ABSENT),
        # its claims
        "bad-payload": lambda draft: draft.signed(b"[]"),
        "missing-claim": lambda draft: draft.token(claims={"exp": ABSENT}),
        "invalid-claim": lambda draft: draft.token(claims={"exp": "tomorrow"}),
        "wrong-issuer": lambda draft: draft.token(claims={"iss": "https://another-team.cloudflareaccess.com"}),
        "wrong-audience": lambda draft: draft.token(audience=_ANOTHER_AUDIENCE),
        "wrong-token-type": lambda draft: draft.token(claims={"type": "org"}),
        "unknown-principal": lambda draft: draft.token(claims={"email": ABSENT, "common_name": ABSENT}),
        # its time
        "expired": lambda draft: draft.token(age=2 * _HOUR, expires_in=-_HOUR),
        "not-yet-valid": lambda draft: draft.token(age=-_HOUR, expires_in=2 * _HOUR),
        "too-old": lambda draft: draft.token(age=_YEARS),
        # its key
        "unknown-key": lambda draft: draft.token(key=process_key("unpublished")),
        "bad-signature": _forged,
        # its session
        "session-ended": Draft.ended,
        "identity-unavailable": Draft.unanswered,
    }
)
"""How to mint a token that is refused, by the code of the refusal.

``too-old`` takes a configured ``max_age``; ``session-ended`` and ``identity-unavailable`` take a rule or a handler that
looks people up. Not here, since no token alone causes them: ``no-token``, ``too-many-tokens`` (five cookies), and what
the application's own ``revoked=`` says.
"""
