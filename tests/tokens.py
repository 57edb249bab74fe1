"""What do the tests of tokens share? A time, an audience, and one whole verification as a function."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from cfaccess_mw.core.errors import InvalidToken, UnknownKey
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer

T = TypeVar("T")

NOW = 1_800_000_000.0
ISSUER = "https://acme.cloudflareaccess.com"
AUD = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
OTHER_AUD = "97e2aae120121f902df8bc99fc345913ab186d174f3079ea729236766b2e7c4a"


@dataclass(frozen=True)
class Held:
    """A source whose keys are what they are."""

    snapshot: KeySnapshot | None


class Proof(NamedTuple):
    """What a verification says."""

    identity: Identity
    valid_from: float
    valid_until: float


def snapshot_of(issuer: Issuer) -> KeySnapshot:
    """The keys that an issuer publishes."""
    return parse_jwks(json.dumps(issuer.certs()).encode())


def verify(
    token: str | bytes,
    snapshot: KeySnapshot,
    *,
    issuers: Iterable[str] = (ISSUER,),
    audiences: tuple[frozenset[str], ...] = (frozenset({AUD}),),
    now: float = NOW,
    leeway: float = 30,
    max_age: float | None = None,
    certificates: bool = False,
) -> Proof:
    """Section 1 of the specification from end to end, with keys at hand."""
    sources = {issuer: Held(snapshot) for issuer in issuers}
    verifier = Verifier(sources, leeway=leeway, max_age=max_age, certificates=certificates)
    candidate = good(verifier.read(token, audiences, now))
    key = snapshot.keys.get(candidate.kid)
    if key is None:
        raise UnknownKey
    return Proof(*good(verifier.prove(candidate, key, now)))


def good(found: T | type[InvalidToken]) -> T:
    """What a verifier found, raised where that is a refusal."""
    if isinstance(found, type):
        raise found
    return found


def outcome(token: str | bytes, snapshot: KeySnapshot, **options: object) -> str:
    """``accepted``, or the code of the refusal; anything else that is raised is the test's failure."""
    try:
        verify(token, snapshot, **options)  # type: ignore[arg-type]  # the options of verify
    except InvalidToken as refusal:
        return refusal.code
    return "accepted"
