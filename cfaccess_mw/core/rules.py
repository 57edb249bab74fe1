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
from cfaccess_mw.core.policy import Policy, PolicyDecision

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

    POLICIES = "policies"
    """A valid token, and policies that let its bearer in; or a bypass among them."""

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
        policies: Who may pass, in Cloudflare's meaning; with ``Access.POLICIES`` and nothing else.
        report_only: Whether what this rule refuses is only told, for rolling out.

    Raises:
        ConfigurationError: The rule means nothing, or can never match.
    """

    pattern: str
    access: Access
    methods: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    audience: frozenset[str] = frozenset()
    everything: bool = False
    policies: tuple[Policy, ...] = ()
    report_only: bool = False

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
        self._check_policies()
        # "/*/*" too: all but "/" itself.
        covers_all = pattern.below and all(segment == ANY for segment in pattern.segments)
        opens_all = covers_all and self.effective in (Access.PUBLIC, Access.OPTIONAL)
        if opens_all and self.everything is not True:
            raise self._mistake(
                f"{self.effective.value} here lets everybody in everywhere; to mean it, say everything=True"
            )
        if self.everything and not opens_all:
            raise self._mistake("everything=True goes with a public or optional '/*' alone; take it off")

    def _check_policies(self) -> None:
        policies: object = self.policies
        if not isinstance(policies, tuple) or not all(isinstance(policy, Policy) for policy in policies):
            raise self._mistake("policies is a tuple of Policy; see Rule.guarded, or Rule.from_mapping")
        if (self.access is Access.POLICIES) is not bool(self.policies):
            raise self._mistake("policies go with the access 'policies', and that with at least one of them")
        if type(self.report_only) is not bool:
            raise self._mistake(f"report_only is {_kind(self.report_only)}; say true or false")

    @property
    def effective(self) -> Access:
        """What is required in effect: an unconditional bypass is as public as a path can be."""
        return Access.PUBLIC if any(policy.is_public for policy in self.policies) else self.access

    @property
    def has_bypass(self) -> bool:
        """Whether some requests are let in without anybody being asked who they are."""
        return any(policy.decision is PolicyDecision.BYPASS for policy in self.policies)

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
    def guarded(
        cls,
        pattern: str,
        policies: object,
        *,
        references: Mapping[str, object] | None = None,
        methods: Names = (),
        hosts: Names = (),
        audience: Names = (),
        everything: bool = False,
        report_only: bool = False,
    ) -> Self:
        """Let in whom policies let in: ours, or Cloudflare's as its API gives them.

        Args:
            pattern: As the attribute, like the others that are not named here.
            policies: Policies, or mappings of them; see :func:`~cfaccess_mw.core.policy_reading.read_policies`.
            references: What the ids in Cloudflare's policies stand for.
            methods: As the attribute.
            hosts: As the attribute.
            audience: As the attribute.
            everything: As the attribute.
            report_only: As the attribute.
        """
        return cls._of(
            Access.POLICIES,
            pattern,
            methods=methods,
            hosts=hosts,
            audience=audience,
            everything=everything,
            policies=_reading().read_policies(policies, references),
            report_only=report_only,
        )

    @classmethod
    def allow(
        cls,
        pattern: str,
        *,
        methods: Names = (),
        hosts: Names = (),
        audience: Names = (),
        report_only: bool = False,
        **who: Any,
    ) -> Self:
        """Let in the users whom all of these describe: ``groups=["admins"], ips=["192.0.2.0/24"]``.

        The other arguments are the attributes of the class.
        """
        policy = _reading().policy_from(PolicyDecision.ALLOW, **who)
        return cls.guarded(pattern, [policy], methods=methods, hosts=hosts, audience=audience, report_only=report_only)

    @classmethod
    def any_user(cls, pattern: str, *, methods: Names = (), hosts: Names = (), audience: Names = ()) -> Self:
        """Let in every user, and no service. The arguments are the attributes of the class."""
        return cls.allow(pattern, methods=methods, hosts=hosts, audience=audience, everyone=True)

    @classmethod
    def service(
        cls,
        pattern: str,
        *,
        tokens: Names | None = None,
        methods: Names = (),
        hosts: Names = (),
        audience: Names = (),
    ) -> Self:
        """Let in services, by the Client IDs of their tokens; every service where none is named.

        The other arguments are the attributes of the class.
        """
        return cls.guarded(
            pattern, [_reading().service_policy(tokens)], methods=methods, hosts=hosts, audience=audience
        )

    @classmethod
    def deny(cls, pattern: str, *, methods: Names = (), hosts: Names = (), audience: Names = ()) -> Self:
        """Let in nobody. The arguments are the attributes of the class."""
        policy = _reading().policy_from(PolicyDecision.DENY, everyone=True)
        return cls.guarded(pattern, [policy], methods=methods, hosts=hosts, audience=audience)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], references: Mapping[str, Any] | None = None) -> Self:
        """Read a rule from a configuration: the attributes by name, ``access`` as a word.

        Instead of ``access`` there may stand ``policies`` alone, or one of the short forms: ``allow`` with conditions
        (``{groups = ["admins"]}``), ``service`` with Client IDs or true, ``any_user = true``, ``deny = true``.

        Args:
            mapping: The rule.
            references: What the ids in policies of Cloudflare's stand for.

        Raises:
            ConfigurationError: A name or a word that is not known, or a rule that means nothing.
        """
        if not isinstance(mapping, Mapping):
            raise ConfigurationError(f"rules: a rule is a mapping with a pattern and an access, not {_kind(mapping)}")
        known = [*(field.name for field in fields(cls)), *_SHORT_FORMS]
        for key in mapping:
            if key not in known:
                raise ConfigurationError(f"rules: {_unknown('key', key, known)}")
        if "pattern" not in mapping:
            raise ConfigurationError("rules: a rule lacks its pattern; every rule has a pattern and an access")
        rest = {key: value for key, value in mapping.items() if key in _MEMBERS or key in ("everything", "report_only")}
        try:
            access, policies = _required_by(mapping, references)
        except ConfigurationError as mistake:
            raise ConfigurationError(f"rules: the rule for {str(mapping['pattern'])[:64]!r}: {mistake}") from None
        return cls._of(access, mapping["pattern"], policies=policies, **rest)

    def to_mapping(self) -> dict[str, Any]:
        """Return what :meth:`from_mapping` reads, without what is left at its default; lists are sorted."""
        mapping: dict[str, Any] = {"pattern": self.pattern, "access": self.access.value}
        mapping |= {key: sorted(getattr(self, key)) for key in _MEMBERS if getattr(self, key)}
        if self.policies:
            mapping["policies"] = [_reading().policy_to_mapping(policy) for policy in self.policies]
        mapping |= {key: True for key in ("everything", "report_only") if getattr(self, key)}
        return mapping

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
        policies: tuple[Policy, ...] = (),
        report_only: bool = False,
    ) -> Self:
        return cls(
            pattern=pattern,
            access=access,
            methods=_names("methods", methods),
            hosts=_names("hosts", hosts),
            audience=_names("audience", audience),
            everything=everything,
            policies=policies,
            report_only=report_only,
        )

    def _mistake(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"rules: the rule for {self.pattern!r}: {what}")


_WORDS: Final = [access.value for access in Access]


def _reading() -> Any:
    """The reader of policies: a third of all that would be imported, and many an application has rules without any."""
    from cfaccess_mw.core import policy_reading  # noqa: PLC0415

    return policy_reading


# Each with the policy that it is short for.
_SHORT_FORMS: Final[Mapping[str, Callable[[Any], Policy]]] = {
    "allow": lambda who: _reading().policy_from(PolicyDecision.ALLOW, **_conditions("allow", who)),
    "any_user": lambda said: _reading().policy_from(PolicyDecision.ALLOW, everyone=_said("any_user", said)),
    "deny": lambda said: _reading().policy_from(PolicyDecision.DENY, everyone=_said("deny", said)),
    # an empty value of a configuration is no service at all, where in code it is every one
    "service": lambda tokens: _reading().service_policy(None if tokens is True else () if tokens is None else tokens),
}


def _required_by(mapping: Mapping[str, Any], references: Mapping[str, Any] | None) -> tuple[Access, tuple[Policy, ...]]:
    """What a rule that is written as a mapping requires."""
    forms = [form for form in ("access", *_SHORT_FORMS) if form in mapping]
    if not forms and "policies" in mapping:
        return Access.POLICIES, _reading().read_policies(mapping["policies"], references)
    if len(forms) != 1:
        choice = ", ".join(("access", *_SHORT_FORMS))
        many = "more than one" if forms else "lacks its access: none"
        raise ConfigurationError(f"{many} of {choice}; every rule has one of them, or policies alone")
    if forms[0] != "access":
        if "policies" in mapping:
            raise ConfigurationError(f"{forms[0]}: stands beside policies; write it as one of them")
        return Access.POLICIES, (_SHORT_FORMS[forms[0]](mapping[forms[0]]),)
    word = mapping["access"]
    if word not in _WORDS:
        raise ConfigurationError(_unknown("access", word, _WORDS))
    return Access(word), _reading().read_policies(mapping["policies"], references) if "policies" in mapping else ()


def _conditions(key: str, who: object) -> dict[str, Any]:
    if not isinstance(who, Mapping):
        raise ConfigurationError(f"{key}: is {_kind(who)}; give conditions, such as {{groups = ['admins']}}")
    for name in who:
        if not isinstance(name, str) or name == "decision":
            shown = repr(name) if isinstance(name, str) else _kind(name)
            raise ConfigurationError(f"{key}: {shown} is not a condition; give some, such as {{groups = ['admins']}}")
        if who[name] is None:
            raise ConfigurationError(f"{key}: {name[:64]!r} is None, which asks nothing; give a value, or leave it out")
    if not isinstance(who.get("name", ""), str):
        raise ConfigurationError(f"{key}: the name is {_kind(who['name'])}; give text, or leave it out")
    return dict(who)


def _said(key: str, said: object) -> bool:
    if said is not True:
        raise ConfigurationError(f"{key}: is {_kind(said)}; say true, or leave it out")
    return True


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
