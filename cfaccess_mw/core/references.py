"""What do the ids in a policy stand for? The groups, lists, tokens and so on of the same export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any

from cfaccess_mw.core.api_answer import unwrap
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class References:
    """What ids stand for, section by section.

    Attributes:
        groups: Criteria by the group's id, with or without a ``name``.
        lists: E-mail addresses, or networks, by the list's id.
        service_tokens: Client IDs by the service token's id.
        identity_providers: Names by id.
        posture_rules: Names by id.
        given: Whether the operator gave references at all. The ids of identity providers and posture rules are those
            that ``get-identity`` uses, so that without references they are taken as they are.
    """

    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    service_tokens: Mapping[str, str] = field(default_factory=dict)
    identity_providers: Mapping[str, str] = field(default_factory=dict)
    posture_rules: Mapping[str, str] = field(default_factory=dict)
    given: bool = False

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object] | None) -> "References":
        """Read references as they are written or saved.

        Args:
            mapping: Each section is a mapping of ids to what they stand for, a list of objects with an ``id``, or the
                answer of Cloudflare's API with such a list; None for no references.

        Raises:
            ConfigurationError: A section or an entry that is not understood, or that is not complete.
        """
        if mapping is None:
            return cls()
        if not isinstance(mapping, Mapping):
            raise ConfigurationError(f"references: is {shape(mapping)}; give a mapping of {', '.join(_SECTIONS)}")
        sections: dict[str, Any] = {}
        for section, given in mapping.items():
            read = _SECTIONS.get(section)
            if read is None:
                near = get_close_matches(str(section), _SECTIONS, n=1)
                mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_SECTIONS)}"
                raise ConfigurationError(f"references: {str(section)[:64]!r} is not known; {mend}")
            where = f"references: {section}"
            entries = _entries(where, unwrap(where, given))
            sections[section] = {key: read(f"{where}: {key[:64]!r}", entry) for key, entry in entries.items()}
        return cls(**sections, given=True)

    def find(self, section: str, key: str) -> Any:
        """Return what an id stands for.

        Raises:
            ConfigurationError: It is not there; the message names it.
        """
        found = getattr(self, section).get(key)
        if found is None:
            raise ConfigurationError(
                f"{key[:64]!r} is not among the {section} of references; add it, from the export the policy is of"
            )
        return found


def _entries(where: str, given: object) -> dict[str, object]:
    if isinstance(given, Mapping):
        entries = list(given.items())
    elif isinstance(given, list | tuple):
        entries = [(entry.get("id") if isinstance(entry, Mapping) else None, entry) for entry in given]
    else:
        raise ConfigurationError(f"{where}: is {shape(given)}; give a mapping by id, or a list of objects with an id")
    found: dict[str, object] = {}
    for key, entry in entries:
        if not isinstance(key, str) or not key:
            raise ConfigurationError(f"{where}: has an entry without id; give a mapping by id, or objects with an id")
        if key in found:
            raise ConfigurationError(f"{where}: has {key[:64]!r} twice; leave one of them")
        found[key] = entry
    return found


def _group(where: str, entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{where}: is {shape(entry)}; give a mapping with 'include'")
    return entry


def _list(where: str, entry: object) -> tuple[str, ...]:
    items = entry.get("items") if isinstance(entry, Mapping) else entry
    if not isinstance(items, list | tuple):
        raise ConfigurationError(f"{where}: has no items; give a list of texts, or the list with its 'items'")
    count = entry.get("count") if isinstance(entry, Mapping) else None
    if isinstance(count, int) and count > len(items):
        raise ConfigurationError(f"{where}: has {len(items)} of {count} items; save all pages of them")
    texts: list[str] = []
    for item in items:
        text = item.get("value") if isinstance(item, Mapping) else item
        if not isinstance(text, str):
            raise ConfigurationError(f"{where}: has {shape(text)}; give texts, or objects with a 'value'")
        texts.append(text)
    return tuple(texts)


def _text(name: str, where: str, entry: object) -> str:
    """An entry that is a text, or an object with a text under ``name``."""
    text = entry.get(name) if isinstance(entry, Mapping) else entry
    if not isinstance(text, str) or not text:
        raise ConfigurationError(f"{where}: has no {name}; give it as a text, or an object with {name!r}")
    return text


_SECTIONS: Mapping[str, Callable[[str, object], object]] = {
    "groups": _group,
    "lists": _list,
    "service_tokens": partial(_text, "client_id"),
    "identity_providers": partial(_text, "name"),
    "posture_rules": partial(_text, "name"),
}
