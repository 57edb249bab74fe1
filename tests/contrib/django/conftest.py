"""Django is configured once a process, before any test runs; every test finds an empty database."""

from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings

from tests.contrib.django.settings import SETTINGS

if not settings.configured:
    settings.configure(**SETTINGS)
    django.setup()

from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.test import override_settings

from cfaccess_mw import Rule
from cfaccess_mw.contrib.django import conf
from cfaccess_mw.emulator.issuer import Issuer
from tests.contrib.django import urls  # noqa: F401 - here: its views keep the settings that they are made under
from tests.contrib.django.asking import WAYS, Client
from tests.tokens import AUD

ROBOT = "e367826f93b8d71185e03fe518aff3b4.access"


@pytest.fixture(scope="session")
def team(issuer: Issuer) -> Issuer:
    """The team that signs, now."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous)


@pytest.fixture(scope="session")
def _tables() -> Iterator[None]:
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield
    connections.close_all()


@pytest.fixture
def database(_tables: None) -> Iterator[None]:
    """Empty tables, and no connection that is left open."""
    yield
    with connection.cursor() as cursor, connection.constraint_checks_disabled():
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")
    connections.close_all()


@pytest.fixture
def door(team: Issuer) -> dict[str, Any]:
    """What ``CFACCESS`` says: keys at hand, and one public place."""
    return {"team": "acme", "audience": AUD, "keys": team.certs(), "rules": [Rule.public("/public/*")]}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How a request gets to the middleware: the interface, and what runs beneath."""
    return str(request.param)


@pytest.fixture
def project(door: dict[str, Any], database: None) -> Iterator[None]:
    """The project with its door."""
    with override_settings(CFACCESS=door):
        yield
    conf.forget(setting=conf.DOOR)
    conf.forget(setting=conf.USERS)


@pytest.fixture
def client(project: None, team: Issuer, way: str) -> Client:
    """A client that keeps its cookies, in every way."""
    return Client(team, way)


@pytest.fixture
def queries(database: None) -> Iterator[list[str]]:
    """The first words of every query from now on, whatever thread asks."""
    asked: list[str] = []

    def listen(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql.partition(" ")[0])
        return execute(sql, *rest)

    def connected(*, connection: Any, **_: object) -> None:
        if listen not in connection.execute_wrappers:
            connection.execute_wrappers.append(listen)

    connections.close_all()
    connection_created.connect(connected)
    yield asked
    connection_created.disconnect(connected)
    connection.execute_wrappers.clear()
