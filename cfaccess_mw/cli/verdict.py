"""Is this token good here? As a door would say, at the keys of the moment, and without a path or its policies."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfaccess_mw.cli.mends import mend_of
from cfaccess_mw.cli.team_keys import TeamKeys
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import (
    KeysUnavailable,
    Refused,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
)
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.token import parts_of
from cfaccess_mw.core.verifier import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a token.

    Attributes:
        identity: Whose it is; None where it is refused.
        refusal: Why it is refused, or cannot be judged; None where it is good.
        keys: Whose keys it was judged by; None where it did not come to that.
        remarks: What stands in it, and what would have to; nothing secret.
    """

    identity: Identity | None = None
    refusal: Refused | None = None
    keys: TeamKeys | None = None
    remarks: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The code of the refusal; empty where there is none."""
        return "" if self.refusal is None else self.refusal.code

    @property
    def mend(self) -> str:
        """What mends it; empty where nothing has to be."""
        return mend_of(self.code) if self.code else ""


def judge(token: str, config: AccessConfig, sources: Mapping[str, TeamKeys], audiences: frozenset[str]) -> Verdict:
    """Verify a token; the keys of the team that it names are fetched, once everything else about it is right.

    Args:
        token: The assertion.
        config: What it has to be.
        sources: The keys of each team, by issuer.
        audiences: The AUD tags of which it has to name one.

    Raises:
        ConfigurationError: The file of the keys cannot be read.
    """
    now = time.time()
    verifier = Verifier(sources, leeway=config.leeway, max_age=config.max_age, certificates=config.certificates)
    candidate = verifier.read(token, (audiences,), now)
    if isinstance(candidate, type):
        return Verdict(refusal=candidate(), remarks=_remarks(candidate, token, config, audiences))
    keys = sources[candidate.issuer]
    snapshot = keys.snapshot
    if snapshot is None:
        return Verdict(refusal=KeysUnavailable(), keys=keys)
    key = snapshot.keys.get(candidate.kid)
    if key is None:
        return Verdict(refusal=UnknownKey(), keys=keys)
    proof = verifier.prove(candidate, key, now)
    if isinstance(proof, type):
        return Verdict(refusal=proof(), keys=keys)
    identity, *_ = proof
    return Verdict(identity=identity, keys=keys)


def _remarks(refusal: type[Refused], token: str, config: AccessConfig, audiences: frozenset[str]) -> tuple[str, ...]:
    """Whom it is from or for, and whom it would have to be; neither is a secret, a login page's address has both."""
    compared: dict[type[Refused], tuple[str, list[str]]] = {
        WrongIssuer: ("iss", [team.issuer for team in config.teams]),
        WrongAudience: ("aud", sorted(audiences)),
    }
    if refusal not in compared:
        return ()
    claim, expected = compared[refusal]
    said: Any = decode_json_object(parts_of(token).decoded_payload())[claim]
    named = said if isinstance(said, list) else [said]
    return f"the token says {', '.join(named)}", f"the configuration says {', '.join(expected)}"
