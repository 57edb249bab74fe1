"""Is a WebSocket refused before it is accepted, on a real server?"""

import base64
import json
from collections.abc import Callable, Mapping

import pytest

from tests.servers.matrix import PAIRS
from tests.servers.process import Running
from tests.servers.raw import Conversation, request
from tests.servers.tables import Trick

Send = Callable[[Running, list[Trick]], Mapping[str, bytes]]

SPEAKING = [pair for pair in PAIRS if pair.interface == "asgi" and pair.application != "django_asgi"]
TEXT = 0x81  # the first byte of a frame that is a whole text (RFC 6455 section 5.2)
OPENED = (b" 101 ", b"SECRET", b"hello")
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


def handshake(target: str, *headers: str) -> bytes:
    """The opening of a client (RFC 6455 section 4.1)."""
    key = base64.b64encode(bytes(range(16))).decode()
    lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    return request(target, *lines, *headers, close=False)


def frame(text: bytes) -> bytes:
    """A short text as a client sends it; a mask of zeros masks nothing."""
    return bytes([TEXT, 0x80 | len(text), 0, 0, 0, 0]) + text


def read(conversation: Conversation) -> tuple[int, bytes]:
    """One short frame of the server; (0, b"") where it closed the connection."""
    head = conversation.exactly(2)
    return (head[0], conversation.exactly(head[1])) if len(head) == 2 else (0, b"")


def test_refused_before_it_is_accepted(server: Running) -> None:
    """The handshake gets the same answer as any other request."""
    with server.connect() as conversation:
        conversation.send(handshake("/ws"))
        answer = conversation.answer()
        assert answer.status == 401
        assert answer.header("www-authenticate") == 'Cloudflare-Access realm="acme.cloudflareaccess.com"'
        assert json.loads(answer.body)["code"] == "no-token"
        conversation.send(frame(b"hello"))
        assert b"hello" not in conversation.until_silence()


@pytest.mark.parametrize("which", ["other", "foreign", "expired"])
def test_refused_with_a_bad_assertion(server: Running, tokens: Mapping[str, str], which: str) -> None:
    """A token for somebody else, by somebody else, or of yesterday."""
    with server.connect() as conversation:
        conversation.send(handshake("/ws", f"Cf-Access-Jwt-Assertion: {tokens[which]}"))
        assert conversation.answer().status == 401


def test_no_trick_opens_it(server: Running, send: Send) -> None:
    """The rules are those of HTTP."""
    tricks = [Trick(id=target, data=handshake(target) + frame(b"hello"), unfinished=True) for target in TRICKS]
    answers = send(server, tricks)
    assert [
        name for name, heard in answers.items() if b" 101 " in heard or b"SECRET" in heard or b"hello" in heard
    ] == []


def test_accepted_with_a_good_assertion(server: Running, tokens: Mapping[str, str]) -> None:
    """The application knows who is asking, and what is sent comes back."""
    with server.connect() as conversation:
        conversation.send(handshake("/ws", f"Cf-Access-Jwt-Assertion: {tokens['good']}"))
        assert conversation.head().status == 101
        assert read(conversation) == (TEXT, b"SECRET alice@example.com")
        conversation.send(frame(b"hello"))
        assert read(conversation) == (TEXT, b"hello")
