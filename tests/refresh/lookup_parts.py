"""What the tests of lookups are put together from: somebody to look up, and an endpoint with a gate."""

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.core.lookup_timing import LookupTiming
from cfaccess_mw.core.profile import ProfileAnswer
from cfaccess_mw.refresh.lookup import IDENTITY_PATH, Lookups
from tests.refresh.parts import PATIENT, Clock, Told

BASE = "https://acme.cloudflareaccess.com"
WALL = 1_800_000_000.0
SUB = "7335d417-61da-459d-899c-0a01c76a2f94"
TOKEN = "eyJh.eyJz.c2ln-_"


def identity(**more: Any) -> Identity:
    who: dict[str, Any] = {"kind": "user", "id": SUB, "email": "user@example.com", "subject": SUB, "common_name": None}
    rest: dict[str, Any] = {"country": None, "issuer": BASE, "audience": ("a",), "nonce": None, "key_thumbprint": "t"}
    times: dict[str, Any] = {"issued_at": WALL, "expires_at": WALL + 3600, "_payload": b"{}"}
    return Identity(**{**who, **rest, **times, **more})


USER = identity()


def profile_of(**members: object) -> bytes:
    return json.dumps({"user_uuid": SUB, **members}).encode()


GOOD = Reply(status=200, body=profile_of(groups=["staff"]))
GONE = Reply(status=401)


class Endpoint:
    """An endpoint in process: answers in order, the last one for ever; lets nobody through while its gate is shut."""

    def __init__(self, *answers: Reply | BaseException, gate_open: bool = True) -> None:
        self.answers = list(answers) or [GOOD]
        self.tokens: list[str] = []
        self.threads: list[threading.Thread] = []
        self.most = self.inside = 0
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Event()
        if gate_open:
            self.gate.set()

    @property
    def count(self) -> int:
        return len(self.tokens)

    def await_arrival(self) -> None:
        assert self.arrived.acquire(timeout=PATIENT), "no lookup came"

    async def __call__(self, url: str, token: str) -> Reply:
        assert url == BASE + IDENTITY_PATH
        self.tokens.append(token)
        self.threads.append(threading.current_thread())
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.arrived.release()
        try:
            if not self.gate.is_set():
                await anyio.to_thread.run_sync(
                    self.gate.wait, PATIENT, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
            await anyio.lowlevel.checkpoint()
        finally:
            self.inside -= 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, BaseException):
            raise found
        return found


@contextmanager
def lookups_of(
    fetch: Callable[[str, str], Awaitable[Reply]], *, base_url: str = BASE, linger: float = PATIENT, **timing: Any
) -> Iterator[tuple[Lookups, Told, Clock]]:
    """Lookups that are closed, and whose gates are opened, however the test ends."""
    told, clock = Told(), Clock()
    lookups = Lookups(
        base_url,
        fetch,
        timing=LookupTiming(**timing),
        listeners=(told,),
        linger=linger,
        clock=clock,
        wall=lambda: WALL + clock() - 1000,
        random=lambda: 0.5,
    )
    try:
        yield lookups, told, clock
    finally:
        if isinstance(fetch, Endpoint):
            fetch.gate.set()
        lookups.close()


def groups(answer: ProfileAnswer | None) -> object:
    assert answer is not None
    assert answer.profile is not None, answer
    return answer.profile.document["groups"]


async def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(call, *arguments)
