"""Who makes the load where wrk is not installed? This, in a process of its own; the same file of requests, the same
line of JSON at the end.

It is slower than wrk and may be what limits a fast server: the report says which of the two was used.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path

_END = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """Asks, waits for the whole answer, asks again; a server that closes is connected to again."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._heard = b""
        self._asked = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(_END)
        if not end:
            return
        lower = head.lower()
        _, named, length = lower.partition(b"content-length:")
        if named and len(body) < int(length.split(b"\r\n", 1)[0]):
            return
        self._load.took(time.perf_counter() - self._asked, good=head[9:10] == b"2")
        self._heard, self._asked = b"", 0.0
        if b"connection: close" in lower:
            if self._transport is not None:
                self._transport.close()
        else:
            self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lost(broken=bool(self._asked))

    def _ask(self) -> None:
        if self._transport is None or self._load.is_over:
            return
        self._asked = time.perf_counter()
        self._transport.write(self._load.next_request())


class Load:
    """One round.

    Args:
        port: Of 127.0.0.1.
        requests: Whole requests, sent in no order, as people come.
        connections: How many at a time.
        seconds: How long.
    """

    def __init__(self, port: int, requests: list[bytes], connections: int, seconds: float) -> None:
        self.is_over = False
        self._requests = requests
        self._dice = random.Random(0)
        self._port = port
        self._connections = connections
        self._seconds = seconds
        self._times: list[float] = []
        self._refused = self._broken = 0
        self._opening: set[asyncio.Task[None]] = set()

    async def run(self) -> dict[str, float]:
        """Make the load; what it returns is what ``wrk.lua`` prints."""
        began = time.perf_counter()
        for _ in range(self._connections):
            self._open()
        await asyncio.sleep(self._seconds)
        self.is_over = True
        times = sorted(self._times) or [0.0]
        return {
            "answers": len(self._times),
            "seconds": time.perf_counter() - began,
            "p50": times[len(times) // 2] * 1e3,
            "p99": times[min(len(times) - 1, len(times) * 99 // 100)] * 1e3,
            "longest": times[-1] * 1e3,
            "refused": self._refused,
            "broken": self._broken,
        }

    def next_request(self) -> bytes:
        """One of them."""
        return self._dice.choice(self._requests)

    def took(self, seconds: float, *, good: bool) -> None:
        """Note an answer."""
        self._times.append(seconds)
        self._refused += not good

    def lost(self, *, broken: bool) -> None:
        """Note a connection that ended, and open another."""
        self._broken += broken and not self.is_over
        self._open()

    def _open(self) -> None:
        if not self.is_over:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            self._broken += 1


if __name__ == "__main__":
    _port, _connections, _seconds, _file = sys.argv[1:]
    _requests = Path(_file).read_bytes().split(b"\0")
    print(json.dumps(asyncio.run(Load(int(_port), _requests, int(_connections), float(_seconds)).run())))
