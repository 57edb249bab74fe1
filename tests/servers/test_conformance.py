"""Does every server let every framework do what the conformance table says, where its own reading could change that?

The rows are those of ``tests/conformance`` with ``on_servers``; here they go over raw sockets.
"""

from collections.abc import Iterator, Mapping

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.conformance.judging import mistakes
from tests.conformance.people import people as people_of
from tests.conformance.people import tokens as tokens_of
from tests.conformance.row import Row, filled
from tests.conformance.subjects import DENIAL, SUBJECTS, Subject
from tests.conformance.tables import ROWS
from tests.servers.matrix import SERVERS, Pair
from tests.servers.process import Processes, Running, skip_without
from tests.servers.raw import Answer, request
from tests.servers.websocket import handshake, read

# Its command line says nothing of a mount.
_NOT_MOUNTED = ("runserver",)

# What a server makes of a request is the same for every framework.
_DOORS = ("asgi", "wsgi")

ASGI = [name for name, server in SERVERS.items() if server.interface == "asgi"]
WSGI = [name for name, server in SERVERS.items() if server.interface == "wsgi"]


def subjects(interface: str) -> list[Subject]:
    """What runs on servers of an interface."""
    return [subject for subject in SUBJECTS if subject.interface == interface and not subject.mounts]


def taken(server: str, subject: Subject) -> Mapping[tuple[str, str], dict[str, Row]]:
    """The rows for a subject on a server, by mount and configuration."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    sent = ("doors", "all") if subject.name in _DOORS else ("all",)
    for name, row in ROWS.items():
        if row.on_servers in sent and subject.takes(row) and not (row.mount and server in _NOT_MOUNTED):
            found.setdefault((row.mount, row.configuration), {})[name] = row
    return found


@pytest.fixture
def wrong(
    name: str, subject: Subject, processes: Processes, issuer: Issuer, stranger: SigningKey
) -> Mapping[str, list[str]]:
    """What is wrong with the answers to the rows, by their names."""
    skip_without(SERVERS[name].package, subject.package)
    people, tokens = people_of(issuer), tokens_of(issuer, stranger)
    can_deny = DENIAL in subject.has
    found = {}
    for (mount, configuration), rows in taken(name, subject).items():
        server = processes.of(Pair(server=name, application="", mount=mount))
        server.select(f"subjects/{subject}/{configuration}")
        for id_, row, answer in _ask_all(server, rows, tokens):
            found[id_] = mistakes(row, answer, people, tokens, interface=subject.interface, can_deny=can_deny)
    return {id_: each for id_, each in found.items() if each}


@pytest.mark.parametrize("subject", subjects("asgi"), ids=str)
@pytest.mark.parametrize("name", ASGI, scope="session")
def test_the_table_over_asgi(wrong: Mapping[str, list[str]]) -> None:
    """Status, code, who is seen, and what is not seen; WebSockets are refused before they are accepted."""
    assert wrong == {}


@pytest.mark.parametrize("subject", subjects("wsgi"), ids=str)
@pytest.mark.parametrize("name", WSGI, scope="session")
def test_the_table_over_wsgi(wrong: Mapping[str, list[str]]) -> None:
    """The same."""
    assert wrong == {}


def _ask_all(server: Running, rows: Mapping[str, Row], tokens: Mapping[str, str]) -> Iterator[tuple[str, Row, Answer]]:
    # uvicorn is told of a mount that a proxy has taken off; the others find it in the target
    taken_off = server.pair.mount if server.pair.server.startswith("uvicorn") else ""
    for name, row in rows.items():
        target = filled(row.target, tokens).removeprefix(taken_off)
        lines = [filled(line, tokens) for line in row.lines]
        host = None if any(line.lower().startswith("host:") for line in lines) else "app.example.com"
        with server.connect() as conversation:
            if row.websocket:
                conversation.send(handshake(target, *lines, host=host))
                answer = conversation.answer()
                if answer.status == 101:
                    answer = Answer(status=101, headers=answer.headers, body=read(conversation)[1])
            else:
                conversation.send(request(target, *lines, method=row.method, host=host))
                answer = conversation.answer(to_head=row.method == "HEAD")
        yield name, row, answer
