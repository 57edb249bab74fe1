"""What the tests of this room are put together from: a clock turned by hand, and endpoints with a gate."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread

from cfaccess_mw.core.errors import KeySetError
from cfaccess_mw.core.timing import Timing
from cfaccess_mw.refresh.fetchers import AnyFetcher, Document
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.telemetry.events import Event

URL = "https://acme.cloudflareaccess.com/cdn-cgi/access/certs"
PATIENT = 20.0  # no test waits that long unless it fails

Keys = frozenset[str]


def parse(body: bytes) -> Keys:
    """Read a JSON list of key ids."""
    keys = json.loads(body)
    if not keys:
        raise KeySetError("no key")
    return frozenset(keys)


def holds(keys: Keys, kid: str) -> bool:
    return kid in keys


def document(*kids: str, etag: str | None = None, max_age: float | None = None) -> Document:
    return Document(body=json.dumps(kids).encode(), etag=etag, max_age=max_age)


class Clock:
    """Monotonic seconds that tests turn."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


class Answers:
    """An endpoint in process: answers in order, the last one for ever; lets nobody through while its gate is shut."""

    def __init__(self, *answers: Document | Exception, gate_open: bool = True) -> None:
        self.answers = list(answers) or [document("known")]
        self.etags: list[str | None] = []
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Event()
        self._lock = threading.Lock()
        if gate_open:
            self.gate.set()

    @property
    def count(self) -> int:
        return len(self.etags)

    def await_arrival(self) -> None:
        assert self.arrived.acquire(timeout=PATIENT), "no fetch came"

    def arrive(self, etag: str | None) -> None:
        with self._lock:
            self.etags.append(etag)
        self.arrived.release()

    def answer(self) -> Document:
        with self._lock:
            found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found


class AsyncAnswers(Answers):
    async def afetch(self, url: str, *, etag: str | None) -> Document:
        assert url == URL
        self.arrive(etag)
        if not self.gate.is_set():
            await anyio.to_thread.run_sync(self.gate.wait, PATIENT, abandon_on_cancel=True)
        await anyio.lowlevel.checkpoint()
        return self.answer()


class BlockingAnswers(Answers):
    def fetch(self, url: str, *, etag: str | None) -> Document:
        assert url == URL
        self.arrive(etag)
        assert self.gate.wait(PATIENT)
        return self.answer()


class Told:
    """A listener that remembers, and on which another thread can wait."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._told = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._told:
            self.events.append(event)
            self._told.notify_all()

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def wait_for(self, name: str, times: int = 1) -> Event:
        with self._told:
            assert self._told.wait_for(lambda: self.names.count(name) >= times, PATIENT), self.names
            return [event for event in self.events if event.name == name][-1]


@contextmanager
def refresher_of(
    fetcher: AnyFetcher,
    *,
    clock: Callable[[], float] | None = None,
    timing: Timing | None = None,
    parse: Callable[[bytes], Keys] = parse,
) -> Iterator[tuple[Refresher[Keys], Told]]:
    """A refresher that is closed, and whose gates are opened, however the test ends."""
    told = Told()
    refresher = Refresher(
        url=URL,
        fetcher=fetcher,
        parse=parse,
        holds=holds,
        timing=timing or Timing(),
        random=lambda: 0.5,
        **({} if clock is None else {"clock": clock}),  # type: ignore[arg-type]
    )
    refresher.listen((told,))
    try:
        yield refresher, told
    finally:
        refresher.close()
        if isinstance(fetcher, Answers):
            fetcher.gate.set()
