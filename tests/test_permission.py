"""May this person, or this service, do this? Asked from a handler, in a coroutine and in a thread."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from cfaccess_mw import ConfigurationError, NotPermitted
from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.errors import IdentityUnavailable, NoToken, SessionEnded
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.profile import ENDED, Outcome, Profile, ProfileAnswer, found
from cfaccess_mw.permission import Permission

CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
OTHER_ID = "f367826f93b8d71185e03fe518aff3b4.access"
ADMINS = b'{"groups":["admins"]}'
UNAVAILABLE = ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=7.0)


class Team:
    """Looks people up, and counts how often."""

    def __init__(self, answer: ProfileAnswer) -> None:
        self.answer = answer
        self.asked = 0

    async def obtain(self, token: str | bytes, identity: Identity) -> ProfileAnswer:
        return self.obtain_blocking(token, identity)

    def obtain_blocking(self, token: str | bytes, identity: Identity) -> ProfileAnswer:
        self.asked += 1
        return self.answer


def says(document: bytes) -> ProfileAnswer:
    return found(Profile(fetched_at=1.0, version=1, _body=document))


def somebody(kind: str = "user", answer: ProfileAnswer = UNAVAILABLE) -> Identity:
    who: dict[str, dict[str, Any]] = {
        "user": {"id": "1", "email": "alice@example.com", "subject": "1", "common_name": None},
        "service": {"id": CLIENT_ID, "email": None, "subject": "", "common_name": CLIENT_ID},
    }
    rest: Mapping[str, Any] = {
        "country": "US",
        "issuer": "https://acme.cloudflareaccess.com",
        "audience": ("aud",),
        "issued_at": 1.0,
        "expires_at": 2.0,
        "nonce": None,
        "key_thumbprint": "x",
    }
    return Identity(kind=kind, **who[kind], **rest, _payload=b"{}", _token="t", _lookup=Team(answer))  # type: ignore[arg-type]


Demand = Callable[..., Identity]


@pytest.fixture(params=["async", "blocking"])
def demand(request: pytest.FixtureRequest) -> Demand:
    """Demand a permission in either way."""
    if request.param == "blocking":
        return lambda permission, *who: permission.demand_blocking(*who)
    return lambda permission, *who: asyncio.run(permission.demand(*who))


@pytest.mark.parametrize(
    ("permission", "user", "service"),
    [
        pytest.param(Permission(), True, True, id="anybody"),
        pytest.param(Permission(everyone=True), True, False, id="users"),
        pytest.param(Permission(emails="alice@example.com"), True, False, id="address"),
        pytest.param(Permission(emails="bob@example.com"), False, False, id="another-address"),
        pytest.param(Permission(service=True), False, True, id="services"),
        pytest.param(Permission(service=CLIENT_ID), False, True, id="that-service"),
        pytest.param(Permission(service=[OTHER_ID, CLIENT_ID]), False, True, id="these-services"),
        pytest.param(Permission(service=OTHER_ID), False, False, id="another-service"),
        pytest.param(Permission(emails="alice@example.com", service=True), True, True, id="either"),
        pytest.param(Permission({"decision": "allow", "include": [{"everyone": {}}]}), True, False, id="policy"),
        pytest.param(Permission({"decision": "deny", "include": [{"everyone": {}}]}), False, False, id="deny"),
        pytest.param(
            Permission({"decision": "deny", "include": [{"email": {"email": "alice@example.com"}}]}, everyone=True),
            False,
            False,
            id="deny-before-allow",
        ),
    ],
)
def test_who_may(demand: Demand, permission: Permission, user: bool, service: bool) -> None:
    for kind, allowed in (("user", user), ("service", service)):
        identity = somebody(kind)
        if allowed:
            assert demand(permission, identity) is identity
        else:
            with pytest.raises(NotPermitted):
                demand(permission, identity)
    with pytest.raises(NoToken):
        demand(permission, None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(says(ADMINS), None, id="in"),
        pytest.param(says(b"{}"), NotPermitted, id="out"),
        pytest.param(ENDED, SessionEnded, id="ended"),
        pytest.param(UNAVAILABLE, IdentityUnavailable, id="unavailable"),
    ],
)
def test_groups_are_looked_up(demand: Demand, answer: ProfileAnswer, expected: type[Exception] | None) -> None:
    identity = somebody(answer=answer)
    if expected is None:
        assert demand(Permission(groups=["admins"]), identity) is identity
    else:
        with pytest.raises(expected):
            demand(Permission(groups=["admins"]), identity)


@pytest.mark.parametrize(
    "permission",
    [
        pytest.param(Permission(emails="bob@example.com", groups=["admins"]), id="cannot-matter"),
        pytest.param(Permission(service=CLIENT_ID), id="not-asked-for"),
    ],
)
def test_nobody_is_looked_up_where_it_does_not_matter(demand: Demand, permission: Permission) -> None:
    identity = somebody(answer=says(ADMINS))
    with pytest.raises(NotPermitted):
        demand(permission, identity)
    assert identity._team.asked == 0  # type: ignore[union-attr]  # it is our Team


@pytest.mark.parametrize(
    ("facts", "allowed"),
    [
        pytest.param(replace(NO_FACTS, address=ip_address("192.0.2.1")), True, id="from-there"),
        pytest.param(replace(NO_FACTS, address=ip_address("203.0.113.1")), False, id="from-elsewhere"),
        pytest.param(NO_FACTS, False, id="not-known"),
    ],
)
def test_the_request_counts_where_it_is_asked_for(demand: Demand, facts: Facts, allowed: bool) -> None:
    permission = Permission(everyone=True, ips=["192.0.2.0/24"])
    assert permission.reads_request
    assert not Permission(groups="admins").reads_request
    if allowed:
        demand(permission, somebody(), facts)
    else:
        with pytest.raises(NotPermitted):
            demand(permission, somebody(), facts)


BYPASS = {"decision": "bypass", "include": [{"everyone": {}}]}


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        pytest.param((), {"service": False}, "service: is false", id="service-false"),
        pytest.param((), {"service": 7}, "service: is a number", id="service-number"),
        pytest.param((), {"service": ()}, "service_token: is empty", id="no-service"),
        pytest.param((), {"grups": ["admins"]}, "groups", id="unknown-name"),
        pytest.param((), {"groups": []}, "groups", id="no-group"),
        pytest.param((BYPASS,), {}, "bypass", id="bypass"),
        pytest.param(("admins",), {}, "policies", id="no-policy"),
    ],
)
def test_what_means_nothing_is_refused_at_once(args: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Permission(*args, **options)


def test_a_setting_that_is_missing_permits_nobody() -> None:
    with pytest.raises(ConfigurationError, match="service: is None"):
        Permission(service=None)
    assert len(Permission(emails="alice@example.com", service=None).policies) == 1
