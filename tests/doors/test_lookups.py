"""Groups, from the policy in front of the door to the team's get-identity behind it, over real sockets."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.protection import Protection
from tests.doors.conftest import Answer, Request, asgi_application, ask_asgi, ask_wsgi

RULES = [Rule.allow("/admin/*", groups=["admins"]), Rule.any_user("/*")]


@pytest.fixture
def emulator(issuer: Issuer) -> Iterator[Emulator]:
    """An edge whose application is not asked: only its team's pages are."""
    fresh = Issuer("acme", current=issuer.current, previous=issuer.previous)
    with Emulator(upstream="http://127.0.0.1:9", issuer=fresh) as running:
        yield running


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Any]:
    """Ask through either door, each made for one question."""
    options: dict[str, Any] = {
        "team": "acme",
        "audience": emulator.audience,
        "team_url": emulator.url,
        "rules": RULES,
    }
    if request.param == "wsgi":
        yield lambda it: ask_wsgi(options, it)
    else:
        door = AccessMiddleware(asgi_application, **options)
        yield lambda it: asyncio.run(ask_asgi(door, it))
        door.protection.close()


def signed_in(emulator: Emulator, email: str) -> str:
    """Go through the login page, and return the cookie's token."""
    with httpx.Client(base_url=emulator.url, trust_env=False) as browser:
        login = browser.get("/").headers["location"]
        granted = browser.post(login, data={"email": email})
        return str(browser.get(granted.headers["location"]).cookies["CF_Authorization"])


@pytest.mark.parametrize(
    ("email", "path", "status"),
    [
        pytest.param("alice@example.com", "/admin/x", 200, id="a-member"),
        pytest.param("bob@example.com", "/admin/x", 403, id="no-member"),
        pytest.param("bob@example.com", "/x", 200, id="no-member-elsewhere"),
    ],
)
def test_members_of_a_group_pass(ask: Any, emulator: Emulator, email: str, path: str, status: int) -> None:
    answer: Answer = ask(Request.with_token(signed_in(emulator, email), path))
    assert answer.status == status


def test_a_service_is_not_looked_up(ask: Any, emulator: Emulator) -> None:
    token = emulator.issuer.service(audience=emulator.audience)
    answer: Answer = ask(Request.with_token(token, "/admin/x"))
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "not-permitted")


def test_a_session_that_has_ended_cannot_be_looked_up(ask: Any, emulator: Emulator) -> None:
    token = signed_in(emulator, "alice@example.com")
    with httpx.Client(base_url=emulator.url, cookies={"CF_Authorization": token}, trust_env=False) as browser:
        browser.get("/cdn-cgi/access/logout")
    answer: Answer = ask(Request.with_token(token, "/admin/x"))
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "session-ended")


@pytest.mark.parametrize("door", ["asgi", "wsgi"])
def test_a_session_that_has_ended_is_noticed_without_a_policy(door: str, emulator: Emulator) -> None:
    options: dict[str, Any] = {
        "team": "acme",
        "audience": emulator.audience,
        "team_url": emulator.url,
        "revalidate_every": 60,
    }
    tokens = [signed_in(emulator, email) for email in ("alice@example.com", "bob@example.com")]
    emulator.revoke(email="bob@example.com")
    asgi = AccessMiddleware(asgi_application, **options)
    answers = [
        asyncio.run(ask_asgi(asgi, Request.with_token(token)))
        if door == "asgi"
        else ask_wsgi(options, Request.with_token(token))
        for token in tokens
    ]
    asgi.protection.close()
    assert [answer.status for answer in answers] == [200, 401]
    assert json.loads(answers[1].body)["code"] == "session-ended"


def test_during_a_rename_each_is_looked_up_at_the_team_that_signed(issuer: Issuer) -> None:
    old, new = (Issuer(name, current=issuer.current, previous=issuer.previous) for name in ("acme", "acme-corp"))
    protection = Protection(team=["acme", "acme-corp"], audience="aud", rules=RULES)
    assert protection._lookups.keys() == {old.iss, new.iss}
    assert [lookups.url for lookups in protection._lookups.values()] == [
        f"{team.iss}/cdn-cgi/access/get-identity" for team in (old, new)
    ]
    protection.close()


def test_a_closed_door_looks_nobody_up(emulator: Emulator, issuer: Issuer) -> None:
    token = signed_in(emulator, "alice@example.com")
    door = AccessMiddleware(
        asgi_application,
        team="acme",
        audience=emulator.audience,
        keys=issuer.certs(),
        team_url=emulator.url,
        rules=RULES,
    )
    door.protection.close()
    answer = asyncio.run(ask_asgi(door, Request.with_token(token, "/admin/x")))
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "identity-unavailable")
