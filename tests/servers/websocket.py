"""How does one open a WebSocket byte by byte, and read what it says? (RFC 6455)"""

import base64
from typing import Final

from tests.servers.raw import Conversation, request

TEXT: Final = 0x81  # the first byte of a frame that is a whole text (section 5.2)
_MASKED: Final = 0x80
_LENGTH_FOLLOWS: Final = 126  # two bytes of it; longer texts are not read here


def handshake(target: str, *headers: str, host: str | None = "app.example.com") -> bytes:
    """The opening of a client (section 4.1)."""
    key = base64.b64encode(bytes(range(16))).decode()
    lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    return request(target, *lines, *headers, host=host, close=False)


def frame(text: bytes) -> bytes:
    """A short text as a client sends it; a mask of zeros masks nothing."""
    return bytes([TEXT, _MASKED | len(text), 0, 0, 0, 0]) + text


def read(conversation: Conversation) -> tuple[int, bytes]:
    """One frame of the server; (0, b"") where it closed the connection."""
    head = conversation.exactly(2)
    if len(head) < 2:
        return (0, b"")
    length = int.from_bytes(conversation.exactly(2)) if head[1] == _LENGTH_FOLLOWS else head[1]
    return (head[0], conversation.exactly(length))
