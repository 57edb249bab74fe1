"""May somebody whose token is good pass these policies? A verdict is kept for exactly as long as what it was made of.

One on the token alone lives with the remembered token; one on the looked-up profile with that version of it; one on the
request, or on a callable that does not promise to be pure, is made each time. The requirement is the key: it belongs to
one table of rules, so another revision of the policies has other requirements.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from cfaccess_mw.core.errors import NotPermitted, Refused
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.freshness import KeyAnswer
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.policy import PolicyOutcome, decide_policies
from cfaccess_mw.core.profile import Outcome, ProfileAnswer
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.standing import ProfileSource, why_unknown

NO_PROFILE = ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=1.0)
NO_FACTS = Facts(identity=None, method="")

# What a verdict may look at to be kept: nothing that another request of the same token changes.
_KEPT = Need.TOKEN | Need.PROFILE

# A token meets few different requirements; one that meets more starts over.
_MOST_VERDICTS = 16


class LackingKey(NamedTuple):
    """A decision needs a key that is not at hand; the door obtains it and asks again.

    Attributes:
        issuer: Whose.
        kid: Which one.
    """

    issuer: str
    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LackingProfile:
    """A decision needs to know more of somebody than his token says.

    Attributes:
        identity: Whose.
        token: The verified token, with which it is asked for.
    """

    identity: Identity
    token: str | bytes = field(repr=False)


Lacking = LackingKey | LackingProfile
Answers = Mapping[Lacking, KeyAnswer | ProfileAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What policies said of a token.

    Attributes:
        admitted: Whether they let its bearer in.
        profile: The version of the profile that they looked at; None where they looked at none.
    """

    admitted: bool
    profile: int | None


Verdicts = dict[Requirement, Verdict]


class Admission:
    """Asks policies, and keeps what they said.

    Args:
        profiles: What is known of people; None where no policy asks.
    """

    def __init__(self, profiles: ProfileSource | None) -> None:
        self._profiles = profiles

    @staticmethod
    def opens(requirement: Requirement, facts: Facts) -> bool:
        """Say whether nobody is refused: each of the rules is public, or has a bypass that this request meets."""
        if requirement.access is Access.PUBLIC:
            return True
        if not requirement.may_open:
            return False
        nobody = replace(facts, identity=None)
        return all(decide_policies(policies, nobody).outcome is PolicyOutcome.OPEN for policies in requirement.policies)

    def admit(
        self,
        requirement: Requirement,
        identity: Identity,
        token: str | bytes,
        verdicts: Verdicts,
        answers: Answers,
        facts: Facts,
    ) -> Refused | LackingProfile | None:
        """Ask the policies about somebody whose token is good.

        Args:
            requirement: Whose policies; each of its lists has to let somebody in.
            identity: Who it is.
            token: The token that said so.
            verdicts: What was said of this token before; kept up to date here.
            answers: What became of what earlier answers to this request lacked.
            facts: What the request says.

        Returns:
            None for in, the refusal for out, or what is lacking to say so.
        """
        lacking = LackingProfile(identity=identity, token=token) if requirement.reads_profile else None
        answer = self.known(lacking, answers) if lacking is not None else None
        profile = None if answer is None else answer.profile
        kept = verdicts.get(requirement)
        if kept is not None and kept.profile == (None if profile is None else profile.version):
            return None if kept.admitted else NotPermitted()
        facts = replace(
            facts,
            identity=identity,
            profile=None if profile is None else profile.document,
            looked_up=profile is not None,
        )
        outcomes = [decide_policies(policies, facts).outcome for policies in requirement.policies]
        if lacking is not None and PolicyOutcome.REFUSE not in outcomes and PolicyOutcome.WAITING in outcomes:
            return lacking if answer is None else why_unknown(answer)
        admitted = PolicyOutcome.REFUSE not in outcomes and PolicyOutcome.WAITING not in outcomes
        if requirement.needs in _KEPT:
            if len(verdicts) >= _MOST_VERDICTS:
                verdicts.clear()
            verdicts[requirement] = Verdict(admitted=admitted, profile=None if profile is None else profile.version)
        return None if admitted else NotPermitted()

    def known(self, lacking: LackingProfile, answers: Answers) -> ProfileAnswer | None:
        """What is known of somebody: from an answer to this request, or at hand; None where nobody was asked yet."""
        if lacking in answers:  # whatever became of it, it is not asked for twice
            answer = answers[lacking]
            return answer if isinstance(answer, ProfileAnswer) else NO_PROFILE
        return None if self._profiles is None else self._profiles.peek(lacking.token, lacking.identity)
