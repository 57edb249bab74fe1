"""Why does this path get what it gets?

Data for people: the command line and the documentation render it. It is made by the same look-ups that decide.
"""

from dataclasses import dataclass

from cfaccess_mw.core.admission import Admission
from cfaccess_mw.core.errors import NoToken, NotPermitted, WrongAudience
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.paths import Reading
from cfaccess_mw.core.policy import PolicyOutcome, PolicyVerdict
from cfaccess_mw.core.policy_explanation import PolicyFinding
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """What the table said about one reading.

    Attributes:
        reading: The reading, with the canonicalisers that led to it.
        path: The text that was looked up: the reading's, or its folded form.
        folded: Whether the table that minds neither case nor compatibility forms was asked.
        rules: The rules that won; empty where none did or where what won adds nothing.
        default: Whether no rule matched and the default is required.
    """

    reading: Reading
    path: str
    folded: bool
    rules: tuple[Rule, ...]
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a request gets what it gets.

    Attributes:
        method: The method as sent.
        path: The path as given.
        host: The host that the rules were asked about; None where it made no difference, or is not known.
        ground: Why nobody can say what the request means, in kebab-case; None where everybody can.
        look_ups: Every question that the table was asked, in order.
        requirement: What came of it.
        policies: For each of the rules with policies, every condition of every policy, evaluated.
        verdicts: For each of them, which policy decides, and why.
        outcome: What becomes of the request: ``open``, ``admitted``, ``refused``, or ``lookup`` where that depends on
            the identity lookup, which an explanation does not make.
        code: Of the refusal, or empty.
    """

    method: str
    path: str
    host: str | None
    ground: str | None
    look_ups: tuple[LookUp, ...]
    requirement: Requirement
    policies: tuple[tuple[PolicyFinding, ...], ...]
    verdicts: tuple[PolicyVerdict, ...]
    outcome: str
    code: str


def explain_outcome(requirement: Requirement, facts: Facts, verdicts: tuple[PolicyVerdict, ...]) -> tuple[str, str]:
    """Say what becomes of a request whose token, if there is an identity, is good: an outcome and a code."""
    identity = facts.identity
    if requirement.refusal is not None:
        return "refused", requirement.refusal.code
    if identity is None:
        if requirement.access is Access.OPTIONAL or Admission.opens(requirement, facts):
            return "open", ""
        return "refused", NoToken.code
    if any(accepted.isdisjoint(identity.audience) for accepted in requirement.audiences):
        return ("open", "") if Admission.opens(requirement, facts) else ("refused", WrongAudience.code)
    outcomes = {verdict.outcome for verdict in verdicts}
    if PolicyOutcome.REFUSE in outcomes:
        return "refused", NotPermitted.code
    return ("lookup", "") if PolicyOutcome.WAITING in outcomes else ("admitted", "")
