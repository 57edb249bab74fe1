"""Which events are there, and what does each mean?"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # requests
        "token-accepted": "somebody was let in",
        "anonymous-passed": "a request was let in without an identity: a public or optional path, a preflight",
        "token-refused": "no token, or one that does not count; the code says why",
        "policy-denied": "a good token, and rules that say no",
        "path-ambiguous": "a path or host that can be read in several ways",
        "keys-lacking": "503: keys, an identity or revocations could not be known; the code says which",
        "only-reported": "would have been refused, and was let in because of report_only",
        # keys
        "keys-fetched": "the team's keys were fetched",
        "keys-failed": "they could not be fetched; the old ones count on",
        "keys-stale": "they are older than they should be; requests are answered",
        "keys-expired": "they are too old: every request that needs one is a 503",
        # people
        "profile-fetched": "somebody was looked up",
        "profile-failed": "somebody could not be looked up",
        "session-ended": "Cloudflare says that a session has ended",
        "revocations-lacking": "`revoked` gave no clear answer; said once in 10 s",
        # start
        "report-only": "this process refuses nothing, or not everywhere",
        "audit-key-missing": "e-mail addresses in the audit are hashed with a key that no other process has",
        # a fleet
        "fleet-joined": "the shared store has answered for the first time",
        "fleet-lost": "it does not answer; what was last known counts for a while",
        "fleet-refuses": "it has not answered for too long: requests with a token are a 503",
        "fleet-back": "it answers again",
        "fleet-value-refused": "something in it cannot be believed; what=secret: others there have another one",
        "revocations-changed": "sessions were revoked, or revocations ended",
        "revocations-restored": "revocations that the shared store had lost were written again",
        # the edge's
        "ranges-fetched": "Cloudflare's networks were fetched",
        "ranges-failed": "they could not be fetched",
        "ranges-stale": "they are older than they should be",
        "ranges-expired": "they are too old; the list that ships with the package counts",
        "peer-refused": "a peer that is not Cloudflare's",
        "link-refused": "a signed link that does not count",
        "link-secret-short": "a secret of signed links that can be guessed",
        "evaluation-answered": "Access was answered",
        "evaluation-refused": "a question that is not Access's",
        "evaluation-failed": "whoever decides failed; the answer was no",
        "signing-key-generated": "a signing key was made",
        "signing-key-announced": "the next signing key was published",
        "signing-key-not-rotated": "the next signing key could not be made",
        "signing-keys-unreadable": "the file of signing keys cannot be read",
    }
)


def checked_names(names: Iterable[str]) -> frozenset[str]:
    """Return names of events as a set.

    Raises:
        ConfigurationError: There is no such event, or none at all.
    """
    found = frozenset(names)
    for name in sorted(found, key=str):
        if name not in EVENTS:
            near = get_close_matches(str(name), EVENTS, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(EVENTS)}"
            raise ConfigurationError(f"names: {str(name)[:64]!r} is not an event; {mend}")
    if not found:
        raise ConfigurationError(f"names: is empty; name events, of {', '.join(EVENTS)}")
    return found
