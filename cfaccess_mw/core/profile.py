"""What is known about somebody beyond his token, and what may be said to one who asks for it?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from cfaccess_mw.core.encoding import decode_json_object


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Profile:
    """What ``get-identity`` says about somebody (Cloudflare, "Application token", "User identity").

    Attributes:
        fetched_at: When it was asked for, in seconds since the epoch.
        version: Grows with each different document; no two documents of a process have the same one, so what was
            worked out from one may be kept under it.
    """

    fetched_at: float
    version: int
    _body: bytes = field(kw_only=True)

    @property
    def document(self) -> Mapping[str, Any]:
        """All fields, read afresh at each access: keep it while you need it.

        What one reader does to a nested value no other reader sees. ``groups`` comes as Cloudflare sends it: a list of
        strings, or of objects with ``id``, ``name`` and ``email``.
        """
        return MappingProxyType(decode_json_object(self._body))

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups; of one that has no name its id or address. What has another form is left out."""
        groups = self.document.get("groups")
        names = (_name_of(group) for group in (groups if isinstance(groups, list) else ()))
        return tuple(name for name in names if name)

    @property
    def size(self) -> int:
        """Bytes of the document."""
        return len(self._body)

    def says(self, body: bytes) -> bool:
        """Whether ``body`` is the very document."""
        return self._body == body

    def __repr__(self) -> str:
        """Nothing personal: a ``repr`` ends in logs."""
        return f"<Profile version={self.version}>"


def _name_of(group: object) -> str | None:
    fields = (group.get(key) for key in ("name", "id", "email")) if isinstance(group, Mapping) else (group,)
    return next((field for field in fields if isinstance(field, str) and field), None)


class Outcome(Enum):
    """How a lookup can end."""

    FOUND = "found"  # the profile is there
    ENDED = "ended"  # Access says that there is no session any more
    UNAVAILABLE = "unavailable"  # we cannot know at the moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAnswer:
    """What may be said to one who asks for a profile.

    Attributes:
        outcome: How it ended.
        profile: The profile, if it was found.
        retry_after: Seconds after which asking again may help; 0 unless unavailable.
    """

    outcome: Outcome
    profile: Profile | None = None
    retry_after: float = 0.0


ENDED = ProfileAnswer(outcome=Outcome.ENDED)


def found(profile: Profile) -> ProfileAnswer:
    """The answer where there is one."""
    return ProfileAnswer(outcome=Outcome.FOUND, profile=profile)
