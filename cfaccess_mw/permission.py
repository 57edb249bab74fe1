"""May this person, or this service, do this? Policies that a handler asks, beyond what the rules ask of the path.

::

    admins = Permission(groups=["admins"], service="e367826f93b8d71185e03fe518aff3b4.access")

    await admins.demand(identity)           # in a coroutine
    admins.demand_blocking(identity)        # in a thread

The integrations of frameworks build their ``require(…)`` on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.errors import ConfigurationError, NoToken, NotPermitted
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.policy import Policy, PolicyDecision, PolicyOutcome, decide_policies, needs_of
from cfaccess_mw.core.policy_reading import policy_from, read_policies, service_policy
from cfaccess_mw.core.profile import Profile
from cfaccess_mw.core.shape import shape

NOT_GIVEN: Any = object()
"""The default of ``service``: a None that somebody gives is a setting that is missing."""


class Permission:
    """Says who may do something.

    Without arguments anybody who is somebody may: any valid token. With several, any one of the policies that they make
    is enough.

    Args:
        policies: Policies of ours, or mappings, or Cloudflare's, asked in Cloudflare's order.
        service: Services: true for each of them, a Client ID, or several.
        criteria: Users whom all of these describe, by the keywords of :meth:`Rule.allow <cfaccess_mw.Rule.allow>`:
            ``groups=["admins"], ips=["192.0.2.0/24"]``.

    Attributes:
        policies: The policies; empty where any valid token is enough.
        reads_request: Whether they look at the request itself, so that ``facts`` matter.

    Raises:
        ConfigurationError: A name or a value that is not understood, or one that means nobody; or a bypass, which asks
            nobody who they are and so permits nothing here.
    """

    def __init__(
        self,
        *policies: Policy | Mapping[str, Any],
        service: bool | str | Iterable[str] | None = NOT_GIVEN,
        **criteria: Any,
    ) -> None:
        listed = [*read_policies(policies)]
        if service is None and not (listed or criteria):
            raise ConfigurationError("service: is None, and nothing else is given; leave it out if anybody is meant")
        service = None if service is NOT_GIVEN else service
        if criteria:
            listed.append(policy_from(PolicyDecision.ALLOW, **criteria))
        if service is not None:
            if isinstance(service, bool) and not service:
                raise ConfigurationError("service: is false, which permits nothing; leave it out")
            if not isinstance(service, bool | str | Iterable):
                raise ConfigurationError(f"service: is {shape(service)}; give true, a Client ID, or several")
            listed.append(service_policy(None if service is True else service))
        if any(policy.decision is PolicyDecision.BYPASS for policy in listed):
            raise ConfigurationError("policies: a bypass asks nobody who they are; use it in a rule, and not here")
        self.policies = tuple(listed)
        needs = needs_of(self.policies)
        self.reads_request = bool(needs & Need.REQUEST)

    async def demand(self, identity: Identity | None, facts: Facts = NO_FACTS) -> Identity:
        """Let somebody go on, in a coroutine.

        Args:
            identity: Who is asking; None for nobody.
            facts: What the request says, as the door's ``facts`` gives it, where the policies look at it.

        Returns:
            The identity.

        Raises:
            NoToken: Nobody is asking.
            NotPermitted: The policies do not let them.
            SessionEnded: A policy asked Cloudflare, and there is no such session any more.
            IdentityUnavailable: A policy has to ask Cloudflare, and cannot at the moment.
        """
        somebody, outcome = self._ask(identity, facts)
        if outcome is PolicyOutcome.WAITING:
            outcome = self._ask_again(somebody, facts, await somebody.profile())
        return _settled(somebody, outcome)

    def demand_blocking(self, identity: Identity | None, facts: Facts = NO_FACTS) -> Identity:
        """Do the same in a thread."""
        somebody, outcome = self._ask(identity, facts)
        if outcome is PolicyOutcome.WAITING:
            outcome = self._ask_again(somebody, facts, somebody.profile_blocking())
        return _settled(somebody, outcome)

    def _ask(self, identity: Identity | None, facts: Facts) -> tuple[Identity, PolicyOutcome]:
        if identity is None:
            raise NoToken
        if not self.policies:
            return identity, PolicyOutcome.ADMIT
        return identity, decide_policies(self.policies, replace(facts, identity=identity)).outcome

    def _ask_again(self, identity: Identity, facts: Facts, profile: Profile) -> PolicyOutcome:
        known = replace(facts, identity=identity, profile=profile.document, looked_up=True)
        return decide_policies(self.policies, known).outcome


def _settled(identity: Identity, outcome: PolicyOutcome) -> Identity:
    if outcome is not PolicyOutcome.ADMIT:
        raise NotPermitted
    return identity
