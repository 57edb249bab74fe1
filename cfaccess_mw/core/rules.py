"""What does the operator say about which paths?

A rule is data: which requests it speaks of, and what it requires of them. Rules know nothing of each other; which one a
request gets is for the table that holds them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, Self, TypeAlias, cast

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.hosts import canonical_host
from cfaccess_mw.core.patterns import ANY, parse_pattern

Names: TypeAlias = str | Iterable[str]
"""One name, or several."""


class Access(Enum):
    """What a rule requires, from the most open to the strictest."""

    PUBLIC = "public"
    """Nobody is refused; a good token still gives its identity."""

    OPTIONAL = "optional"
    """No token is fine, a bad one is refused."""

    TOKEN = "token"  # noqa: S105 - the word that operators write
    """Any valid token for the rule's audience."""

    @property
    def strictness(self) -> int:
        """How much is required: of several rules that speak of one request, the highest counts."""
        return _STRICTNESS[self]


_STRICTNESS: Final = {access: rank for rank, access in enumerate(Access)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is required of the requests that a pattern names.

    Mostly made by :meth:`public`, :meth:`optional` and :meth:`token`, or read from a configuration by
    :meth:`from_mapping`.

    Attributes:
        pattern: A path; a trailing ``/*`` covers it and everything below, a ``*`` elsewhere any run of characters
            within one segment.
        access: What is required.
        methods: The methods that it speaks of, in upper case; empty for every method. HEAD has GET's rule.
        hosts: The hosts that it speaks of, without port; empty for every host.
        audience: The audience tags of the Access application that protects this path, where it is one of its own;
            empty for the configuration's.
        everything: The word that says that a rule for ``/*`` is meant to let everybody in everywhere.

    Raises:
        ConfigurationError: The rule means nothing, or can never match.
    """

    pattern: str
    access: Access
    methods: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    audience: frozenset[str] = frozenset()
    everything: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and bring hosts into their one form."""
        if not isinstance(self.pattern, str):
            raise ConfigurationError(f"rules: a pattern is a text such as '/healthz', not {_kind(self.pattern)}")
        pattern = parse_pattern(self.pattern)
        if not isinstance(self.access, Access):
            raise self._mistake(f"access is one of {_WORDS}, not {_kind(self.access)}")
        for key, (is_good, wanted) in _MEMBERS.items():
            members = getattr(self, key)
            if not isinstance(members, frozenset):
                raise self._mistake(f"{key} is a set of texts, not {_kind(members)}")
            for member in members:
                if not isinstance(member, str) or not is_good(member):
                    shown = repr(member[:64]) if isinstance(member, str) else _kind(member)
                    raise self._mistake(f"{key} has {shown}; {wanted}")
        object.__setattr__(self, "hosts", frozenset(map(canonical_host, self.hosts)))
        if "HEAD" in self.methods and "GET" not in self.methods:
            raise self._mistake("methods has HEAD alone; HEAD has GET's rule, so name GET")
        # "/*/*" too: all but "/" itself.
        covers_all = pattern.below and all(segment == ANY for segment in pattern.segments)
        opens_all = covers_all and self.access is not Access.TOKEN
        if opens_all and self.everything is not True:
            raise self._mistake(
                f"{self.access.value} here lets everybody in everywhere; to mean it, say everything=True"
            )
        if self.everything and not opens_all:
            raise self._mistake("everything=True goes with a public or optional '/*' alone; take it off")

    @classmethod
    def public(
        cls,
        pattern: str,
        *,
        methods: Names = (),
        hosts: Names = (),
        audience: Names = (),
        everything: bool = False,
    ) -> Self:
        """Let everybody in; who has a good token is still known. The arguments are the attributes of the class."""
        return cls._of(Access.PUBLIC, pattern, methods=methods, hosts=hosts, audience=audience, everything=everything)

    @classmethod
    def optional(
        cls,
        pattern: str,
        *,
        methods: Names = (),
        hosts: Names = (),
        audience: Names = (),
        everything: bool = False,
    ) -> Self:
        """Let in who has no token or a good one. The arguments are the attributes of the class."""
        return cls._of(Access.OPTIONAL, pattern, methods=methods, hosts=hosts, audience=audience, everything=everything)

    @classmethod
    def token(cls, pattern: str, *, methods: Names = (), hosts: Names = (), audience: Names = ()) -> Self:
        """Let in who has any valid token. The arguments are the attributes of the class."""
        return cls._of(Access.TOKEN, pattern, methods=methods, hosts=hosts, audience=audience)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Read a rule from a configuration: the attributes by name, ``access`` as a word.

        Raises:
            ConfigurationError: A name or a word that is not known, or a rule that means nothing.
        """
        if not isinstance(mapping, Mapping):
            raise ConfigurationError(f"rules: a rule is a mapping with a pattern and an access, not {_kind(mapping)}")
        known = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in known:
                raise ConfigurationError(f"rules: {_unknown('key', key, known)}")
        for key in ("pattern", "access"):
            if key not in mapping:
                raise ConfigurationError(f"rules: a rule lacks its {key}; every rule has a pattern and an access")
        word = mapping["access"]
        if word not in _WORDS:
            raise ConfigurationError(f"rules: {_unknown('access', word, _WORDS)}")
        rest = {key: value for key, value in mapping.items() if key in _MEMBERS}
        return cls._of(Access(word), mapping["pattern"], everything=mapping.get("everything", False), **rest)

    def to_mapping(self) -> dict[str, Any]:
        """Return what :meth:`from_mapping` reads, without what is left at its default; lists are sorted."""
        mapping: dict[str, Any] = {"pattern": self.pattern, "access": self.access.value}
        mapping |= {key: sorted(getattr(self, key)) for key in _MEMBERS if getattr(self, key)}
        return mapping | ({"everything": True} if self.everything else {})

    @classmethod
    def _of(
        cls,
        access: Access,
        pattern: str,
        *,
        methods: Names = (),
        hosts: Names = (),
        audience: Names = (),
        everything: bool = False,
    ) -> Self:
        return cls(
            pattern=pattern,
            access=access,
            methods=_names("methods", methods),
            hosts=_names("hosts", hosts),
            audience=_names("audience", audience),
            everything=everything,
        )

    def _mistake(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"rules: the rule for {self.pattern!r}: {what}")


_WORDS: Final = [access.value for access in Access]

# What may stand in each of the sets, and what to write where something else does.
_MEMBERS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "methods": (
        re.compile("[A-Z]+").fullmatch,
        "a method is upper-case letters; others get every protecting rule and no public one",
    ),
    "hosts": (
        lambda host: ":" not in host.rpartition("]")[2] and canonical_host(host),
        "a host is one exact name in ASCII, or an IP address ('[::1]' in brackets), without port or '*'",
    ),
    "audience": (
        re.compile("[!-~]+").fullmatch,
        "an audience is an application's AUD tag, as its overview in the dashboard shows it",
    ),
}


def _names(key: str, value: object) -> frozenset[str]:
    alone = not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping)
    names = [value] if alone else list(cast("Iterable[object]", value))
    for name in names:
        if not isinstance(name, str):
            raise ConfigurationError(f"rules: {key} is a text or a list of texts, not {_kind(name)}")
    return frozenset(cast("list[str]", names))


def _unknown(what: str, name: object, known: Iterable[str]) -> str:
    nearest = get_close_matches(str(name), known, n=1)
    mend = f"did you mean {nearest[0]!r}?" if nearest else f"it is one of {', '.join(known)}"
    return f"the {what} {str(name)[:64]!r} is not known; {mend}"


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
