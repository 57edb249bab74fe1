"""What does an operator do about a refusal, or about keys that cannot be had? One sentence for each code."""

from collections.abc import Mapping
from typing import Final

from cfaccess_mw.core.errors import FetchError, KeySetError

_PASTE = "paste the token alone: three parts with two dots, without 'Bearer', quotes or the name of a cookie"
_SOMEBODY = "Access signs nothing like that; somebody is trying, or the token was changed on its way"
_SIGN_IN = "sign in again for a new token"
_TRY_AGAIN = "see whether the team can be reached from here (cfaccess doctor), and try again"

MENDS: Final[Mapping[str, str]] = {
    "no-token": "send the request through Cloudflare Access, not straight to the origin",
    "duplicate-token": "send one assertion header; a proxy on the way may add a second one",
    "too-many-tokens": "clear the CF_Authorization cookies of this host in the browser",
    "oversized-token": "have the identity provider send fewer attributes; Access's tokens have about 1 KB",
    "malformed-token": _PASTE,
    "bad-encoding": _PASTE,
    "bad-header": _SOMEBODY,
    "forbidden-header": _SOMEBODY,
    "algorithm-not-allowed": _SOMEBODY,
    "bad-key-id": _SOMEBODY,
    "bad-payload": _SOMEBODY,
    "missing-claim": "give an application token: the value of Cf-Access-Jwt-Assertion at the origin",
    "invalid-claim": _SOMEBODY,
    "wrong-issuer": "set team to the one that signs, which the token names in iss",
    "wrong-audience": "set audience to the AUD tag of the application that the request goes through (its overview in "
    "the Zero Trust dashboard)",
    "wrong-token-type": "give an application token: the value of Cf-Access-Jwt-Assertion at the origin, not the cookie "
    "of the team's own domain",
    "expired": _SIGN_IN,
    "too-old": f"{_SIGN_IN}, or raise max_age",
    "not-yet-valid": "set the clock of this machine (cfaccess doctor compares it with the team's)",
    "session-ended": _SIGN_IN,
    "session-revoked": _SIGN_IN,
    "unknown-key": "give a token of this team that was signed within the last weeks; old keys are withdrawn",
    "bad-signature": _SOMEBODY,
    "unknown-principal": "for client certificates without a user, set certificates = true",
    "not-permitted": "see cfaccess explain for the rule and the policy that decide",
    "ambiguous-path": "ask for the path plainly; cfaccess explain says what is ambiguous about it",
    "ambiguous-host": "ask for a host that a rule names",
    "identity-unavailable": _TRY_AGAIN,
    "revocations-unavailable": "see whether the store of revocations can be reached from here, and try again",
    "keys-unavailable": _TRY_AGAIN,
}


def mend_of(code: str) -> str:
    """Return what mends a refusal; for a code that is not known here, where to look."""
    return MENDS.get(code, "see what README.md says of this code")


_ANOTHER = "something else answers there (a proxy, the login page of a network, another team_url); see what it is"

# By the reasons of FetchError, and the beginnings of their families.
_FETCHES: Final[Mapping[str, str]] = {
    "timeout": "see whether this machine may open connections to there (firewall, name server, HTTPS_PROXY)",
    "connect-failed": "see whether this machine may open connections to there (firewall, name server, HTTPS_PROXY)",
    "connection-lost": "try again; if it stays so, see what stands between (HTTPS_PROXY)",
    "no-certificate-authorities": "mend the file that SSL_CERT_FILE or SSL_CERT_DIR names",
    "status-404": "there is no such team there; see the team's name in the Zero Trust dashboard, under Settings",
    "status-429": "it asks to be left alone; try again in some minutes",
    "status-5": "it is down; try again, and keep a door running meanwhile: it goes on with the keys that it has",
}


def told_of(failure: FetchError | KeySetError) -> tuple[str, str]:
    """Return why keys cannot be had, and what mends it."""
    if isinstance(failure, KeySetError):
        return str(failure), _ANOTHER
    reason = failure.reason
    return reason, _FETCHES.get(reason) or _FETCHES.get(reason[:8], _ANOTHER)
