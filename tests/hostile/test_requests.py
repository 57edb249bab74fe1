"""Does any header, cookie, method, e-mail or address get anybody further than it should, through either door?"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.hostile.asking import INTERFACES, Asked, Doors, Reached
from tests.tokens import AUD
from tests.vectors import Row, table

TABLES = ("doors/headers", "doors/cookies", "doors/methods", "doors/addresses", "doors/hosts")
EMAILS = ("doors/emails",)

# A websocket's handshake has no method to choose.
ASKED = [
    pytest.param(name, interface, id=f"{name}-{interface}")
    for name in TABLES
    for interface in INTERFACES
    if (name, interface) != ("doors/methods", "websocket")
]

# Behind the code of a refusal there is nobody; where the application was reached, these are who was let in.
LET_IN = frozenset({"nobody", "alice@example.com"})


def filled(text: str, tokens: Mapping[str, str]) -> str:
    """A text of a row, with the tokens that it names."""
    for name, token in tokens.items():
        text = text.replace(f"{{{name}}}", token)
    return text


def asked_of(row: Row, tokens: Mapping[str, str]) -> Asked:
    """The request that a row describes."""
    headers = tuple((name, filled(value, tokens)) for name, value in row.get("headers", ()))
    return Asked(path=row.get("path", "/"), method=row.get("method", "GET"), headers=headers)


def expected(row: Row, interface: str) -> str:
    """What comes of a row, which one of the doors may name otherwise."""
    outcome: str = row.get("asgi" if interface == "websocket" else interface, row["outcome"])
    return outcome


@pytest.mark.parametrize(("name", "interface"), ASKED)
def test_a_hostile_request_comes_as_far_as_it_may(
    name: str, interface: str, doors: Callable[[str], Doors], tokens: Mapping[str, str]
) -> None:
    found: dict[str, Reached] = {}
    for row in table(name):
        found[row["id"]] = doors(row.get("configuration", "plain")).ask(interface, asked_of(row, tokens))
    assert {id_: reached.outcome for id_, reached in found.items()} == {
        row["id"]: expected(row, interface) for row in table(name)
    }
    assert {id_ for id_, reached in found.items() if (reached.status == 200) != (reached.outcome in LET_IN)} == set()
    for row in table(name):
        for text in row.get("unseen", ()):
            assert filled(text, tokens) not in found[row["id"]].seen, row["id"]


@pytest.mark.parametrize("interface", INTERFACES)
def test_an_email_is_the_allowed_one_or_it_is_not(interface: str, doors: Callable[[str], Doors], team: Issuer) -> None:
    def outcome(row: Row) -> str:
        headers = (("Cf-Access-Jwt-Assertion", team.user(row["email"], audience=AUD)),)
        reached = doors("plain").ask(interface, Asked(path=row["path"], headers=headers))
        return "accepted" if reached.status == 200 else reached.outcome

    rows: list[Any] = table("doors/emails")
    assert {row["id"]: outcome(row) for row in rows} == {row["id"]: row["outcome"] for row in rows}


@pytest.mark.parametrize("interface", INTERFACES)
def test_no_answer_repeats_what_was_sent(
    interface: str, doors: Callable[[str], Doors], tokens: Mapping[str, str]
) -> None:
    """Some verifiers put the whole text into their message, and so into the log."""
    for row in table("doors/headers"):
        asked = asked_of(row, tokens)
        reached = doors("plain").ask(interface, asked)
        if reached.status != 200:
            assert len(reached.body) < 1_000
            assert not any(value.encode("latin-1") in reached.body for _, value in asked.headers if len(value) > 20)
