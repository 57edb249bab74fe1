"""Do two people on one worker ever see each other?"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.matrix import PAIRS
from tests.servers.process import Running
from tests.servers.raw import exchange, get

THREADED = [pair for pair in PAIRS if pair.interface == "wsgi"]


def _ask(server: Running, target: str, token: str | None) -> bytes:
    headers = [] if token is None else [f"Cf-Access-Jwt-Assertion: {token}"]
    return exchange(server.port, get(target, *headers))


@pytest.mark.parametrize("server", THREADED, indirect=True, ids=str)
def test_two_people_at_once(server: Running, tokens: Mapping[str, str]) -> None:
    """Their bodies are made line by line in turn, in threads that are used again and again."""
    for turn in range(4):
        target = f"/meet?{server.port}-{turn}"
        with ThreadPoolExecutor(2) as pool:
            alice, bob = pool.map(_ask, [server] * 2, [target] * 2, [tokens["good"], tokens["bob"]])
        for own, answer in (("alice", alice), ("bob", bob)):
            assert [line for line in answer.decode().splitlines() if line.startswith("SECRET")] == [
                f"SECRET {part} {own}@example.com" for part in range(3)
            ]


def test_nobody_sees_the_last_person(server: Running, tokens: Mapping[str, str]) -> None:
    """A public path without an assertion, on threads and loops that have just served somebody."""
    with ThreadPoolExecutor(4) as pool:
        asked = [("/static/x", None), ("/whoami", tokens["good"]), ("/whoami", tokens["bob"])] * 8
        answers = list(pool.map(lambda each: _ask(server, *each), asked))
    names = [answer.partition(b"PUBLIC ")[2] or answer.partition(b"SECRET ")[2] for answer in answers]
    found = [(name.split(b" ")[0], b'"current": "' + name.split(b" ")[0] in name) for name in names]
    assert found == [(b"none", True), (b"alice@example.com", True), (b"bob@example.com", True)] * 8
