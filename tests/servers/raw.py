"""How does one speak HTTP byte by byte? HTTP clients mend what these tests are about."""

import re
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

PATIENCE: Final = 10.0  # seconds until a server that says nothing is taken for one that hangs
_SILENCE: Final = 0.2  # seconds; nothing is expected any more, so a slow machine makes a test milder and never red
_BLOCK: Final = 65_536

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response.

    Attributes:
        status: The status code; 0 where the server closed the connection without one.
        headers: Names in lower case, and values.
        body: What came, chunks joined.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The only value of a header, or None; two are a mistake of the server."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise ValueError(f"{name} stands there {len(values)} times")
        return values[0] if values else None


@dataclass(slots=True)
class Conversation:
    """A connection to 127.0.0.1 that is read answer by answer, or to its end.

    Args:
        port: Where.
    """

    port: int
    _socket: socket.socket = field(init=False)
    _unread: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are; a server that has heard enough may have closed already."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def hang_up(self) -> None:
        """Say that nothing more comes."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def everything(self) -> bytes:
        """All that comes until the server closes.

        Raises:
            TimeoutError: It does not.
        """
        while self._more():
            pass
        data, self._unread = self._unread, b""
        return data

    def until_silence(self) -> bytes:
        """What comes until the server closes or says nothing for a moment."""
        self._socket.settimeout(_SILENCE)
        try:
            return self.everything()
        except TimeoutError:
            data, self._unread = self._unread, b""
            return data
        finally:
            self._socket.settimeout(PATIENCE)

    def line(self) -> bytes:
        """What comes up to the next line feed, or to the end."""
        while b"\n" not in self._unread and self._more():
            pass
        line, end, self._unread = self._unread.partition(b"\n")
        return line + end

    def exactly(self, size: int) -> bytes:
        """So many bytes, or what comes until the end."""
        while len(self._unread) < size and self._more():
            pass
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def head(self) -> Answer:
        """The head of one response; none at all has the status 0."""
        line = self.line()
        if not line.startswith(b"HTTP/"):
            return Answer(body=line)
        headers = []
        while field_line := self.line().strip():
            name, _, value = field_line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        return Answer(status=int(line.split()[1]), headers=tuple(headers))

    def answer(self, *, to_head: bool = False) -> Answer:
        """One whole response.

        Args:
            to_head: Whether the request was a HEAD, whose response has no body.
        """
        head = self.head()
        if to_head or head.status < 200 or head.status in (204, 304):
            return head
        length = head.header("content-length")
        if head.header("transfer-encoding") == "chunked":
            body = b"".join(iter(self.chunk, b""))
        else:
            body = self.everything() if length is None else self.exactly(int(length))
        return Answer(status=head.status, headers=head.headers, body=body)

    def chunk(self) -> bytes:
        """One chunk; the last one is empty."""
        size = int(self.line().strip() or b"0", 16)
        data = self.exactly(size)
        self.line()
        return data

    def _more(self) -> bool:
        try:
            data = self._socket.recv(_BLOCK)
        except ConnectionResetError:
            return False
        self._unread += data
        return bool(data)


def exchange(port: int, data: bytes, *, unfinished: bool = False) -> bytes:
    """Send bytes on a connection of their own, and return all that comes back.

    The server is expected to answer and to close. Some keep the connection, because they read the bytes otherwise than
    they were meant: then what came before a silence counts.

    Args:
        port: Where.
        data: What to send.
        unfinished: Whether the server may wait for more, and is told after a silence that nothing comes.

    Raises:
        TimeoutError: The server did not answer at all.
    """
    with Conversation(port) as conversation:
        conversation.send(data)
        heard = conversation.until_silence()
        if unfinished:
            conversation.hang_up()
            return heard + conversation.until_silence()
        return heard or conversation.everything()


def request(
    target: str | bytes,
    *headers: str | bytes,
    method: str | bytes = "GET",
    version: str = "HTTP/1.1",
    host: str | None = "app.example.com",
    close: bool = True,
    body: bytes = b"",
) -> bytes:
    """The bytes of a request; nothing is escaped or corrected. Text is UTF-8."""
    lines: list[str | bytes] = [b" ".join([_bytes(method), _bytes(target), version.encode()])]
    lines += [f"Host: {host}"] if host is not None else []
    lines += headers
    lines += ["Connection: close"] if close else []
    return b"\r\n".join(map(_bytes, lines)) + b"\r\n\r\n" + body


def get(target: str | bytes, *headers: str | bytes) -> bytes:
    """A GET after which the connection is closed."""
    return request(target, *headers)


def statuses(data: bytes) -> list[int]:
    """The status codes of all responses in what a server sent, wherever one ends and the next begins."""
    return [int(status) for status in _STATUS_LINE.findall(data)]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
