"""Is a WebSocket that is refused never opened, on a real server? What opens one is asked by ``test_conformance.py``."""

from collections.abc import Callable, Mapping

import pytest

from tests.servers.matrix import PAIRS
from tests.servers.process import Running
from tests.servers.tables import Trick
from tests.servers.websocket import TEXT, frame, handshake, read

Send = Callable[[Running, list[Trick]], Mapping[str, bytes]]

SPEAKING = [pair for pair in PAIRS if pair.interface == "asgi" and pair.application != "django_asgi"]
TRICKS = (
    *(
        "//ws",
        "/ws/",
        "/ws%0a",
        "/./ws",
        "/static/../ws",
        "/static/%2e%2e/ws",
        "/%77s",
        "/%2577s",
        "/WS",
        "/ws;x",
        "ws",
    ),
    *("/ws%00", "/ws?/static/x", "/static/..%2fws", "/ws%20", "/%2fws", "/ws#", "/ws%3f", "http://app.example.com/ws"),
)

pytestmark = pytest.mark.parametrize("server", SPEAKING, indirect=True, ids=str)


def test_what_is_sent_after_a_refusal_is_not_heard(server: Running) -> None:
    """The connection does not become a WebSocket after all."""
    with server.connect() as conversation:
        conversation.send(handshake("/ws"))
        assert conversation.answer().status == 401
        conversation.send(frame(b"hello"))
        assert b"hello" not in conversation.until_silence()


def test_no_trick_opens_it(server: Running, send: Send) -> None:
    """The rules are those of HTTP."""
    tricks = [Trick(id=target, data=handshake(target) + frame(b"hello"), unfinished=True) for target in TRICKS]
    answers = send(server, tricks)
    assert [
        name for name, heard in answers.items() if b" 101 " in heard or b"SECRET" in heard or b"hello" in heard
    ] == []


def test_what_is_sent_comes_back(server: Running, tokens: Mapping[str, str]) -> None:
    """With a good assertion."""
    with server.connect() as conversation:
        conversation.send(handshake("/ws", f"Cf-Access-Jwt-Assertion: {tokens['good']}"))
        assert conversation.head().status == 101
        kind, text = read(conversation)
        assert (kind, text.startswith(b"SECRET alice@example.com ")) == (TEXT, True)
        conversation.send(frame(b"hello"))
        assert read(conversation) == (TEXT, b"hello")
