"""Do the floors keep what they say they keep?"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.floors import AsgiByHand, CoreByHand, Unexpected, WsgiByHand
from benchmarks.ours import asgi_door
from benchmarks.subject import Subject
from benchmarks.traffic import environs, scopes
from cfaccess_mw import current_identity
from cfaccess_mw.core.decide import Refusal
from cfaccess_mw.core.encoding import decode_base64url, decode_json_object
from cfaccess_mw.wsgi import AccessMiddleware

ALIKE = ("kind", "id", "email", "issuer", "audience", "issued_at", "expires_at", "nonce", "key_thumbprint", "claims")


def told(identity: Any) -> tuple[Any, ...]:
    return tuple(getattr(identity, name) for name in ALIKE)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject()


@pytest.fixture
def path(subject: Subject) -> str:
    return subject.paths(subject.table(subject.rules), 1)[0]


def test_an_asgi_application_sees_what_the_door_shows(subject: Subject, path: str) -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((told(current_identity()), told(scope["user"]), scope["auth"].scopes, scope["headers"], {*scope}))

    door = asgi_door(application, subject)
    by_hand = AsgiByHand(door)
    supply = scopes(subject, subject.token, path)
    for app in (door, by_hand, by_hand):
        asyncio.run(app(supply(1)[0], None, None))  # type: ignore[arg-type]  # neither receives nor sends
    assert seen == [seen[0]] * 3
    assert current_identity() is None


def test_a_wsgi_application_sees_what_the_door_shows(subject: Subject, path: str) -> None:
    seen: list[Any] = []

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        mine = {name: value for name, value in environ.items() if type(value) is str}
        seen.append((told(current_identity()), told(environ["cfaccess.identity"]), mine, {*environ}))
        yield b""

    door = AccessMiddleware(application, **subject.options, rules=subject.table(subject.rules))
    by_hand = WsgiByHand(door)
    supply = environs(subject, subject.token, path)
    for app in (door, by_hand, by_hand):
        body: Any = app(supply(1)[0], lambda *_: None)  # type: ignore[arg-type]  # it writes nothing
        list(body)
        body.close()
    assert seen == [seen[0]] * 3
    assert current_identity() is None


def test_only_what_was_met_before_passes(subject: Subject, path: str) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        """Be reached."""

    by_hand = AsgiByHand(asgi_door(application, subject))
    request, other = (
        scopes(subject, token, path)(1)[0] for token in (subject.token, subject.forged["expired"].decode())
    )
    asyncio.run(by_hand(request, None, None))
    with pytest.raises(Unexpected):
        asyncio.run(by_hand(other, None, None))
    by_hand._keys.attention_at = 0.0
    with pytest.raises(Unexpected):
        asyncio.run(by_hand(request, None, None))


@pytest.mark.parametrize("wrong", ["garbage: no token at all", "wrong issuer", "wrong audience", "expired"])
def test_what_is_read_by_hand_is_read_with_every_check(subject: Subject, wrong: str) -> None:
    core = CoreByHand(subject)
    token = subject.token.encode()
    identity = core.verify(token)
    payload = decode_base64url(subject.token.split(".")[1].encode())
    assert dict(identity.claims) == decode_json_object(payload)
    assert identity.email == identity.claims["email"]
    assert isinstance(core.refuse(subject.forged[wrong]), Refusal)
    for check, given in ((core.verify, subject.forged[wrong]), (core.verify, token), (core.refuse, token)):
        with pytest.raises(Unexpected):
            check(given)
    core.forget()
    assert core.verify(token) == identity
