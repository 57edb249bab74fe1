"""The team of the table, and its people."""

import time
from collections.abc import Mapping
from importlib.util import find_spec

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.conformance.people import Person
from tests.conformance.people import people as people_of
from tests.conformance.people import tokens as tokens_of

if find_spec("django") is not None and find_spec("rest_framework") is not None:
    # Django is configured once a process; the tests of its own module need more of it than these.
    import django
    from django.conf import settings

    from tests.contrib.django.settings import SETTINGS

    if not settings.configured:
        settings.configure(**SETTINGS)
        django.setup()


@pytest.fixture(scope="session")
def team(issuer: Issuer) -> Issuer:
    """The team that signs, now: the doors read the clock."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)


@pytest.fixture(scope="session")
def tokens(team: Issuer, stranger: SigningKey) -> Mapping[str, str]:
    """All tokens by the names that rows use."""
    return tokens_of(team, stranger)


@pytest.fixture(scope="session")
def people(team: Issuer) -> Mapping[str, Person]:
    """Everybody whom an application may see."""
    return people_of(team)
