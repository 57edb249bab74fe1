"""Which fields does a token or its header have, when some are added, replaced or taken away?"""

from collections.abc import Mapping
from typing import Final


class _Absent:
    """The type of ``ABSENT``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Given for a claim or a header field, it takes it out of the token; None would write a JSON ``null``."""


def merged(fields: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Fields with changes.

    Args:
        fields: What would be there.
        changes: What stands there instead; ``ABSENT`` takes a field away.
    """
    return {name: value for name, value in {**fields, **changes}.items() if value is not ABSENT}
