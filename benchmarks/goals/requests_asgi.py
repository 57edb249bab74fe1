"""What does the door add to a request of an ASGI application, and what do others add?"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

from benchmarks.certs import serving
from benchmarks.figures import Line, Section, lines_of
from benchmarks.floors import AsgiByHand
from benchmarks.measure import Contender, Race, Spread, Take, awaiting, race
from benchmarks.options import Options
from benchmarks.ours import asgi_door
from benchmarks.peers import pyjwt
from benchmarks.peers.asgi import BasePassingOn, BaseVerifying, Looking, PassingOn, Verifying, application
from benchmarks.traffic import BATCH, scopes

OURS = "cfaccess_mw, remembered token"
_REQUEST = {"type": "http.request", "body": b"", "more_body": False}


def run(options: Options) -> Iterator[Section]:
    """Measure a request with a remembered token, one of many rules, realistic headers and a 4 KB cookie."""
    subject = options.subject()
    path = subject.paths(subject.table(subject.rules), 1)[0]
    supply = scopes(subject, subject.token, path)
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        bare = application()
        applications: dict[str, Any] = {
            "bare Starlette": bare,
            "a class that only passes on": PassingOn(bare),
            "headers looked at, scope copied, nothing checked": Looking(bare),
            "every promise kept, in one function": AsgiByHand(asgi_door(bare, subject)),
            OURS: asgi_door(bare, subject),
            "BaseHTTPMiddleware that only passes on": BasePassingOn(bare),
        }
        if options.peers:
            certs = stack.enter_context(serving(subject))
            with_key, with_client = pyjwt.with_key(subject), pyjwt.with_client(subject, certs.url)
            applications |= {
                "PyJWT, key given, pure ASGI": Verifying(bare, with_key),
                "PyJWT, key given, BaseHTTPMiddleware": BaseVerifying(bare, with_key),
                "PyJWT, PyJWKClient, BaseHTTPMiddleware": BaseVerifying(bare, with_client),
            }
        found = race(
            [
                Contender(
                    name=name,
                    take=_requests(loop, app, supply),
                    ours=name == OURS,
                    goal=1.25 if name == OURS else None,
                    most=BATCH,
                )
                for name, app in applications.items()
            ],
            rounds=options.rounds * 2,  # a few hundredths are to be told apart
        )
    yield Section(
        title="One ASGI request with a remembered token",
        base="bare Starlette",
        lines=tuple(lines_of(found)),
        remarks=(f"one of {subject.rules:,} rules, {subject.headers} headers, a 4 KB cookie; no sockets",),
        pictured=True,
    )
    yield added(found, "What is added to an ASGI request", OURS, [name for name in applications if "PyJWT" in name])


def added(found: Race, title: str, ours: str, peers: list[str]) -> Section:
    """How much each adds, and how that compares with the best of the peers."""
    shown = [ours, *peers]
    spreads = {name: found.added(name) for name in shown}
    lines = [_micro(name, spreads[name], ours=name == ours) for name in shown]
    if peers:
        best = min(peers, key=lambda name: spreads[name].median)
        share, rival = spreads[ours], spreads[best].median
        lines.append(
            Line(
                name=f"ours as a share of the best of the others ({best})",
                value=share.median / rival,
                low=share.low / rival,
                high=share.high / rival,
                ours=True,
                goal=0.1,
            )
        )
    return Section(title=title, lines=tuple(lines), base="the best of the others" if peers else "")


def _micro(name: str, spread: Spread, *, ours: bool) -> Line:
    return Line(
        name=name,
        value=spread.median / 1_000,
        low=spread.low / 1_000,
        high=spread.high / 1_000,
        unit="µs",
        ours=ours,
    )


async def _receive() -> Any:
    return _REQUEST


async def _send(message: Any) -> None:
    """Drop it."""


def _requests(
    loop: asyncio.AbstractEventLoop, app: Callable[..., Awaitable[None]], supply: Callable[[int], Any]
) -> Take:
    loop.run_until_complete(_checked(app, supply(1)[0]))
    return awaiting(loop, lambda scope: app(scope, _receive, _send), supply)


async def _checked(app: Callable[..., Awaitable[None]], scope: Any) -> None:
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, _receive, send)
    if statuses != [200]:
        raise RuntimeError(f"a good request was answered with {statuses}")
