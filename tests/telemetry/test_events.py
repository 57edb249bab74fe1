"""Who is told what, and how often?"""

import ast
import asyncio
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cfaccess_mw
from cfaccess_mw import ConfigurationError, NotPermitted, Rule
from cfaccess_mw import asgi as asgi_doors
from cfaccess_mw import wsgi as wsgi_doors
from cfaccess_mw.core.decide import Pass
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.telemetry.catalogue import EVENTS
from cfaccess_mw.telemetry.events import Event, Only, log_event, observes, tell
from cfaccess_mw.telemetry.requests import ACCEPTED
from cfaccess_mw.telemetry.seldom import Seldom
from tests.doors.conftest import Ask, Request
from tests.tokens import AUD

ASSERTION = "cf-access-jwt-assertion"
ORIGIN = (("origin", "https://other.example"), ("access-control-request-method", "PUT"))
RULES = [
    Rule.public("/healthz"),
    Rule.allow("/admin/*", emails="bob@example.com"),
    replace(Rule.token("/soon"), report_only=True),
]


@pytest.fixture
def quiet() -> Iterator[None]:
    """The logger says warnings and worse, as it does where nobody has configured it."""
    logger = logging.getLogger("cfaccess_mw")
    before, logger.level = logger.level, logging.WARNING
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    yield
    logger.setLevel(before)


class Clock:
    """A clock that a test turns."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("path", "given", "headers", "told"),
    [
        pytest.param("/", "alice", (), ("token-accepted", "accepted", None, "user"), id="let-in"),
        pytest.param("/", "robot", (), ("token-accepted", "accepted", None, "service"), id="a-service"),
        pytest.param("/healthz", "alice", (), ("token-accepted", "accepted", None, "user"), id="public-with-a-token"),
        pytest.param("/healthz", None, (), ("anonymous-passed", "anonymous", None, None), id="public"),
        pytest.param("/", None, ORIGIN, ("anonymous-passed", "anonymous", None, None), id="a-preflight"),
        pytest.param("/", None, (), ("token-refused", "unauthenticated", "no-token", None), id="no-token"),
        pytest.param("/", "x", (), ("token-refused", "unauthenticated", "malformed-token", None), id="bad-token"),
        pytest.param("/admin/x", "alice", (), ("policy-denied", "denied", "not-permitted", "user"), id="not-permitted"),
        pytest.param("/a\n", "alice", (), ("path-ambiguous", "ambiguous", "ambiguous-path", None), id="ambiguous"),
        pytest.param("/soon", None, (), ("only-reported", "reported", "no-token", None), id="only-reported"),
    ],
)
def test_every_decision_is_told_once(
    ask: Ask,
    team: Issuer,
    path: str,
    given: str | None,
    headers: tuple[tuple[str, str], ...],
    told: tuple[str, str, str | None, str | None],
) -> None:
    tokens = {"alice": team.user("alice@example.com", audience=AUD), "robot": team.service(audience=AUD), "x": "x"}
    sent = () if given is None else (("cf-access-jwt-assertion", tokens[given]),)
    ray = ("cf-ray", "8f2b1c0d9e3a4f56-LHR")
    heard: list[Event] = []
    request = Request(path=path, method="OPTIONS" if headers else "GET", headers=(*sent, *headers, ray))
    ask(request, rules=RULES, allow_preflight=True, listeners=[heard.append])
    (event,) = (event for event in heard if event.request is not None)
    asked = event.request
    assert asked is not None
    kind = None if asked.identity is None else asked.identity.kind
    assert (event.name, asked.outcome, asked.code, kind) == told
    assert event.level == (logging.DEBUG if asked.code is None else logging.INFO)
    assert asked.ray == "8f2b1c0d9e3a4f56-LHR"
    assert asked.seconds is not None
    assert 0 < asked.seconds < 60
    assert asked.rule == (path.replace("/x", "/*") if path in ("/healthz", "/admin/x", "/soon") else None)
    assert asked.key_id == (team.current.kid[:8] if given in ("alice", "robot") else None)
    assert "alice" not in repr(event)


@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_a_door_that_stands_elsewhere_tells_too(interface: str, team: Issuer, *, cold: bool) -> None:
    """Integrations ask a door and answer themselves; a cold one waits for keys first."""
    heard: list[Event] = []
    token = team.user("alice@example.com", audience=AUD)
    with Emulator(upstream="http://127.0.0.1:9", issuer=team) as emulator:
        keys: dict[str, Any] = {"team_url": emulator.url} if cold else {"keys": team.certs()}
        options: dict[str, Any] = {"team": "acme", "audience": AUD, "listeners": [heard.append], **keys}
        if interface == "asgi":
            asgi = asgi_doors.Door(**options)
            scope = {"type": "http", "method": "GET", "path": "/x", "headers": [(ASSERTION.encode(), token.encode())]}
            decision = asyncio.run(asgi.decide(scope))
            assert isinstance(decision, Pass)
            asgi.tell(NotPermitted(), asgi.clean(scope, decision))
            asgi.protection.close()
        else:
            wsgi = wsgi_doors.Door(**options)
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "HTTP_CF_ACCESS_JWT_ASSERTION": token}
            passing = wsgi.decide(environ)
            assert isinstance(passing, Pass)
            wsgi.tell(NotPermitted(), wsgi.clean(environ, passing))
            wsgi.protection.close()
    accepted, denied = [event.request for event in heard if event.request is not None]
    assert (accepted.outcome, accepted.path) == ("accepted", "/x")
    assert accepted.seconds is not None
    assert (denied.outcome, denied.path, denied.key_id) == ("denied", "/x", team.current.kid[:8])
    assert denied.identity is not None, "whom a handler refuses is known"
    assert denied.identity.email == "alice@example.com"


@pytest.mark.usefixtures("quiet")
def test_where_nobody_listens_nothing_is_told_of_accepted_requests(
    ask: Ask, team: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    token = team.user("alice@example.com", audience=AUD)
    assert ask(Request.with_token(token), listeners=[Only(print, "keys-failed")]).status == 200
    assert caplog.records == []


def test_a_listener_for_debugging_is_the_logger(ask: Ask, team: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cfaccess_mw")
    ask(Request.with_token(team.user("alice@example.com", audience=AUD), "/x"))
    (record,) = (one for one in caplog.records if getattr(one, "cfaccess_event", "") == "token-accepted")
    assert record.getMessage() == "token-accepted method='GET' path='/x'"
    assert record.__dict__["cfaccess_path"] == "'/x'"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("listeners", "observed"),
    [
        pytest.param([], False, id="nobody"),
        pytest.param([Only(print, "keys-failed", "keys-stale")], False, id="for-something-else"),
        pytest.param([Only(print, "keys-failed", "token-accepted")], True, id="for-this-too"),
        pytest.param([print], True, id="for-everything"),
    ],
)
def test_whether_somebody_wants_to_know_of_accepted_requests(listeners: list[Any], observed: bool) -> None:
    assert observes([log_event, *listeners]) is observed


@pytest.mark.usefixtures("quiet")
def test_a_logger_that_is_configured_later_counts() -> None:
    logger = logging.getLogger("cfaccess_mw")
    assert not observes([log_event])
    logger.setLevel(logging.DEBUG)
    assert observes([log_event])


def test_only_some_events() -> None:
    heard: list[Event] = []
    listener = Only(heard.append, "keys-failed")
    tell([listener], Event(name="keys-fetched"))
    tell([listener], Event(name="keys-failed"))
    assert [event.name for event in heard] == ["keys-failed"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["key-failed"], r"names: 'key-failed' is not an event; did you mean 'keys-failed'\?", id="near"),
        pytest.param(["zzz"], "names: 'zzz' is not an event; known are token-accepted, ", id="far"),
        pytest.param([], "names: is empty; name events, of token-accepted, ", id="none"),
    ],
)
def test_events_that_are_none_are_a_mistake(names: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Only(print, *names)


def test_a_broken_listener_is_said_once_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("mine")

    heard: list[Event] = []
    for _ in range(100):
        tell([broken, heard.append], Event(name=ACCEPTED))
    assert len(heard) == 100
    assert [record.getMessage() for record in caplog.records] == ["a listener failed on token-accepted"]
    tell([broken], Event(name="keys-failed"))
    assert caplog.messages[1:] == ["a listener failed on keys-failed"], "another event is another matter"


def test_each_broken_listener_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        """One that cannot be hashed, as a dataclass with equality cannot."""

        __slots__ = ()
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, event: Event) -> None:
            raise RuntimeError("mine")

    def broken(event: Event) -> None:
        raise RuntimeError("mine")

    several = (Broken(), Broken(), broken, partial(broken))
    for _ in range(3):
        tell(several, Event(name="keys-failed"))
    assert caplog.messages == ["a listener failed on keys-failed"] * 4


def test_what_each_request_may_cause_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cfaccess_mw")
    before = len(caplog.records)
    for _ in range(50):
        log_event(Event(name="revocations-lacking", level=logging.ERROR, facts={"error": "OSError"}))
        log_event(Event(name="keys-failed", level=logging.WARNING))
    names = [record.__dict__["cfaccess_event"] for record in caplog.records[before:]]
    assert names.count("keys-failed") == 50
    assert names.count("revocations-lacking") <= 1


def test_seldom_counts_what_it_holds_back() -> None:
    clock = Clock()
    seldom = Seldom(every=10, clock=clock)
    assert [seldom.due("a"), seldom.due("a"), seldom.due("b"), seldom.due("a")] == [0, None, 0, None]
    clock.now += 9.999
    assert seldom.due("a") is None
    clock.now += 0.001
    assert [seldom.due("a"), seldom.due("a")] == [3, None]


def test_seldom_keeps_a_bounded_number_of_things_apart() -> None:
    seldom = Seldom(every=10, clock=Clock())
    assert [seldom.due(number) for number in range(1_000)] == [0] * 1_000
    assert len(seldom._said) <= 256


def _named_in(path: Path) -> Iterator[str]:
    """Names of events that a file writes out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = [keyword.value for keyword in node.keywords if keyword.arg == "name" and called == "Event"]
        if called in ("_tell", "tell", "Answers") and path.name != "shared.py":  # which says the half of a name
            given += node.args[:1]
        yield from (value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str))


def test_every_event_of_the_package_is_in_the_catalogue() -> None:
    package = Path(cfaccess_mw.__file__).parent
    named = {name for path in package.rglob("*.py") for name in _named_in(path)}
    assert len(named) > 10
    assert named - EVENTS.keys() == set()


def test_the_manual_names_every_event_but_the_edges() -> None:
    manual = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = manual.partition("### Events and logs")[2].partition("\n### ")[0]
    if not section:
        pytest.skip("the manual has no section on events")
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    of_the_edge = {name for name in EVENTS if name.split("-")[0] in ("ranges", "link", "peer", "evaluation", "signing")}
    assert named == EVENTS.keys() - of_the_edge
