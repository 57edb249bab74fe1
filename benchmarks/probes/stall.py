"""How long does an event loop stand still while keys are fetched? ``python -m benchmarks.probes.stall ours URL``.

A heartbeat asks to be woken every millisecond, and notes the longest time that passed instead. Before a request comes
it beats for a while alone: what is seen then is the machine's doing.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt

from benchmarks.peers.asgi import BaseVerifying, Verifying
from cfaccess_mw.asgi import AccessMiddleware

_BEAT = 0.001
_ALONE = 0.5

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Heart:
    """Beats until it is told to stop."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._running = True

    async def beat(self) -> None:
        """Beat; ``longest`` is what a beat was late by at most."""
        last = time.perf_counter()
        while self._running:
            await asyncio.sleep(_BEAT)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last - _BEAT)
            last = now

    def stop(self) -> None:
        """Stop after this beat."""
        self._running = False


async def _application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _pyjwt(url: str, audience: str) -> Callable[[str], object]:
    client = jwt.PyJWKClient(url)

    def verify(token: str) -> object:
        return jwt.decode(token, client.get_signing_key_from_jwt(token).key, algorithms=["RS256"], audience=audience)

    return verify


APPLICATIONS: dict[str, Callable[[str, str], Application]] = {
    "ours": lambda url, audience: AccessMiddleware(_application, team="acme", audience=audience, certs_url=url),
    "pyjwt": lambda url, audience: Verifying(_application, _pyjwt(url, audience)),
    "base": lambda url, audience: BaseVerifying(_application, _pyjwt(url, audience)),
}


async def _measure(application: Application, scope: Any) -> dict[str, float]:
    alone, meanwhile, statuses = Heart(), Heart(), list[int]()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    beating = asyncio.create_task(alone.beat())
    await asyncio.sleep(_ALONE)
    alone.stop()
    await beating
    beating = asyncio.create_task(meanwhile.beat())
    await asyncio.sleep(10 * _BEAT)
    await application(scope, receive, send)
    meanwhile.stop()
    await beating
    if statuses != [200]:
        raise RuntimeError(f"the request was answered with {statuses}")
    return {"alone": alone.longest, "stall": meanwhile.longest}


def main() -> None:
    """Read the request from standard input, and print both."""
    which, url = sys.argv[1:]
    asked = json.load(sys.stdin)
    headers = [(name.encode(), value.encode()) for name, value in asked["headers"]]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/anything",
        "raw_path": b"/anything",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    print(json.dumps(asyncio.run(_measure(APPLICATIONS[which](url, asked["audience"]), scope))))


if __name__ == "__main__":
    main()
