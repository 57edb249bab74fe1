"""How do clients talk here? Over raw connections that are kept, dripped into, and broken off: no HTTP client would."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

PATIENCE: Final = 20.0  # seconds: more than anything may take here
_LIMIT: Final = 2**18  # bytes of an answer's head
_BROKEN: Final = (OSError, EOFError, asyncio.LimitOverrunError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: The status code; 0 where the connection ended without one.
        headers: Names in lower case.
        body: All of it.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def outcome(self, name: str = "") -> str:
        """What it comes to, in a few words that tables of expectations are made of.

        Args:
            name: Whose a good answer should be.
        """
        if self.status == 200:
            return "200" if self.body.decode(errors="replace") == name else "200 as somebody else"
        code = self._code()
        silent = " without Retry-After" if self.status == 503 and "retry-after" not in self.headers else ""
        return f"{self.status or 'closed'}{code and f' {code}'}{silent}"

    def _code(self) -> str:
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return ""
        return str(json.loads(self.body)["code"])


@dataclass(slots=True, kw_only=True)
class Line:
    """A connection to 127.0.0.1 that is kept between requests as long as the server keeps it.

    Attributes:
        port: Where.
        renewed: How often the server had closed it between two requests.
    """

    port: int
    renewed: int = 0
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        """Itself; it connects when something is asked."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Hang up."""
        self.hang_up()

    async def ask(self, request: bytes, *, every: float = 0.0) -> Answer:
        """Send a request and wait for the whole answer.

        Args:
            request: Its bytes.
            every: Seconds between two slices of it, for a client that is slow; 0 sends it in one piece.

        Raises:
            TimeoutError: There is none.
        """
        async with asyncio.timeout(PATIENCE):
            kept = self._writer is not None
            answer = await self._try(request, every)
            if answer.status == 0 and kept:  # closed between two requests, as servers may
                self.renewed += 1
                answer = await self._try(request, every)
            return answer

    async def send(self, data: bytes, *, every: float = 0.0) -> None:
        """Send bytes, connecting first where need be."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=_LIMIT)
        size = max(1, len(data) // 8) if every else len(data)
        for at in range(0, len(data), size):
            self._writer.write(data[at : at + size])
            await self._writer.drain()
            await asyncio.sleep(every)

    async def exactly(self, size: int) -> bytes:
        """So many bytes of what comes."""
        if self._reader is None:
            return b""
        return await self._reader.readexactly(size)

    async def answer(self) -> Answer:
        """Read one answer; its length must be named, as all of ours are."""
        if self._reader is None:
            return Answer(status=0)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.hang_up()
        return Answer(status=int(first.split()[1]), headers=headers, body=body)

    def hang_up(self) -> None:
        """Close it at once."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _try(self, request: bytes, every: float) -> Answer:
        # A server that has heard enough may answer, and close, while we are still sending.
        with suppress(*_BROKEN):
            await self.send(request, every=every)
        try:
            return await self.answer()
        except _BROKEN:
            self.hang_up()
            return Answer(status=0)
