"""Do the policies of a rule let this request pass?

They mean what they mean in Cloudflare Access: bypass and service-auth policies come first, then allow and deny from the
top, and the first that matches ends it. What cannot be known counts against the request in each of them. That the
lookup of an identity would be needed is said only where what is known leaves the outcome open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cfaccess_mw.core.criteria import Criteria, Finding
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.truth import Truth


class PolicyDecision(Enum):
    """What a policy does with the requests that it matches."""

    ALLOW = "allow"
    """Lets a user in."""

    DENY = "deny"
    """Refuses a user; Cloudflare's dashboard says "Block"."""

    SERVICE_AUTH = "service_auth"
    """Lets in who needs no login with an identity provider; Cloudflare's API says ``non_identity``."""

    BYPASS = "bypass"
    """Lets in whoever it is, without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Criteria):
    """Criteria, and what becomes of a request that meets them.

    Attributes:
        decision: What becomes of it.
        name: For people.
        id: Cloudflare's.

    Raises:
        ConfigurationError: No condition to include, or a bypass with conditions on who is asking.
    """

    decision: PolicyDecision
    name: str = ""
    id: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        Criteria.__post_init__(self)
        if not isinstance(self.decision, PolicyDecision):
            raise ConfigurationError(f"decision: is {shape(self.decision)}; give a PolicyDecision")
        if self.decision is PolicyDecision.BYPASS:
            for condition in self.conditions:
                if not condition.is_anonymous:
                    raise ConfigurationError(
                        f"{condition.key}: asks who somebody is, and a bypass lets in whoever it is; "
                        "take it out, or make the policy an allow"
                    )

    @property
    def is_public(self) -> bool:
        """Whether it lets everybody in whatever the request, so that its path is as public as a path can be."""
        return self.decision is PolicyDecision.BYPASS and self.is_unconditional

    @property
    def looks_at(self) -> Need:
        """What its verdict may depend on; a bypass does not look at who is asking."""
        return self.needs & ~_OF_SOMEBODY if self.decision is PolicyDecision.BYPASS else self.needs

    def is_about(self, facts: Facts) -> bool:
        """Whether it decides over such a request at all: allow and deny decide users, and only bypass nobody."""
        if self.decision is PolicyDecision.BYPASS:
            return True
        if facts.identity is None:
            return False
        return self.decision is PolicyDecision.SERVICE_AUTH or facts.identity.kind == "user"

    def match(self, facts: Facts) -> Finding:
        """Say whether it matches a request that it is about; what cannot be known counts against the request."""
        if self.decision is PolicyDecision.BYPASS:
            facts = facts.only(Need.REQUEST)
        return self.settle(facts, unknown=self.decision is PolicyDecision.DENY)


_OF_SOMEBODY = Need.TOKEN | Need.PROFILE


class PolicyOutcome(Enum):
    """What several policies come to."""

    ADMIT = "admit"
    REFUSE = "refuse"
    OPEN = "open"
    """A bypass: nobody is asked who they are."""

    WAITING = "waiting"
    """It depends on the identity lookup, which was not made yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVerdict:
    """What the policies say about one request.

    Attributes:
        outcome: What becomes of it.
        policy: The one that decided, or that waits; None where none matched.
        reasons: The codes of the conditions that made it match; where none matched, of those that stood in the way, or
            ``no-policy-applies`` where no policy is about such a request at all.
    """

    outcome: PolicyOutcome
    policy: Policy | None
    reasons: tuple[str, ...]


def in_order(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    """Return policies in the order in which they are asked."""
    return tuple(sorted(policies, key=lambda policy: policy.decision in _AFTER_THE_OTHERS))


_AFTER_THE_OTHERS = frozenset({PolicyDecision.ALLOW, PolicyDecision.DENY})


def needs_of(policies: Sequence[Policy]) -> Need:
    """Return all that the verdict of these policies may depend on."""
    needs = Need.TOKEN if any(policy.decision is not PolicyDecision.BYPASS for policy in policies) else Need.NOTHING
    for policy in policies:
        needs |= policy.looks_at
    return needs


def decide_policies(policies: Sequence[Policy], facts: Facts) -> PolicyVerdict:
    """Decide over one request.

    Args:
        policies: As they are written; they are asked in Cloudflare's order.
        facts: What is known of the request.
    """
    waiting: list[tuple[Policy, Finding]] = []
    against: list[str] = []
    verdict: PolicyVerdict | None = None
    for policy in in_order(policies):
        if not policy.is_about(facts):
            continue
        finding = policy.match(facts)
        if finding.truth is Truth.TRUE:
            verdict = PolicyVerdict(outcome=_OUTCOMES[policy.decision], policy=policy, reasons=finding.reasons)
            break
        if finding.truth is Truth.WAITING:
            waiting.append((policy, finding))
        against += finding.reasons
    if verdict is None:
        reasons = tuple(dict.fromkeys(against)) or (NO_POLICY_APPLIES,)
        verdict = PolicyVerdict(outcome=PolicyOutcome.REFUSE, policy=None, reasons=reasons)
    # A policy that waits is skipped only where it would come to the same as those after it.
    for policy, finding in waiting:
        if (policy.decision is PolicyDecision.DENY) is not (verdict.outcome is PolicyOutcome.REFUSE):
            return PolicyVerdict(outcome=PolicyOutcome.WAITING, policy=policy, reasons=finding.reasons)
    return verdict


NO_POLICY_APPLIES = "no-policy-applies"

_OUTCOMES = {
    PolicyDecision.ALLOW: PolicyOutcome.ADMIT,
    PolicyDecision.DENY: PolicyOutcome.REFUSE,
    PolicyDecision.SERVICE_AUTH: PolicyOutcome.ADMIT,
    PolicyDecision.BYPASS: PolicyOutcome.OPEN,
}
