"""What has to be true of a request before it is let in, as far as its path decides that?"""

from dataclasses import dataclass

from cfaccess_mw.core.errors import Refused
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
        refusal: The error that answers the request whoever is asking, or None.
    """

    access: Access
    audiences: tuple[frozenset[str], ...]
    rules: tuple[Rule, ...] = ()
    refusal: type[Refused] | None = None

    def __post_init__(self) -> None:
        """Refuse a requirement that no audience limits: it would take a token of any application."""
        if not self.audiences:
            raise ValueError("a requirement has at least one set of audiences")


def refused(refusal: type[Refused]) -> Requirement:
    """Return a requirement that nobody meets: even where ``refusal`` is overlooked, no token is for nobody."""
    return Requirement(access=Access.TOKEN, audiences=(frozenset(),), refusal=refusal)
