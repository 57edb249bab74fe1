"""Does each example do what it is there to show? All are asked the same, through the edge and around it."""

import ast
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

from cfaccess_mw.emulator.issuer import Issuer
from tests.examples.catalogue import EXAMPLES, FOLDER, Example
from tests.examples.process import ROBOT, Running, run, running, skip_what_is_missing

ALICE, BOB = "alice@example.com", "bob@example.com"
FORGED = {"Cf-Access-Authenticated-User-Email": ALICE, "Cf-Access-Jwt-Assertion": "forged", "Remote-User": ALICE}


@pytest.fixture(scope="module")
def team() -> Issuer:
    """A team that signs now."""
    return Issuer("acme")


class Visitor:
    """Somebody with a browser, or with none, at an example."""

    def __init__(self, running: Running) -> None:
        self._running = running
        # A connection for each request: one that is kept may be closed by the server just when it is used again.
        self._client = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))

    def sign_in(self, email: str) -> None:
        """Come by way of the login page."""
        to_login = self._client.get(self._running.edge)
        answer = self._client.post(to_login.headers["location"], data={"email": email}, follow_redirects=True)
        assert answer.status_code == 200, answer.text

    def through(self, path: str) -> httpx.Response:
        """Ask through the edge."""
        return self._client.get(self._running.edge + path)

    def straight(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Ask the origin itself."""
        return self._client.get(self._running.origin + path, headers=headers or {})

    def greeted(self) -> str:
        """What the WebSocket says through the edge."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        url = self._running.edge.replace("http", "ws", 1) + "/ws"
        with connect(url, additional_headers={"Cookie": cookies}, proxy=None) as websocket:
            return str(websocket.recv(10))

    def is_greeted_straight(self) -> bool:
        """Whether the origin itself accepts the WebSocket."""
        try:
            with connect(self._running.origin.replace("http", "ws", 1) + "/ws", proxy=None):
                return True
        except InvalidHandshake:
            return False

    def close(self) -> None:
        """Go."""
        self._client.close()


class Seen:
    """Three visitors of one example."""

    def __init__(self, running: Running) -> None:
        self.nobody, self.alice, self.bob = (Visitor(running) for _ in range(3))

    def sign_in(self) -> None:
        """Let two of them sign in."""
        self.alice.sign_in(ALICE)
        self.bob.sign_in(BOB)

    def close(self) -> None:
        """Let them go."""
        for visitor in (self.nobody, self.alice, self.bob):
            visitor.close()


Look = Callable[[Seen, Example], Any]

# What is tried, what is to be seen, and how it is looked for.
TABLE: tuple[tuple[str, Callable[[Example], Any], Look], ...] = (
    ("not signed in, through the edge", lambda _: 302, lambda seen, _: seen.nobody.through("/").status_code),
    ("Alice's home", lambda _: (200, True), lambda seen, _: _names(seen.alice.through("/"), ALICE)),
    ("Bob's home", lambda _: (200, True), lambda seen, _: _names(seen.bob.through("/"), BOB)),
    ("who Bob is", lambda _: ("user", BOB), lambda seen, _: _who(seen.bob.through("/whoami"))),
    ("admins, as Alice", lambda _: 200, lambda seen, e: seen.alice.through(e.group_path).status_code),
    ("admins, as Bob", lambda _: 403, lambda seen, e: seen.bob.through(e.group_path).status_code),
    ("health, straight", lambda _: 200, lambda seen, _: seen.nobody.straight("/healthz").status_code),
    ("home, straight", lambda e: e.unauthenticated, lambda seen, _: seen.nobody.straight("/").status_code),
    ("admins, straight", lambda e: e.unauthenticated, lambda seen, e: seen.nobody.straight(e.group_path).status_code),
    ("forged, straight", lambda e: e.unauthenticated, lambda seen, _: seen.nobody.straight("/", FORGED).status_code),
    (
        "only an e-mail, straight",
        lambda e: e.unauthenticated,
        lambda seen, _: seen.nobody.straight("/", {"Cf-Access-Authenticated-User-Email": ALICE}).status_code,
    ),
    ("nowhere, straight", lambda e: e.unauthenticated, lambda seen, _: seen.nobody.straight("/no/where").status_code),
    (
        "WebSocket",
        lambda e: ALICE if e.has_websocket else None,
        lambda seen, e: seen.alice.greeted() if e.has_websocket else None,
    ),
    ("WebSocket, straight", lambda _: False, lambda seen, _: seen.nobody.is_greeted_straight()),
)


def _names(answer: httpx.Response, email: str) -> tuple[int, bool]:
    return answer.status_code, email in answer.text


def _who(answer: httpx.Response) -> tuple[str, str]:
    said = answer.json()
    return said["kind"], said["email"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_an_example_does(example: Example, team: Issuer, tmp_path: Path) -> None:
    skip_what_is_missing(example)
    with running(example, team, tmp_path / "log") as up, closing(Seen(up)) as seen:
        seen.sign_in()
        found = {name: look(seen, example) for name, _, look in TABLE}
    assert found == {name: expected(example) for name, expected, _ in TABLE}


def test_a_real_mcp_client_calls_the_tools_of_the_example(team: Issuer, tmp_path: Path) -> None:
    (example,) = (example for example in EXAMPLES if example.name == "mcp")
    skip_what_is_missing(example)
    with running(example, team, tmp_path / "log") as up:
        told = {"CF_ACCESS_CLIENT_ID": ROBOT.client_id, "CF_ACCESS_CLIENT_SECRET": ROBOT.client_secret}
        printed = run(("python", "client.py", f"{up.edge}/mcp"), example.folder, told)
    whoami, restart = printed.splitlines()
    assert whoami == f"whoami: {ROBOT.client_id}"
    assert "not permitted" in restart
    assert "(not-permitted)" in restart


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_says_how_it_is_run(example: Example) -> None:
    file = example.folder / example.file
    if not file.is_file():
        pytest.skip(f"there is no examples/{example.name}")
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    assert f" {example.run}" in said
    assert "CFACCESS_TEAM=" in said


def test_every_example_has_its_line_in_the_overview() -> None:
    overview = (FOLDER / "README.md").read_text(encoding="utf-8")
    for example in EXAMPLES:
        if example.folder.is_dir():
            assert f"]({example.name}/" in overview
            assert f"`{example.run}" in overview
