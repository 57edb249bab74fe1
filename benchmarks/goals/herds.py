"""How often are keys fetched, however many ask?"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from benchmarks.certs import serving
from benchmarks.figures import Line, Section
from benchmarks.options import Options
from benchmarks.subject import TEAM, Subject
from benchmarks.traffic import scopes
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.core.freshness import Freshness
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.timing import Timing

_COLD = 500
_FLOOD, _MINUTES, _MOST = 60_000, 10, 22
_FLIGHT = 0.1  # simulated seconds that a fetch takes
_UNIT = "fetches"
_DELAY = 0.2  # seconds that the real endpoint takes, so that all requests are there before it answers


def run(options: Options) -> Iterator[Section]:
    """Count for many cold requests, and for a flood of key ids that do not exist."""
    subject = options.subject()
    _, fetches = cold(subject, _COLD)
    yield Section(
        title="Fetches",
        lines=(
            Line.of(f"for {_COLD} concurrent cold requests", fetches, _UNIT, ours=True, goal=1),
            Line.of(
                f"for {_FLOOD:,} unknown key ids in {_MINUTES} simulated minutes",
                flooded(subject),
                _UNIT,
                ours=True,
                goal=_MOST,
            ),
        ),
    )


def cold(subject: Subject, count: int) -> tuple[float, int]:
    """Have so many requests come at once before there are keys.

    Returns:
        Seconds until all were answered, and how often the endpoint was asked.
    """
    statuses: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def requests(url: str) -> float:
        door = AccessMiddleware(application, team=TEAM, audience=subject.audience, certs_url=url)
        loop = asyncio.get_running_loop()
        start = loop.time()
        supply = scopes(subject, subject.token, "/anything")
        await asyncio.gather(*(door(scope, None, send) for scope in supply(count)))  # type: ignore[arg-type]  # unread
        taken = loop.time() - start
        door.protection.close()
        return taken

    with serving(subject, delay=_DELAY) as certs:
        taken = asyncio.run(requests(certs.url))
        if statuses != [200] * count:
            raise RuntimeError(f"of {count} good requests {statuses.count(200)} were let in")
        return taken, certs.fetches


def flooded(subject: Subject) -> int:
    """Ask the state machine for 100 unknown key ids a second, for ten minutes of a simulated clock.

    Returns:
        How many fetches it caused, the first and the routine ones included.
    """
    snapshot = parse_jwks(json.dumps(subject.keys).encode())
    machine = Freshness[KeySnapshot](holds=lambda keys, kid: kid in keys.keys, random=lambda: 0.5, timing=Timing())
    flights, flight, lands = 0, None, 0.0
    for number in range(_FLOOD):
        now = 1_000.0 + number * _MINUTES * 60 / _FLOOD
        if flight is not None and now >= lands:
            machine.succeed(flight, snapshot, now, max_age=None)
            flight = None
        machine.attend(now)
        machine.ask(f"{number:064x}", since=machine.flights, now=now)
        if flight is None and now >= machine.wake_at:
            flight = machine.begin(now)
            if flight is not None:
                flights, lands = flights + 1, now + _FLIGHT
    return flights
