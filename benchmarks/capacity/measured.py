"""Does Redis say the same? Real workers of real fleets, for some seconds, and what Redis counted of them."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from benchmarks.capacity.redis import Rates, burden
from benchmarks.servers.process import free_port
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.protection import Protection

_PATIENCE: Final = 10.0  # seconds for Redis to come up
_OURS: Final = ("cmdstat_xread", "cmdstat_xlen", "cmdstat_xrange", "cmdstat_memory|usage", "cmdstat_getrange")


def measured(workers: int, seconds: float, rates: Rates) -> str:
    """Compare what was reckoned with what Redis counts; a line for people.

    Args:
        workers: How many, each with a connection of its own.
        seconds: For how long; what happens rarely is hardly seen in it.
        rates: What was reckoned with.

    Raises:
        ConfigurationError: Redis, or its client, is not installed.
    """
    if shutil.which("redis-server") is None:
        raise ConfigurationError("--measure: redis-server is not installed")
    from redis import Redis

    from cfaccess_mw.fleet import Fleet  # it names its extra where that is missing

    certs = Issuer().certs()
    with _server() as port, ExitStack() as leaving, Redis(port=port) as asking:
        fleets = [Fleet(f"redis://127.0.0.1:{port}/0", poll_every=rates.poll_every) for _ in range(workers)]
        for fleet in fleets:
            # as a door has it, with keys that nobody fetches
            leaving.callback(Protection(team="acme", audience="a" * 64, keys=certs, fleet=fleet).close)
        fleets[0].revoke(nonce="measured", lasts=3600)
        time.sleep(rates.poll_every)  # until everybody has heard it
        before = _counted(asking)
        time.sleep(seconds)
        found = (_counted(asking) - before) / seconds
    reckoned = burden(workers, rates).commands
    return f"{workers} workers for {seconds:g} s: Redis counted {found:.1f} commands a second; reckoned {reckoned:.1f}"


def _counted(asking: object) -> int:
    info = asking.info("commandstats")  # type: ignore[attr-defined]
    return sum(int(info[name]["calls"]) for name in _OURS if name in info)


@contextmanager
def _server() -> Iterator[int]:
    port = free_port()
    words = ["redis-server", f"--port {port}", "--bind 127.0.0.1", "--save", "", "--appendonly no"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    from redis import Redis
    from redis.exceptions import ConnectionError as NotYet

    deadline = time.monotonic() + _PATIENCE
    with Redis(port=port) as asking:
        while True:
            try:
                asking.ping()
                return
            except NotYet:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # between tries: nothing tells us when a foreign process listens
