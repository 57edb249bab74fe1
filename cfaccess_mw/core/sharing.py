"""Which sessions did the operator end? Revocations as values, and all of them as one thing that is asked quickly.

A revocation says which tokens count no more: those about somebody that were *issued before* a moment, so that whoever
signs in again afterwards is let in; or, where no moment is given, all of them, until the revocation itself ends.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, Protocol, get_args

from cfaccess_mw.core.addresses import canonical_email
from cfaccess_mw.core.claims import read_principal
from cfaccess_mw.core.errors import ConfigurationError, InvalidToken
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.shape import shape

Subject = Literal["user", "email", "service", "nonce", "all"]
SUBJECTS: Final[tuple[str, ...]] = get_args(Subject)

LONGEST_VALUE = 512  # characters; a Client ID has 39, a sub 36, an address 254 at most (RFC 5321)
_LATEST = 253_402_300_799  # the end of the year 9999


class KeepsKeys(Protocol):
    """What a fleet needs of a refresher of keys."""

    url: str

    def export(self, wall_now: float) -> bytes | None:
        """Return what is held, or None where nothing was fetched."""

    def adopt(self, data: bytes, wall_now: float) -> bool:
        """Take what another process exported, if it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What ends sessions. Times are seconds since the epoch.

    Attributes:
        subject: By what it names them: ``user`` (``sub``), ``email``, ``service`` (a Client ID), ``nonce``
            (``identity_nonce``: one session), or ``all``.
        value: Which user, address, Client ID or nonce; for ``all`` the issuer of a team, or nothing for every team.
        issued_before: Tokens that were issued before count no more; None for all, whenever they were issued.
        until: When the revocation ends. Whoever still holds a token from before is let in again then, so it has to be
            as long as a session can last.
        made_at: When it was made.
        id: Its name among all others.

    Raises:
        ConfigurationError: Names the attribute, the shape of its value and the mend.
    """

    subject: Subject
    value: str = ""
    issued_before: float | None = None
    until: float
    made_at: float
    id: str

    def __post_init__(self) -> None:
        """Validate, and bring an e-mail address into the form that is compared."""
        if self.subject not in SUBJECTS:
            raise ConfigurationError(f"subject: is {shape(self.subject)}; give one of {', '.join(SUBJECTS)}")
        object.__setattr__(self, "value", read_value(self.subject, self.value))
        if not _is_name(self.id):
            raise ConfigurationError(f"id: is {shape(self.id)}; give 1 to 64 letters and digits")
        for name in ("issued_before", "until", "made_at"):
            value = getattr(self, name)
            if not (value is None and name == "issued_before") and not _is_time(value):
                raise ConfigurationError(f"{name}: is {shape(value)}; give seconds since the epoch")

    def __repr__(self) -> str:
        """Nothing personal: a ``repr`` ends in logs."""
        return f"<Revocation {self.id} by {self.subject}>"


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64 and value.isascii() and value.isalnum()


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= _LATEST  # type: ignore[operator]  # a number by then


def read_value(subject: str, value: object) -> str:
    """Return what a revocation names, in the form that is compared.

    Args:
        subject: By what it names whom, one of :data:`SUBJECTS`.
        value: Whom.

    Raises:
        ConfigurationError: It names nobody.
    """
    mend = _MENDS[subject]
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or not value.isprintable():
        raise ConfigurationError(f"{subject}: is {shape(value)}; {mend}")
    found = canonical_email(value) if subject == "email" else value
    is_good = bool(found) or subject == "all"
    if subject == "service":
        is_good = _is_client_id(value)
    elif subject == "all":
        is_good = not value or value.startswith(("https://", "http://"))
    elif subject != "email":  # what names somebody else, or was pasted with a blank, would end nothing
        is_good = is_good and not (" " in value or "@" in value or _is_client_id(value))
    if found is None or not is_good:
        raise ConfigurationError(f"{subject}: is {shape(value)}; {mend}")
    return found


def _is_client_id(value: str) -> bool:
    try:
        return read_principal(None, None, value, certificates=False) == ("service", value)
    except InvalidToken:
        return False


_MENDS = {
    "user": "give the sub of a user, as the audit line has it; there are other words for an address and a Client ID",
    "email": "give an address such as alice@example.com",
    "service": "give a Client ID: 32 hexadecimal characters, and .access",
    "nonce": "give the identity_nonce of a session",
    "all": "give the issuer of a team, https://<team>.cloudflareaccess.com, or nothing for every team",
}

Moments = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Revocations:
    """All revocations at a moment, by what they name: before when tokens must have been issued to count no more.

    Made anew whenever one comes or goes, never changed, so that it is read without a lock.

    Attributes:
        count: How many there are.
        users: By ``sub``.
        emails: By the address in the form that is compared.
        services: By Client ID.
        nonces: By ``identity_nonce``.
        teams: By issuer.
        everybody: For every team.
    """

    count: int = 0
    users: Moments = field(default_factory=dict)
    emails: Moments = field(default_factory=dict)
    services: Moments = field(default_factory=dict)
    nonces: Moments = field(default_factory=dict)
    teams: Moments = field(default_factory=dict)
    everybody: float = -math.inf

    @classmethod
    def of(cls, revocations: Iterable[Revocation]) -> "Revocations":
        """Put together; of two about the same somebody, each ends what it ends."""
        found: dict[str, dict[str, float]] = {subject: {} for subject in SUBJECTS}
        count = 0
        for one in revocations:
            count += 1
            moments = found[one.subject]
            before = math.inf if one.issued_before is None else one.issued_before
            moments[one.value] = max(before, moments.get(one.value, -math.inf))
        if not count:
            return NONE_REVOKED
        return cls(
            count=count,
            users=found["user"],
            emails=found["email"],
            services=found["service"],
            nonces=found["nonce"],
            everybody=found["all"].pop("", -math.inf),
            teams=found["all"],
        )

    def cover(self, identity: Identity) -> bool:
        """Whether the session of somebody was ended: at most a handful of look-ups, whatever the number."""
        if not self.count:
            return False
        issued_at = identity.issued_at
        if issued_at < self.everybody or issued_at < self.teams.get(identity.issuer, -math.inf):
            return True
        # What identities lack is in no table: values are never empty.
        if issued_at < self.users.get(identity.subject, -math.inf):
            return True
        if identity.nonce is not None and issued_at < self.nonces.get(identity.nonce, -math.inf):
            return True
        if identity.kind == "service":
            return issued_at < self.services.get(identity.id, -math.inf)
        return bool(self.emails) and issued_at < self._by_email(identity.email)

    def _by_email(self, email: str | None) -> float:
        """An address that has no form to be compared in cannot be named, and so not be revoked either."""
        return -math.inf if email is None else self.emails.get(_compared(email) or "", -math.inf)


# As many as there are tokens remembered; to work it out takes longer than all else that is asked.
_compared = lru_cache(maxsize=10_000)(canonical_email)

NONE_REVOKED = Revocations()
