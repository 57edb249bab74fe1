"""Sessions that end before their tokens do, through either door: revoked here, or ended at Cloudflare."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cfaccess_mw import Identity, Rule
from cfaccess_mw.core.errors import FetchError, RevocationsUnavailable, SessionRevoked, UnknownKey
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.protection import Protection
from tests.doors.conftest import Answer, Ask, Request
from tests.tokens import AUD

RULES = [Rule.public("/public"), Rule.allow("/admin/*", groups=["admins"])]


def _raises(_: Identity) -> bool:
    raise LookupError("sup3rs3cr3t")


def _lost(_: Identity) -> bool:
    raise RevocationsUnavailable(retry_after=17)


@pytest.fixture
def alice(issuer: Issuer) -> str:
    return issuer.user("alice@example.com", audience=AUD, issued_at=time.time())


def outcome(answer: Answer) -> tuple[int, str]:
    code = json.loads(answer.body)["code"] if answer.status >= 400 else ""
    return answer.status, code


@pytest.mark.parametrize(
    ("revoked", "expected", "lacking"),
    [
        pytest.param(lambda _: False, (200, ""), None, id="no"),
        pytest.param(lambda _: True, (401, "session-revoked"), None, id="yes"),
        pytest.param(lambda one: one.email == "alice@example.com", (401, "session-revoked"), None, id="by-address"),
        pytest.param(lambda one: one.email == "bob@example.com", (200, ""), None, id="another-address"),
        pytest.param(lambda _: None, (503, "revocations-unavailable"), "NoneType", id="nothing"),
        pytest.param(lambda _: 1, (503, "revocations-unavailable"), "int", id="number"),
        pytest.param(_raises, (503, "revocations-unavailable"), "LookupError", id="raises"),
        pytest.param(_lost, (503, "revocations-unavailable"), None, id="cannot-be-known"),
    ],
)
def test_revoked_sessions_are_refused(
    ask: Ask, alice: str, revoked: Callable[[Identity], Any], expected: tuple[int, str], lacking: str | None
) -> None:
    events: list[Any] = []
    answer = ask(Request.with_token(alice), revoked=revoked, listeners=[events.append])
    assert outcome(answer) == expected
    assert (answer.seen is not None) is (expected[0] == 200)
    told = [event.facts["error"] for event in events if event.name == "revocations-lacking"]
    assert told == ([] if lacking is None else [lacking])
    assert "sup3rs3cr3t" not in repr(events)


def test_when_to_ask_again_is_told(ask: Ask, alice: str) -> None:
    assert ask(Request.with_token(alice), revoked=_lost).headers["retry-after"] == "17"


def test_a_revoked_session_is_nobody_on_public_paths(ask: Ask, alice: str) -> None:
    answer = ask(Request.with_token(alice, "/public"), revoked=lambda _: True, rules=RULES)
    assert answer.status == 200
    assert answer.seen is not None
    assert answer.seen.identity is answer.seen.current is None
    assert "cf-access-jwt-assertion" not in answer.seen.headers


def test_callers_without_a_door_are_told_too(issuer: Issuer, alice: str) -> None:
    protection = Protection(team="acme", audience=AUD, keys=issuer.certs(), revoked=lambda _: True)
    with pytest.raises(SessionRevoked):
        protection.verify(alice)


def answers(*replies: Reply | Exception) -> Callable[[str, str], Any]:
    """A ``get-identity`` that gives these answers in turn, and the last one for ever."""
    rest = list(replies)

    async def fetch(url: str, token: str) -> Reply:
        reply = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    return fetch


HERE = Reply(status=200, body=b'{"email":"alice@example.com","groups":["admins"]}')
GONE = Reply(status=400, body=b'{"err":"no app token set"}')


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(HERE, (200, ""), id="there-is-one"),
        pytest.param(GONE, (401, "session-ended"), id="ended"),
        pytest.param(Reply(status=401), (401, "session-ended"), id="unauthorised"),
        pytest.param(Reply(status=500), (503, "identity-unavailable"), id="down"),
        pytest.param(FetchError("connect"), (503, "identity-unavailable"), id="not-reached"),
        pytest.param(Reply(status=200, body=b'{"email":"eve@example.com"}'), (503, "identity-unavailable"), id="other"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/admin/x"])
def test_sessions_that_cloudflare_ended_are_refused(
    ask: Ask, alice: str, reply: Reply | Exception, expected: tuple[int, str], path: str
) -> None:
    answer = ask(Request.with_token(alice, path), rules=RULES, profile_fetcher=answers(reply), revalidate_every=60)
    assert outcome(answer) == expected


def test_without_it_only_policies_ask(ask: Ask, alice: str) -> None:
    for path, expected in (("/", (200, "")), ("/admin/x", (401, "session-ended"))):
        answer = ask(Request.with_token(alice, path), rules=RULES, profile_fetcher=answers(GONE))
        assert outcome(answer) == expected


def test_the_application_can_look_somebody_up(ask: Ask, alice: str) -> None:
    answer = ask(Request.with_token(alice), profile_fetcher=answers(HERE))
    assert answer.seen is not None
    assert answer.seen.identity is not None
    assert answer.seen.identity.profile_blocking().groups == ("admins",)


def test_keys_that_were_given_are_all_that_there_are(issuer: Issuer) -> None:
    protection = Protection(team="acme", audience=AUD, keys=issuer.certs())
    token = Issuer("acme").user(audience=AUD)
    with pytest.raises(UnknownKey):
        protection.verify(token)
