"""Does every framework, behind every door, do with every request what the table says?

A row is a line in the failure of its subject and configuration: thousands of tests would say no more.
"""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.conformance.asking import ask_asgi, ask_wsgi
from tests.conformance.configurations import CONFIGURATIONS, options_of
from tests.conformance.judging import mistakes
from tests.conformance.people import Person
from tests.conformance.row import NAME, NOBODY, Row
from tests.conformance.subjects import DENIAL, SUBJECTS, Subject, behind
from tests.conformance.tables import ROWS
from tests.servers.raw import Answer

# WebOb, which Pyramid is built on, imports it; from Python 3.13 on it comes from a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")

Answers = list[tuple[str, Answer, bool]]


def taken(subject: Subject, configuration: str) -> dict[str, Row]:
    """The rows of a configuration that can be sent to a subject."""
    return {name: row for name, row in ROWS.items() if row.configuration == configuration and subject.takes(row)}


# Starlette's AuthenticationMiddleware closes as it does; the door says that a policy was violated (RFC 6455, 7.4.1).
CLOSE_CODES = {"starlette-backend": "1000"}

# The others run on asyncio alone, or use the same code.
ON_TRIO = ("asgi", "starlette")

CASES = [
    pytest.param(subject, configuration, backend, id=f"{subject}-{configuration}" + "-trio" * (backend == "trio"))
    for subject in SUBJECTS
    for configuration in CONFIGURATIONS
    for backend in ("asyncio", "trio")
    if taken(subject, configuration) and (backend == "asyncio" or subject.name in ON_TRIO)
]


def test_every_row_is_sent_and_says_what_is_there(tokens: Mapping[str, str], people: Mapping[str, Person]) -> None:
    """A slip of the pen in the table would otherwise be a row that nobody asks."""
    sent = {name for configuration in CONFIGURATIONS for one in SUBJECTS for name in taken(one, configuration)}
    assert set(ROWS) - sent == set()
    assert {row.configuration for row in ROWS.values()} ^ set(CONFIGURATIONS) == set()
    named = {name for row in ROWS.values() for text in (*row.lines, *row.hidden) for name in NAME.findall(text)}
    assert named - set(tokens) == set()
    assert {row.who for row in ROWS.values()} - {NOBODY} <= set(people)


async def _all_asgi(
    application: Any, subject: Subject, rows: Mapping[str, Row], options: dict[str, Any], tokens: Mapping[str, str]
) -> Answers:
    answers: Answers = []
    for name, row in rows.items():
        app = behind(application, "asgi", row.doors, options)
        mount = "" if subject.mounts else row.mount
        for can_deny in (True, False) if row.websocket else (True,):
            answer = await ask_asgi(app, row, tokens, mount=mount, can_deny=can_deny)
            answers.append((name, answer, can_deny and DENIAL in subject.has))
    return answers


def _all_wsgi(
    application: Any, subject: Subject, rows: Mapping[str, Row], options: dict[str, Any], tokens: Mapping[str, str]
) -> Answers:
    answers: Answers = []
    for name, row in rows.items():
        app = behind(application, "wsgi", row.doors, options)
        mount = "" if subject.mounts else row.mount
        for tells_target in (True,) if row.by_target else (True, False):
            answers.append((name, ask_wsgi(app, row, tokens, mount=mount, tells_target=tells_target), True))
    return answers


@pytest.mark.parametrize(("subject", "configuration", "backend"), CASES)
def test_the_table(
    subject: Subject,
    configuration: str,
    backend: str,
    team: Issuer,
    tokens: Mapping[str, str],
    people: Mapping[str, Person],
) -> None:
    """Status, code, who is seen, and what is not seen."""
    if not subject.is_installed:
        pytest.skip(f"{subject.package} is not installed")
    options, rows = options_of(configuration, team.certs()), taken(subject, configuration)
    with subject.running(options) as application:
        if subject.interface == "asgi":
            answers = anyio.run(_all_asgi, application, subject, rows, options, tokens, backend=backend)
        else:
            answers = _all_wsgi(application, subject, rows, options, tokens)
    wrong: dict[str, list[str]] = {}
    for name, answer, can_deny in answers:
        found = mistakes(
            rows[name],
            answer,
            people,
            tokens,
            interface=subject.interface,
            can_deny=can_deny,
            close_code=CLOSE_CODES.get(subject.name, "1008"),
        )
        if found:
            wrong[name] = found
    assert wrong == {}
