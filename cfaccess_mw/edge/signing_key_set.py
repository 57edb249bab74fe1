"""Which of our keys signs now, and which are shown? A key is shown before it signs, and for a while after.

Whoever checks our signatures may remember the document with our keys for some time. So a new key is announced before
anything is signed with it, and an old one stays published until everything that it signed has been checked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.edge.signing_key import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeySet:
    """Keys of ours, the order of which means nothing but where two begin to sign at the same time: then the later wins.

    Attributes:
        keys: At least one.
    """

    keys: tuple[SigningKey, ...] = field(default=())

    def __post_init__(self) -> None:
        """Bring them in the order in which they sign."""
        if not self.keys:
            raise ConfigurationError("signing_keys: there is none; give at least one key")
        object.__setattr__(self, "keys", tuple(sorted(self.keys, key=lambda key: key.signs_from)))

    @classmethod
    def of(cls, keys: Iterable[SigningKey]) -> Self:
        """Take these keys."""
        return cls(keys=tuple(keys))

    @property
    def newest(self) -> SigningKey:
        """The one that began, or will begin, to sign last."""
        return self.keys[-1]

    def current(self, now: float) -> SigningKey:
        """The key that signs; where all begin later, the first that does.

        Args:
            now: Seconds since the epoch, as everywhere here.
        """
        begun = [key for key in self.keys if key.signs_from <= now]
        return begun[-1] if begun else self.keys[0]

    def published(self, now: float, *, keep: float) -> tuple[SigningKey, ...]:
        """The keys to show.

        Args:
            now: Seconds since the epoch.
            keep: For how many seconds a key stays after the next one began to sign.
        """
        successors = self.keys[1:]
        old = (key for key, successor in zip(self.keys, successors, strict=False) if now < successor.signs_from + keep)
        return (*old, self.newest)

    def is_due(self, now: float, *, every: float, announce: float) -> bool:
        """Whether it is time for a new key.

        Args:
            now: Seconds since the epoch.
            every: For how many seconds a key signs.
            announce: For how many seconds a key is shown before it signs.
        """
        return now >= self.newest.signs_from + every - announce

    def rotated(self, key: SigningKey, now: float, *, keep: float) -> Self:
        """With a further key, and without those that need to be shown no more."""
        return self.of((*self.published(now, keep=keep), key))
