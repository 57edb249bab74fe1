"""Why do the policies say what they say? Every condition of every policy, evaluated, as data for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.criteria import SECTIONS, AccessGroup, Criteria, Section
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.policy import NO_POLICY_APPLIES, Policy, PolicyDecision, in_order
from cfaccess_mw.core.truth import Truth

REASONS: Mapping[str, str] = {
    "access-group": "the conditions of a reusable group",
    "any-service-token": "whether a service token was used",
    "audience": "for which application the token is",
    "auth-method": "how the user proved who they are",
    "azure-group": "groups of Microsoft Entra ID",
    "certificate": "whether the client showed a good certificate",
    "check": "a function of the operator's",
    "common-name": "the name in the client's certificate",
    "country": "from where the request came, or the user signed in",
    "custom-claim": "a claim that the identity provider adds",
    "device-posture": "a posture check of the device",
    "email": "the e-mail address",
    "email-domain": "the domain of the e-mail address",
    "email-list": "a list of e-mail addresses",
    "everyone": "everybody",
    "github-organization": "organisations on GitHub",
    "group": "groups of the identity provider",
    "gsuite-group": "groups of Google Workspace",
    "ip": "the client's address",
    "ip-list": "a list of networks",
    "login-method": "the identity provider",
    "method": "the request's method",
    "oidc-claim": "a claim of the identity provider's",
    "okta-group": "groups of Okta",
    "saml-attribute": "an attribute of the identity provider's",
    "service-token": "which service token was used",
    NO_POLICY_APPLIES: "no policy is about such a request: allow and deny decide users, and only a bypass nobody",
}
"""What each reason code is about. The codes are stable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionFinding:
    """One condition, evaluated.

    Attributes:
        section: Where it stands.
        reason: Its code.
        truth: What is known of it.
        within: The conditions of a group.
    """

    section: Section
    reason: str
    truth: Truth
    within: tuple["ConditionFinding", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFinding:
    """One policy, evaluated.

    Attributes:
        policy: Which one.
        is_about: Whether it decides over such a request at all.
        matched: TRUE, FALSE, or WAITING for the lookup; the first that is about the request and TRUE decides.
        conditions: All of its conditions, whatever settled it.
    """

    policy: Policy
    is_about: bool
    matched: Truth
    conditions: tuple[ConditionFinding, ...]


def explain_policies(policies: Sequence[Policy], facts: Facts) -> tuple[PolicyFinding, ...]:
    """Evaluate everything, in the order in which policies are asked.

    Args:
        policies: As they are written.
        facts: What is known of the request.
    """
    return tuple(_explain(policy, facts) for policy in in_order(policies))


def _explain(policy: Policy, facts: Facts) -> PolicyFinding:
    seen = facts.only(Need.REQUEST) if policy.decision is PolicyDecision.BYPASS else facts
    return PolicyFinding(
        policy=policy,
        is_about=policy.is_about(facts),
        matched=policy.match(facts).truth,
        conditions=_evaluate(policy, seen),
    )


def _evaluate(criteria: Criteria, facts: Facts) -> tuple[ConditionFinding, ...]:
    return tuple(_find(section, condition, facts) for section in SECTIONS for condition in getattr(criteria, section))


def _find(section: Section, condition: Condition, facts: Facts) -> ConditionFinding:
    within = _evaluate(condition.criteria, facts) if isinstance(condition, AccessGroup) else ()
    return ConditionFinding(section=section, reason=condition.reason, truth=condition.evaluate(facts), within=within)
