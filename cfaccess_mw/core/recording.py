"""What does the operator want recorded of each access, and where?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, Final, cast

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

STREAMS: Final = ("stdout", "stderr")
EMAILS: Final = ("hashed", "off", "plain")

# Characters of a key: 16 random bytes in hexadecimal are 32, but whoever has another way to make one is not refused.
_SHORTEST_KEY: Final = 16

_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})
_MEND: Final = "give true for standard output, 'stderr', the path of a file, or a mapping of to, email and key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """How accesses are recorded: one line each.

    Attributes:
        to: ``stdout``, ``stderr``, or the path of a file.
        email: What stands there of an e-mail address: ``hashed`` (HMAC-SHA-256 with the key), ``off`` or ``plain``.
        key: The text whose UTF-8 is the key of the hashes; None for one that each process makes up.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """

    to: str = "stdout"
    email: str = "hashed"
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        given: dict[str, object] = {"to": self.to, "email": self.email, "key": self.key}
        if not isinstance(given["to"], str) or not self.to or "\0" in self.to:
            raise ConfigurationError(f"audit: to is {shape(self.to)}; give 'stdout', 'stderr' or the path of a file")
        if not any(given["email"] == choice for choice in EMAILS):
            raise ConfigurationError(f"audit: email is {shape(self.email)}; give 'hashed', 'off' or 'plain'")
        if given["key"] is None:
            return
        if not isinstance(given["key"], str) or len(given["key"]) < _SHORTEST_KEY:
            raise ConfigurationError(
                f"audit: key is {shape(self.key)}; give at least {_SHORTEST_KEY} characters, made at random"
            )
        if self.email != "hashed":
            raise ConfigurationError(f"audit: key hashes nothing while email is {self.email!r}; leave one of them out")


def read_recording(value: object) -> Recording | None:
    """Read the value of ``audit``.

    Args:
        value: True, a path, or a mapping of ``to``, ``email`` and ``key``; None or False for no record.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    match value:
        case None | False:
            return None
        case True:
            return Recording()
        case Recording():
            return value
        case str():
            return Recording(to=value)
        case Mapping():
            return Recording(**_known(value))
        case _:
            raise ConfigurationError(f"audit: is {shape(value)}; {_MEND}")


def read_recording_text(_: str, text: str) -> object:
    """Read ``audit`` where only text can be written: a word for yes or no, a JSON object, or where to.

    Raises:
        ConfigurationError: It begins like an object and is none.
    """
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None  # what the decoder says quotes the text, and a key may be in it
    if not isinstance(found, dict):
        raise ConfigurationError(f"audit: is {shape(text)} and no JSON object; {_MEND}")
    return found


def beside(value: object, folder: PurePath) -> object:
    """Return the value of ``audit`` as it is meant in a file: its path is relative to the file's folder."""
    recording = read_recording(value)
    if recording is None or recording.to in STREAMS:
        return recording
    return replace(recording, to=str(folder / recording.to))


def _known(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    known = ("to", "email", "key")
    for name in mapping:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            mend = f"did you mean {near[0]!r}?" if near else "give to, email or key"
            raise ConfigurationError(f"audit: {str(name)[:64]!r} is not a key of it; {mend}")
    return cast("dict[str, Any]", dict(mapping))
