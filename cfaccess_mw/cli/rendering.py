"""How are rules, policies and conditions shown to people? In a few plain words, and nothing that a terminal obeys."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.criteria import SECTIONS
from cfaccess_mw.core.policy import Policy, in_order
from cfaccess_mw.core.rules import Access, Rule

ANYTHING_ELSE = "(anything else)"


def shown(text: str) -> str:
    """Return a text with everything escaped that cannot be seen, or would move the cursor."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def as_json_text(data: Any) -> str:
    """Return data as JSON, indented and in visible ASCII: nothing that a terminal obeys."""
    return json.dumps(data, indent=2)


def policy_name(policy: Policy) -> str:
    """Name a policy by its decision, and as the operator does."""
    return f"{policy.decision.value} {shown(policy.name)}".strip()


def policies_in_short(policies: Iterable[Policy]) -> str:
    """Say which policies there are, in the order in which they are asked, and what each looks at."""
    return "; ".join(f"{policy_name(policy)} ({_criteria(policy)})" for policy in in_order(tuple(policies)))


def _criteria(policy: Policy) -> str:
    sections = ((section, getattr(policy, section)) for section in SECTIONS)
    return ", ".join(f"{section} {_keys(conditions)}" for section, conditions in sections if conditions)


def _keys(conditions: Iterable[Condition]) -> str:
    return " ".join(condition.key for condition in conditions)


def rule_name(rule: Rule) -> str:
    """Name a rule by what it speaks of."""
    said = [shown(rule.pattern), *sorted(rule.methods), *sorted(rule.hosts)]
    return " ".join(said)


def required(access: Access) -> str:
    """Say what is required, in a few words."""
    return _REQUIRED[access]


_REQUIRED = {
    Access.PUBLIC: "nothing",
    Access.OPTIONAL: "no bad token",
    Access.TOKEN: "a valid token",
    Access.POLICIES: "policies",
}


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
