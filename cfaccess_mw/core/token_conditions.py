"""Is this true of whom the token proved?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cfaccess_mw.core.addresses import canonical_email, email_domain
from cfaccess_mw.core.conditions import Condition, OneOf
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts, Need
from cfaccess_mw.core.selector_values import (
    Read,
    read_client_id,
    read_domain,
    read_email,
    read_text,
    read_value,
)
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.truth import Truth, any_of, truth_of


class Emails(OneOf):
    """True of a user with one of these addresses; false of a service, which has none."""

    __slots__ = ()

    key: ClassVar[str] = "email"
    reason: ClassVar[str] = "email"
    read: ClassVar[Read] = staticmethod(read_email)
    _needs: ClassVar[Need] = Need.TOKEN

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the token's address, in its canonical form."""
        return _compare_email(facts, canonical_email, self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailList(Emails):
    """True of a user whose address is on a list that has a name of its own.

    Attributes:
        id: The list's, by which Cloudflare's policies name it.
    """

    key: ClassVar[str] = "email_list"
    reason: ClassVar[str] = "email-list"

    id: str

    def to_value(self) -> object:
        """Return the id and the addresses."""
        return {"id": self.id, "emails": sorted(self.values)}


class EmailDomains(OneOf):
    """True of a user whose address is of one of these domains, which says nothing of domains below them."""

    __slots__ = ()

    key: ClassVar[str] = "email_domain"
    reason: ClassVar[str] = "email-domain"
    read: ClassVar[Read] = staticmethod(read_domain)
    _needs: ClassVar[Need] = Need.TOKEN

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the domain of the token's address, in its canonical form."""
        return _compare_email(facts, email_domain, self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTokens(OneOf):
    """True of a service with one of these Client IDs.

    Attributes:
        token_id: Cloudflare's own id of the one service token, by which its policies name it.
    """

    key: ClassVar[str] = "service_token"
    reason: ClassVar[str] = "service-token"
    read: ClassVar[Read] = staticmethod(read_client_id)
    _needs: ClassVar[Need] = Need.TOKEN

    token_id: str | None = None

    def __post_init__(self) -> None:
        """Bring the Client IDs into their one form."""
        OneOf.__post_init__(self)
        if self.token_id is not None and len(self.values) > 1:
            raise ConfigurationError("service_token: one id for several Client IDs; name each token on its own")

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the Client ID that the token proved."""
        if facts.identity is None:
            return Truth.UNKNOWN
        return truth_of(facts.identity.kind == "service" and facts.identity.id in self.values)

    def to_value(self) -> object:
        """Return the Client IDs, with the id where there is one."""
        plain = OneOf.to_value(self)
        return plain if self.token_id is None else {"client_id": plain, "token_id": self.token_id}


class AnyServiceToken(Condition):
    """True of every service."""

    __slots__ = ()

    key: ClassVar[str] = "any_valid_service_token"
    reason: ClassVar[str] = "any-service-token"
    _needs: ClassVar[Need] = Need.TOKEN

    def evaluate(self, facts: Facts) -> Truth:
        """Ask what kind of token it is."""
        return Truth.UNKNOWN if facts.identity is None else truth_of(facts.identity.kind == "service")

    def to_value(self) -> object:
        """Return True."""
        return True


class Audiences(OneOf):
    """True of a token for one of these applications."""

    __slots__ = ()

    key: ClassVar[str] = "audience"
    reason: ClassVar[str] = "audience"
    read: ClassVar[Read] = staticmethod(read_text)
    _needs: ClassVar[Need] = Need.TOKEN

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the token's audience."""
        if facts.identity is None:
            return Truth.UNKNOWN
        return truth_of(not self.values.isdisjoint(facts.identity.audience))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomClaim(Condition):
    """True of a token that says this under ``custom``, where Access puts SAML attributes and OIDC claims.

    Attributes:
        name: The claim's.
        values: Texts, whole numbers or booleans; the claim is one of them, or a list that has one of them. Another
            type than theirs is data that cannot be read, so that ``"true"`` is never taken for ``True``.
    """

    key: ClassVar[str] = "custom"
    reason: ClassVar[str] = "custom-claim"
    _needs: ClassVar[Need] = Need.TOKEN

    name: str
    values: tuple[str | int, ...] = field(repr=False, compare=False)

    # To Python, 1 equals True; to an identity provider they are two things, and to whoever compares policies.
    _typed: frozenset[tuple[type, str | int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what a claim is not compared with."""
        read_value(self.key, self.name, read_text)
        given: Any = self.values
        values = tuple(given) if isinstance(given, list | tuple | set | frozenset) else (given,)
        if not values:
            raise ConfigurationError(f"{self.key}: is empty; name at least one value")
        for value in values:
            if type(value) not in (str, int, bool):
                raise ConfigurationError(f"{self.key}: has {shape(value)}; write texts, whole numbers or booleans")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_typed", frozenset((type(value), value) for value in values))

    def evaluate(self, facts: Facts) -> Truth:
        """Compare the claim, by type and value."""
        if facts.identity is None:
            return Truth.UNKNOWN
        claim = facts.identity.custom.get(self.name)
        if claim is None:
            return Truth.FALSE
        return any_of(map(self._compare, claim if type(claim) is list else [claim]))

    def _compare(self, found: object) -> Truth:
        alike = {value for kind, value in self._typed if kind is type(found)}
        return truth_of(found in alike) if alike else Truth.UNKNOWN

    def to_value(self) -> object:
        """Return the values by the claim's name."""
        return {self.name: list(self.values) if len(self.values) > 1 else self.values[0]}


def _compare_email(facts: Facts, read: Callable[[str], str | None], values: frozenset[str]) -> Truth:
    if facts.identity is None:
        return Truth.UNKNOWN
    if facts.identity.email is None:
        return Truth.FALSE
    found = read(facts.identity.email)
    return Truth.UNKNOWN if found is None else truth_of(found in values)
