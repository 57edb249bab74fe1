"""What kinds of requests are there, how often, and what may come back? Whatever this table does not list is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks.load.talking import Line
from benchmarks.load.world import FLAWED, World

_LONG: Final = 65_536  # characters of garbage
_LEARNED_WITHIN: Final = 40.0  # seconds after a rotation under attack: one token of the bucket (30), a pause, a fetch
_FOR_A_WHILE: Final = "503 keys-unavailable for a while"
_HANDSHAKE: Final = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==",
)

Play = Callable[[World, Line], Awaitable[str]]
"""Makes one request, and says what came of it; the line is the client's own, kept from request to request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request.

    Attributes:
        name: As reports say it.
        weight: How often, compared with the others.
        play: Makes one.
        expected: What may come of it, see ``Answer.outcome``.
        is_good: Whether it must be let in; its latency is what is watched.
        interfaces: Where it is made.
    """

    name: str
    weight: int
    play: Play
    expected: frozenset[str]
    is_good: bool = False
    interfaces: tuple[str, ...] = ("asgi", "wsgi")


def request(*headers: str, target: str = "/", token: str | None = None, host: str = "app.example.com") -> bytes:
    """A GET, byte for byte."""
    assertion = () if token is None else (f"Cf-Access-Jwt-Assertion: {token}",)
    lines = (f"GET {target} HTTP/1.1", f"Host: {host}", "Accept: application/json", *assertion, *headers)
    return "\r\n".join((*lines, "", "")).encode()


async def _user(world: World, line: Line) -> str:
    name, token = world.random.choice(world.users)
    return (await line.ask(request(token=token))).outcome(name)


async def _cookie(world: World, line: Line) -> str:
    name, token = world.random.choice(world.users)
    return (await line.ask(request(f"Cookie: theme=dark; CF_Authorization={token}"))).outcome(name)


async def _service(world: World, line: Line) -> str:
    name, token = world.service
    return (await line.ask(request(token=token))).outcome(name)


async def _through_the_edge(world: World, _: Line) -> str:
    known, cookie = world.emulator.service_tokens[0], world.edge_cookie
    credentials = (f"CF-Access-Client-Id: {known.client_id}", f"CF-Access-Client-Secret: {known.client_secret}")
    headers = (f"Cookie: {cookie}",) if cookie else credentials
    host = world.emulator.url.removeprefix("http://")
    async with Line(port=int(host.partition(":")[2])) as line:
        answer = await line.ask(request(*headers, "Connection: close", host=host))
    given = answer.headers.get("set-cookie", "").partition(";")[0]
    if given.startswith("CF_Authorization="):  # or each request would have a token of its own, to be remembered
        world.edge_cookie = given
    return _of_a_new_key(world, answer.outcome(known.client_id))


async def _newcomer(world: World, line: Line) -> str:
    name, token = world.random.choice(world.newcomers)
    return _of_a_new_key(world, (await line.ask(request(token=token))).outcome(name))


def _of_a_new_key(world: World, outcome: str) -> str:
    """Whoever comes with a key that the flood has kept a worker from fetching is told to come again, for a while."""
    if outcome != "503 keys-unavailable" or world.rotated_at is None:
        return outcome
    world.turned_away_at = time.monotonic()
    return _FOR_A_WHILE if world.turned_away_at < world.rotated_at + _LEARNED_WITHIN else outcome


async def _slow(world: World, _: Line) -> str:
    name, token = world.random.choice(world.users)
    async with world.line() as line:
        return (await line.ask(request(token=token), every=world.random.uniform(0.02, 0.1))).outcome(name)


async def _public(_: World, line: Line) -> str:
    return (await line.ask(request(target="/healthz"))).outcome("nobody")


async def _public_with_flaw(world: World, line: Line) -> str:
    return (await line.ask(request(target="/healthz", token=world.flawed["expired"]))).outcome("nobody")


async def _nobody(_: World, line: Line) -> str:
    return (await line.ask(request())).outcome()


async def _not_permitted(world: World, line: Line) -> str:
    return (await line.ask(request(target="/admin", token=world.random.choice(world.users)[1]))).outcome()


async def _ambiguous(world: World, line: Line) -> str:
    return (await line.ask(request(target="/healthz/%2e%2e/admin", token=world.users[0][1]))).outcome()


async def _flawed(world: World, line: Line, *, code: str) -> str:
    return (await line.ask(request(token=world.flawed[code]))).outcome()


async def _flood(world: World, line: Line) -> str:
    return (await line.ask(request(token=world.stray()))).outcome()


async def _long_token(world: World, _: Line) -> str:
    async with world.line() as line:
        return (await line.ask(request("Connection: close", token="A" * _LONG))).outcome()


async def _garbage(world: World, _: Line) -> str:
    async with world.line() as line:
        return (await line.ask(world.random.randbytes(_LONG) + b"\r\n\r\n")).outcome()


async def _hung_up(world: World, _: Line) -> str:
    async with world.line() as line:
        await line.send(request(target="/slow", token=world.random.choice(world.users)[1]))
        await asyncio.sleep(0.02)
    return "gone"


async def _web_socket(world: World, _: Line) -> str:
    name, token = world.random.choice(world.users)
    async with world.line() as line:
        answer = await line.ask(request(*_HANDSHAKE, target="/ws", token=token))
        if answer.status != 101:
            return answer.outcome()
        frame = await line.exactly(2)  # its second byte is the length of a short text (RFC 6455 section 5.2)
        return "101" if await line.exactly(frame[1]) == name.encode() else "101 as somebody else"


async def _web_socket_refused(world: World, _: Line) -> str:
    async with world.line() as line:
        return (await line.ask(request(*_HANDSHAKE, target="/ws", token=world.flawed["expired"]))).outcome()


# What servers say themselves of heads that are too long, or no HTTP.
_BY_THE_SERVER: Final = ("400", "404", "405", "413", "414", "431", "501", "closed")


def _good(name: str, weight: int, play: Play, *more: str, of: tuple[str, ...] = ("asgi", "wsgi")) -> Kind:
    expected = frozenset(more or ("200",))
    return Kind(name=name, weight=weight, play=play, expected=expected, is_good=True, interfaces=of)


def _refused(name: str, weight: int, play: Play, *expected: str, of: tuple[str, ...] = ("asgi", "wsgi")) -> Kind:
    return Kind(name=name, weight=weight, play=play, expected=frozenset(expected), interfaces=of)


KINDS: Final = (
    _good("user", 60, _user),
    _good("user, by cookie", 10, _cookie),
    _good("service", 15, _service),
    _good("service, through the edge", 2, _through_the_edge, "200", _FOR_A_WHILE),
    _good("newcomer", 6, _newcomer, "200", _FOR_A_WHILE),
    _good("slow client", 1, _slow),
    _good("public path", 6, _public),
    _good("public path, expired token", 2, _public_with_flaw),
    _good("WebSocket", 4, _web_socket, "101", of=("asgi",)),
    _refused("WebSocket, expired token", 2, _web_socket_refused, "401 expired", of=("asgi",)),
    _refused("no token", 6, _nobody, "401 no-token"),
    _refused("not permitted", 6, _not_permitted, "403 not-permitted"),
    _refused("ambiguous path", 2, _ambiguous, "400 ambiguous-path"),
    _refused("unknown key ids", 40, _flood, "401 unknown-key", "503 keys-unavailable"),
    _refused("64 KB token", 2, _long_token, "401 oversized-token", *_BY_THE_SERVER),
    _refused("64 KB of garbage", 2, _garbage, *_BY_THE_SERVER),
    _refused("client that hangs up", 2, _hung_up, "gone"),
    *(
        # 16 KB are more than some servers take in one header
        _refused(code, 1, partial(_flawed, code=code), f"401 {code}", *_BY_THE_SERVER * (code == "oversized-token"))
        for code in FLAWED
    ),
)
