"""How are policies written down? In a configuration of ours, or as Cloudflare's API gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from cfaccess_mw.core.api_answer import unwrap
from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.criteria import MAX_DEPTH, SECTIONS, AccessGroup, Criteria
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import Policy, PolicyDecision
from cfaccess_mw.core.references import References
from cfaccess_mw.core.selectors import read_condition
from cfaccess_mw.core.shape import shape


def read_policies(document: object, references: Mapping[str, object] | None = None) -> tuple[Policy, ...]:
    """Read policies.

    Args:
        document: A policy or a list of them, each a :class:`Policy`, a mapping of ours, or a policy of Cloudflare's;
            an Access application with its ``policies``; or an answer of Cloudflare's API with any of these.
        references: What the ids in them stand for, see :class:`References`.

    Raises:
        ConfigurationError: Something is not understood, an id is not among the references, or the order of policies
            is not certain; the message names the policy and the place.
    """
    resolver = _Resolver(references=References.from_mapping(references))
    document = unwrap("policies", document)
    if isinstance(document, Mapping) and "policies" in document and "decision" not in document:
        document = document["policies"]
    given = [document] if isinstance(document, Mapping | Policy) else document
    if not isinstance(given, list | tuple):
        raise ConfigurationError(f"policies: is {shape(given)}; give a policy, or a list of them")
    if not given and given != ():
        raise ConfigurationError(
            "policies: is empty, which at Cloudflare lets nobody in; leave it out, or deny everyone"
        )
    return tuple(
        policy if isinstance(policy, Policy) else _read_policy(policy, at, resolver) for at, policy in _ordered(given)
    )


def policy_to_mapping(policy: Policy) -> dict[str, object]:
    """Return a policy as a configuration of ours has it."""
    names = {"decision": policy.decision.value, "name": policy.name, "id": policy.id}
    return {key: value for key, value in names.items() if value} | policy.to_mapping()


def conditions_from(**short: object) -> tuple[Condition, ...]:
    """Read conditions that are given as keyword arguments.

    Args:
        short: The names of a configuration and their values; one that is None is not given.

    Raises:
        ConfigurationError: A name or a value that is not understood.
    """
    resolver = _Resolver(references=References())
    return tuple(read_condition({name: value}, resolver) for name, value in short.items() if value is not None)


def policy_from(decision: PolicyDecision, *, name: str = "", **short: object) -> Policy:
    """Make a policy of conditions that are given as keyword arguments.

    One of the values of each argument has to fit, and each of the arguments: ``groups=["admins", "staff"],
    ips=["192.0.2.0/24"]`` is whoever is in one of the two groups and comes from there.

    Args:
        decision: What becomes of a request that it matches.
        name: For people.
        short: As for :func:`conditions_from`; at least one, ``everyone=True`` if that is meant.

    Raises:
        ConfigurationError: A name or a value that is not understood, or none is given.
    """
    conditions = conditions_from(**short)
    if not conditions:
        raise ConfigurationError(
            "policies: no condition is given; say who is meant, with everyone=True if everybody is"
        )
    return Policy(decision=decision, name=name, include=conditions[:1], require=conditions[1:])


def service_policy(tokens: object = None) -> Policy:
    """Make a policy that lets in services.

    Args:
        tokens: The Client IDs of their tokens; every service where it is None.
    """
    if tokens is None:
        return policy_from(PolicyDecision.SERVICE_AUTH, any_valid_service_token=True)
    return policy_from(PolicyDecision.SERVICE_AUTH, service_tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolver:
    """Knows what ids stand for, and within which groups we are."""

    references: References
    within: tuple[str, ...] = ()
    read: dict[str, AccessGroup] = field(default_factory=dict)  # a group is read once, however often it is named

    def group(self, key: str) -> AccessGroup:
        """Read a group of the references; one that has itself within would never end."""
        if key in self.within:
            path = " > ".join(name[:64] for name in (*self.within, key))
            raise ConfigurationError(f"group {key[:64]!r} has itself within ({path}); take one of them out")
        known = self.read.get(key)
        if known is not None:
            return known
        entry = self.references.find("groups", key)
        name = entry.get("name")
        with_key = _Resolver(references=self.references, within=(*self.within, key), read=self.read)
        if len(with_key.within) > MAX_DEPTH:
            raise ConfigurationError(f"access_group: more than {MAX_DEPTH} groups within groups; nest fewer")
        criteria = with_key.criteria(entry, f"group {key[:64]!r}")
        group = AccessGroup(criteria=criteria, id=key, name=name if isinstance(name, str) else "")
        self.read[key] = group
        return group

    def inline_group(self, mapping: Mapping[str, Any]) -> AccessGroup:
        """Read a group that is written out where it is used."""
        _check_names(mapping, ("id", "name", *SECTIONS))
        inner = _Resolver(references=self.references, within=(*self.within, "(inline)"), read=self.read)
        if len(inner.within) > MAX_DEPTH:
            raise ConfigurationError(f"access_group: more than {MAX_DEPTH} groups within groups; nest fewer")
        return AccessGroup(
            criteria=inner.criteria(mapping, "access_group"),
            id=_optional_text(mapping, "id"),
            name=_optional_text(mapping, "name") or "",
        )

    def criteria(self, mapping: Mapping[str, Any], where: str) -> Criteria:
        """Read the three sections of a group."""
        try:
            return Criteria(**self.sections(mapping))
        except ConfigurationError as mistake:
            raise ConfigurationError(f"{where}: {mistake}") from None

    def sections(self, mapping: Mapping[str, Any]) -> dict[str, tuple[Condition, ...]]:
        """Read the three sections of a policy or a group."""
        return {section: self._section(section, mapping.get(section)) for section in SECTIONS}

    def _section(self, section: str, given: object) -> tuple[Condition, ...]:
        if given is None:
            return ()
        if not isinstance(given, list | tuple):
            raise ConfigurationError(f"{section}: is {shape(given)}; give a list of conditions")
        try:
            return tuple(read_condition(condition, self) for condition in given)
        except ConfigurationError as mistake:
            raise ConfigurationError(f"{section}: {mistake}") from None


def _read_policy(given: object, at: int, resolver: _Resolver) -> Policy:
    """Read one policy; the message of a mistake says which one by its name, else by its place."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"policies: number {at} is {shape(given)}; give a mapping with 'decision' and 'include'"
        )
    name = given.get("name")
    which = repr(name[:64]) if isinstance(name, str) and name else f"number {at}"
    try:
        if not _is_from_api(given):
            _check_names(given, (*_NAMES, *_CLOUDFLARE_NAMES))
        _check_near_misses(given)
        return Policy(
            decision=_decision(given),
            name=_optional_text(given, "name") or "",
            id=_optional_text(given, "id"),
            **resolver.sections(given),
        )
    except ConfigurationError as mistake:
        raise ConfigurationError(f"policies: {which}: {mistake}") from None


_NAMES = ("decision", "name", "id", *SECTIONS)

# What Cloudflare's policies have besides; the edge enforces it, and none of it shows at an origin.
_CLOUDFLARE_NAMES = (
    "app_count",
    "approval_groups",
    "approval_required",
    "connection_rules",
    "created_at",
    "isolation_required",
    "mfa_config",
    "precedence",
    "purpose_justification_prompt",
    "purpose_justification_required",
    "reusable",
    "session_duration",
    "uid",
    "updated_at",
)


def _is_from_api(given: Mapping[Any, Any]) -> bool:
    """Whether nobody wrote it by hand, so that what we do not know in it is new and not mistyped."""
    return "created_at" in given


def _check_names(given: Mapping[Any, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_NAMES)}"
            raise ConfigurationError(f"{str(name)[:64]!r} is not known here; {mend}")


def _check_near_misses(given: Mapping[Any, Any]) -> None:
    """Refuse what may be meant for a section: to overlook an ``exclude`` would let somebody in."""
    for name in given:
        near = get_close_matches(str(name).lower(), SECTIONS, n=1, cutoff=0.75)
        if near and name not in SECTIONS:
            raise ConfigurationError(f"{str(name)!r} is not known here; did you mean {near[0]!r}?")


def _decision(given: Mapping[Any, Any]) -> PolicyDecision:
    word = given.get("decision")
    if isinstance(word, str) and word in _DECISIONS:
        return _DECISIONS[word]
    if not isinstance(word, str):
        raise ConfigurationError(f"decision: is {shape(word)}; give one of {', '.join(_DECISIONS)}")
    near = get_close_matches(word, _DECISIONS, n=1)
    mend = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(_DECISIONS)}"
    raise ConfigurationError(f"decision: {word[:64]!r} is not known; {mend}")


_DECISIONS = {decision.value: decision for decision in PolicyDecision} | {"non_identity": PolicyDecision.SERVICE_AUTH}


def _optional_text(given: Mapping[Any, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name}: is {shape(value)}; give a text, or leave it out")
    return value or None


def _ordered(given: list[Any] | tuple[Any, ...]) -> list[tuple[int, Any]]:
    """Return policies with their places, by ``precedence`` where Cloudflare gives one."""
    numbered = list(enumerate(given, start=1))
    ranks: list[Any] = [policy.get("precedence") if isinstance(policy, Mapping) else None for policy in given]
    if all(rank is None for rank in ranks):
        return numbered
    if any(type(rank) is not int for rank in ranks) or len(set(ranks)) < len(ranks):
        raise ConfigurationError(
            "policies: not every policy has a precedence of its own, so that their order is not certain; load the "
            "policies of one application, or leave precedence out and write them in order"
        )
    return sorted(numbered, key=lambda placed: placed[1]["precedence"])
