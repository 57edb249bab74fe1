"""Does the session of a verified token still stand? What its signature cannot know, asked on every hit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cfaccess_mw.core.errors import IdentityUnavailable, Refused, SessionEnded
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.profile import Outcome, ProfileAnswer


class ProfileSource(Protocol):
    """What is known of people by their tokens, without asking anybody."""

    def peek(self, token: str | bytes, identity: Identity) -> ProfileAnswer | None:
        """What is at hand, or None where somebody would have to be asked."""


Objection = Callable[[Identity], Refused | None]
"""Says why the session of a verified identity counts no more, or None. It answers from what it has at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is asked about every verified token, whatever the rules require.

    Attributes:
        objection: Knows which sessions were revoked; None where nobody revokes any.
        revalidate_every: Seconds after which a user is looked up again to see whether Cloudflare ended the session;
            None for never. Services have no session there to end.
    """

    objection: Objection | None = None
    revalidate_every: float | None = None

    @property
    def is_asked(self) -> bool:
        """Whether there is anything to ask."""
        return self.objection is not None or self.revalidate_every is not None

    def is_due(self, identity: Identity, counts_until: float, now: float) -> bool:
        """Whether somebody is to be looked up again.

        Args:
            identity: Who.
            counts_until: Seconds since the epoch until which the last lookup counts.
            now: Seconds since the epoch.
        """
        return self.revalidate_every is not None and identity.kind == "user" and now >= counts_until


ALWAYS = Standing()
"""Whatever the signature says stands."""


def why_unknown(answer: ProfileAnswer) -> Refused:
    """What is told to somebody whose lookup brought no profile."""
    return SessionEnded() if answer.outcome is Outcome.ENDED else IdentityUnavailable(retry_after=answer.retry_after)
