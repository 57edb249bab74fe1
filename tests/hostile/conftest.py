"""What do hostile requests need? Both doors, and the tokens that rows name."""

import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.hostile.asking import Doors, options_of
from tests.tokens import AUD, OTHER_AUD


@pytest.fixture
def now() -> float:
    """The moment of a table, when its turn has come: the doors read the clock, and some tokens live for a minute."""
    return float(int(time.time()))


@pytest.fixture(scope="session")
def team(issuer: Issuer) -> Issuer:
    """The same team as everywhere, now."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous)


@pytest.fixture(scope="session")
def doors(team: Issuer) -> Iterator[Callable[[str], Doors]]:
    """The two doors of each configuration, made once."""
    made: dict[str, Doors] = {}

    def of(configuration: str) -> Doors:
        if configuration not in made:
            made[configuration] = Doors(options_of(configuration, team.certs()))
        return made[configuration]

    yield of
    for pair in made.values():
        pair.close()


@pytest.fixture(scope="session")
def tokens(team: Issuer, stranger: SigningKey) -> Mapping[str, str]:
    """What ``{good}`` and its like stand for."""
    return {
        "good": team.user("alice@example.com", audience=AUD),
        "bob": team.user("bob@example.com", audience=AUD),
        "service": team.service(audience=AUD),
        "other": team.user("mallory@example.com", audience=OTHER_AUD),
        "foreign": team.user("mallory@example.com", audience=AUD, key=stranger),
        "expired": team.user("alice@example.com", audience=AUD, expires_in=-3_600),
        "organisation": team.organisation(audience=AUD),
        "unsigned": team.user("alice@example.com", audience=AUD).rpartition(".")[0] + ".",
    }
