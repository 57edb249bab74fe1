"""A process that forks while keys are fetched and a lock is held: gunicorn with ``--preload``."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SCRIPT = """
import os, sys, threading, warnings
from cfaccess_mw.core.freshness import PRESENT, ABSENT
from cfaccess_mw.refresh import registry
from tests.refresh.parts import BlockingAnswers, URL, document, holds, parse

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads, rightly
endpoint = BlockingAnswers(document("known"), document("known"), document("known", "new"))
hold = registry.hold(url=URL, fetcher=endpoint, parse=parse, holds=holds)
refresher = hold.refresher
{before}
refresher._lock.acquire()
registry._registry._lock.acquire()
child = os.fork()
if child == 0:
    try:
        {in_child}
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)
refresher._lock.release()
registry._registry._lock.release()
_, status = os.waitpid(child, 0)
endpoint.gate.set()
{in_parent}
hold.release()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize(
    ("before", "in_child", "in_parent"),
    [
        pytest.param(
            "refresher.hydrate()",
            """
            assert refresher.snapshot == {"known"}, "what the parent fetched is there"
            assert refresher._driver is None
            assert refresher.obtain_blocking("known", patience=0) == PRESENT
            assert refresher.obtain_blocking("never", patience=20) == ABSENT
            assert refresher.obtain_blocking("new", patience=20) == PRESENT
            assert endpoint.count == 3
            hold.release()
            registry.hold(url=URL, fetcher=endpoint, parse=parse, holds=holds)
            """,
            """
            assert refresher.obtain_blocking("never", patience=20) == ABSENT
            assert endpoint.count == 2
            """,
            id="fresh-with-a-driver",
        ),
        pytest.param(
            """
            endpoint.gate.clear()
            refresher.attend_blocking()
            endpoint.await_arrival()
            """,
            """
            endpoint.gate.set()
            assert refresher.obtain_blocking("known", patience=20) == PRESENT
            assert endpoint.count == 2, "one of the parent's, and one of ours"
            """,
            """
            assert refresher.obtain_blocking("known", patience=20) == PRESENT
            assert endpoint.count == 1
            """,
            id="cold-with-a-flight-in-the-air",
        ),
    ],
)
def test_a_child_goes_on_by_itself(alone: Path, before: str, in_child: str, in_parent: str) -> None:
    script = SCRIPT.format(
        before=textwrap.dedent(before).strip(),
        in_child=textwrap.indent(textwrap.dedent(in_child).strip(), " " * 8).strip(),
        in_parent=textwrap.dedent(in_parent).strip(),
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=alone,
        env={**os.environ, "PYTHONPATH": str(alone)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("kind", "backend"), [("async", "asyncio"), ("async", "trio"), ("threads", "asyncio")], ids=lambda value: value
)
def test_once_prepared_a_request_imports_nothing_on_its_loop(alone: Path, kind: str, backend: str) -> None:
    script = f"""
import sys, threading
if {backend!r} == "trio":
    import trio
from cfaccess_mw.refresh import registry
from tests.refresh.parts import AsyncAnswers, BlockingAnswers, URL, holds, parse
registry.prepare()
assert "httpx" in sys.modules
endpoint = AsyncAnswers() if {kind!r} == "async" else BlockingAnswers()
hold = registry.hold(url=URL, fetcher=endpoint, parse=parse, holds=holds)
import anyio
async def main():
    hold.refresher.attend()
    await hold.refresher.obtain("known", patience=20)
    return set(sys.modules)
async def nothing():
    await anyio.sleep(0)
    return set(sys.modules)
before = anyio.run(nothing, backend={backend!r})
after = anyio.run(main, backend={backend!r})
hold.release()
print(sorted(name for name in after - before if not name.startswith("encodings")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=alone,
        env={**os.environ, "PYTHONPATH": str(alone)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_what_is_not_needed_is_not_imported() -> None:
    script = """
import sys
import cfaccess_mw.refresh.registry, cfaccess_mw.refresh.static
print([name for name in ("anyio", "asyncio", "httpx", "ssl", "starlette", "trio") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
