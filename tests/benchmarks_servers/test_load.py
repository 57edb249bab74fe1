"""Does the load ask what it says, and does a broken promise come out?"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.load.events import EVENTS
from benchmarks.load.kinds import KINDS
from benchmarks.load.promises import most_fetches, promises, status
from benchmarks.load.record import Record
from benchmarks.load.report import as_data, markdown
from benchmarks.load.run import LOADED, Plan, play
from benchmarks.load.talking import Answer, Line
from benchmarks.load.watching import Sample, can_watch, look
from benchmarks.load.world import FLAWED
from benchmarks.servers.lineup import SERVERS
from benchmarks.servers.process import free_port
from benchmarks.servers.scenes import Stage
from cfaccess_mw.testing import AccessKit
from tests.servers.process import skip_without

PROBLEM = {"content-type": "application/problem+json"}
FLAT = ("latency stays flat", "memory stays flat", "files stay flat", "threads stay flat")


def a_record(**changes: Any) -> Record:
    """Thirty seconds in which everything went well, with some things changed."""
    samples = [
        Sample(at=float(at), memory=50 * 2**20, files=20, threads=3, processes=frozenset({1, 2})) for at in range(30)
    ]
    record = Record(server="uvicorn", began=0.0, seconds=30.0, workers=1, fetches=3, samples=samples)
    for kind in KINDS:
        record.outcomes[kind.name] = Counter(dict.fromkeys(kind.expected, 5))
    record.latencies = [(at / 10, 0.001) for at in range(300)]
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def outcomes(kind: str, outcome: str) -> dict[str, Counter[str]]:
    """Those of a good record, with a wrong one among them."""
    good = a_record().outcomes
    good[kind][outcome] += 1
    return good


def later(**taken: Any) -> list[Sample]:
    """Samples whose last third is another one."""
    good = a_record().samples
    usual = {"memory": 50 * 2**20, "files": 20, "threads": 3, "processes": frozenset({1, 2}), **taken}
    return [*good[:20], *(Sample(at=each.at, **usual) for each in good[20:])]


@pytest.mark.parametrize("server", LOADED)
def test_a_moment_of_load(server: str, stage: Stage) -> None:
    """Real servers, real traffic; the promises that time does not bear on are kept."""
    skip_without(*SERVERS[server].packages)
    record = play(Plan(server=server, seconds=1.2, clients=12, workers=1, people=20), stage.folder)
    assert [(each.text, each.measured) for each in promises(record) if not each.kept and not is_flat(each.text)] == []
    made = {kind.name for kind in KINDS if SERVERS[server].interface in kind.interfaces}
    assert set(record.outcomes) <= made
    assert record.outcomes["user"]["200"] > 0
    assert record.fetches >= 1
    assert (len(record.samples) > 1) is can_watch()


def is_flat(text: str) -> bool:
    """Whether a promise compares times; a moment says nothing about that."""
    return text.startswith(FLAT)


def test_everything_well() -> None:
    """Nothing is broken, and the command ends with 0."""
    assert [each for each in promises(a_record()) if not each.kept] == []
    assert status([a_record(), a_record()]) == 0


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        pytest.param({"outcomes": outcomes("user", "401 expired")}, {"nobody with"}, id="good-refused"),
        pytest.param({"outcomes": outcomes("user", "200 as somebody else")}, {"nobody with"}, id="mixed-up"),
        pytest.param({"outcomes": outcomes("slow client", "closed")}, {"nobody with"}, id="slow-dropped"),
        pytest.param({"outcomes": outcomes("expired", "200")}, {"nobody else"}, id="bad-let-in"),
        pytest.param({"outcomes": outcomes("expired", "401 bad-signature")}, {"nobody else"}, id="wrong-reason"),
        pytest.param({"outcomes": outcomes("no token", "500")}, {"nobody else", "no 5xx"}, id="failed"),
        pytest.param(
            {"outcomes": outcomes("unknown key ids", "503 keys-unavailable without Retry-After")},
            {"nobody else", "no 5xx"},
            id="no-retry-after",
        ),
        pytest.param({"outcomes": outcomes("newcomer", "503 keys-unavailable")}, {"nobody with", "no 5xx"}, id="late"),
        pytest.param({"tracebacks": 1}, {"the server"}, id="traceback"),
        pytest.param({"fetches": 100}, {"the certs"}, id="fetches"),
        pytest.param({"latencies": [(at / 10, at / 1000) for at in range(300)]}, {"latency"}, id="slower"),
        pytest.param({"samples": later(memory=70 * 2**20)}, {"memory"}, id="leak"),
        pytest.param({"samples": later(files=90)}, {"files"}, id="files"),
        pytest.param({"samples": later(threads=9)}, {"threads"}, id="threads"),
        pytest.param({"samples": later(processes=frozenset({1, 3}))}, {"no worker"}, id="died"),
    ],
)
def test_a_broken_promise_comes_out(changes: dict[str, Any], broken: set[str]) -> None:
    """That one and no other, and the command ends with 1."""
    record = a_record(**changes)
    texts = {each.text for each in promises(record) if not each.kept}
    assert {start for start in broken if any(text.startswith(start) for text in texts)} == broken
    assert [text for text in texts if not text.startswith(tuple(broken))] == []
    assert status([a_record(), record]) == 1


@pytest.mark.parametrize(
    ("seconds", "workers", "most"),
    [
        pytest.param(10, 1, 4, id="moment"),
        pytest.param(90, 2, 14, id="minutes"),
        pytest.param(600, 1, 26, id="ten-minutes"),
    ],
)
def test_how_often_the_endpoint_may_be_asked(seconds: float, workers: int, most: int) -> None:
    """One at first, two and one each half a minute, the routine ones, and one under way."""
    assert most_fetches(seconds, workers) == most


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(Answer(status=200, body=b"alice"), "200", id="good"),
        pytest.param(Answer(status=200, body=b"bob"), "200 as somebody else", id="mixed-up"),
        pytest.param(Answer(status=401, headers=PROBLEM, body=b'{"code": "expired"}'), "401 expired", id="code"),
        pytest.param(Answer(status=431, headers={"content-type": "text/html"}, body=b"{"), "431", id="of-the-server"),
        pytest.param(Answer(status=503), "503 without Retry-After", id="no-retry-after"),
        pytest.param(Answer(status=503, headers={"retry-after": "3"}), "503", id="retry-after"),
        pytest.param(Answer(status=0), "closed", id="closed"),
    ],
)
def test_what_an_answer_comes_to(answer: Answer, outcome: str) -> None:
    """In the words of the table of kinds."""
    assert answer.outcome("alice") == outcome


def test_every_code_that_a_token_can_cause_is_tried() -> None:
    """Those that need a lookup, and those that need a configuration, are named where they are left out."""
    assert {f"401 {code}" for code in FLAWED} <= {outcome for kind in KINDS for outcome in kind.expected}
    assert set(AccessKit.refusals) - set(FLAWED) == {
        "too-old",
        "session-ended",
        "identity-unavailable",
        "unknown-key",
    }
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_nothing_happens_in_the_thirds_that_are_compared() -> None:
    """Otherwise they would differ for a reason."""
    assert all(event.at > 1 / 3 and event.lasts < 2 / 3 for event in EVENTS)


def test_nobody_listens() -> None:
    """An answer without a status, and no exception."""

    async def ask() -> Answer:
        async with Line(port=free_port()) as line:
            return await line.ask(b"GET / HTTP/1.1\r\n\r\n")

    assert asyncio.run(ask()).outcome() == "closed"


@pytest.mark.skipif(not can_watch(), reason="this system has no /proc")
def test_children_are_looked_at_too() -> None:
    """A server's workers are its children."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = look(os.getpid(), 7.0)
        alone = look(child.pid, 7.0)
        child.communicate(b"\n")
    assert {os.getpid(), child.pid} <= found.processes
    assert alone.processes == {child.pid}
    assert found.at == 7.0
    assert found.memory > alone.memory > 0
    assert found.files > 2
    assert found.threads >= 2


@pytest.mark.parametrize("read", [pytest.param(str, id="markdown"), pytest.param(json.dumps, id="json")])
def test_a_report_says_what_was_broken(read: Callable[[Any], str]) -> None:
    """Both forms have the command, the machine, the promise and the number."""
    records = [a_record(fetches=100, learned=12.0)]
    data = as_data(records, {"cores": "2"}, "python -m benchmarks.load --seed 0")
    text = "\n".join(markdown(records, {"cores": "2"}, "python -m benchmarks.load --seed 0"))
    shown = text if read is str else read(data)
    for part in ("python -m benchmarks.load --seed 0", "cores", "asked at most 5 times", "100 times", "bad-signature"):
        assert part in shown
    assert ("**NO**" in text, text.count("| yes |")) == (True, 11)
