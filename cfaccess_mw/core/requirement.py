"""What has to be true of a request before it is let in, as far as its path decides that?"""

from dataclasses import dataclass, field
from functools import lru_cache

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.facts import Need
from cfaccess_mw.core.policy import Policy, needs_of
from cfaccess_mw.core.rules import Access, Rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requirement:
    """What all readings of a path require together.

    The same combination of rules gives the same object for as long as it is remembered, so that it can serve as a key.

    Attributes:
        access: The strictest of what the rules require.
        audiences: A token has to be for one member of each of these; one set for each of the rules that counts, those
            that are public counting only among themselves.
        rules: The rules that won some reading, in the order of the table; the default is not among them.
        policies: The policies of each of those that have some; all of them have to let somebody in.
        may_open: Whether a request can be let in without anybody being asked who they are: each of the rules is public,
            or has a bypass.
        report_only: Whether each of the rules only tells what it would refuse.
        needs: What the policies look at.
        reads_request: Whether they look at the request itself; asked for each one, and flags are slow.
        reads_profile: Whether they look at what Cloudflare knows of somebody; likewise.
        refusal: The error that answers the request whoever is asking, or None.
    """

    access: Access
    audiences: tuple[frozenset[str], ...]
    rules: tuple[Rule, ...] = ()
    policies: tuple[tuple[Policy, ...], ...] = ()
    may_open: bool = False
    report_only: bool = False
    refusal: type[Refused] | None = None
    needs: Need = field(init=False)
    reads_request: bool = field(init=False)
    reads_profile: bool = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a requirement that no audience limits, which would take a token of any application."""
        if not self.audiences:
            raise ValueError("a requirement has at least one set of audiences")

        if self.access is Access.PUBLIC:
            object.__setattr__(self, "may_open", True)
        needs = Need.NOTHING
        for policies in self.policies:
            needs |= needs_of(policies)
        object.__setattr__(self, "needs", needs)
        object.__setattr__(self, "reads_request", bool(needs & Need.REQUEST))
        object.__setattr__(self, "reads_profile", bool(needs & Need.PROFILE))


@lru_cache(maxsize=1_024)
def both(one: Requirement, other: Requirement) -> Requirement:
    """Return what two requirements require together: the same object for the same two, while remembered."""
    if one is other or one.refusal is not None:
        return one
    if other.refusal is not None:
        return other
    two = (one, other)
    access = max((each.access for each in two), key=lambda access: access.strictness)
    counting = [each for each in two if each.access is not Access.PUBLIC or access is Access.PUBLIC]
    return Requirement(
        access=access,
        audiences=tuple(dict.fromkeys(audience for each in counting for audience in each.audiences)),
        rules=tuple(dict.fromkeys(one.rules + other.rules)),
        policies=tuple(dict.fromkeys(one.policies + other.policies)),
        may_open=one.may_open and other.may_open,
        report_only=one.report_only and other.report_only,
    )


def refused(refusal: type[Refused]) -> Requirement:
    """Return a requirement that nobody meets: even where ``refusal`` is overlooked, no token is for nobody."""
    return Requirement(access=Access.TOKEN, audiences=(frozenset(),), refusal=refusal)
