"""How is an explanation shown? In lines for people, and as data whose names stay."""

from collections.abc import Iterator, Sequence
from typing import Any

from cfaccess_mw.cli.question import Answer
from cfaccess_mw.cli.rendering import ANYTHING_ELSE, columns, policy_name, required, rule_name, shown
from cfaccess_mw.core.explain import Explanation, LookUp
from cfaccess_mw.core.policy import Policy, PolicyVerdict
from cfaccess_mw.core.policy_explanation import REASONS, ConditionFinding, PolicyFinding


def as_data(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON has it; the names of its members are stable."""
    explanation, identity = answer.explanation, answer.identity
    requirement = explanation.requirement
    return {
        "method": explanation.method,
        "path": explanation.path,
        "host": explanation.host,
        "identity": None if identity is None else {"kind": identity.kind, "id": identity.id, "verified": False},
        "ground": explanation.ground,
        "readings": [_look_up(look_up) for look_up in explanation.look_ups],
        "requirement": {
            "access": requirement.access.value,
            "audiences": [sorted(audiences) for audiences in requirement.audiences],
            "rules": [rule.to_mapping() for rule in requirement.rules],
        },
        "policies": [
            {
                "rules": patterns,
                "outcome": verdict.outcome.value,
                "decided_by": None if verdict.policy is None else _policy(verdict.policy),
                "reasons": list(verdict.reasons),
                "policies": [_finding(finding) for finding in findings],
            }
            for patterns, findings, verdict in _lists(explanation)
        ],
        "outcome": explanation.outcome,
        "code": explanation.code,
        "only_told": answer.only_told,
        "notes": list(answer.notes),
    }


def _look_up(look_up: LookUp) -> dict[str, Any]:
    return {
        "path": look_up.reading.path,
        "steps": list(look_up.reading.steps),
        "adds_only": look_up.reading.adds_only,
        "looked_up": look_up.path,
        "folded": look_up.folded,
        "rules": [rule.pattern for rule in look_up.rules],
        "default": look_up.default,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {"decision": policy.decision.value, "name": policy.name, "id": policy.id}


def _finding(finding: PolicyFinding) -> dict[str, Any]:
    return {
        **_policy(finding.policy),
        "is_about": finding.is_about,
        "matched": finding.matched.value,
        "conditions": [_condition(condition) for condition in finding.conditions],
    }


def _condition(condition: ConditionFinding) -> dict[str, Any]:
    return {
        "section": condition.section,
        "reason": condition.reason,
        "truth": condition.truth.value,
        "within": [_condition(inner) for inner in condition.within],
    }


def _lists(explanation: Explanation) -> Iterator[tuple[list[str], Sequence[PolicyFinding], PolicyVerdict]]:
    """Each list of policies, with the patterns of the rules that have it; none for what no rule matches."""
    requirement = explanation.requirement
    for policies, findings, verdict in zip(
        requirement.policies, explanation.policies, explanation.verdicts, strict=True
    ):
        yield [rule.pattern for rule in requirement.rules if rule.policies == policies], findings, verdict


def as_lines(answer: Answer) -> Iterator[str]:
    """Show an answer to people."""
    explanation, identity = answer.explanation, answer.identity
    who = "nobody" if identity is None else f"{identity.kind} {shown(identity.display_name)}"
    host = "" if explanation.host is None else f" at {explanation.host}"
    yield f"{shown(explanation.method)} {shown(explanation.path)}{host}, asked by {who}"
    if explanation.look_ups:
        yield "\nreadings of the path, and the rule of each"
        yield from (f"  {line}" for line in columns([_reading(look_up) for look_up in explanation.look_ups]))
    for patterns, findings, verdict in _lists(explanation):
        place = " and ".join(map(shown, patterns)) or ANYTHING_ELSE
        yield f"\npolicies of {place}, in the order in which they are asked"
        for number, finding in enumerate(findings, start=1):
            mark = "  <- decides" if finding.policy is verdict.policy else ""
            yield f"  {number}. {policy_name(finding.policy)}: {_matched(finding)}{mark}"
            yield from (f"     {line}" for line in columns(list(_conditions(finding.conditions))))
        yield f"  so: {verdict.outcome.value} ({', '.join(verdict.reasons)})"
    yield ""
    yield f"outcome: {outcome_of(explanation)}{_meaning(answer)}"


def outcome_of(explanation: Explanation) -> str:
    """Return what becomes of a request, with the code of a refusal."""
    return f"{explanation.outcome} ({explanation.code})" if explanation.code else explanation.outcome


def _reading(look_up: LookUp) -> tuple[str, str, str]:
    steps = ", ".join((*look_up.reading.steps, *(["folded"] if look_up.folded else [])))
    names = [f"{rule_name(rule)}: {required(rule.access)}" for rule in look_up.rules]
    names += [f"{ANYTHING_ELSE}: the default"] if look_up.default else []
    return shown(look_up.path), steps or "as given", "; ".join(names) or "adds nothing"


def _matched(finding: PolicyFinding) -> str:
    return f"matches: {finding.matched.value}" if finding.is_about else "does not decide over such a request"


def _conditions(conditions: Sequence[ConditionFinding], depth: int = 0) -> Iterator[tuple[str, str, str, str]]:
    for condition in conditions:
        section = "  " * depth + condition.section
        yield section, condition.reason, condition.truth.value, REASONS.get(condition.reason, "")
        yield from _conditions(condition.within, depth + 1)


def _meaning(answer: Answer) -> str:
    explanation = answer.explanation
    if explanation.outcome == "lookup":
        return "; it depends on what get-identity says, see --profile"
    if explanation.outcome == "refused" and answer.only_told:
        return "; this is only told, and the request let through"
    return f"; {explanation.ground}" if explanation.ground else ""
